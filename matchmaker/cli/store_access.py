"""What the commands over the store share: opening it for one piece of work, and checking names."""

import re
from collections.abc import Awaitable, Callable
from typing import TypeVar

from matchmaker.exchange.assembly import open_store
from matchmaker.exchange.config import Config, ConfigInvalid
from matchmaker.exchange.noticing import is_mailable
from matchmaker.records.ledger import LedgerLine
from matchmaker.records.person import address_of
from matchmaker.store.base import Store

Result = TypeVar("Result")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_EMAIL = re.compile(r"[^\s@,<>\"'()\\]+@[^\s@,<>\"'()\\]+", re.ASCII)
_MOST_PER_MONTH, _LONGEST_ADDRESS = 1_000_000, 254
_COUNTRY = re.compile(r"[A-Z]{2}")


async def with_store(config: Config, work: Callable[[Store], Awaitable[Result]]) -> Result:
    """Open the store of a configuration, do one piece of work, close it."""
    store = await open_store(config)
    try:
        return await work(store)
    finally:
        await store.close()


async def write_with_line(store: Store, change: Awaitable[None], line: LedgerLine) -> None:
    """Do a change of a store, and write its line of the ledger."""
    await change
    await store.write_ledger([line])


def check_name(name: str) -> None:
    """Raise ConfigInvalid unless a client's or peer's name can stand in a URL, a file name and a log."""
    if not _NAME.fullmatch(name):
        raise ConfigInvalid(f"NAME: expected letters, digits, dots, dashes or underscores, up to 63; got {name!r}")


def per_month_of(text: str | None, otherwise: int | None) -> int | None:
    """Return an agreed number a month, None: any number. Errors: ConfigInvalid."""
    if text is None:
        return otherwise
    if text == "none":
        return None
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_PER_MONTH:
        raise ConfigInvalid(f"--per-month: expected a number from 1 to {_MOST_PER_MONTH:,}, or none; got {text!r}")
    return int(text)


def check_email(text: str, option: str) -> str:
    """Return an address as people are named by it. Errors: ConfigInvalid."""
    if not _EMAIL.fullmatch(text) or len(text) > _LONGEST_ADDRESS or not is_mailable(text):
        raise ConfigInvalid(f"{option}: expected an e-mail address, such as ana@hospital.example")
    return address_of(text)


def check_country(country: str | None) -> None:
    """Raise ConfigInvalid unless a country is absent or an ISO 3166-1 alpha-2 code."""
    if country is not None and not _COUNTRY.fullmatch(country):
        raise ConfigInvalid(f"--country: expected two capital letters such as IE; got {country!r}")
