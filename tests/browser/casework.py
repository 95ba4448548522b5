"""What a clinician does with a case on the pages: in English and in Spanish, with the mouse."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.async_api import Locator, Page

from matchmaker.exchange.service import Exchange
from tests.conftest import RunningNode
from tests.eventually import eventually

CATARACT, MICROCEPHALY, DELAY = "HP:0000518", "HP:0000252", "HP:0001263"


@dataclass(frozen=True, slots=True)
class Typed:
    """What is typed to find a term, and by which names the list shows it, the reader's own first."""

    text: str
    term: str
    names: tuple[str, ...]


MARTIN = {
    "en": (
        Typed("microceph", MICROCEPHALY, ("Microcephaly",)),
        Typed("developmental delay", DELAY, ("Global developmental delay",)),
        Typed("autistic", "HP:0000729", ("Autistic behavior",)),
        Typed("intellectual disab", "HP:0001249", ("Intellectual disability",)),
    ),
    "es": (
        Typed("microcefal", MICROCEPHALY, ("Microcefalia", "Microcephaly")),
        Typed("retardo global del", DELAY, ("Retardo global del desarrollo", "Global developmental delay")),
        Typed("autista", "HP:0000729", ("Comportamiento autista", "Autistic behavior")),
        Typed("discapacidad int", "HP:0001249", ("Discapacidad intelectual", "Intellectual disability")),
    ),
}
ABSENT = {
    "en": Typed("cataract", CATARACT, ("Cataract",)),
    "es": Typed("catarata", CATARACT, ("Catarata", "Cataract")),
}


async def add_term(page: Page, typed: Typed, *, absent: bool = False) -> None:
    """Find a term as one types, see it by its names, and take it in."""
    await page.locator("#term").press_sequentially(typed.text)
    value = f"{typed.term}|no" if absent else typed.term
    row = page.locator("#found li", has=page.locator(f'button[value="{value}"]'))
    told = await row.inner_text()
    assert [name for name in typed.names if name not in told] == []
    await row.locator(f'button[value="{value}"]').click()
    await page.locator(f'#features input[name="feature"][value="{typed.term}"]').wait_for(state="attached")


async def add_gene(page: Page, symbol: str) -> None:
    """Find a gene as one types, and take it in."""
    await page.locator("#gene_typed").press_sequentially(symbol.lower())
    await page.locator(f'#genes-found button.option[value="{symbol}"]').click()
    await page.locator(f'#genes input[name="gene"][value="{symbol}"]').wait_for(state="attached")


async def fill_martin(page: Page, node: RunningNode, language: str, case_id: str = "martin") -> None:
    """Fill in the form of a new case, as somebody of a language does."""
    await page.goto(f"{node.url}/cases/new")
    for typed in MARTIN[language]:
        await add_term(page, typed)
    await add_term(page, ABSENT[language], absent=True)
    await add_gene(page, "BCKDK")
    await page.locator("#id").fill(case_id)


async def save(page: Page) -> str:
    """Keep the case of the form; return the public id that it got."""
    await page.locator("#save").click()
    await page.wait_for_url(re.compile(r"/cases/[0-9a-f]{32}"))
    return urlsplit(page.url).path.rsplit("/", 1)[1]


def node_line(page: Page, node: str) -> Locator:
    """What the page of a case says of a node that was asked."""
    return page.locator("#progress .nodes > li", has=page.locator(f"strong:text-is('{node}')"))


def match_links(page: Page, node: str) -> Locator:
    """The links to the matches with a node, on the page of a case or in the inbox."""
    return page.locator("table.cards th a[href^='/matches/']", has_text=node)


async def state_of(page: Page, node: str) -> str:
    """How a node stands, in the words of the exchange: answered, asking, timeout, …; "" where it is not named."""
    lines = node_line(page, node)
    return await lines.first.get_attribute("class") or "" if await lines.count() else ""


async def has_failed(page: Page, node: str) -> bool:
    """Tell whether a node is said not to have answered."""
    return await state_of(page, node) not in {"", "answered", "not-asked", "asking", "waiting"}


def said(exchange: Exchange, language: str, text: str) -> str:
    """Return what the pages say for an English text."""
    words, _ = exchange.choosing.words(language)
    return words.gettext(text)


async def links_of_mails(node: RunningNode) -> list[str]:
    """Return the links to matches in the mails, once there are any, as they lead to the node under test."""

    async def looked() -> list[str]:
        texts = [str(body.get_content()) for mail in node.mails() if (body := mail.get_body(("plain",)))]
        return re.findall(r"https?://\S+/matches/\S+", "\n".join(texts))

    links = await eventually(looked)
    assert all(link.startswith(f"{node.config.public_url}/matches/") for link in links)
    return [node.url + urlsplit(link).path for link in links]  # a test's node learns its port after it has started
