"""What axe-core finds wrong with a page for people who cannot see it, or not well, or use no mouse."""

from functools import lru_cache
from pathlib import Path

from playwright.async_api import Page

# To look at each node of each violation takes long; a page of ours has no frames.
_RUN = """async (rules) => {
    const only = rules.length ? {runOnly: {type: "rule", values: rules}} : {};
    return (await axe.run(document, {resultTypes: ["violations"], reporter: "no-passes", preload: false, iframes: false, ...only})).violations;
}"""
COLOURS = ("color-contrast", "link-in-text-block")  # what is another in the dark


async def serious_violations(page: Page, *rules: str) -> list[str]:
    """Return rule and place of each violation whose impact is serious or critical; of some rules, else of all.

    The program comes in by evaluation: a page's own policy lets no foreign script in, and need not.
    """
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_axe())
    found = await page.evaluate(_RUN, list(rules))
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
