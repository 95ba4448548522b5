"""How values are written on pages: times, scores, links to people. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from matchmaker.alerts.catalogues import endonym

_SHORT = 12  # characters
_SCHEMES = {"http", "https", "mailto"}


def day(value: float | str | None) -> str:
    """Return the day of a time, seconds since 1970 or ISO 8601: 2026-11-29."""
    return _at(value)[:10]


def minute(value: float | str | None) -> str:
    """Return a time to the minute, in UTC: 2026-11-29 10:41."""
    return _at(value)[:16].replace("T", " ")


def _at(value: float | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")


def score(value: float | None) -> str:
    """Return a score in [0, 1] as people compare it: .99+ is not 1."""
    if value is None:
        return ""
    return f"{min(value, 0.999):.3f}" if value < 1 else "1.000"


def tenth(value: float | None) -> int:
    """Return a score in [0, 1] as a whole number of tenths, for the class of a bar."""
    return max(0, min(10, round((value or 0.0) * 10)))


def link(href: str) -> str:
    """Return where a contact's link leads; "" unless it is a page or an address: a script is none."""
    try:
        return href if urlsplit(href.strip()).scheme.lower() in _SCHEMES else ""
    except ValueError:
        return ""


# Words for what is kept as a code: English here, other languages by their catalogues.
_WORDS = {
    "circle all": "all nodes, and all users of this one",
    "circle country": "this country only",
    "circle institution": "my institution only",
    "circle none": "nobody else",
    "circle named": "named countries and nodes, as set by my hospital's system",
    "level minimal": "minimal: only what is shared with the question",
    "level standard": "standard: terms, genes, inheritance, disorders",
    "level full": "full: variants, copies, sex, onset, label too",
    "FEMALE": "female",
    "MALE": "male",
    "OTHER": "other",
    "was told": "was told of it",
    "was shown": "was shown it here",
    "was asked": "was asked about it",
    "was not sent": "was not asked after all",
    "was notified": "was told that it is withdrawn",
}


def words(code: str) -> str:
    """Return what is said for a code, in English; the code itself, where there is nothing better."""
    return _WORDS.get(code, code)


def short(text: str) -> str:
    """Return an id as a list shows it: of a long one, enough to tell it from others."""
    return text if len(text) <= _SHORT + 2 else f"{text[:_SHORT]}…"


FILTERS: dict[str, Callable[..., Any]] = {
    "day": day,
    "minute": minute,
    "score": score,
    "tenth": tenth,
    "link": link,
    "words": words,
    "short": short,
    "endonym": endonym,
}
