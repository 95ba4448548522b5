"""Mails into a maildir, read back as a mail program reads them."""

from collections.abc import Awaitable, Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from mailbox import Maildir
from pathlib import Path
from stat import S_IMODE

import pytest

from matchmaker.alerts.delivery import Delivery, Outcome
from matchmaker.alerts.maildir import MaildirTransport

TO = "ana@hospital.example"


def message(text: str = "Grüße\n.\nFrom here on\n") -> EmailMessage:
    made = EmailMessage(policy=SMTP)
    made["To"], made["Subject"], made["Message-ID"] = TO, "Eine Übereinstimmung", "<m1@ireland.example>"
    made.set_content(text, cte="quoted-printable")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "mail"


@pytest.fixture
def deliver(folder: Path) -> Callable[..., Awaitable[Delivery]]:
    async def deliver(name: str = "m1", what: EmailMessage | None = None) -> Delivery:
        return await MaildirTransport(folder).deliver(what or message(), TO, name)

    return deliver


Deliver = Callable[..., Awaitable[Delivery]]


def files(folder: Path) -> list[str]:
    return sorted(str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file())


async def test_a_message_is_among_the_new_ones_whole(folder: Path, deliver: Deliver) -> None:
    assert await deliver() == Delivery(Outcome.TAKEN)
    assert files(folder) == ["new/m1.matchmaker"]
    read = message_from_bytes((folder / "new" / "m1.matchmaker").read_bytes(), policy=SMTP)
    assert (read["Message-ID"], read["Subject"]) == ("<m1@ireland.example>", "Eine Übereinstimmung")
    assert isinstance(read, EmailMessage)
    assert read.get_content().splitlines() == ["Grüße", ".", "From here on"]
    (key,) = Maildir(folder, create=False).keys()
    assert Maildir(folder, create=False)[key]["To"] == TO


async def test_nobody_else_can_read_it(folder: Path, deliver: Deliver) -> None:
    await deliver()
    assert S_IMODE((folder / "new" / "m1.matchmaker").stat().st_mode) == 0o600
    assert {S_IMODE((folder / name).stat().st_mode) for name in ("tmp", "new", "cur")} == {0o700}


async def test_what_is_delivered_twice_is_there_once(folder: Path, deliver: Deliver) -> None:
    assert [(await deliver()).outcome, (await deliver()).outcome] == [Outcome.TAKEN, Outcome.TAKEN]
    await deliver("m2")
    assert files(folder) == ["new/m1.matchmaker", "new/m2.matchmaker"]


@pytest.mark.parametrize("flags", ["", "S", "RS", "FS", "ST"])  # read, answered, flagged, thrown away
async def test_what_was_looked_at_since_is_there_once(folder: Path, deliver: Deliver, flags: str) -> None:
    await deliver()
    box = Maildir(folder, create=False)
    (key,) = box.keys()
    known = box[key]
    known.set_subdir("cur")
    known.set_flags(flags)
    box[key] = known
    assert files(folder) == [f"cur/m1.matchmaker:2,{flags}"]
    assert await deliver() == Delivery(Outcome.TAKEN)
    assert files(folder) == [f"cur/m1.matchmaker:2,{flags}"]


async def test_what_a_crash_left_half_written_is_written_anew(folder: Path, deliver: Deliver) -> None:
    await deliver("m2")
    (folder / "tmp" / "m1.matchmaker").write_bytes(b"half a mail" * 1_000)
    await deliver()
    assert files(folder) == ["new/m1.matchmaker", "new/m2.matchmaker"]
    assert b"half a mail" not in (folder / "new" / "m1.matchmaker").read_bytes()


@pytest.mark.parametrize("inside", [".", "new"])
async def test_a_maildir_that_cannot_be_written_is_tried_later(folder: Path, deliver: Deliver, inside: str) -> None:
    in_its_place = folder / inside
    in_its_place.parent.mkdir(parents=True, exist_ok=True)
    in_its_place.write_text("a file", encoding="utf-8")
    delivery = await deliver()
    assert delivery.outcome is Outcome.LATER
    assert delivery.reason.startswith(f"the maildir {folder} cannot be written: ")
    assert "None" not in delivery.reason
    in_its_place.unlink()
    assert await deliver() == Delivery(Outcome.TAKEN)
