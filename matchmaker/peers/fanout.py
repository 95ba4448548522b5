"""All peers at once under one deadline. Every peer gets an outcome; none can lose another's."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.records.party import Peer

Ask = Callable[[Peer], Awaitable[PeerAnswer | PeerFailure]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One peer's outcome, and the milliseconds that it took."""

    peer: Peer
    outcome: PeerAnswer | PeerFailure
    elapsed_ms: int


@dataclass(frozen=True)
class Fanout:
    """`places` bounds the questions under way at once, over all searches; `clock` gives seconds."""

    deadline_seconds: float
    places: asyncio.Semaphore
    clock: Callable[[], float]

    async def ask_all(self, peers: Sequence[Peer], ask: Ask) -> list[Asked]:
        """Ask every peer once, all at once; return their outcomes in the order of `peers`."""
        started = self.clock()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(peer, ask, started)) for peer in peers]
        return [task.result() for task in tasks]

    async def _ask(self, peer: Peer, ask: Ask, started: float) -> Asked:
        try:
            async with asyncio.timeout(self.deadline_seconds), self.places:
                outcome = await ask(peer)
        except TimeoutError:
            outcome = PeerFailure(Status.TIMEOUT, f"did not answer within {self.deadline_seconds:g} s")
        return Asked(peer, outcome, round((self.clock() - started) * 1000))
