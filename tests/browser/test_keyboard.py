"""The core of a clinician's work without a mouse: no click, nothing filled in but by keys."""

from tests.browser import casework
from tests.browser.conftest import NewContext
from tests.browser.keyboard import Keyboard
from tests.browser.people import Account, enrol, two_countries
from tests.conftest import StartNode
from tests.eventually import eventually
from tests.peers.misbehaving import fake_peer, hangs


async def test_from_signing_in_to_a_match_by_keys_alone_with_the_focus_always_in_sight(
    start_node: StartNode, context: NewContext
) -> None:
    visitor = await context(viewport={"width": 1000, "height": 700})
    async with (
        two_countries(start_node, peers__deadline_seconds=3) as (ireland, _),
        fake_peer(hangs) as silent,
    ):
        await ireland.add_peer("silent", silent.url, "FR")
        account = await enrol(ireland)
        page = await visitor.open(f"{ireland.url}/sign-in")
        keys = Keyboard(page)
        await signs_in(keys, account)
        await enters_a_case(keys)
        await opens_the_match(keys)
        await changes_its_status(keys)
        assert await visitor.settled() == []


async def signs_in(keys: Keyboard, account: Account) -> None:
    await keys.settles_on("#email")
    await keys.type(account.email)
    await keys.to("#password")
    await keys.type(account.password)
    await keys.press("Enter")
    await keys.page.wait_for_url("**/cases")


async def enters_a_case(keys: Keyboard) -> None:
    await keys.to("a.skip")
    await keys.press("Enter")
    await keys.to("main a[href='/cases/new']")
    await keys.press("Enter")
    await keys.page.wait_for_url("**/cases/new")
    await keys.to("#term")
    await takes(keys, "microceph", casework.MICROCEPHALY, "ArrowDown", "Enter")
    await takes(keys, "seizure", "HP:0001250", "Enter")
    await takes(keys, "developmental delay", casework.DELAY, "ArrowDown", "ArrowDown", "ArrowUp", "Enter")
    await takes(keys, "cataract", casework.CATARACT, "ArrowDown", "ArrowRight", "Enter")
    assert await keys.page.locator(".rows .row.absent").count() == 1
    await a_term_is_taken_away(keys)
    await keys.to("#gene_typed")
    await takes_a_gene(keys)
    await keys.to("#id")
    await keys.type("martin")
    await keys.to("button[value=preview]")
    await keys.press("Enter")
    await keys.page.locator("#preview .nodes").wait_for()
    await keys.settles_on("button[value=preview]")
    await keys.to("#save", "Shift+Tab")
    await keys.press("Space")


async def takes(keys: Keyboard, typed: str, term: str, *chosen: str) -> None:
    """Type until a term is found, choose it, and be back in the empty search."""
    await keys.type(typed)
    await keys.page.locator(f'#found button[value="{term}"]').wait_for()
    await keys.press(*chosen)
    await keys.page.locator(f'#features input[value="{term}"]').wait_for(state="attached")
    await keys.settles_on("#term")
    assert await keys.page.locator("#term").input_value() == ""


async def a_term_is_taken_away(keys: Keyboard) -> None:
    seizure = "#features button[value='HP:0001250']"
    await keys.to(seizure, "Shift+Tab")
    await keys.press("Enter")
    await keys.page.locator(seizure).wait_for(state="detached")
    await keys.settles_on(f"#features button[value='{casework.DELAY}']")


async def takes_a_gene(keys: Keyboard) -> None:
    await keys.type("bckdk")
    await keys.page.locator("#genes-found button[value=BCKDK]").wait_for()
    await keys.press("ArrowDown", "Enter")
    await keys.page.locator("#genes input[value=BCKDK]").wait_for(state="attached")
    await keys.settles_on("#gene_typed")


async def opens_the_match(keys: Keyboard) -> None:
    await keys.page.wait_for_url("**/cases/*?saved=1")
    await casework.match_links(keys.page, "spain").first.wait_for()
    await keys.to("th a[href^='/matches/']")

    async def failed() -> bool:
        return await casework.has_failed(keys.page, "silent")

    assert await eventually(failed)
    await keys.settles_on("th a[href^='/matches/']")  # although the list was loaded anew meanwhile
    await keys.press("Enter")
    await keys.page.wait_for_url("**/matches/*")


async def changes_its_status(keys: Keyboard) -> None:
    await keys.to("#status")
    for _ in range(10):
        if await keys.page.locator("#status").input_value() == "contacted":
            break
        await keys.press("ArrowDown")
    await keys.to("#note")
    await keys.type("by keys alone")
    await keys.to("section[aria-labelledby=follow] button")
    await keys.press("Enter")
    await keys.page.wait_for_url("**?kept=1")
    assert await keys.page.locator("#status").input_value() == "contacted"
    assert "by keys alone" in await keys.page.locator("ol.history").inner_text()
