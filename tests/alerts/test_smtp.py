"""One message to one mail server, a real one: whatever it does, the outcome is a value, and nothing is lost."""

import contextlib
import random
import socket
import subprocess
import time
from collections import Counter
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

import pytest

from matchmaker.alerts.delivery import Delivery, Outcome
from matchmaker.alerts.smtp import MailServerSettings, SmtpTransport
from tests.alerts.smtp_server import MailServer, mail_server

ANA = "ana@hospital.example"
TAKEN = Delivery(Outcome.TAKEN)


def message(number: int = 1) -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["To"], made["Subject"], made["Message-ID"] = ANA, "Eine Übereinstimmung", f"<m{number}@ireland.example>"
    made.set_content("Grüße\n.\n..\nFrom here on\n", cte="quoted-printable")
    return made


def to(server: MailServer, **changes: Any) -> SmtpTransport:
    settings = MailServerSettings(server.host, server.port, "none", "alerts@ireland.example", None, None, 5.0)
    return SmtpTransport(replace(settings, **changes))


async def deliver(transport: SmtpTransport, number: int = 1, recipient: str = ANA) -> Delivery:
    return await transport.deliver(message(number), recipient, f"m{number}")


def ids(server: MailServer) -> list[str]:
    return [message_from_bytes(content, policy=SMTP)["Message-ID"] for _, content in server.received]


async def test_a_message_arrives_whole() -> None:
    async with mail_server() as server:
        transport = to(server)
        assert await deliver(transport) == TAKEN
        await transport.close()
    ((recipient, content),) = server.received
    read = message_from_bytes(content, policy=SMTP)
    assert isinstance(read, EmailMessage)
    assert (recipient, read["To"], read["Subject"]) == (ANA, ANA, "Eine Übereinstimmung")
    assert read.get_content().splitlines() == ["Grüße", ".", "..", "From here on"]


async def test_many_messages_go_over_one_connection() -> None:
    async with mail_server() as server:
        transport = to(server)
        assert {await deliver(transport, number) for number in range(20)} == {TAKEN}
        assert (len(set(ids(server))), server.connections) == (20, 1)
        await transport.close()


@pytest.mark.parametrize(
    ("switches", "outcome"),
    [
        ({"rcpt": "451 4.2.0 not now"}, Outcome.LATER),
        ({"rcpt": "550 5.1.1 nobody of that name"}, Outcome.NEVER),
        ({"data": "452 4.3.1 full"}, Outcome.LATER),
        ({"data": "554 5.6.0 we do not like it"}, Outcome.NEVER),
        ({"mail": "550 5.7.1 we do not know this sender"}, Outcome.LATER),
        ({"mail": "421 4.3.2 closing"}, Outcome.LATER),
        ({"rcpt": "421 4.3.2 closing"}, Outcome.LATER),
        ({"data": "421 4.3.2 closing"}, Outcome.LATER),
    ],
)
async def test_what_is_said_of_the_message_is_final_and_what_is_said_of_us_or_for_now_is_not(
    switches: dict[str, str], outcome: Outcome
) -> None:
    async with mail_server(**switches) as server:
        transport = to(server)
        assert await deliver(transport) == Delivery(outcome, *switches.values())
        assert server.received == []
        server.mail = server.rcpt = server.data = "250 OK"
        assert await deliver(transport, 2) == TAKEN, "the next one is none the worse for it"
        assert ids(server) == ["<m2@ireland.example>"]
        await transport.close()


async def test_a_refused_message_costs_no_connection() -> None:
    async with mail_server() as server:
        transport = to(server)
        assert await deliver(transport, 1) == TAKEN
        server.rcpt = "550 5.1.1 nobody of that name"
        assert (await deliver(transport, 2)).outcome is Outcome.NEVER
        server.rcpt = "250 OK"
        assert await deliver(transport, 3) == TAKEN
        assert (ids(server), server.connections) == (["<m1@ireland.example>", "<m3@ireland.example>"], 1)
        await transport.close()


