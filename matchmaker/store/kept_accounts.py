"""The part of the Store protocol that keeps what people sign in with, and what their pages ask: see base.py."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Collection as Collection_
from dataclasses import dataclass
from typing import Protocol

from matchmaker.records.account import Credentials, Session
from matchmaker.records.case import Case
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Status
from matchmaker.records.person import Person
from matchmaker.records.work import Work

ChangeCredentials = Callable[[Credentials], Credentials]


@dataclass(frozen=True, slots=True)
class Whose:
    """Which cases are meant: all of an owner, or those of it that are of one person."""

    owner: str
    person: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """How often somebody was told of a case, or asked about it; `last` in seconds since 1970."""

    who: str
    times: int
    last: float


class Accounts(Protocol):
    """Credentials and sessions. Sessions are in no copy and no backup."""

    async def change_credentials(self, email: str, change: ChangeCredentials) -> Credentials:
        """Keep what `change` makes of a person's credentials (new ones, where there are none), all at once."""

    async def credentials(self, email: str) -> Credentials | None:
        """Return a person's credentials."""

    async def credentials_of_subject(self, subject: str) -> Credentials | None:
        """Return the credentials of whom a provider calls so."""

    async def credentials_of_invitation(self, digest: str) -> Credentials | None:
        """Return the credentials for which there is an invitation of that digest, be it over or not."""

    async def put_session(self, session: Session) -> None:
        """Keep a session, in place of one of that digest."""

    async def touch_session(self, session: Session) -> None:
        """Keep a session as it is now, if it has not ended meanwhile."""

    async def signed_in(self, digest: str) -> tuple[Session, Person | None] | None:
        """Return a session and its person as they are at this moment; None: there is none."""

    async def end_session(self, digest: str) -> None:
        """Forget a session."""

    async def end_sessions(self, email: str, but: str = "") -> int:
        """Forget all of a person's sessions but the one of the digest `but`; return how many."""

    async def forget_sessions(self, created_before: float, seen_before: float) -> int:
        """Forget sessions that are over; return how many."""


class Overviews(Protocol):
    """What a page shows of many cases at once."""

    async def latest_cases(self, whose: Whose, before: tuple[float, str] | None, limit: int) -> list[Case]:
        """Return live cases, latest change first, at most `limit`, from behind the change and public id `before`."""

    async def count_cases_of(self, whose: Whose) -> int:
        """Return how many live cases there are."""

    async def public_ids_of(self, whose: Whose) -> list[str]:
        """Return the public ids of live cases."""

    async def count_matches(self, cases: Collection_[str]) -> Mapping[str, Mapping[Status, int]]:
        """Return how many matches of each status cases (by public id) have; those without any are left out."""

    async def told_of(self, cases: Collection_[str]) -> Mapping[str, Sequence[Told]]:
        """Return who was told of cases, or asked about them, by public id; whom nothing reached is left out."""

    async def work_about(self, case: str) -> list[Work]:
        """Return the work that waits or is being done about a case, by its public id: searches, questions, notices."""

    async def inquiries_about(self, cases: Collection_[str]) -> Mapping[str, list[Inquiry]]:
        """Return what came of asking nodes about cases, by public id; as inquiries_of of each."""
