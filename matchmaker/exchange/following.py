"""What a running node holds in memory, kept up with its store's revisions: the index, clients and peers.

The index lives in one thread of its own: searches and changes never meet, and the event loop waits for neither.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from matchmaker.exchange.batches import batches
from matchmaker.exchange.snapshot import Entry, read_snapshot, write_snapshot
from matchmaker.matching.index import CaseIndex, Hit
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.mme.patient import Patient
from matchmaker.ontology.files import remove_halves
from matchmaker.records.case import Audience, Case
from matchmaker.records.party import Client, Peer
from matchmaker.store.base import Store

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
_BATCH = 500  # cases taken in at once: searches wait for no more


@dataclass(frozen=True)
class Directory:
    """Clients with a valid token, by its digest, and peers by name, as of one revision."""

    clients: Mapping[str, Client] = field(default_factory=dict)
    peers: Mapping[str, Peer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Known:
    """A case that the index has, as of a revision."""

    owner: str
    case_id: str
    revision: int
    updated_at: float


class Following:
    """The node's memory of its store. Call `open` once, `take_in` after one's own write, `catch_up` for others'.

    `snapshot` is where profiles are kept between runs; `save` writes it where it has fallen behind.
    """

    def __init__(self, store: Store, knowledge: Knowledge, snapshot: Path) -> None:
        self._store = store
        self._knowledge = knowledge
        self._snapshot = snapshot
        self._index = CaseIndex(knowledge.information)
        self._known: dict[str, _Known] = {}
        self._public_ids: dict[tuple[str, str], str] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self._turn = asyncio.Lock()
        self._gone: set[str] = set()  # public ids of cases withdrawn since the start: they never come back
        self.changes = 0  # of cases, since the start
        self._saved = 0  # cases that the snapshot and the store agree on
        self._revision = -1
        self.directory = Directory()

    async def open(self) -> None:
        """Take in the whole store: what the snapshot has of it as it is, the rest anew."""
        before = await self._store.revision()
        revisions = await self._store.case_revisions()
        self._saved = await self.run(lambda: self._restore(revisions))
        missing = [public_id for public_id in revisions if public_id not in self._known]
        for batch in batches(missing, _BATCH):
            cases = await self._store.cases_by_public_id(batch)
            await self.run(lambda cases=cases: self._take_in(cases.values()))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        self._revision = before
        await self._read_directory()

    async def catch_up(self) -> None:
        """Take in every change since the last revision seen."""
        async with self._turn:
            revision = await self._store.revision()
            if revision == self._revision:
                return
            await self._read_directory()  # first: a revoked token is locked out, whatever else goes wrong
            async for cases in self._store.changes_since(self._revision):
                await self.run(lambda cases=cases: self._take_in(cases))  # type: ignore[misc]  # mypy cannot infer a lambda's default
                self._revision = cases[-1].revision
                if self._revision >= revision:
                    break  # what was written since waits for the next time, however fast others write
            self._revision = max(self._revision, revision)

    async def take_in(self, case: Case) -> None:
        """Take in one case as it was just written, ahead of all that `catch_up` has yet to see."""
        await self.run(lambda: self._take_in([case]))

    async def save(self) -> None:
        """Write the snapshot if a tenth of the cases, or more than a thousand, are not in it as they are."""
        unsaved = len(self._known) - self._saved
        if unsaved > min(1_000, len(self._known) // 10):
            withdrawals = len(self._gone)
            entries = await self.run(self._entries)
            await asyncio.to_thread(self._write, entries)
            if withdrawals != len(self._gone):
                self._forget_snapshot()  # it was written with a case that has gone meanwhile

    async def _read_directory(self) -> None:
        clients = {c.token_sha256: c for c in await self._store.clients() if c.revoked_at is None}
        self.directory = Directory(clients, {peer.name: peer for peer in await self._store.peers()})

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` in the index's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def search(
        self, patient: Patient, owner: str | None, k: int, eligible: Callable[[Audience], bool], minimum: float
    ) -> tuple[Profile, list[tuple[Hit, int]]]:
        """Return the patient's profile, its best matches, and of which revision of its case each is.

        A patient never matches the case that it is itself. `owner` is who asks, if it keeps cases: its own case of
        the patient's id, and any case of that public id, are the patient.
        """

        def allowed(group: Hashable) -> bool:
            return isinstance(group, Audience) and eligible(group)

        def work() -> tuple[Profile, list[tuple[Hit, int]]]:
            profile = self._knowledge.profile(patient)
            itself = frozenset({patient.id, self._public_ids.get((owner or "", patient.id), patient.id)})
            hits = self._index.search(profile, k, allowed, itself, minimum)
            return profile, [(hit, self._known[hit.key].revision) for hit in hits]

        return await self.run(work)

    async def tally(self, count: Callable[[list[tuple[Audience, Profile]]], Result]) -> Result:
        """Return what `count` makes of every case's audience and profile."""

        def work() -> Result:
            return count([(group, profile) for _, profile, group in self._index.cases() if isinstance(group, Audience)])

        return await self.run(work)

    async def close(self) -> None:
        """Save, and end the index's thread."""
        await self.save()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _restore(self, revisions: Mapping[str, tuple[int, float]]) -> int:
        remove_halves(self._snapshot)
        kept = read_snapshot(self._snapshot, self._knowledge.fingerprint)
        good = [
            entry for entry in kept.values() if revisions.get(entry.public_id) == (entry.revision, entry.updated_at)
        ]
        self._index.fill((entry.public_id, entry.profile, entry.audience) for entry in good)
        for entry in good:
            self._know(entry.public_id, _Known(entry.audience.owner, entry.case_id, entry.revision, entry.updated_at))
        if len(good) < len(kept):
            self._snapshot.unlink(missing_ok=True)  # some of it may be of cases withdrawn before a crash
            return 0
        return len(good)

    def _entries(self) -> list[Entry]:
        return [
            Entry(key, known.revision, known.updated_at, known.case_id, group, profile)
            for key, profile, group in self._index.cases()
            if isinstance(group, Audience) and (known := self._known.get(key))
        ]

    def _write(self, entries: list[Entry]) -> None:
        try:
            write_snapshot(self._snapshot, self._knowledge.fingerprint, entries)
            self._saved = len(entries)
        except OSError as error:
            logger.warning("the snapshot %s cannot be written: %s", self._snapshot, error.strerror)

    def _forget_snapshot(self) -> None:
        """Nothing of a withdrawn case stays on disk; the next `save` writes the others again."""
        self._snapshot.unlink(missing_ok=True)
        self._saved = 0

    def _take_in(self, cases: Iterable[Case]) -> None:
        for case in cases:
            known = self._known.get(case.public_id)
            if (known and known.revision >= case.revision) or case.public_id in self._gone:
                continue  # taken in already, perhaps of a later revision: changes may come out of turn
            self.changes += 1
            if case.public_id in self._known:
                self._saved = max(0, self._saved - 1)
            if case.patient is None:
                self._gone.add(case.public_id)
                self._index.remove(case.public_id)
                self._known.pop(case.public_id, None)
                self._public_ids.pop((case.owner, case.id), None)
                self._forget_snapshot()
            else:
                self._know(case.public_id, _Known(case.owner, case.id, case.revision, case.updated_at))
                self._index.add(case.public_id, self._knowledge.profile(case.patient), case.audience)

    def _know(self, public_id: str, known: "_Known") -> None:
        self._known[public_id] = known
        self._public_ids[known.owner, known.case_id] = public_id
