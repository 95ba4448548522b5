"""What a running node holds in memory, kept up with its store's revisions: the index, clients and peers.

Changes are taken in by one thread, searches are done by others, blocks of the index are put together by one more: the
event loop waits for none of them, and a search for no rebuild. Where reference data are new, or everything in the store
was replaced, a new generation is made beside the one that answers and takes its place at once.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from matchmaker.exchange.batches import batches
from matchmaker.exchange.generation import Generation
from matchmaker.exchange.reference import UNREADABLE
from matchmaker.exchange.snapshot import Pen, Snapshot, SnapshotUnreadable, read_snapshot, write_snapshot
from matchmaker.matching.counting import Counts
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.files import remove_halves
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.choices import Choices
from matchmaker.records.collection import Collection as CaseCollection
from matchmaker.records.party import Client, Peer, Role
from matchmaker.records.person import Person
from matchmaker.records.reference import ReferenceFile
from matchmaker.records.sharing import Audience
from matchmaker.store.base import Revisions, Store
from matchmaker.store.gathering import Gathering

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
_SEARCHES = 1  # at once: a second thread would compute beside the first, but both wait for the interpreter more
_FEW = 1_000  # changed cases that a start takes in within a second
_TOLD = 20_000  # cases after which long work says how far it is
_SHARE = 100  # one in so many cases, where that is more
_SOME = 200  # cases profiled at once beside a node that answers, for a few hundredths of a second
_PAUSE_SECONDS = 0.01
_AGAIN_SECONDS = 10.0


@dataclass(frozen=True)
class Directory:
    """Clients with a valid token, by its digest; peers and collections by name; as of one revision.

    `institutions` are those of all clients and people, by name: an owner's cases stay when its token is revoked; so do
    the `owners`. `people` are named by address, `choices` by address or by a case's public id. Who deposits a case by
    the pages owns it under the own address. `number` is another one for every directory.
    """

    clients: Mapping[str, Client] = field(default_factory=dict)
    peers: Mapping[str, Peer] = field(default_factory=dict)
    collections: Mapping[str, CaseCollection] = field(default_factory=dict)
    institutions: Mapping[str, str | None] = field(default_factory=dict)
    owners: Mapping[str, Client] = field(default_factory=dict)
    people: Mapping[str, Person] = field(default_factory=dict)
    choices: Mapping[str, Choices] = field(default_factory=dict)
    number: int = field(default=0, compare=False)

    def client_named(self, name: str) -> Client | None:
        """Return the node that bears a name and holds a valid token."""
        return next((one for one in self.clients.values() if one.name == name and one.role is Role.NODE), None)

    def owner(self, name: str) -> Client:
        """Return the owner of cases by its name, whether its token is valid or it never had one."""
        return self.owners.get(name) or Client(name, Role.DEPOSITOR, "")

    def nodes_of(self, organisation: str) -> list[Client]:
        """Return the nodes of an organisation that hold a valid token."""
        return [one for one in self.clients.values() if one.role is Role.NODE and one.organisation == organisation]


def as_owner(person: Person) -> Client:
    """Return a person as an owner of cases: one without a token, named by an address, as no client can be."""
    return Client(person.email, Role.DEPOSITOR, "", person.institution, created_at=person.created_at)


class Following:
    """The node's memory of its store. Call `open` once, `take_in` after one's own write, `catch_up` for others'.

    `knowledge` is what `load` made of the reference data of the store as it was at `made_for`. `current` is the
    generation that answers; `save` writes its index where the kept one has fallen behind.
    """

    def __init__(
        self,
        store: Store,
        knowledge: Knowledge,
        made_for: Revisions,
        load: Callable[[Sequence[ReferenceFile]], Knowledge],
        snapshot: Path,
    ) -> None:
        self._store = store
        self._load = load
        self._snapshot = snapshot
        self._pen = Pen(snapshot)
        self._changing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self._searching = ThreadPoolExecutor(max_workers=_SEARCHES, thread_name_prefix="search")
        self._merging = ThreadPoolExecutor(max_workers=1, thread_name_prefix="merge")
        self.current = Generation(knowledge, self._merge_later)
        self._turn = asyncio.Lock()
        self._unsaved = 0  # changes that the snapshot does not show
        self._seen: Revisions | None = None  # of the store, when everything was last looked at
        self._made_for = (made_for.epoch, made_for.reference)
        self._renewing: asyncio.Task[None] | None = None
        self._own: list[KeptCase] = []  # written here while a new generation is being made
        self._renewals = 0
        self._saving = asyncio.Lock()
        self._erasing = Gathering[None, None](self._erase)
        self._withdrawn_since = False  # the snapshot that this process began with
        self.directory = Directory()

    def _merge_later(self, work: Callable[[], None]) -> None:
        self._merging.submit(work).add_done_callback(_log_failure)

    @property
    def changes(self) -> tuple[int, int]:
        """What is another value whenever the cases, or what they are profiled with, have changed."""
        return self._renewals, self.current.changes

    @property
    def renewing(self) -> bool:
        """Whether a new generation is being made."""
        return self._renewing is not None and not self._renewing.done()

    async def open(self) -> None:
        """Take in the whole store: what the snapshot has of it as it is, the rest anew."""
        revisions = await self._store.revisions()
        await self._restore()
        anew = self.current.revision < 0
        async with self._turn:
            await self._take_in_changes(revisions.cases)
        if anew:
            await self._change(self.current.pack)
        await self._read_directory()
        self._seen = revisions
        await self.compute(self.current.warm_up)
        if self._withdrawn_since and self._pen.held():
            await self._erasing.put(None)

    async def catch_up(self) -> None:
        """Take in every change since the last revision seen."""
        async with self._turn:
            revisions = await self._store.revisions()  # first: what is written from here on is for the next time
            wanted = (revisions.epoch, revisions.reference)
            if wanted != self._made_for and not self.renewing:
                self._renewing = asyncio.create_task(self._renew(revisions))
            if revisions == self._seen:
                return
            await self._read_directory()  # first: a revoked token is locked out, whatever else goes wrong
            same = revisions.epoch == self._made_for[0]
            if same and await self._take_in_changes(revisions.cases) and self._pen.held():
                await self._erasing.put(None)  # who holds no pen leaves it to who does
            self._seen = revisions

    async def _take_in_changes(self, revision: int) -> int:
        """Take in what has changed up to a revision; return how many cases that were known have gone."""
        generation, left = self.current, 0
        anew, told = generation.revision < 0, 0
        expected = await self._store.count_cases() if anew else 0
        async for cases in self._store.changes_since(generation.revision):
            left += await self._change(lambda cases=cases: self._take_in(cases))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            generation.revision = cases[-1].revision
            if anew and len(generation) // _TOLD > told:
                told = len(generation) // _TOLD
                logger.info("%d of some %d cases taken in", len(generation), expected)
            if generation.revision >= revision:
                break  # what was written since waits for the next time, however fast others write
        await self._change(lambda: generation.reach(revision))
        return left

    async def take_in(self, case: Case) -> None:
        """Take in one case as it was just written, ahead of all that `catch_up` has yet to see.

        When this returns, the kept index shows nothing of a withdrawn case any more; where another worker of this data
        directory writes it just then, within two seconds.
        """
        kept = case.kept
        if self.renewing:
            self._own.append(kept)
        left = await self._change(lambda: self._take_in([kept], ahead=True))
        if left or case.withdrawn:  # also where another look at the store was first to see it gone
            await self._erasing.put(None)

    def _take_in(self, cases: Sequence[KeptCase], *, ahead: bool = False) -> int:
        before = self.current.changes
        left = self.current.take_in(cases, ahead=ahead)
        self._unsaved += self.current.changes - before
        return left

    async def _renew(self, wanted: Revisions) -> None:
        """Make a generation of the store's reference data and of all its cases, and answer with it from then on."""
        try:
            self._own = []
            logger.info("new reference data, or a restored store: all cases are profiled anew")
            knowledge = await self._renewed_knowledge()
            if knowledge is self.current.knowledge and wanted.epoch == self._made_for[0]:
                self._made_for = (wanted.epoch, wanted.reference)
                return
            generation = Generation(knowledge, self._merge_later)
            await self._fill(generation, wanted.cases)
            await asyncio.to_thread(generation.pack)
            await asyncio.to_thread(generation.warm_up)
            async with self._turn:
                revisions = await self._store.revisions()
                if (revisions.epoch, revisions.reference) != (wanted.epoch, wanted.reference):
                    return  # changed again meanwhile: the next look begins anew
                await self._fill(generation, revisions.cases)
                await self._change(lambda: self._switch(generation, wanted))
        except Exception as error:  # noqa: BLE001 - whatever it is passes, or is told again: a worker never stays behind
            logger.error("cases cannot be profiled anew yet (%s); tried again", type(error).__name__)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _renewed_knowledge(self) -> Knowledge:
        """Return what the store's reference data tell; what is known already, where they cannot be used."""
        files = await self._store.reference()
        try:
            return await asyncio.to_thread(self._load, files)
        except UNREADABLE as error:
            logger.error("the imported reference data cannot be used, the old ones stay: %s", error)
            return self.current.knowledge

    async def _fill(self, generation: Generation, revision: int) -> None:
        """Take the store's cases into a generation that does not answer yet, a few at a time."""
        told = 0
        async for cases in self._store.changes_since(generation.revision):
            for some in batches(cases, _SOME):
                await asyncio.to_thread(generation.take_in, some)
                await asyncio.sleep(_PAUSE_SECONDS)
            generation.revision = cases[-1].revision
            if len(generation) // _TOLD > told:
                told = len(generation) // _TOLD
                logger.info("%d of some %d cases profiled anew", len(generation), len(self.current))
            if generation.revision >= revision:
                break
        generation.reach(revision)

    def _switch(self, generation: Generation, made_for: Revisions) -> None:
        """Answer with another generation. In the thread of all changes: what is written here is in it."""
        generation.take_in([case for case in self._own if case.revision > generation.revision], ahead=True)
        self.current, self._own = generation, []
        self._made_for = (made_for.epoch, made_for.reference)
        self._renewals += 1
        self._forget_snapshot()
        logger.info("%d cases are profiled anew, and answered with", len(generation))

    async def save(self) -> None:
        """Write the snapshot if more has changed than a start should have to take in."""
        cases = len(self.current)
        kept = self._unsaved <= max(min(_FEW, cases // 10), cases // _SHARE)
        if (kept and (self._snapshot.exists() or not cases)) or self.renewing or not self._pen.held():
            return  # another worker of this data directory holds the pen, and has the same cases
        await self._save()

    async def _save(self) -> bool:
        """Write the snapshot; return whether it shows every case that was taken in, or gone, before this was asked."""
        async with self._saving:
            generation = self.current
            # The revision first: what the blocks have beyond it is taken in again at a start.
            unsaved, revision = self._unsaved, generation.revision
            blocks, groups = await asyncio.to_thread(generation.blocks)
            written = await asyncio.to_thread(self._write, generation, Snapshot(revision, blocks, groups))
            if generation is not self.current:
                self._forget_snapshot()  # it was written with older data
                return False
            if written:
                self._unsaved -= unsaved
            return written

    async def _erase(self, withdrawals: list[None]) -> list[Exception | None]:
        """Let nothing of withdrawn cases stay in the snapshot: write it anew, or do without it until it is."""
        if self.renewing or not self._pen.held() or not await self._save():
            self._forget_snapshot()
        return [None for _ in withdrawals]

    async def _read_directory(self) -> None:
        clients = await self._store.clients()
        people = [one for one in await self._store.people() if not one.waiting]  # strangers are nobody yet
        fresh = Directory(
            {client.token_sha256: client for client in clients if client.revoked_at is None},
            {peer.name: peer for peer in await self._store.peers()},
            {collection.name: collection for collection in await self._store.collections()},
            {person.email: person.institution for person in people}
            | {client.name: client.institution for client in clients},
            {person.email: as_owner(person) for person in people}
            | {client.name: client for client in clients if client.role is Role.DEPOSITOR},
            {person.email: person for person in people},
            await self._store.choices(),
            self.directory.number + 1,
        )
        if fresh != self.directory:
            self.directory = fresh

    async def _change(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._changing, work)

    async def compute(self, work: Callable[[], Result]) -> Result:
        """Do work in a thread for searches, beside the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._searching, work)

    async def tally(self, counted: Callable[[Hashable], bool]) -> tuple[Counts, list[Audience]]:
        """Count what the cases of some audiences hold; return those audiences that have any, too."""
        return await asyncio.to_thread(self.current.tally, counted)

    async def sizes_by_collection(self) -> Counter[str]:
        """Return how many cases each collection has."""
        return await asyncio.to_thread(self.current.sizes_by_collection)

    async def close(self) -> None:
        """Save, and end the threads."""
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        await self.save()
        self._pen.lay_down()
        for pool in (self._changing, self._searching, self._merging):
            # In a thread: what is under way in a pool may need the event loop to end.
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    async def _restore(self) -> None:
        """Take over the snapshot, if it shows the store as it was; begin with an empty index, if not."""
        path, knowledge = self._snapshot, self.current.knowledge
        if self._pen.held():
            remove_halves(path)
        try:
            kept = await asyncio.to_thread(read_snapshot, path, knowledge.fingerprint)
            if kept.revision > (await self._store.revisions()).cases:
                raise SnapshotUnreadable("it shows a later store: this one was restored from a backup")
            changed = await self._changed_since(kept.revision, sum(map(len, kept.blocks)))
            self.current.restore(kept.blocks, kept.groups, changed)
            if self.current.checksum() != await self._store.checksum(kept.revision):
                raise SnapshotUnreadable("it shows another store")
        except (SnapshotUnreadable, ValueError, TypeError) as error:
            if path.exists():
                logger.info("the snapshot is not used: %s", error)
            self._forget_snapshot()
            self.current = Generation(knowledge, self._merge_later, self.current.answers)
            return
        self.current.revision = kept.revision
        self._unsaved = len(changed)
        self._withdrawn_since = any(case.withdrawn for case in changed)

    async def _changed_since(self, revision: int, held: int) -> list[KeptCase]:
        changed: list[KeptCase] = []
        async for cases in self._store.changes_since(revision):
            changed += cases
            if len(changed) > max(_FEW, held):
                raise SnapshotUnreadable("too much has changed since it was written")
        return changed

    def _write(self, generation: Generation, snapshot: Snapshot) -> bool:
        try:
            write_snapshot(self._snapshot, generation.knowledge.fingerprint, snapshot)
        except OSError as error:
            logger.warning("the snapshot %s cannot be written: %s", self._snapshot, error.strerror)
            return False
        return True

    def _forget_snapshot(self) -> None:
        """Nothing of a withdrawn case stays on disk; the next `save` writes the others again."""
        self._unsaved = len(self.current) + _FEW
        try:
            self._snapshot.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("the snapshot %s cannot be removed: %s", self._snapshot, error.strerror)


def _log_failure(done: Future[None]) -> None:
    if not done.cancelled() and (error := done.exception()):
        logger.error("blocks of the index could not be put together: %s", type(error).__name__)
