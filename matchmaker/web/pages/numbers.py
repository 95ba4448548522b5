"""GET /: what this node is and what it holds, for anybody: the exchange's metrics, collections, and terms of use.

Nothing of any case. Counted once a minute at most: everybody may ask, and counting looks at every case.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from matchmaker import __version__
from matchmaker.exchange.messages import Catalogue
from matchmaker.mme.messages import Metrics
from matchmaker.web.keys import EXCHANGE
from matchmaker.web.pages.access import outside, words_for
from matchmaker.web.pages.frame import page

_FRESH_SECONDS = 60.0
_SHOWN = (
    ("numberOfCases", "cases available for matching"),
    ("numberOfSubmitters", "submitters"),
    ("numberOfUniqueGenes", "candidate genes"),
    ("numberOfUniqueVariants", "variants"),
    ("numberOfUniqueFeatures", "phenotypic features"),
    ("numberOfCasesWithDiagnosis", "cases with a diagnosis"),
    ("numberOfRequestsReceived", "match requests answered"),
    ("numberOfPotentialMatchesSent", "potential matches sent"),
    ("numberOfUniqueGenesMatched", "genes matched"),
)


class NumbersPage:
    """Answers GET /. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counted: tuple[float, Metrics, Catalogue] | None = None
        self._turn = asyncio.Lock()  # of many who ask at once, one counts

    async def get(self, request: web.Request) -> web.Response:
        """Return the page."""
        exchange = request.app[EXCHANGE]
        metrics, catalogue = await self._numbers(exchange.metrics, exchange.catalogue)
        words, language = words_for(request)
        return page(
            "numbers.html",
            words,
            language,
            **outside(exchange),
            numbers=metrics.to_json()["metrics"],
            shown=_SHOWN,
            collections=catalogue.collections,
            version=__version__,
            peers=sorted((one.name, one.country) for one in exchange.directory.peers.values()),
        )

    async def _numbers(
        self, count: Callable[[], Awaitable[Metrics]], listed: Callable[[], Awaitable[Catalogue]]
    ) -> tuple[Metrics, Catalogue]:
        async with self._turn:
            now = self._clock()
            if self._counted is None or now - self._counted[0] > _FRESH_SECONDS:
                self._counted = (now, await count(), await listed())
            return self._counted[1:]