async def test_a_message_whose_connection_drops_goes_again_over_a_new_one() -> None:
    async with mail_server(drop_share=1.0) as server:
        transport = to(server)
        dropped = await deliver(transport)
        assert (dropped.outcome, server.received, server.connections) == (Outcome.LATER, [], 1)
        assert dropped.reason
        server.drop_share = 0.0
        assert await deliver(transport) == TAKEN
        assert (ids(server), server.connections) == (["<m1@ireland.example>"], 2)
        await transport.close()


async def test_a_message_taken_without_an_answer_is_sent_again_under_its_message_id() -> None:
    async with mail_server(drop_stored_share=1.0) as server:
        transport = to(server)
        assert (await deliver(transport)).outcome is Outcome.LATER
        server.drop_stored_share = 0.0
        assert await deliver(transport) == TAKEN
        assert (ids(server), server.connections) == (["<m1@ireland.example>"] * 2, 2)
        await transport.close()


async def test_through_all_that_goes_wrong_nothing_is_lost_and_only_what_went_unanswered_is_there_twice() -> None:
    chance = random.Random(7)  # noqa: S311 - a draw to be repeated
    async with mail_server(chance=chance, refuse_share=0.2, drop_share=0.1, drop_stored_share=0.1) as server:
        transport = to(server)
        unanswered = Counter[str]()
        for number in range(60):
            while (delivery := await deliver(transport, number)) != TAKEN:
                assert delivery.outcome is Outcome.LATER
                unanswered[f"<m{number}@ireland.example>"] += delivery.reason != "451 4.2.0 not now"
        arrived = Counter(ids(server))
        await transport.close()
    assert arrived.keys() == {f"<m{number}@ireland.example>" for number in range(60)}
    assert all(1 <= count <= 1 + unanswered[one] for one, count in arrived.items())
    assert sum(arrived.values()) > 60, "some were there twice"


async def test_a_server_that_stalls_holds_nobody_up() -> None:
    async with mail_server(stall_seconds=60.0) as server:
        transport, begun = to(server, timeout_seconds=0.2), time.monotonic()
        stalled = await deliver(transport)
        assert time.monotonic() - begun < 4 * 0.2 + 1
        assert (stalled.outcome, server.received) == (Outcome.LATER, [])
        assert "imed out" in stalled.reason
        server.stall_seconds = 0.0
        assert await deliver(transport) == TAKEN
        assert server.connections == 2
        await transport.close()


async def test_where_nobody_listens_it_is_tried_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    delivery = await deliver(to(MailServer(port=port)))
    assert delivery.outcome is Outcome.LATER
    assert str(port) in delivery.reason


async def test_a_reason_is_one_short_line_whatever_the_server_says() -> None:
    said = "550-no\r\n550-\x1b[31mno\x07\r\n550 " + "never " * 100
    async with mail_server(rcpt=said) as server:
        transport = to(server)
        delivery = await deliver(transport)
        await transport.close()
    assert delivery.outcome is Outcome.NEVER
    assert delivery.reason.startswith("550 no ?[31mno? never never")
    assert delivery.reason.isprintable()
    assert len(delivery.reason) <= 300


@pytest.mark.parametrize(
    ("recipient", "changes"),
    [
        ("ana@münchen.example", {}),
        ("aña@hospital.example", {}),
        (f"{ANA}\0", {}),
        (ANA, {"sender": "alerts@münchen.example"}),
        (ANA, {"host": "mail..example"}),
    ],
    ids=["domain", "name", "null", "sender", "host"],
)
async def test_what_cannot_be_said_to_a_mail_server_is_a_value_and_harms_nothing(
    recipient: str, changes: dict[str, str]
) -> None:
    async with mail_server() as server:
        transport = to(server, **changes)
        if not changes:
            assert await deliver(transport, 1) == TAKEN
        delivery = await deliver(transport, 2, recipient)
        assert delivery.outcome is not Outcome.TAKEN
        assert delivery.reason
        if not changes:
            assert await deliver(transport, 3) == TAKEN
        assert ids(server) == ([] if changes else ["<m1@ireland.example>", "<m3@ireland.example>"])
        await transport.close()


