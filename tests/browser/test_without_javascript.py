"""The core of a clinician's work where no script runs: every button sends the whole form."""

import re

from playwright.async_api import Page

from tests.browser import casework
from tests.browser.conftest import NewContext
from tests.browser.people import enrol, sign_in, two_countries
from tests.conftest import StartNode
from tests.peers.misbehaving import fake_peer, hangs


async def test_a_case_goes_its_whole_way_without_any_script(start_node: StartNode, context: NewContext) -> None:
    visitor = await context(java_script_enabled=False, viewport={"width": 1000, "height": 800})
    async with (
        two_countries(start_node, peers__deadline_seconds=3) as (ireland, _),
        fake_peer(hangs) as silent,
    ):
        await ireland.add_peer("silent", silent.url, "FR")
        page = await visitor.context.new_page()
        await sign_in(page, ireland, await enrol(ireland))
        await page.goto(f"{ireland.url}/cases/new")
        await the_form_is_filled_in(page)
        await it_is_looked_at_before_it_leaves_and_kept(page)
        await the_page_loads_itself_until_every_node_was_asked(page)
        await the_match_is_followed_up(page)
        await page.goto(f"{ireland.url}/cases")
        await the_case_is_withdrawn(page)
        assert await visitor.settled() == []


async def the_form_is_filled_in(page: Page) -> None:
    await finds(page, "#term", "microcephaly", casework.MICROCEPHALY)
    await finds(page, "#term", "seizure", "HP:0001250")
    await finds(page, "#term", "cataract", f"{casework.CATARACT}|no")
    await finds(page, "#gene_typed", "bckdkd", "BCKDK")
    await page.locator("#features button[value='HP:0001250']").click()
    kept = await page.locator("#features input[name=feature]").evaluate_all("all => all.map(one => one.value)")
    assert kept == [casework.MICROCEPHALY, casework.CATARACT]
    assert await page.locator(f"input[name='observed.{casework.CATARACT}']:checked").input_value() == "no"
    await page.locator("summary", has_text="Paste").click()
    await page.locator("#text").fill("Global developmental delay, but no cleft palate.")
    await page.locator("button[name=suggest]").click()
    await page.locator(f"#suggestions button[value='{casework.DELAY}']").click()
    await page.locator("#id").fill("martin")


async def finds(page: Page, search: str, typed: str, value: str) -> None:
    """Type, press the button beside the search, and choose of what was found."""
    await page.locator(search).fill(typed)
    await page.locator(f"{search} ~ noscript button").first.click()
    await page.locator(f".found button[value='{value}']").click()
    await page.locator(f".rows input[value='{value.split('|', maxsplit=1)[0]}']").first.wait_for(state="attached")


async def it_is_looked_at_before_it_leaves_and_kept(page: Page) -> None:
    await page.locator("button[value=preview]").click()
    told = await page.locator("#preview .nodes > li", has_text="spain").inner_text()
    assert "Global developmental delay" in told
    assert await page.locator("#id").input_value() == "martin"
    await page.locator("#save").click()
    await page.wait_for_url(re.compile(r"/cases/[0-9a-f]{32}"))


async def the_page_loads_itself_until_every_node_was_asked(page: Page) -> None:
    await casework.match_links(page, "spain").first.wait_for()
    await page.locator("#progress .nodes > li.timeout", has_text="silent").wait_for()
    assert "has not answered" in await casework.node_line(page, "silent").inner_text()
    assert await page.locator("meta[http-equiv=refresh]").count() == 0


async def the_match_is_followed_up(page: Page) -> None:
    await casework.match_links(page, "spain").first.click()
    await page.locator("#status").select_option("contacted")
    await page.locator("#note").fill("without a script")
    await page.locator("section[aria-labelledby=follow] button").click()
    await page.wait_for_url("**?kept=1")
    assert "without a script" in await page.locator("ol.history").inner_text()


async def the_case_is_withdrawn(page: Page) -> None:
    await page.locator("th a", has_text="martin").click()
    await page.locator("a.danger").click()
    await page.locator("main button.danger").click()
    await page.wait_for_url("**/cases?withdrawn=1")
    assert "martin" not in await page.locator("main").inner_text()
