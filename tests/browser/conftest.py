"""Fixtures: a browser, and visitors with one of their own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.chromium import chromium
from tests.browser.visitor import Visitor, new_visitor

NewContext = Callable[..., Awaitable[Visitor]]


@pytest.fixture(scope="session")
def chromium_address() -> Iterator[str]:
    """Where the one browser of this worker takes orders."""
    with chromium() as address:
        yield address


@pytest.fixture
async def browser(chromium_address: str) -> AsyncIterator[Browser]:
    """The browser, reached over this test's own loop; at the end its contexts are gone, and it stays."""
    async with async_playwright() as playwright:
        connected = await playwright.chromium.connect_over_cdp(chromium_address)
        yield connected
        await connected.close()


@pytest.fixture
async def context(browser: Browser) -> AsyncIterator[NewContext]:
    """Make a visitor: `visitor = await context(locale="de", viewport={"width": 360, "height": 740})`."""
    made: list[Visitor] = []

    async def make(**options: Any) -> Visitor:
        made.append(await new_visitor(browser, options))
        return made[-1]

    yield make
    for visitor in made:
        await visitor.context.close()
