"""The part of the Store protocol that keeps matches, whom to alert of them, and what came of asking: see base.py."""

from collections.abc import Callable, Sequence
from collections.abc import Collection as Collection_
from dataclasses import dataclass
from typing import Protocol

from matchmaker.policy.news import Noted, Sighting
from matchmaker.records.alert import Alert, Mail, MailState, Waiting
from matchmaker.records.choices import Choices
from matchmaker.records.inquiry import Asked, Inquiry, PeerHealth
from matchmaker.records.match import Match, Status
from matchmaker.records.person import Person
from matchmaker.records.work import Work

MAIL = "mail"  # the kind of work by which a mail is sent: subject is its id

ChangePerson = Callable[[Person], Person]
ChangeMatch = Callable[[Match], Noted]
TakeTurn = Callable[[Asked, Inquiry | None], Inquiry | None]
ChangeHealth = Callable[[PeerHealth], PeerHealth]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which matches of an owner are wanted, latest change first; None: any. `gene` is a key.

    `cases` are some of the owner's, by public id: matches of any of them.

    `before` is the change and id of the match behind which to go on.
    """

    owner: str
    case: str | None = None
    status: Status | None = None
    node: str | None = None
    gene: str | None = None
    min_score: float | None = None
    since: float | None = None
    before: tuple[float, str] | None = None
    limit: int = 100
    cases: tuple[str, ...] | None = None


class People(Protocol):
    """Who works with the cases, and what they chose. Each change counts as one of the parties'."""

    async def put_person(self, person: Person) -> bool:
        """Keep a person, in place of one of that address; return whether there was one.

        Where the person may do something else than before, or nothing any more, the sessions end with it.
        """

    async def change_person(self, email: str, change: ChangePerson) -> Person | None:
        """Keep what `change` makes of a person as it is at that moment; None: there is nobody of that address.

        `change` is pure, and may be asked more than once. Sessions end as with put_person. Errors: those of `change`.
        """

    async def people(self) -> list[Person]:
        """Return all people by address, those who are disabled included."""

    async def put_choices(self, subject: str, choices: Choices) -> None:
        """Keep what an address, or the owner of a case (by its public id), has chosen."""

    async def choices(self) -> dict[str, Choices]:
        """Return all choices by subject."""


class Matches(Protocol):
    """Matches, and what came of asking."""

    async def record(self, sightings: Sequence[Sighting]) -> list[Match]:
        """Remember what was found, and queue the alerts of what is news, in one transaction; return what is news.

        A sighting of a case that was withdrawn meanwhile is left out.
        """

    async def match(self, match_id: str) -> Match | None:
        """Return a match."""

    def read_matches(self, ids: Sequence[str], *, told: bool = False) -> dict[str, Match]:
        """Return matches by id; a missing one is left out. Waits, as read_cases does.

        `told`: only those of which one of our sides tells what it came to.
        """

    async def matches(self, wanted: Wanted) -> list[Match]:
        """Return matches of an owner, by their last change, latest first, then by id."""

    async def change_match(self, match_id: str, change: ChangeMatch) -> Match | None:
        """Change a match, and queue the alerts of the change, in one transaction; None: there is none.

        `change` is pure, and may be asked more than once. Errors: its own.
        """

    async def forget_answers(self, before: float) -> int:
        """Forget what peers showed of their cases before; ids, contacts, scores and what is shared stay."""

    async def forget_unseen(self, before: float) -> int:
        """Forget matches that were last seen before, and that nobody has looked after."""

    async def note_inquiries(self, inquiries: Sequence[Inquiry]) -> None:
        """Keep the last outcome of asking a node about a case."""

    async def inquiries_of(self, case: str) -> list[Inquiry]:
        """Return the last outcomes about a case, by node."""

    async def take_turn(self, node: str, case: str, since: float, decide: TakeTurn) -> Asked:
        """Decide, in one transaction, whether a node may be asked about a case; return how much it was asked since.

        `decide` is pure; it is given that and the inquiry that is known, and returns the one to keep, None: as it is.
        A case that was withdrawn meanwhile is not kept.
        """

    async def note_health(self, name: str, change: ChangeHealth) -> PeerHealth:
        """Note how a peer answered; return how it stands. `change` is pure. Written is only a difference."""

    async def healths(self) -> dict[str, PeerHealth]:
        """Return how each peer that was ever asked stands."""

    async def queue_work(self, pieces: Sequence[Work]) -> None:
        """Queue work. A piece that waits already stays one, with the earlier time."""

    async def postpone(self, work: Work, due: float) -> bool:
        """Give a piece back that is to be done again at `due`; sooner, where it was queued anew meanwhile."""


class Mails(Protocol):
    """Alerts and the mails that carry them."""

    async def alerts_of(self, matches: Collection_[str]) -> list[Alert]:
        """Return the alerts of matches, by match, number and recipient."""

    async def waiting(self, now: float, since: float) -> list[Waiting]:
        """Return for whom alerts wait that are due; with the mails that were made for each since."""

    async def unaddressed(self) -> int:
        """Return how many alerts have nobody to go to."""

    async def gather(self, mails: Sequence[Mail], now: float) -> int:
        """Put what waits for each mail's recipient, and is due, into it; queue those that carry something; count them.

        `mail.alerts` is counted here.
        """

    async def put_mail(self, mail: Mail, done: Work) -> None:
        """Queue a mail in place of the work that it comes of."""

    async def mail(self, mail_id: str) -> Mail | None:
        """Return a mail."""

    async def carried(self, mail_id: str, limit: int) -> list[Alert]:
        """Return the alerts that a mail carries still, strongest first."""

    async def settle_mail(self, mail: Mail, work: Work) -> bool:
        """Keep what became of a try to send a mail: its work is done, unless it waits. False: another one holds it."""

    async def mails(self, states: Collection_[MailState], limit: int) -> list[Mail]:
        """Return mails in some states, newest first."""

    async def count_mails(self) -> dict[MailState, int]:
        """Return how many mails are in each state."""

    async def retry_mail(self, mail_id: str, now: float) -> bool:
        """Queue a mail anew that was given up; False: there is none such."""

    async def recipient(self, token: str) -> str | None:
        """Return the address for which a token stands in the links of its mails."""

    async def forget_mails(self, before: float) -> int:
        """Forget mails that were made before, but for those that wait or were given up; their alerts stay."""
