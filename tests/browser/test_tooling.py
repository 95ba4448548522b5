"""The browser, the rules of accessibility, and the watch for what a page does wrong: do they see anything at all?"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.browser.accessibility import serious_violations
from tests.browser.conftest import NewContext
from tests.conftest import RunningNode
from tests.eventually import eventually

STRICT = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'"}
PNG = b"\x89PNG"


@contextlib.asynccontextmanager
async def served(body: str) -> AsyncIterator[str]:
    """Serve one page under a strict policy; yield its address."""

    async def page(_request: web.Request) -> web.Response:
        html = f'<!doctype html><html lang="en"><head><title>x</title></head><body><main>{body}</main></body></html>'
        return web.Response(text=html, content_type="text/html", headers=STRICT)

    async def script(_request: web.Request) -> web.Response:
        return web.Response(text="Promise.reject(new Error('mine'))", content_type="text/javascript")

    app = web.Application()
    app.router.add_get("/", page)
    app.router.add_get("/own.js", script)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_of_numbers_is_accessible_and_breaks_nothing(
    node: RunningNode, context: NewContext, tmp_path: Path, scheme: str
) -> None:
    visitor = await context(color_scheme=scheme, viewport={"width": 360, "height": 740})
    page = await visitor.open(node.url)
    assert await page.locator("h1").inner_text() == "ireland"
    assert await serious_violations(page) == []
    assert await visitor.settled() == []
    shot = await page.screenshot(path=tmp_path / "numbers.png", full_page=True)
    assert shot.startswith(PNG)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("<script>document.title = 'run'</script>", "CSP script-src-elem forbids inline"),
        ('<p style="color: red">x</p>', "CSP style-src-attr forbids inline"),
        ('<button onclick="alert(1)" autofocus>x</button>', "CSP script-src-attr forbids inline"),
        ('<img alt="x" src="http://127.0.0.1:9/x.png">', "CSP img-src forbids http://127.0.0.1:9/x.png"),
        ('<script src="/own.js"></script>', "mine"),
        ('<script src="/none.js"></script>', "404 for"),
    ],
)
async def test_what_a_page_does_wrong_is_seen(context: NewContext, body: str, told: str) -> None:
    visitor = await context()
    async with served(body) as url:
        page = await visitor.open(url)

        async def seen() -> bool:
            return any(told in one for one in await visitor.settled())

        assert await eventually(seen)
        assert await page.title() == "x"


async def test_a_breach_is_seen_without_javascript_too(context: NewContext) -> None:
    visitor = await context(java_script_enabled=False)
    async with served('<p style="color: red">x</p>') as url:
        await visitor.open(url)

        async def seen() -> bool:
            return any("Content Security Policy" in one for one in await visitor.settled())

        assert await eventually(seen)


async def test_axe_finds_what_a_screen_reader_cannot_say(context: NewContext) -> None:
    visitor = await context()
    async with served('<img src="data:,x"><input id="unnamed"><p>fine</p>') as url:
        found = await serious_violations(await visitor.open(url))
    assert {"image-alt: img", "label: #unnamed"} <= set(found)


async def test_visitors_share_nothing(context: NewContext) -> None:
    first, second = await context(locale="de-DE"), await context()
    async with served("<p>x</p>") as url:
        page = await first.open(url)
        assert await page.evaluate("navigator.language") == "de-DE"
        await first.context.add_cookies([{"name": "a", "value": "b", "url": url}])
        await second.open(url)
    assert [one["name"] for one in await first.context.cookies()] == ["a"]
    assert await second.context.cookies() == []
