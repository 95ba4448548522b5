"""The Store protocol: what a node asks of whatever keeps its records, and the errors that it may meet.

Every write is durable when it returns, and what belongs together is written together: a case, its revision, its line
of the audit, the work that it queues. Every write of a case has a revision, a whole number: gapless, in the order in
which the writes became visible. A reader that remembers the last one it saw asks for the changes since.

    StoreError
    |- StoreUnusable           it cannot be opened or read; the message says what to do
    |- StoreBusy         503   it cannot be written or reached just now: nothing was written, or nobody can tell
    |  `- StoreFull      507   its disk is full: nothing was written
    |- PublicIdTaken           chance has failed
    |- CaseTooLarge      413   no document of this store holds so much
    |- NameTaken, NameUnknown  of a client or a peer
    `- StoreHasOthers          the store to be filled holds what is not a copy of the source
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from collections.abc import Collection as Collection_
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from matchmaker.mme.patient import Patient
from matchmaker.policy.account import Account, Refusal
from matchmaker.policy.news import Sighting
from matchmaker.records.audit import AuditLine
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.collection import Collection
from matchmaker.records.dealing import Dealing
from matchmaker.records.ledger import Chain, KeptLine, LedgerLine, LedgerTotals
from matchmaker.records.party import Client, Peer
from matchmaker.records.reference import ReferenceFile
from matchmaker.records.sharing import Sharing
from matchmaker.records.work import Work
from matchmaker.store.entries import Entry
from matchmaker.store.kept_accounts import Accounts, Overviews
from matchmaker.store.kept_matches import Mails, Matches, People

SWEEP = "sweep"  # the kind of work by which `Store.sweep` is done after a withdrawal
SEARCH = "search"  # the kind by which a case is searched with: subject is its public id
NOTICE = "notice"  # the kind by which who was told of a withdrawn case is told so: subject "PUBLIC_ID NAME"


# Longer than a withdrawal takes, at whose end notices are queued once more: none is then sent yet.
NOTICE_AFTER_SECONDS = 5.0


def notice_subject(public_id: str, name: str) -> str:
    """Return the subject of a NOTICE: a case that was withdrawn, and who is told so."""
    return f"{public_id} {name}"


class StoreError(Exception):
    """Base of what can go wrong with a store; the message is for people."""


class StoreUnusable(StoreError):
    """The store cannot be opened: damaged, of a newer version, or not writable. The message says what to do."""


class StoreBusy(StoreError):
    """Another process holds the store, it cannot be written, or its server is away: it may be tried again."""


class StoreFull(StoreBusy):
    """The disk of the store is full: nothing was written, it may be tried again when there is room."""


class PublicIdTaken(StoreError):
    """A draft's public id is another case's: ids are made by chance, and chance has failed."""


class CaseTooLarge(StoreError):
    """A case is larger than this store can keep: nothing was written."""


class NameTaken(StoreError):
    """A client or peer of this name exists already."""


class NameUnknown(StoreError):
    """There is no client or peer of this name."""


class StoreHasOthers(StoreError):
    """A store that is to be filled holds records that would be lost."""


class Outcome(StrEnum):
    """What became of a deposit."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    WITHDRAWN = "withdrawn"  # the id was withdrawn earlier and is never used again: nothing was stored


@dataclass(frozen=True, slots=True)
class Draft:
    """A case as handed in. `public_id` is taken only if the case is new; `work` are kinds of work to queue with it.

    `person` and `family` are those of a Case.
    """

    owner: str
    id: str
    public_id: str
    sharing: Sharing
    patient: Patient
    work: tuple[str, ...] = ()
    person: str | None = None
    family: str | None = None


@dataclass(frozen=True, slots=True)
class Deposit:
    """A draft's outcome, the case as it is now stored, and how it was shared before, None where it was not there."""

    outcome: Outcome
    case: Case
    before: Sharing | None = None


