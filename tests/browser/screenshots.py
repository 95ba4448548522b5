"""Take the pictures of README: the demo's two nodes, Martin's case, and his match across the border.

    python -m tests.browser.screenshots [FOLDER]

Writes PNG files into tests/browser/screenshots, unless told another folder. Needs a Chromium.
"""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

from aiohttp import ClientSession
from playwright.async_api import Page, async_playwright

from matchmaker.demo.nodes import DATA, DemoNode, prepare, running
from matchmaker.exchange.config import user_cache_dir
from tests.browser.chromium import chromium

FOLDER = Path(__file__).parent / "screenshots"
WIDE, PHONE = {"width": 1100, "height": 760}, {"width": 390, "height": 760}


def main() -> None:
    """Take them."""
    options = argparse.ArgumentParser(description="Take the pictures of README.")
    options.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    folder: Path = options.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as address:
        asyncio.run(_take(address, folder))


async def _take(address: str, folder: Path) -> None:
    cache = user_cache_dir()
    with tempfile.TemporaryDirectory() as directory:
        nodes = await prepare(Path(directory), cache)
        async with running(nodes, cache), async_playwright() as playwright:
            ireland = nodes[0]
            await _deposit(ireland)
            browser = await playwright.chromium.connect_over_cdp(address)
            page = await (await browser.new_context(viewport=WIDE, locale="en-IE")).new_page()  # type: ignore[arg-type]  # a plain mapping
            await _sign_in(page, ireland)
            await _of_a_case(page, folder)
            match = await _of_a_match(page, folder)
            for name, settings in (("match-dark", {"color_scheme": "dark"}), ("match-phone", {"viewport": PHONE})):
                state = await page.context.storage_state()
                context = await browser.new_context(**{"viewport": WIDE, "storage_state": state, **settings})  # type: ignore[arg-type]  # as above
                other = await context.new_page()
                await other.goto(match)
                await other.screenshot(path=folder / f"{name}.png")
            await _sign_in_as_operator(page, ireland)
            await page.screenshot(path=folder / "operators.png")
            await browser.close()


async def _deposit(node: DemoNode) -> None:
    body = json.loads((DATA / "martin.json").read_text(encoding="utf-8"))
    told = {**body, "sharing": {"with": "all"}, "owner": node.doctor}
    async with ClientSession(headers={"X-Auth-Token": node.token}) as session:
        async with session.put(f"{node.url}/api/cases/martin", json=told) as response:
            response.raise_for_status()
        async with session.post(f"{node.url}/api/cases/martin/search") as response:
            response.raise_for_status()


async def _sign_in(page: Page, node: DemoNode, email: str | None = None) -> None:
    await page.goto(f"{node.url}/sign-in")
    await page.fill("#email", email or node.doctor)
    await page.fill("#password", node.password)
    await page.click("main form button")
    await page.wait_for_load_state()


async def _sign_in_as_operator(page: Page, node: DemoNode) -> None:
    await page.click("header .who button")
    await _sign_in(page, node, node.operator)
    await page.goto(f"{node.url}/operators")


async def _of_a_case(page: Page, folder: Path) -> None:
    await page.screenshot(path=folder / "cases.png")
    await page.get_by_role("link", name="New case").click()
    for typed in ("microce", "global dev"):
        await page.locator("#term").press_sequentially(typed)
        await page.locator("#found li").first.wait_for()
        await page.keyboard.press("Enter")
        await page.locator("#found li").first.wait_for(state="detached")
    await page.locator("#term").press_sequentially("autis")
    await page.locator("#found li").first.wait_for()
    await page.screenshot(path=folder / "new-case.png")
    await page.get_by_role("link", name="Cases", exact=True).first.click()
    await page.get_by_role("link", name="martin", exact=True).click()
    await page.get_by_role("heading", name="Matches").wait_for()
    await page.screenshot(path=folder / "case.png", full_page=True)


async def _of_a_match(page: Page, folder: Path) -> str:
    await page.locator("#progress tbody th a").first.click()
    await page.get_by_role("heading", name="Term by term").wait_for()
    await page.screenshot(path=folder / "match.png", full_page=True)
    return page.url


if __name__ == "__main__":
    main()
