"""What stands behind the question mark of a request, and who asks: for the paths of a node's own users."""

import re
from typing import Final

from aiohttp import web

from matchmaker.exchange.service import Exchange
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.strict_json import printable
from matchmaker.records.party import Client, Role
from matchmaker.web.auth import authenticated
from matchmaker.web.keys import EXCHANGE

PAGE: Final = 100
MAX_PAGE: Final = 1_000


def asked(request: web.Request) -> tuple[Exchange, Client, str]:
    """Return the node, the owner who asks, and the id in the path. Errors: Unauthorised."""
    owner = authenticated(request, Role.DEPOSITOR)
    return request.app[EXCHANGE], owner, request.match_info.get("id", "")


def check_query(request: web.Request, *known: str) -> None:
    """Raise InvalidRequest where something stands in a query that nobody knows."""
    if unknown := sorted(set(request.query) - set(known)):
        raise InvalidRequest(Problem(printable(unknown[0]), f"is unknown; known are {', '.join(known)}"))


def skipped(text: str) -> int:
    """Return how many are passed over. Errors: InvalidRequest."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        return int(text)
    raise InvalidRequest(Problem("after", "expected a whole number"))


def limited(text: str) -> int:
    """Return how many are wanted at most. Errors: InvalidRequest."""
    if re.fullmatch(r"[1-9][0-9]{0,3}", text) and int(text) <= MAX_PAGE:
        return int(text)
    raise InvalidRequest(Problem("limit", f"expected a whole number from 1 to {MAX_PAGE}"))
