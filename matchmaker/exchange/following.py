"""What a running node holds in memory, kept up with its store's revisions: the index, clients and peers.

The index lives in one thread of its own: searches and changes never meet, and the event loop waits for neither.
"""

import asyncio
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from matchmaker.matching.index import CaseIndex, Hit
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.mme.patient import Patient
from matchmaker.records.case import Audience, Case
from matchmaker.records.party import Client, Peer
from matchmaker.store.base import Store

Result = TypeVar("Result")


@dataclass(frozen=True)
class Directory:
    """Clients with a valid token, by its digest, and peers by name, as of one revision."""

    clients: Mapping[str, Client] = field(default_factory=dict)
    peers: Mapping[str, Peer] = field(default_factory=dict)


class Following:
    """The node's memory of its store. Call `catch_up` after a write, and from time to time for others' writes."""

    def __init__(self, store: Store, knowledge: Knowledge) -> None:
        self._store = store
        self._knowledge = knowledge
        self._index = CaseIndex(knowledge.information)
        self._public_ids: dict[tuple[str, str], str] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="index")
        self._turn = asyncio.Lock()
        self.revision = -1
        self.directory = Directory()

    async def catch_up(self) -> None:
        """Take in every change since the last revision seen."""
        async with self._turn:
            revision = await self._store.revision()
            if revision == self.revision:
                return
            async for cases in self._store.changes_since(self.revision):
                await self.run(lambda cases=cases: self._take_in(cases))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            clients = {c.token_sha256: c for c in await self._store.clients() if c.revoked_at is None}
            self.directory = Directory(clients, {peer.name: peer for peer in await self._store.peers()})
            self.revision = revision

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run `work` in the index's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def search(
        self, patient: Patient, owner: str | None, k: int, eligible: Callable[[Audience], bool], minimum: float
    ) -> tuple[Profile, list[Hit]]:
        """Return the patient's profile and its best matches; it never matches the case that it is itself.

        `owner` is who asks, if it keeps cases: its own case of the patient's id, and any case of that public id, are
        the patient.
        """

        def allowed(group: Hashable) -> bool:
            return isinstance(group, Audience) and eligible(group)

        def work() -> tuple[Profile, list[Hit]]:
            profile = self._knowledge.profile(patient)
            itself = frozenset({patient.id, self._public_ids.get((owner or "", patient.id), patient.id)})
            return profile, self._index.search(profile, k, allowed, itself, minimum)

        return await self.run(work)

    async def tally(self, count: Callable[[list[tuple[Audience, Profile]]], Result]) -> Result:
        """Return what `count` makes of every case's audience and profile."""

        def work() -> Result:
            return count([(g, p) for g, p in self._index.profiles() if isinstance(g, Audience)])

        return await self.run(work)

    def close(self) -> None:
        """End the index's thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _take_in(self, cases: list[Case]) -> None:
        for case in cases:
            if case.patient is None:
                self._index.remove(case.public_id)
                self._public_ids.pop((case.owner, case.id), None)
            else:
                self._public_ids[case.owner, case.id] = case.public_id
                self._index.add(case.public_id, self._knowledge.profile(case.patient), case.audience)
