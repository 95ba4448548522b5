"""The Matchmaker Exchange API, 1.0 and 1.1: /match, /heartbeat, /metrics.

The order of the checks satisfies every known client: 405 (by the routes), 415, 406, 401, 400, 422.
"""

from aiohttp import web

from matchmaker import __version__
from matchmaker.mme.media import SUPPORTED, media_type, negotiate, negotiate_answer
from matchmaker.mme.messages import Heartbeat, HeartbeatBody, MatchQuery
from matchmaker.mme.strict_json import parse
from matchmaker.mme.validation import validate
from matchmaker.records.party import Role
from matchmaker.web.auth import authenticated
from matchmaker.web.body import json_response, read_body
from matchmaker.web.keys import EXCHANGE, VERSION


async def match(request: web.Request) -> web.Response:
    """POST /match (MME search-api)."""
    version = negotiate(request.headers.get("Content-Type"), _accept(request))
    request[VERSION] = version
    exchange = request.app[EXCHANGE]
    asker = authenticated(request, Role.NODE)
    query = validate(MatchQuery, parse(await read_body(request)))
    exchange.charge(asker)  # what is no query teaches nothing, and costs nothing
    answer = await exchange.answer(query.patient, asker)
    return json_response(answer, content_type=media_type(version))


async def heartbeat(request: web.Request) -> web.Response:
    """GET /heartbeat (MME heartbeat-api)."""
    version = _version_of_get(request)
    authenticated(request, Role.NODE)
    node = request.app[EXCHANGE].config.node
    accept = tuple(media_type(supported) for supported in SUPPORTED)
    body = HeartbeatBody(production=node.production, version=__version__, accept=accept)
    answer = Heartbeat(heartbeat=body, disclaimer=node.disclaimer or None, terms=node.terms or None)
    return json_response(answer, content_type=media_type(version))


async def metrics(request: web.Request) -> web.Response:
    """GET /metrics (MME metrics-api)."""
    version = _version_of_get(request)
    asker = authenticated(request, Role.NODE)
    return json_response(await request.app[EXCHANGE].metrics(asker), content_type=media_type(version))


def _version_of_get(request: web.Request) -> str:
    version = negotiate_answer(_accept(request))
    request[VERSION] = version
    return version


def _accept(request: web.Request) -> str:
    """Return all Accept lines as one (RFC 9110, 5.3)."""
    return ", ".join(request.headers.getall("Accept", []))
