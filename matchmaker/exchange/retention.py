"""How long is kept what was told: the ledger as the operator says, what is remembered of questions for a month."""

from matchmaker.exchange.config import Disclosure
from matchmaker.policy.agreement import SPAN_SECONDS
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.store.base import Store

_DAY_SECONDS = 86_400.0


async def keep_no_longer(store: Store, disclosure: Disclosure, now: float) -> None:
    """Forget what was kept long enough; that lines of the ledger were forgotten is a line itself."""
    # A day more than a month: what is asked again is noted once a day only.
    gone = await store.purge(now - disclosure.ledger_days * _DAY_SECONDS, now - SPAN_SECONDS - _DAY_SECONDS)
    if gone:
        await store.write_ledger([LedgerLine(now, Happened.PURGED, "", detail=f"{gone} lines")])
