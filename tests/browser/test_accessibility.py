"""axe-core on every page that there is, light and dark, with data in it."""

from tests.browser.accessibility import COLOURS, serious_violations
from tests.browser.conftest import NewContext
from tests.browser.places import NO_PAGES, PAGES, every_page, furnished, pages
from tests.conftest import StartNode


def test_every_page_of_the_table_of_routes_is_among_those_looked_at() -> None:
    assert set(PAGES) == set(pages()), "say in tests/browser/places.py where a new page lies, or that it is none"
    assert set(PAGES).isdisjoint(NO_PAGES)


async def test_axe_finds_nothing_serious_on_any_page_in_light_or_dark(
    start_node: StartNode, context: NewContext
) -> None:
    visitor = await context(viewport={"width": 1200, "height": 900})
    found: dict[str, list[str]] = {}
    async with furnished(start_node) as house:
        page = await visitor.context.new_page()

        async def look(place: str) -> None:
            """Note what is wrong with the open page, its folded parts too: all in the light, the colours in the dark."""
            await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            await page.emulate_media(color_scheme="light")
            found[f"{place} light"] = await serious_violations(page)
            await page.emulate_media(color_scheme="dark")
            found[f"{place} dark"] = await serious_violations(page, *COLOURS)

        await every_page(page, house, look)
        assert {place: wrong for place, wrong in found.items() if wrong} == {}
        assert await visitor.settled() == []
