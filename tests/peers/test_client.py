"""One question to one peer: whatever it does, the outcome is a value with the right status."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from matchmaker.mme.messages import HeartbeatBody
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.peers.client import PeerClient, TokenUnreadable, open_session, read_token, translated
from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.records.party import Peer
from tests.peers.misbehaving import FakePeer, Vice, answer, fake_peer, hangs_up, http, never_ends, result, says
from tests.samples import patient_json, variant_json

PATIENT = validate(Patient, patient_json("public-id"))


@pytest.fixture
async def client() -> AsyncIterator[PeerClient]:
    async with open_session() as session:
        yield PeerClient(session, 2 * 1024 * 1024)


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    (tmp_path / "token").write_text("their-token\n", encoding="utf-8")
    return Peer("spain", "", "ES", str(tmp_path / "token"))


async def ask(client: PeerClient, peer: Peer, vice: Vice) -> tuple[PeerAnswer | PeerFailure, FakePeer]:
    async with fake_peer(vice) as fake:
        return await client.ask(replace(peer, url=fake.url), PATIENT), fake


async def test_the_question_is_exactly_of_the_peers_version(client: PeerClient, peer: Peer) -> None:
    for version in ("1.0", "1.1"):
        _, fake = await ask(client, replace(peer, version=version), says(answer()))
        head, _, body = fake.questions[0].partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /match HTTP/1.1"
        assert f"Content-Type: application/vnd.ga4gh.matchmaker.v{version}+json" in lines
        assert f"Accept: application/vnd.ga4gh.matchmaker.v{version}+json" in lines
        assert "X-Auth-Token: their-token" in lines
        assert json.loads(body) == {"patient": PATIENT.to_json()}


@pytest.mark.parametrize("written", ["M", "MT"])
@pytest.mark.parametrize("wanted", ["M", "MT"])
async def test_the_mitochondrion_is_written_as_the_peer_wants_it(
    client: PeerClient, peer: Peer, written: str, wanted: str
) -> None:
    features = [{"gene": {"id": "MT-TV"}, "variant": variant_json(referenceName=written)}, {"gene": {"id": "X"}}]
    patient = validate(Patient, patient_json(genomicFeatures=features))
    async with fake_peer(says(answer())) as fake:
        await client.ask(replace(peer, url=fake.url, mitochondrion=wanted), patient)
    sent = json.loads(fake.questions[0].partition(b"\r\n\r\n")[2])["patient"]["genomicFeatures"]
    assert [feature.get("variant", {}).get("referenceName") for feature in sent] == [wanted, None]


async def test_an_answer_is_its_results_with_disclaimer_and_terms(client: PeerClient, peer: Peer) -> None:
    outcome, _ = await ask(client, peer, says(answer(result(0.9), disclaimer="Careful.", terms="Be kind.")))
    assert isinstance(outcome, PeerAnswer)
    assert [one.score.patient for one in outcome.results] == [0.9]
    assert (outcome.disclaimer, outcome.terms, outcome.dropped) == ("Careful.", "Be kind.", 0)


BAD_RESULTS: list[Any] = [
    None, 3, "x", {}, {"score": {"patient": 0.5}}, {"patient": patient_json()},
    result(2), result(-0.1), result("0.5"), result(True), result(None), result(float("nan")),
    result(contact=None), result(features=None, genomicFeatures=None), result(features=[{"id": "x"}]),
    result(contact={"name": "x", "href": "javascript:alert(1)"}), result(id="\ud800"),
    result(features=[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]), {**result(), "_x": json.loads("[" * 400 + "]" * 400)},
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_RESULTS, ids=range(len(BAD_RESULTS)))
async def test_one_bad_result_does_not_lose_the_others(client: PeerClient, peer: Peer, bad: Any) -> None:
    outcome, _ = await ask(client, peer, says(answer(result(0.9), bad, result(0.8))))
    assert isinstance(outcome, PeerAnswer)
    assert [one.score.patient for one in outcome.results] == [0.9, 0.8]
    assert outcome.dropped == 1


async def test_one_endlessly_deep_result_does_not_lose_the_others(client: PeerClient, peer: Peer) -> None:
    good = json.dumps(result(0.9))
    deep = "[" * 50_000 + "{" * 3 + '"a]": 1' + "}" * 3 + "]" * 50_000
    body = f'{{"results": [{good}, {deep}, {good}]}}'.encode()
    outcome, _ = await ask(client, peer, says(http("200 OK", body)))
    assert isinstance(outcome, PeerAnswer)
    assert (len(outcome.results), outcome.dropped) == (2, 1)


async def test_a_million_rubbish_results_are_dropped_unread(client: PeerClient, peer: Peer) -> None:
    body = b'{"results": [' + json.dumps(result(0.9)).encode() + b",0" * 900_000 + b"]}"
    outcome, _ = await ask(client, peer, says(http("200 OK", body)))
    assert isinstance(outcome, PeerAnswer)
    assert (len(outcome.results), outcome.dropped) == (1, 900_000)


async def test_strange_additions_do_not_lose_a_good_result(client: PeerClient, peer: Peer) -> None:
    strange = {**result(0.9), "_score": "high", "_explanation": {"sharedTerms": 5}, "_x": []}
    outcome, _ = await ask(client, peer, says(answer(strange)))
    assert isinstance(outcome, PeerAnswer)
    assert (outcome.results[0].parts, outcome.results[0].explanation) == (None, None)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        *[(http(f"{code} X"), Status.REFUSED) for code in (401, 403, 406, 415, 429)],
        *[(http(f"{code} X"), Status.ERROR) for code in (500, 502, 503, 599)],
        *[(http(f"{code} X", Location="/elsewhere"), Status.INVALID) for code in (301, 302, 307, 308)],
        *[(http(f"{code} X"), Status.INVALID) for code in (204, 400, 404, 405, 422)],
        (http("200 OK", b"<html>"), Status.INVALID),
        (http("200 OK", b""), Status.INVALID),
        (http("200 OK", b"[]"), Status.INVALID),
        (http("200 OK", b'{"results": {}}'), Status.INVALID),
        (http("200 OK", b'{"results": [' + b"[" * 100_000), Status.INVALID),
        (http("200 OK", b"[" * 100_000 + b"]" * 100_000), Status.INVALID),
        (http("200 OK", b"[" * 16 + b"[]," + b"[" * 200_000), Status.INVALID),
        (http("200 OK", b"\xff\xfe"), Status.INVALID),
        (http("200 OK", b'{"results": []}', Content_Encoding="gzip"), Status.INVALID),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", Status.INVALID),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Status.INVALID),
        (b"SSH-2.0-OpenSSH_9\r\n", Status.INVALID),
    ],
)  # fmt: skip
async def test_every_way_to_fail_has_its_status(client: PeerClient, peer: Peer, content: bytes, status: Status) -> None:
    outcome, fake = await ask(client, peer, says(content))
    assert isinstance(outcome, PeerFailure)
    assert outcome.status is status, outcome.reason
    assert len(fake.questions) == 1, "nothing is asked twice, redirects are not followed"


async def test_a_connection_closed_without_an_answer_is_not_tried_again(client: PeerClient, peer: Peer) -> None:
    outcome, fake = await ask(client, peer, hangs_up)
    assert isinstance(outcome, PeerFailure)
    assert outcome.status is Status.UNREACHABLE
    assert len(fake.questions) == 1


async def test_an_endless_answer_is_cut(client: PeerClient, peer: Peer) -> None:
    outcome, _ = await ask(client, peer, never_ends)
    assert outcome == PeerFailure(Status.INVALID, "the answer is over 2097152 bytes")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "https://127.0.0.1:1"])
async def test_a_peer_that_is_not_there_is_unreachable(client: PeerClient, peer: Peer, url: str) -> None:
    outcome = await client.ask(replace(peer, url=url), PATIENT)
    assert isinstance(outcome, PeerFailure)
    assert outcome.status is Status.UNREACHABLE


async def test_a_peer_that_speaks_no_tls_is_unreachable(client: PeerClient, peer: Peer) -> None:
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await client.ask(replace(peer, url=f"https://127.0.0.1:{port}"), PATIENT)
    assert isinstance(outcome, PeerFailure)
    assert outcome.status is Status.UNREACHABLE


@pytest.mark.parametrize("content", [None, b"", b"two words", b"two\nlines", b"x" * 255, b"\xff\xfe"])
async def test_without_a_token_a_peer_is_not_asked(
    client: PeerClient, peer: Peer, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "token"
    path.unlink() if content is None else path.write_bytes(content)
    outcome, fake = await ask(client, peer, says(answer()))
    assert isinstance(outcome, PeerFailure)
    assert (outcome.status, fake.questions) == (Status.NOT_ASKED, [])
    assert str(tmp_path) not in outcome.reason, "where tokens lie is no user's business"
    with pytest.raises(TokenUnreadable):
        read_token(path)


async def test_a_heartbeat_is_heard_or_its_failure_is_a_value(client: PeerClient, peer: Peer) -> None:
    body = {"heartbeat": {"production": False, "version": "6.2", "accept": []}}
    async with fake_peer(says(http("200 OK", json.dumps(body).encode()))) as fake:
        heard = await client.heartbeat(replace(peer, url=fake.url), 5)
    assert isinstance(heard, HeartbeatBody)
    async with fake_peer(says(http("200 OK", b'{"heartbeat": 5}'))) as fake:
        heard = await client.heartbeat(replace(peer, url=fake.url), 5)
    assert isinstance(heard, PeerFailure)
    assert heard.status is Status.INVALID


def all_subclasses(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(all_subclasses(below) for below in kind.__subclasses__()))


@pytest.mark.parametrize("kind", sorted(all_subclasses(aiohttp.ClientError), key=str))
def test_every_error_of_the_http_client_has_a_meaning(kind: type[Exception]) -> None:
    failure = translated(kind.__new__(kind))
    assert failure.status in {Status.TIMEOUT, Status.UNREACHABLE, Status.INVALID}
    assert failure.reason
