"""The Store protocol: what a node asks of whatever keeps its records, and the errors that it may meet.

Every write is durable when it returns, and has a revision: a whole number that only grows. A reader that remembers
the last one it saw asks for the changes since.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from matchmaker.mme.patient import Patient
from matchmaker.records.case import Case, KeptCase, Sharing
from matchmaker.records.ledger import LedgerLine, LedgerTotals
from matchmaker.records.party import Client, Peer


class StoreError(Exception):
    """Base of what can go wrong with a store; the message is for people."""


class StoreUnusable(StoreError):
    """The store cannot be opened: damaged, of a newer version, or not writable. The message says what to do."""


class StoreBusy(StoreError):
    """Another process holds the store, or its disk is full: nothing was written, it may be tried again."""


class PublicIdTaken(StoreError):
    """A draft's public id is another case's: ids are made by chance, and chance has failed."""


class NameTaken(StoreError):
    """A client or peer of this name exists already."""


class NameUnknown(StoreError):
    """There is no client or peer of this name."""


class Outcome(StrEnum):
    """What became of a deposit."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    WITHDRAWN = "withdrawn"  # the id was withdrawn earlier and is never used again: nothing was stored


@dataclass(frozen=True, slots=True)
class Draft:
    """A case as handed in. `public_id` is taken only if the case is new."""

    owner: str
    id: str
    public_id: str
    sharing: Sharing
    patient: Patient


@dataclass(frozen=True, slots=True)
class Deposit:
    """A draft's outcome, and the case as it is now stored."""

    outcome: Outcome
    case: Case


class Store(Protocol):
    """One node's records. Times are seconds since 1970."""

    async def revision(self) -> int:
        """Return the revision of the last write."""

    async def deposit(self, drafts: Sequence[Draft], now: float) -> list[Deposit]:
        """Store all drafts in one transaction, in order. The same content again changes nothing.

        Errors: PublicIdTaken.
        """

    async def withdraw(self, owner: str, case_id: str, now: float) -> Case | None:
        """Erase a case but for its ids; return what is left, None when there was none. See `sweep`."""

    async def sweep(self) -> bool:
        """Erase what withdrawn cases left behind in logs; False when somebody reads them: try again later."""

    async def case(self, owner: str, case_id: str) -> Case | None:
        """Return a case by its owner's id, withdrawn or not."""

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

    def changes_since(self, revision: int) -> AsyncIterator[list[KeptCase]]:
        """Yield the cases changed after `revision`, oldest change first, withdrawn ones included, in batches."""

    async def add_client(self, client: Client) -> None:
        """Add a client. A revoked one of the same name is replaced. Errors: NameTaken."""

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

    async def write_ledger(self, line: LedgerLine) -> None:
        """Append a line to the ledger."""

    async def ledger_totals(self) -> LedgerTotals:
        """Return what the ledger adds up to."""

    async def probe(self) -> None:
        """Write and read something of no meaning. Errors: StoreError, when the store cannot be used."""

    async def close(self) -> None:
        """Release what the store holds; it is not used afterwards."""