async def test_a_line_break_in_an_address_is_no_second_recipient() -> None:
    async with mail_server() as server:
        for odd in (f"{ANA}>\r\nRCPT TO:<eve@elsewhere.example", f"{ANA}\r\nRCPT TO:<eve@elsewhere.example>"):
            transport = to(server)
            with contextlib.suppress(ValueError):  # that nothing is raised is asked for above
                await deliver(transport, recipient=odd)
            await transport.close()
        assert {recipient for recipient, _ in server.received} <= {ANA}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that it has signed itself, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key, signed, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*command, "-keyout", key, "-out", signed], check=True, capture_output=True)  # noqa: S603 - a tool of the system
    both.write_text(key.read_text() + signed.read_text())
    return both


TLS = pytest.mark.parametrize("security", ["starttls", "tls"])


@TLS
async def test_a_server_that_nobody_vouches_for_gets_nothing(certificate: Path, security: str) -> None:
    async with mail_server(certificate=certificate, tls_at_once=security == "tls") as server:
        delivery = await deliver(to(server, security=security))
    assert (delivery.outcome, server.received, server.connections) == (Outcome.LATER, [], 1)
    assert "certificate verify failed" in delivery.reason


@TLS
async def test_a_server_that_is_vouched_for_gets_its_messages(
    certificate: Path, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with mail_server(certificate=certificate, tls_at_once=security == "tls") as server:
        transport = to(server, security=security)
        assert [await deliver(transport, number) for number in (1, 2)] == [TAKEN, TAKEN]
        assert (len(server.received), server.connections) == (2, 1)
        await transport.close()
        elsewhere = await deliver(to(server, security=security, host="localhost"), 3)
    assert (elsewhere.outcome, len(server.received)) == (Outcome.LATER, 2), "it is vouched for under another name"
    assert "certificate verify failed" in elsewhere.reason


async def test_without_the_tls_that_is_wanted_nothing_is_sent() -> None:
    async with mail_server() as server:
        outcomes = {(await deliver(to(server, security=security))).outcome for security in ("starttls", "tls")}
    assert (outcomes, server.received) == ({Outcome.LATER}, [])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "username").write_text("ireland\n", encoding="utf-8")
    (tmp_path / "password").write_text("pässword\n", encoding="utf-8")
    return {"username_file": tmp_path / "username", "password_file": tmp_path / "password"}


@pytest.mark.parametrize("security", ["none", "starttls"])
async def test_who_knows_the_password_may_send(
    files: dict[str, Path], certificate: Path, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    secured = certificate if security == "starttls" else None
    async with mail_server(credentials=("ireland", "pässword"), certificate=secured) as server:
        anonymous = await deliver(to(server, security=security))
        assert anonymous == Delivery(Outcome.LATER, "530 5.7.0 Authentication required")
        transport = to(server, security=security, **files)
        assert [await deliver(transport, number) for number in (1, 2)] == [TAKEN, TAKEN]
        assert server.connections == 2
        await transport.close()


async def test_a_wrong_password_is_the_operators_to_mend_and_the_message_waits(files: dict[str, Path]) -> None:
    async with mail_server(credentials=("ireland", "pässword")) as server:
        files["password_file"].write_text("old-password", encoding="utf-8")
        transport = to(server, **files)
        wrong = await deliver(transport)
        assert (wrong.outcome, wrong.reason[:4]) == (Outcome.LATER, "535 ")
        assert "old-password" not in wrong.reason
        files["password_file"].write_text("pässword\n", encoding="utf-8")
        assert await deliver(transport) == TAKEN, "the file is read anew"
        await transport.close()


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
@pytest.mark.parametrize("which", ["username_file", "password_file"])
async def test_without_credentials_that_can_be_read_nothing_is_sent(
    files: dict[str, Path], which: str, content: bytes | None
) -> None:
    files[which].unlink() if content is None else files[which].write_bytes(content)
    async with mail_server(credentials=("ireland", "pässword")) as server:
        delivery = await deliver(to(server, **files))
    assert (delivery.outcome, server.connections) == (Outcome.LATER, 0)
    assert delivery.reason.startswith(f"{files[which]} ")
