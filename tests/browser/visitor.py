"""Somebody who looks at pages: a browser context of their own, and all that goes wrong in it."""

from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Response, WebError

_PATIENCE_MILLISECONDS = 30_000
# Fetched by a page itself: when one of these fails, the page is broken. Of all else a test says which status it wants.
_PARTS = {"stylesheet", "script", "image", "font", "media", "manifest"}
_FAILED_LOAD = "Failed to load resource: the server responded with a status of"
_WATCH_POLICY = """
document.addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP ${event.effectiveDirective} forbids ${event.blockedURI} at ${event.documentURI}`));
"""


@dataclass
class Visitor:
    """A context without cookies, and `violations`: errors of scripts and of the console, breaches of the policy.

    They reach us a moment after the page has loaded; `settled` waits for those of what was done before.
    """

    context: BrowserContext
    violations: list[str] = field(default_factory=list)

    async def open(self, url: str) -> Page:
        """Return a new page at an address."""
        page = await self.context.new_page()
        await page.goto(url)
        return page

    async def settled(self) -> list[str]:
        """Return the violations, once each page has answered: what it had to say before has arrived then."""
        for page in self.context.pages:
            await page.evaluate("0")
        return self.violations

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_FAILED_LOAD):
            self.violations.append(message.text)

    def on_error(self, error: WebError) -> None:
        self.violations.append(str(error.error))

    def on_response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type in _PARTS:
            self.violations.append(f"{response.status} for {response.url}")


async def new_visitor(browser: Browser, options: dict[str, Any]) -> Visitor:
    """Return a visitor; `options` are those of Playwright's Browser.new_context."""
    visitor = Visitor(await browser.new_context(**options))
    visitor.context.set_default_timeout(_PATIENCE_MILLISECONDS)
    visitor.context.on("console", visitor.on_console)
    visitor.context.on("weberror", visitor.on_error)
    visitor.context.on("response", visitor.on_response)
    await visitor.context.add_init_script(_WATCH_POLICY)
    return visitor
