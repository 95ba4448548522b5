"""What a running node holds in memory, kept up with its store's revisions: the index, clients and peers.

Changes are taken in by one thread, searches are done by others, blocks of the index are put together by one more: the
event loop waits for none of them, and a search for no rebuild.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from matchmaker.exchange.snapshot import Snapshot, SnapshotUnreadable, read_snapshot, write_snapshot
from matchmaker.matching.counting import Counts
from matchmaker.matching.finding import Hit
from matchmaker.matching.index import CaseIndex, warm_up
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.mme.patient import Patient
from matchmaker.ontology.files import remove_halves
from matchmaker.records.case import Audience, Case, KeptCase
from matchmaker.records.party import Client, Peer
from matchmaker.store.base import Store

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
_SEARCHES = 1  # at once: a second thread would compute beside the first, but both wait for the interpreter more
_FEW = 1_000  # changed cases that a start takes in within a second
_TOLD = 20_000  # cases after which a long start says how far it is
_SHARE = 100  # one in so many cases, where that is more


@dataclass(frozen=True)
class Directory:
    """Clients with a valid token, by its digest, and peers by name, as of one revision."""

    clients: Mapping[str, Client] = field(default_factory=dict)
    peers: Mapping[str, Peer] = field(default_factory=dict)


class Following:
    """The node's memory of its store. Call `open` once, `take_in` after one's own write, `catch_up` for others'.

    `snapshot` is where the index is kept between runs; `save` writes it where it has fallen behind.
    """

    def __init__(self, store: Store, knowledge: Knowledge, snapshot: Path) -> None:
        self._store = store
        self._knowledge = knowledge
        self._snapshot = snapshot
        self._changing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self._searching = ThreadPoolExecutor(max_workers=_SEARCHES, thread_name_prefix="search")
        self._merging = ThreadPoolExecutor(max_workers=1, thread_name_prefix="merge")
        self._index = self._empty()
        self._turn = asyncio.Lock()
        self._ahead: dict[int, int] = {}  # revisions of cases taken in before `catch_up` has come to them
        self._gone: set[int] = set()  # keys of cases withdrawn since the start: they never come back
        self.changes = 0  # of cases, since the start
        self._unsaved = 0  # changes that the snapshot does not show
        self._revision = -1  # up to which cases were taken in
        self._seen = -1  # of the store, when everything was last looked at
        self._saving = asyncio.Lock()
        self.directory = Directory()

    def _empty(self) -> CaseIndex:
        return CaseIndex(self._knowledge.information, self._knowledge.calibration, self._merge_later)

    def _merge_later(self, work: Callable[[], None]) -> None:
        self._merging.submit(work).add_done_callback(_log_failure)

    async def open(self) -> None:
        """Take in the whole store: what the snapshot has of it as it is, the rest anew."""
        revision = await self._store.revision()
        await self._restore()
        anew = self._revision < 0
        async with self._turn:
            await self._take_in_changes(revision)
        if anew:
            await self._change(self._pack)
        await self._read_directory()
        self._seen = revision
        await self.compute(lambda: warm_up(self._knowledge.information, self._knowledge.calibration))

    async def catch_up(self) -> None:
        """Take in every change since the last revision seen."""
        async with self._turn:
            revision = await self._store.revision()  # first: what is written from here on is for the next time
            if revision == self._seen:
                return
            await self._read_directory()  # first: a revoked token is locked out, whatever else goes wrong
            await self._take_in_changes(revision)
            self._seen = revision

    async def _take_in_changes(self, revision: int) -> None:
        anew, told = self._revision < 0, 0
        expected = await self._store.count_cases() if anew else 0
        async for cases in self._store.changes_since(self._revision):
            await self._change(lambda cases=cases: self._take_in(cases))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            self._revision = cases[-1].revision
            if anew and len(self._index) // _TOLD > told:
                told = len(self._index) // _TOLD
                logger.info("%d of some %d cases taken in", len(self._index), expected)
            if self._revision >= revision:
                break  # what was written since waits for the next time, however fast others write
        self._revision = max(self._revision, revision)
        await self._change(self._forget_ahead)

    def _forget_ahead(self) -> None:
        self._ahead = {key: ahead for key, ahead in self._ahead.items() if ahead > self._revision}

    async def take_in(self, case: Case) -> None:
        """Take in one case as it was just written, ahead of all that `catch_up` has yet to see."""
        await self._change(lambda: self._take_in([case.kept], ahead=True))

    async def save(self) -> None:
        """Write the snapshot if more has changed than a start should have to take in."""
        cases = len(self._index)
        if self._unsaved <= max(min(_FEW, cases // 10), cases // _SHARE):
            return
        async with self._saving:
            # The revision first: what the blocks have beyond it is taken in again at a start.
            withdrawals, unsaved, revision = len(self._gone), self._unsaved, self._revision
            blocks, groups = await asyncio.to_thread(self._index.blocks)
            written = await asyncio.to_thread(self._write, Snapshot(revision, blocks, groups))
        if withdrawals != len(self._gone):
            self._forget_snapshot()  # it was written with a case that has gone meanwhile
        elif written:
            self._unsaved -= unsaved

    async def _read_directory(self) -> None:
        clients = {c.token_sha256: c for c in await self._store.clients() if c.revoked_at is None}
        self.directory = Directory(clients, {peer.name: peer for peer in await self._store.peers()})

    async def _change(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._changing, work)

    def search(
        self,
        patient: Patient,
        itself: Collection[int],
        k: int,
        eligible: Callable[[Audience], bool],
        minimum: float,
    ) -> tuple[Profile, list[Hit]]:
        """Return the patient's profile and its best matches. `itself`: keys of cases that are the patient.

        Computes for milliseconds: call it in `compute`.
        """

        def allowed(group: Hashable) -> bool:
            return isinstance(group, Audience) and eligible(group)

        profile = self._knowledge.profile(patient)
        return profile, self._index.search(profile, k, allowed, itself, minimum)

    async def compute(self, work: Callable[[], Result]) -> Result:
        """Do work in a thread for searches, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._searching, work)

    async def tally(self, counted: Callable[[Audience], bool]) -> tuple[Counts, int]:
        """Count what the cases of some audiences hold, and their owners."""

        def allowed(group: Hashable) -> bool:
            return isinstance(group, Audience) and counted(group)

        counts, groups = await asyncio.to_thread(self._index.count, allowed)
        return counts, len({group.owner for group in groups if isinstance(group, Audience)})

    async def close(self) -> None:
        """Save, and end the threads."""
        await self.save()
        for pool in (self._changing, self._searching, self._merging):
            pool.shutdown(wait=True, cancel_futures=True)

    async def _restore(self) -> None:
        """Take over the snapshot, if it shows the store as it was; begin with an empty index, if not."""
        remove_halves(self._snapshot)
        try:
            kept = await asyncio.to_thread(read_snapshot, self._snapshot, self._knowledge.fingerprint)
            if kept.revision > await self._store.revision():
                raise SnapshotUnreadable("it shows a later store: this one was restored from a backup")
            self._index.restore(kept.blocks, kept.groups)
            changed = await self._changed_since(kept.revision)
            for case in changed:
                self._index.remove(case.key)
            if self._checksum() != await self._store.checksum(kept.revision):
                raise SnapshotUnreadable("it shows another store")
        except (SnapshotUnreadable, ValueError, TypeError) as error:
            if self._snapshot.exists():
                logger.info("the snapshot is not used: %s", error)
            self._forget_snapshot()
            self._index = self._empty()
            return
        self._revision = kept.revision
        self._unsaved = len(changed)
        if any(case.withdrawn for case in changed):
            self._forget_snapshot()

    async def _changed_since(self, revision: int) -> list[KeptCase]:
        changed: list[KeptCase] = []
        async for cases in self._store.changes_since(revision):
            changed += cases
            if len(changed) > max(_FEW, len(self._index)):
                raise SnapshotUnreadable("too much has changed since it was written")
        return changed

    def _checksum(self) -> tuple[int, int]:
        pieces = [versions for _, versions in self._index.versions()]
        return sum(map(len, pieces)), sum(int(versions.sum(dtype="u8")) for versions in pieces)

    def _write(self, snapshot: Snapshot) -> bool:
        try:
            write_snapshot(self._snapshot, self._knowledge.fingerprint, snapshot)
        except OSError as error:
            logger.warning("the snapshot %s cannot be written: %s", self._snapshot, error.strerror)
            return False
        return True

    def _pack(self) -> None:
        """Put the blocks of an index that was filled case by case into few."""
        packed = self._empty()
        packed.restore(*self._index.blocks())
        self._index = packed

    def _forget_snapshot(self) -> None:
        """Nothing of a withdrawn case stays on disk; the next `save` writes the others again."""
        self._snapshot.unlink(missing_ok=True)
        self._unsaved = len(self._index) + _FEW

    def _take_in(self, cases: Iterable[KeptCase], *, ahead: bool = False) -> None:
        for case in cases:
            try:
                self._take_in_one(case, ahead=ahead)
            except Exception as error:
                if ahead:
                    raise
                logger.error("a case cannot be taken in, and will not be found: %s", type(error).__name__)

    def _take_in_one(self, case: KeptCase, *, ahead: bool) -> None:
        if self._ahead.get(case.key, -1) >= case.revision or case.key in self._gone:
            return  # taken in already, perhaps of a later revision: changes may come out of turn
        if ahead:
            self._ahead[case.key] = case.revision
        if case.content is None:
            known = self._index.version(case.key) is not None
            self._index.remove(case.key)
            self._gone.add(case.key)  # after it: `save` tells by it that its blocks may still hold the case
            self.changes += 1
            if known:
                self._forget_snapshot()
        elif self._index.version(case.key) != case.version:
            self.changes += 1
            self._unsaved += 1
            self._index.add(case.key, self._knowledge.profile_of_content(case.content), case.audience, case.version)


def _log_failure(done: Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()):
        logger.error("blocks of the index could not be put together: %s", type(error).__name__)
