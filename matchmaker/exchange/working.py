"""Background work by lease: of all workers of a node, one does a piece; if it dies, another one takes over."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from matchmaker.records.work import Work
from matchmaker.store.base import Store

logger = logging.getLogger(__name__)


class Done(Enum):
    """What became of a piece."""

    YES = "yes"
    NOT_NOW = "not now"  # it is tried again later
    ALREADY = "already"  # whoever did it has given it back, or taken it off the queue, itself


Do = Callable[[Work], Awaitable[Done]]
_AT_ONCE = 100  # pieces that one step does at most, before other loops have their turn
_WAITS = (5.0, 30.0, 120.0, 600.0)  # seconds before the next attempt, after the first, second, …


@dataclass(frozen=True)
class Leases:
    """Claims work for one `holder`. `now` gives seconds since 1970; a lease lasts `seconds`.

    All hosts' clocks must agree far better than a lease lasts. If they do not, a piece may be begun twice, and is still
    finished once: who lost the lease is told so.
    """

    store: Store
    holder: str
    now: Callable[[], float]
    seconds: float

    async def claim(self, kinds: Mapping[str, Do]) -> Work | None:
        """Claim a piece of one of the kinds, if one is due."""
        now = self.now()
        return await self.store.claim(kinds, self.holder, now, now + self.seconds)


async def step(leases: Leases, kinds: Mapping[str, Do]) -> int:
    """Do what work is due, and return how many pieces were done. What fails is tried again, later and later."""
    done = 0
    for _ in range(_AT_ONCE):
        work = await leases.claim(kinds)
        if work is None:
            break
        outcome = await _outcome(kinds[work.kind], work)
        if outcome is Done.YES:
            done += await leases.store.finish(work)
        elif outcome is Done.ALREADY:
            done += 1
        else:
            wait = _WAITS[min(work.attempts, len(_WAITS)) - 1]
            await leases.store.release(work, leases.now() + wait)
    return done


async def _outcome(do: Do, work: Work) -> Done:
    try:
        return await do(work)
    except Exception as error:  # noqa: BLE001 - a piece that fails is tried again, whatever it was
        logger.error("work of kind %s failed at attempt %d: %s", work.kind, work.attempts, type(error).__name__)
        return Done.NOT_NOW
