"""Every page on a telephone of 360 by 740 points: nothing lies beside the screen, and a finger hits every button."""

from tests.browser.conftest import NewContext
from tests.browser.places import every_page, furnished
from tests.conftest import StartNode

SMALL = {"width": 360, "height": 740}
_LEAST = 24  # pixels, both ways: WCAG 2.2, 2.5.8. Of a box to tick, its label counts, too
_SEEN = """() => {
    document.querySelectorAll("details").forEach((one) => { one.open = true; });
    const wide = document.documentElement.scrollWidth;
    const small = [];
    for (const one of document.querySelectorAll("button, .button, summary, select, textarea, input:not([type=hidden])")) {
        if (!one.checkVisibility() || one.closest(".sr")) continue;
        const box = (one.closest("label") || one).getBoundingClientRect();
        if (box.width < LEAST || box.height < LEAST) small.push(`${box.width}x${box.height} ${one.outerHTML.slice(0, 90)}`);
    }
    return [...(wide > innerWidth ? [`${wide} wide`] : []), ...small];
}""".replace("LEAST", str(_LEAST))


async def test_no_page_is_wider_than_a_telephone_and_no_button_smaller_than_a_fingertip(
    start_node: StartNode, context: NewContext
) -> None:
    visitor = await context(viewport=SMALL, has_touch=True)
    found: dict[str, list[str]] = {}
    async with furnished(start_node) as house:
        page = await visitor.context.new_page()

        async def look(place: str) -> None:
            found[place] = await page.evaluate(_SEEN)

        await every_page(page, house, look)
        assert {place: wrong for place, wrong in found.items() if wrong} == {}
        assert await visitor.settled() == []
