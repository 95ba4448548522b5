"""The node's numbers are public, and a page."""

from dataclasses import dataclass

from matchmaker.exchange.messages import Catalogue
from matchmaker.mme.messages import Metrics, MetricsBody
from matchmaker.records.party import Role
from matchmaker.web.pages.numbers import NumbersPage
from tests.conftest import RunningNode, StartNode
from tests.samples import patient_json

COUNTS = dict.fromkeys(MetricsBody.model_fields.keys() - {"date_generated"}, 1234567)
METRICS = Metrics(metrics=MetricsBody(**COUNTS, date_generated="2026-01-01T00:00:00+00:00"))


async def test_the_page_shows_the_numbers_to_anybody_and_no_patient(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    body = {"patient": patient_json("secret-id"), "sharing": {"with": "all"}}
    async with node.session.put(f"{node.url}/api/cases/secret-id", json=body, headers=owner) as response:
        assert response.status == 201
    async with node.session.get(f"{node.url}/") as response:
        page = await response.text()
        assert (response.status, response.content_type) == (200, "text/html")
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
    assert '<th scope="row">cases available for matching</th><td class="number">1</td>' in page
    for secret in ("secret-id", "HP:0000252", "Byrne", "BCKDK"):
        assert secret not in page


async def test_what_the_operator_wrote_is_escaped(start_node: StartNode) -> None:
    told = {"node__disclaimer": "<script>alert(1)</script>", "node__contact_name": '"><b>'}
    async with start_node(**told) as node, node.session.get(f"{node.url}/") as response:
        page = await response.text()
    assert "<script>" not in page
    assert "<b>" not in page


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_numbers_are_counted_once_a_minute_at_most() -> None:
    counted, clock = 0, Clock()
    page = NumbersPage(clock)

    async def count() -> Metrics:
        nonlocal counted
        counted += 1
        return METRICS

    async def listed() -> Catalogue:
        return Catalogue(collections=())

    for now in (0.0, 1.0, 59.0, 61.0, 62.0):
        clock.now = now
        await page._numbers(count, listed)  # noqa: SLF001 - the part that reads the clock
    assert counted == 2
