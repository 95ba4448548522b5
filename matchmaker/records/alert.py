"""Alerts and the mails that carry them. None of them holds health data.

An alert is that one recipient is to learn of one match: queued in the transaction that records the match, and put into
a mail, alone or with others, when that recipient is due one.
"""

from enum import StrEnum

from matchmaker.records.kept import Record

NOBODY = ""  # the recipient of an alert for a case with neither owner nor mailbox: the operator is shown it


class News(StrEnum):
    """What is new of a match."""

    FOUND = "found"
    STRONGER = "stronger"
    SOLVED = "solved"


class Role(StrEnum):
    """What the recipient is: one of ours, or the contact at a node that notifies nobody itself."""

    OURS = "ours"
    THEIRS = "theirs"


class Alert(Record):
    """`recipient` is to learn of a match of `case` (its public id). `number` is that of the match's news.

    `due`: not before, in seconds since 1970; `mail`: the one that carries it, None while it waits. `quoted` is the id
    by which a contact of another node knows its own patient.
    """

    match: str
    recipient: str
    number: int
    case: str
    news: News
    node: str
    score: float
    at: float
    due: float
    role: Role = Role.OURS
    quoted: str | None = None
    mail: str | None = None

    @property
    def tells_ours(self) -> bool:
        """Whether it tells somebody of ours."""
        return self.role is Role.OURS and self.recipient != NOBODY


class MailKind(StrEnum):
    """What a mail is about."""

    MATCHES = "matches"
    WITHDRAWAL = "withdrawal"


class MailState(StrEnum):
    """What became of a mail."""

    WAITING = "waiting"
    SENT = "sent"
    GIVEN_UP = "given up"  # a permanent error, or too many temporary ones: the operator is shown it
    EMPTY = "empty"  # all that it was to tell was withdrawn meanwhile


class Mail(Record):
    """One mail to one recipient. Its id makes its Message-ID, the same for every try.

    `about` is the subject of a NOTICE work: "PUBLIC_ID NAME". `token` stands for the recipient in links. `alerts`
    counts those that it was made for.
    """

    id: str
    recipient: str
    kind: MailKind
    created_at: float
    about: str | None = None
    token: str | None = None
    alerts: int = 0
    state: MailState = MailState.WAITING
    attempts: int = 0
    due: float = 0.0
    settled_at: float | None = None
    reason: str | None = None

    def again(self, now: float) -> "Mail":
        """Return the mail to be tried anew, as one that was just made; its Message-ID stays."""
        fresh = {"state": MailState.WAITING, "attempts": 0, "due": now, "settled_at": None, "reason": None}
        fresh["created_at"] = now
        return self.model_copy(update=fresh)


class Waiting(Record):
    """What waits for one recipient: how many alerts that are due, since when the first is, and its latest mails' times.

    `recent` are the times and counts of alerts of the mails made for it within the last week, newest first.
    """

    recipient: str
    alerts: int
    oldest: float
    recent: tuple[tuple[float, int], ...] = ()
