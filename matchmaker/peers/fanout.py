"""All peers at once under one deadline. Every peer gets an outcome; none can lose another's."""

import asyncio
from collections import defaultdict
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


class Fanout:
    """Asks peers. `at_once` bounds the questions under way to one peer, over all searches; `clock` gives seconds.

    The bound is each peer's own: one that hangs keeps nobody from the others.
    """

    def __init__(self, deadline_seconds: float, at_once: int, clock: Callable[[], float]) -> None:
        self._deadline_seconds = deadline_seconds
        self._clock = clock
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(at_once))

    async def ask_all(self, peers: Sequence[Peer], ask: Ask) -> list[Asked]:
        """Ask every peer once, all at once; return their outcomes in the order of `peers`."""
        started = self._clock()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask(peer, ask, started)) for peer in peers]
        return [task.result() for task in tasks]

    async def _ask(self, peer: Peer, ask: Ask, started: float) -> Asked:
        outcome: PeerAnswer | PeerFailure = PeerFailure(
            Status.NOT_ASKED, "too many questions to it are under way; it did not answer those in time"
        )
        try:
            async with asyncio.timeout(self._deadline_seconds), self._places[peer.name]:
                outcome = PeerFailure(Status.TIMEOUT, f"did not answer within {self._deadline_seconds:g} s")
                outcome = await ask(peer)
        except TimeoutError:
            pass  # the outcome says how far the question came
        return Asked(peer, outcome, round((self._clock() - started) * 1000))