@dataclass(frozen=True, slots=True)
class Revisions:
    """How often what a running node follows was changed: cases, clients and peers together, reference data.

    `identity` is the same for all copies of a store; `epoch` another one once everything in it was replaced.
    """

    cases: int
    parties: int
    reference: int
    identity: str
    epoch: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A case that somebody is about to be told of, as it was found: its key and the version that was scored."""

    key: int
    version: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes of a claim: the keys of the cases that are told, and what is written before they are.

    `results` and `genes` add to the totals of the metrics; both are of a question that another node asked. `sightings`
    are the matches that are told: each is remembered, and its alerts queued, with the lines.
    """

    told: tuple[int, ...] = ()
    dealings: tuple[Dealing, ...] = ()
    lines: tuple[LedgerLine, ...] = ()
    questions: int = 0
    results: int = 0
    genes: tuple[str, ...] = ()
    refusal: Refusal | None = None
    sightings: tuple[Sighting, ...] = ()
    stale: bool = False  # not all offers were as they were found: nothing was decided


@dataclass(frozen=True, slots=True)
class Claim:
    """Cases that are about to be told. `decide` is pure, and may be asked more than once.

    It is given the account of the `organisation` (a new one, where that is None) and those of the offers that are
    still as they were found.
    """

    organisation: str | None
    offers: tuple[Offer, ...]
    decide: Callable[[Account, Sequence[Offer]], Decision]


Check = Callable[[AsyncGenerator[list[Entry]]], Awaitable[None]]  # raises, where what it reads is not as expected


