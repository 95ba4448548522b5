"""A person without a mouse: Tab, arrows, Enter. Whatever has the focus must be seen to have it, and none may be lost."""

from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page

from tests.eventually import eventually

_MOST_STEPS = 200
_FOCUS = """(wanted) => {
    const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect();
    const bar = document.querySelector(".sticky");
    const under = bar && !bar.contains(at) ? bar.getBoundingClientRect().top : innerHeight;
    return {
        there: wanted !== "" && at.matches(wanted),
        lost: at === document.body,
        what: at.outerHTML.slice(0, 120),
        outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        hidden: box.width < 2 || box.bottom < 0 || box.top >= under,
    };
}"""


@dataclass(frozen=True, slots=True)
class Keyboard:
    """Walks through a page by its keyboard alone."""

    page: Page

    async def to(self, wanted: str, key: str = "Tab") -> None:
        """Press a key until what a selector means has the focus; each step before must be visible, too."""
        for _ in range(_MOST_STEPS):
            await self.page.keyboard.press(key)
            focus = await self._focus(wanted)
            if not focus["lost"]:
                assert focus["outlined"], f"no outline: {focus['what']}"
                assert not focus["hidden"], f"out of sight: {focus['what']}"
            if focus["there"]:
                return
        raise AssertionError(f"{wanted} cannot be reached by {key}")

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def type(self, text: str) -> None:
        """Type a text, key by key."""
        await self.page.keyboard.type(text)

    async def settles_on(self, wanted: str) -> None:
        """Wait until what a selector means has the focus by itself, as after an action."""

        async def there() -> bool:
            return bool((await self._focus(wanted))["there"])

        try:
            await eventually(there)
        except AssertionError:
            raise AssertionError(f"not {wanted} has the focus: {(await self._focus(''))['what']}") from None

    async def _focus(self, wanted: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.page.evaluate(_FOCUS, wanted)
        return found
