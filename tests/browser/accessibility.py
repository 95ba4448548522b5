"""What axe-core finds wrong with a page for people who cannot see it, or not well, or use no mouse."""

from functools import lru_cache
from pathlib import Path

from playwright.async_api import Page

_RUN = "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"


async def serious_violations(page: Page) -> list[str]:
    """Return rule and place of each violation whose impact is serious or critical.

    The program comes in by evaluation: a page's own policy lets no foreign script in, and need not.
    """
    await page.evaluate(_axe())
    found = await page.evaluate(_RUN)
    return [
        f"{rule['id']}: {' '.join(map(str, node['target']))}"
        for rule in found
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


@lru_cache
def _axe() -> str:
    text = (Path(__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    return f"() => {{ {text}\n }}"  # a function, so that nothing of its value is sent back
