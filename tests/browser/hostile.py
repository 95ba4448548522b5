"""Strings that would do harm where somebody forgot to escape, each with a mark by which it is found again; and a judge."""

from collections.abc import Sequence
from itertools import product
from typing import Any

from playwright.async_api import Page

# What runs, loads, or breaks out; {mark} tells one from the other.
_VECTORS = (
    "<script>window.__pwned='{mark}'</script>",
    "<img src=x onerror=window.__pwned='{mark}'>",
    "<svg onload=window.__pwned='{mark}'>",
    "<svg><animate onbegin=window.__pwned='{mark}' attributeName=x dur=1s>",
    "<body onpageshow=window.__pwned='{mark}'>",
    "<details open ontoggle=window.__pwned='{mark}'>",
    "<input autofocus onfocus=window.__pwned='{mark}'>",
    "<iframe srcdoc='<script>parent.__pwned=1</script>{mark}'></iframe>",
    "<object data=javascript:alert('{mark}')></object>",
    "<a href=javascript:alert('{mark}')>a</a>",
    "<form action=javascript:alert('{mark}')><button>b</button></form>",
    "<button formaction=javascript:alert('{mark}')>c</button>",
    "<meta http-equiv=refresh content='0;url=/sign-in?{mark}'>",
    "<base href=//evil.example/{mark}>",
    "<link rel=stylesheet href=//evil.example/{mark}.css>",
    "<style>body{{display:none}}/*{mark}*/</style>",
    "<p style=position:fixed;inset:0;width:9999px>{mark}</p>",
    "<math><mtext><table><mglyph><style><img src onerror=alert('{mark}')>",
    "<div hx-get=/sign-in hx-trigger=load>{mark}</div>",
    "<div hx-on:click=alert('{mark}') data-hx-get=/x>{mark}</div>",
    " autofocus onfocus=alert('{mark}') x=",
    " style=color:red;width:9999px x='{mark}' ",
    "javascript:alert('{mark}')",
    "data:text/html,<script>alert('{mark}')</script>",
    "{{{{7*7}}}}{mark}",
    "${{7*7}}{mark}",
    "{{% print(7*7) %}}{mark}",
    "{{{{config.__class__}}}}{mark}",
    "<%= 7*7 %>{mark}",
    "%(name)s%s%d{mark}",
    "'; DROP TABLE cases; --{mark}",
    "' OR '1'='1{mark}",
    "&lt;script&gt;{mark}&#x3c;img src=x&#x3e;",
    "\\u003cscript\\u003ealert('{mark}')\\u003c/script\\u003e",
    "\u200b<scr\u200bipt>{mark}\ufeff\u2060\u00ad",
    "\u202e{mark}\u202d<b>",
    "\u200f{mark}\u061c",
    "😀👩‍👩‍👧‍👦🏳️‍🌈{mark}" + "e\u0301\u0302\u0303" * 20,
    "W" * 200 + "{mark}",
    "﷽" * 60 + "{mark}",
)
# Where it may stand, and what leads out of there.
_CONTEXTS = ("", '">', "'>", "</title>", "</textarea></script>", "--></style>", "]]>", "`\\\"'")
# What pages of ours are made of.
_TAGS = """
    a abbr article aside b body br button caption circle code dd defs desc details div dl dt fieldset footer form g h1 h2
    h3 head header html input label legend li line link main meta nav noscript ol option p path pre rect script section
    datalist select span strong summary svg table tbody td text textarea th thead title tr tspan ul
"""
_ATTRIBUTES = """
    accept action autocomplete autofocus charset checked class cols content cx cy d defer disabled dx dy enctype fill
    focusable for height href http-equiv id inputmode lang max maxlength method min minlength name novalidate open
    list placeholder points preserveaspectratio r readonly rel required role rows rx ry scope selected size spellcheck src
    stroke tabindex text-anchor title transform type value viewbox width x x1 x2 xmlns y y1 y2
"""


def _text(context: str, vector: str, number: int) -> str:
    return context + vector.format(mark=mark(number))


def mark(number: int) -> str:
    """Return by what the string of a number is known again."""
    return f"z{number:03}z"


STRINGS = tuple(_text(context, vector, n) for n, (context, vector) in enumerate(product(_CONTEXTS, _VECTORS)))

