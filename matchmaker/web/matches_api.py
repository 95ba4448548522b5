"""Matches, questions and alerts of a node's own users, with a depositor's token: /api/matches and what goes with it."""

import re
from datetime import UTC, datetime
from typing import TypeVar

from aiohttp import web

from matchmaker.exchange.follow_up import Filter
from matchmaker.exchange.match_messages import CaseAlerts, MatchChange, PersonAlerts
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.media import require_json
from matchmaker.mme.patient import Value
from matchmaker.mme.strict_json import parse
from matchmaker.mme.validation import validate
from matchmaker.records.match import Status
from matchmaker.web.body import json_response, read_body
from matchmaker.web.query import PAGE, asked, check_query, limited, skipped

Body = TypeVar("Body", bound=Value)
_FILTERS = ("case", "status", "node", "gene", "min_score", "since", "after", "limit")


async def get_matches(request: web.Request) -> web.Response:
    """GET /api/matches: the owner's matches, latest change first, a page at a time."""
    exchange, owner, _ = asked(request)
    check_query(request, *_FILTERS)
    query = request.query
    wanted = Filter(
        query.get("case"),
        _status(query.get("status")),
        query.get("node"),
        query.get("gene"),
        _score(query.get("min_score")),
        _time(query.get("since")),
        query.get("after"),
        limited(query.get("limit", str(PAGE))),
    )
    return json_response(await exchange.follow_up.matches(owner, wanted))


async def get_match(request: web.Request) -> web.Response:
    """GET /api/matches/{id}: one match, whole."""
    exchange, owner, match_id = asked(request)
    return json_response(await exchange.follow_up.match(owner, match_id))


async def patch_match(request: web.Request) -> web.Response:
    """PATCH /api/matches/{id}: status, notes, what it came to."""
    exchange, owner, match_id = asked(request)
    change = await _body(request, MatchChange)
    return json_response(await exchange.follow_up.change(owner, match_id, change))


async def get_queries(request: web.Request) -> web.Response:
    """GET /api/queries: other nodes' questions that were told of the owner's cases, latest first."""
    exchange, owner, _ = asked(request)
    check_query(request, "case", "after", "limit")
    limit, after = limited(request.query.get("limit", str(PAGE))), skipped(request.query.get("after", "0"))
    return json_response(await exchange.questions(owner, request.query.get("case"), limit, after))


async def get_nodes(request: web.Request) -> web.Response:
    """GET /api/cases/{id}/nodes: what came of asking each node about a case, the last time."""
    exchange, owner, case_id = asked(request)
    return json_response(await exchange.outcomes(owner, case_id))


async def get_case_alerts(request: web.Request) -> web.Response:
    """GET /api/cases/{id}/alerts: what the owner of a case wants to be alerted of."""
    exchange, owner, case_id = asked(request)
    return json_response(await exchange.choosing.of_case(owner, case_id))


async def put_case_alerts(request: web.Request) -> web.Response:
    """PUT /api/cases/{id}/alerts: say what to be alerted of."""
    exchange, owner, case_id = asked(request)
    return json_response(await exchange.choosing.set_of_case(owner, case_id, await _body(request, CaseAlerts)))


async def get_person_alerts(request: web.Request) -> web.Response:
    """GET /api/people/{id}/alerts: what a person of the owner's institution wants to be alerted of."""
    exchange, owner, email = asked(request)
    return json_response(await exchange.choosing.of_person(owner, email))


async def put_person_alerts(request: web.Request) -> web.Response:
    """PUT /api/people/{id}/alerts: say what a person is to be alerted of."""
    exchange, owner, email = asked(request)
    return json_response(await exchange.choosing.set_of_person(owner, email, await _body(request, PersonAlerts)))


async def _body(request: web.Request, kind: type[Body]) -> Body:
    require_json(request.headers.get("Content-Type"))
    return validate(kind, parse(await read_body(request)))


def _status(text: str | None) -> Status | None:
    try:
        return Status(text) if text is not None else None
    except ValueError:
        raise InvalidRequest(Problem("status", f"expected one of {', '.join(Status)}")) from None


def _score(text: str | None) -> float | None:
    if text is None:
        return None
    if re.fullmatch(r"0(\.[0-9]{1,9})?|1(\.0{1,9})?|\.[0-9]{1,9}", text):
        return float(text)
    raise InvalidRequest(Problem("min_score", "expected a number from 0 to 1"))


def _time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text.replace(" ", "+"))  # a plus that nobody escaped is a blank
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidRequest(Problem("since", "expected a day or a time, such as 2026-11-29")) from None