class Store(People, Accounts, Overviews, Matches, Mails, Protocol):
    """One node's records. Times are seconds since 1970. Any method may raise StoreBusy or StoreUnusable."""

    async def revisions(self) -> Revisions:
        """Return how far the store is."""

    async def deposit(self, drafts: Sequence[Draft], now: float) -> list[Deposit]:
        """Store all drafts in one transaction, in order. The same content again changes nothing.

        Errors: PublicIdTaken, CaseTooLarge.
        """

    async def withdraw(self, owner: str, case_id: str, now: float) -> Case | None:
        """Erase a case but for its ids; return what is left, None when there was none.

        Queues SWEEP, and a NOTICE to each node that was told of it or asked about it. Its matches, their alerts and
        what peers answered about it go with it.
        """

    async def notify(self, case: Case, now: float) -> None:
        """Queue a NOTICE to each node that was told of a withdrawn case; those that wait already stay one."""

    async def sweep(self) -> bool:
        """Erase what withdrawn cases left behind in logs; False when somebody reads them: try again later."""

    async def case(self, owner: str, case_id: str) -> Case | None:
        """Return a case by its owner's id, withdrawn or not."""

    async def case_known(self, public_id: str) -> Case | None:
        """Return a case by its public id, withdrawn or not."""

    async def cases_of(self, owner: str, after: str, limit: int) -> list[Case]:
        """Return an owner's live cases in order of their ids, at most `limit`, from behind the id `after`."""

    def read_cases(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        """Return the live cases of these keys (records.case.key_of); a missing one is left out.

        Waits, and may be called by any thread but that of the event loop: an answer is found, read and written in one.
        """

    async def checksum(self, revision: int) -> tuple[int, int]:
        """Return the count of live cases not changed since `revision`, and the sum of their versions."""

    async def count_cases(self) -> int:
        """Return the count of live cases."""

    async def count_without_collection(self) -> int:
        """Return the count of live cases that are shared beyond their institution and belong to no collection."""

    def changes_since(self, revision: int) -> AsyncIterator[list[KeptCase]]:
        """Yield the cases changed after `revision`, oldest change first, withdrawn ones included, in batches."""

    async def audit(self, after: int, limit: int) -> list[AuditLine]:
        """Return lines of the audit by revision, at most `limit`, from behind the revision `after`."""

    async def add_client(self, client: Client) -> None:
        """Add a client. A revoked one of the same name is replaced. Errors: NameTaken."""

    async def change_client(self, client: Client) -> None:
        """Keep another purpose, agreement and contact of a client with a valid token. Errors: NameUnknown."""

    async def revoke_client(self, name: str, now: float) -> None:
        """Revoke a client's token at once and for ever. Errors: NameUnknown."""

    async def clients(self) -> list[Client]:
        """Return all clients by name, revoked ones included."""

    async def add_peer(self, peer: Peer) -> None:
        """Add a peer. Errors: NameTaken."""

    async def remove_peer(self, name: str) -> None:
        """Forget a peer. Errors: NameUnknown."""

    async def peers(self) -> list[Peer]:
        """Return all peers by name."""

    async def put_collection(self, collection: Collection) -> bool:
        """Keep a collection, in place of one of its name; return whether there was one."""

    async def remove_collection(self, name: str) -> None:
        """Forget a collection; its cases are then told to nobody but their owners. Errors: NameUnknown."""

    async def collections(self) -> list[Collection]:
        """Return all collections by name."""

    async def secret(self) -> str:
        """Return the store's secret, made by chance when it was, by which questions are known again."""

    async def settle(self, claim: Claim) -> Decision:
        """Decide what is told of the cases of a claim, and write down what was decided, in one transaction.

        All that is told was as it was found when that was written. Errors: those of `decide`.
        """

    async def write_ledger(self, lines: Sequence[LedgerLine]) -> None:
        """Append lines to the ledger."""

    async def lines_of(self, case: str, limit: int, skip: int = 0) -> list[LedgerLine]:
        """Return the lines about a case, by its public id, oldest first, at most `limit`, from behind the first `skip`.

        Only those of DISCLOSURES.
        """

    async def questions_told(self, owner: str, case: str | None, limit: int, skip: int = 0) -> list[LedgerLine]:
        """Return the lines of questions of other nodes that were told of an owner's cases, latest first.

        `case` is the public id of one of them, None: all. At most `limit`, from behind the first `skip`.
        """

    async def chains(self) -> list[Chain]:
        """Return all chains of the ledger by name."""

    async def hash_at(self, chain: str, number: int) -> str | None:
        """Return the hash of a chain's line, None where it is not kept."""

    async def chain_names(self) -> list[str]:
        """Return the names of all chains that have a line."""

    def chain_lines(self, chain: str) -> AsyncIterator[list[KeptLine]]:
        """Yield a chain's lines in order, in batches."""

    async def recent_lines(self, kinds: Collection_[str], limit: int) -> list[LedgerLine]:
        """Return the latest lines of some kinds, newest first, at most `limit`."""

    async def account(self, organisation: str) -> Account:
        """Return what is remembered of the dealings with an organisation."""

    async def purge(self, lines_before: float, dealings_before: float) -> int:
        """Forget lines of the ledger and dealings from before; return how many lines.

        Of a chain, lines go from its beginning only.
        """

    async def ids_of(self, owner: str) -> list[tuple[str, str]]:
        """Return the id and the public id of all of an owner's cases, withdrawn ones included."""

    async def ledger_totals(self) -> LedgerTotals:
        """Return what the ledger adds up to."""

    async def claim(self, kinds: Collection_[str], holder: str, now: float, until: float) -> Work | None:
        """Lease one piece of work of these kinds that is due and held by nobody, oldest first; None: there is none."""

    async def finish(self, work: Work) -> bool:
        """Take a piece off the queue that was done. False when it is held by another meanwhile, or was queued anew."""

    async def release(self, work: Work, due: float) -> bool:
        """Give a piece back, to be done from `due` on. False when it is held by another meanwhile."""

    async def notices_of(self, public_id: str) -> list[str]:
        """Return the names of those who are yet to be told that a case was withdrawn: its NOTICE work."""

    async def queue_searches(self, now: float, within: float) -> int:
        """Queue a SEARCH with every live case that has none, spread over `within` seconds; return with how many."""

    async def queued(self) -> list[Work]:
        """Return all work that waits or is being done, by kind and subject."""

    async def reference(self) -> list[ReferenceFile]:
        """Return the reference data that was imported, by kind, newest of each."""

    async def set_reference(self, files: Sequence[ReferenceFile]) -> None:
        """Keep files in place of those of the same kinds, all at once."""

    async def clear_reference(self) -> None:
        """Forget all imported reference data."""

    def export(self) -> AsyncGenerator[list[Entry]]:
        """Yield everything as of one revision, in batches and in one order for every kind of store. See Entry."""

    async def fill(self, entries: AsyncGenerator[list[Entry]], check: Check, *, replace: bool = False) -> None:
        """Replace everything by what another store's `export` gave, once `check` has read it back.

        Nobody else writes from before the first entry is asked for until all is done.

        All or nothing: while it is under way, and after it was broken off, the store holds what it held, or refuses to
        be opened for anything but to be filled again. Errors: StoreHasOthers, unless it may `replace` what is there,
        when the store is neither empty nor a copy of the same source that nobody has written to since.
        """

    async def probe(self) -> None:
        """Write and read something of no meaning. Errors: StoreError, when the store cannot be used."""

    async def close(self) -> None:
        """Release what the store holds; it is not used afterwards."""