_JUDGE = r"""([tags, attributes]) => {
    const pattern = /^(aria|data|hx)-[a-z-]+$/;
    window.judge = (page, where) => {
        const wrong = [];
        for (const one of page.querySelectorAll("*")) {
            const tag = one.localName;
            if (!tags.includes(tag)) wrong.push(`${where}: <${tag}>`);
            for (const {name, value} of one.attributes) {
                const known = attributes.includes(name.toLowerCase()) || pattern.test(name);
                if (!known || /^hx-on/.test(name)) wrong.push(`${where}: ${tag} ${name}=${value}`);
                if (/^(href|action|src|formaction)$/.test(name) && !/^([/#?]|$|https?:|mailto:)/i.test(value))
                    wrong.push(`${where}: ${tag} ${name}=${value}`);
                if (/^hx-(get|post)$/.test(name) && !/^($|\/)/.test(value)) wrong.push(`${where}: ${tag} ${name}=${value}`);
            }
            if (tag === "script" && !(one.getAttribute("src") || "").startsWith("/static/")) wrong.push(`${where}: script`);
            if (tag === "link" && !(one.getAttribute("href") || "").startsWith("/static/")) wrong.push(`${where}: link`);
            if (tag === "meta" && one.httpEquiv && one.content !== "3") wrong.push(`${where}: meta ${one.content}`);
        }
        return wrong.slice(0, 20);
    };
    window.marks = (page) => [...new Set(page.documentElement.outerHTML.match(/z\d{3}z/g) || [])];
}"""
_HERE = "(where) => ({wrong: judge(document, where), marks: marks(document), pwned: window.__pwned})"
_WIDE = "() => document.documentElement.scrollWidth - innerWidth"
_FETCHED = """async (urls) => {
    const wrong = [], seen = new Set(), left = [...urls];
    const work = async () => {
        for (let url = left.pop(); url; url = left.pop()) {
            const answer = await fetch(url);
            if (answer.status >= 500) wrong.push(`${url}: ${answer.status}`);
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            wrong.push(...judge(page, url));
            marks(page).forEach((one) => seen.add(one));
        }
    };
    await Promise.all([work(), work(), work()]);
    return {wrong, marks: [...seen]};
}"""

_UNESCAPED = """(pages) => pages.map((one) => new DOMParser().parseFromString(one, "text/html"))
    .filter((one) => judge(one, "").length).length"""


class Judge:
    """Looks at pages with hostile strings in them: what runs, what is no element or attribute of ours, what is too wide."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.seen: set[str] = set()
        self.wrong: list[str] = []
        page.on("dialog", self._on_dialog)

    async def open(self, url: str) -> None:
        """Open a page, and look at it, wide and narrow."""
        await self.page.goto(url)
        await self.look(url)

    async def look(self, where: str) -> None:
        """Look at the page that is open, wide and narrow."""
        await self._ready()
        await self.page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = await self.page.evaluate(_HERE, where)
        self._add(found)
        if found["pwned"] is not None:
            self.wrong.append(f"{where}: ran {found['pwned']}")
        for width in (360, 1200):
            await self.page.set_viewport_size({"width": width, "height": 800})
            if (beyond := await self.page.evaluate(_WIDE)) > 0:
                self.wrong.append(f"{where}: {beyond} too wide at {width}")

    async def fetch(self, urls: list[str]) -> None:
        """Have the browser read pages, as it reads those that it shows, and look at what it made of them."""
        await self._ready()
        self._add(await self.page.evaluate(_FETCHED, urls))

    async def breaches(self, frame: str, texts: Sequence[str]) -> int:
        """Return how many texts are seen to be no part of a page of ours where they stand in a frame unescaped."""
        await self._ready()
        found: int = await self.page.evaluate(_UNESCAPED, [frame.format(text) for text in texts])
        return found

    async def fetch_first(self, url: str, paths: list[str]) -> None:
        """Read pages from one that is open to anybody."""
        await self.open(url)
        base = url.rsplit("/", 1)[0]
        await self.fetch([base + path for path in paths])

    async def _ready(self) -> None:
        await self.page.evaluate(_JUDGE, [_TAGS.split(), _ATTRIBUTES.split()])

    def _add(self, found: dict[str, Any]) -> None:
        self.wrong += found["wrong"]
        self.seen |= set(found["marks"])

    async def _on_dialog(self, dialog: Any) -> None:
        self.wrong.append(f"a dialog: {dialog.message}")
        await dialog.dismiss()
