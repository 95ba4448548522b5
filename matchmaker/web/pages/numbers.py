"""GET /: the node's numbers, in public, as the exchange's service rules of March 2026 want them.

Counted anew once a minute at most: anybody may ask.
"""

from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web

from matchmaker import __version__
from matchmaker.exchange.config import Node
from matchmaker.mme.messages import Metrics
from matchmaker.web.keys import EXCHANGE

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
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_STYLE = """
body { font: 17px/1.5 system-ui, sans-serif; color: #1c2430; background: #fff; max-width: 40rem; margin: 4rem auto;
       padding: 0 1.5rem; }
h1 { font-size: 1.6rem; margin: 0; }
p { margin: .5rem 0 1.5rem; color: #4a5568; }
table { border-collapse: collapse; width: 100%; }
td { padding: .45rem 0; border-bottom: 1px solid #e2e8f0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
a { color: #0b5cad; }
footer { margin-top: 2rem; font-size: .85rem; color: #4a5568; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf5; background: #10161e; } p, footer { color: #a9b6c6; } td { border-color: #2a3644; }
  a { color: #7db7f0; }
}
"""


class NumbersPage:
    """Answers GET /. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counted: tuple[float, Metrics] | None = None

    async def get(self, request: web.Request) -> web.Response:
        """Return the page."""
        exchange = request.app[EXCHANGE]
        html = render(exchange.config.node, await self._numbers(exchange.metrics))
        headers = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "no-referrer"}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def _numbers(self, count: Callable[[], Awaitable[Metrics]]) -> Metrics:
        now = self._clock()
        if self._counted is None or now - self._counted[0] > _FRESH_SECONDS:
            self._counted = (now, await count())
        return self._counted[1]


def render(node: Node, metrics: Metrics) -> str:
    """Return the page's HTML. Everything from outside is escaped."""
    numbers = metrics.to_json()["metrics"]
    rows = "".join(f'<tr><td>{words}</td><td class="number">{numbers[key]:,}</td></tr>' for key, words in _SHOWN)
    kind = "" if node.production else " This is not a production node."
    disclaimer = f"<p>{escape(node.disclaimer)}</p>" if node.disclaimer else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(node.name)}: a node of the Matchmaker Exchange</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(node.name)}</h1>
<p>A node of the Matchmaker Exchange: it joins unsolved rare-disease cases across hospitals and countries.{kind}</p>
<table>{rows}</table>
{disclaimer}
<footer>
{escape(node.organization)} · <a href="{escape(node.contact_href)}">{escape(node.contact_name)}</a> ·
counted {escape(numbers["dateGenerated"])} · matchmaker {escape(__version__)}
</footer>
</body>
</html>
"""
