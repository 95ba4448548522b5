"""create_app(exchange): the table of routes, and the middlewares around them."""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from matchmaker.exchange.service import Exchange
from matchmaker.web.body import json_response
from matchmaker.web.errors import errors_middleware, route_of
from matchmaker.web.keys import EXCHANGE, PAGE_PATHS
from matchmaker.web.pages.access import guarded
from matchmaker.web.pages.numbers import NumbersPage
from matchmaker.web.routes import PAGES, Route, routes

logger = logging.getLogger("matchmaker.access")


def create_app(exchange: Exchange) -> web.Application:
    """Return the HTTP side of a node."""
    app = web.Application(middlewares=[_log_access, errors_middleware(lambda: secrets.token_hex(8)), _secure])
    app[EXCHANGE] = exchange
    table = routes(NumbersPage(time.monotonic).get)
    app[PAGE_PATHS] = frozenset(route.path for route in table if route.is_page)
    for route in table:
        for method in (route.method, *(("HEAD",) if route.has_head else ())):
            app.router.add_route(method, route.path, _answering(route), expect_handler=_expect)
    return app


def _answering(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return what answers a route: of a page for people who are signed in, behind the check of their role."""
    return guarded(route.handler, route.access) if route.access in PAGES else route.handler  # type: ignore[arg-type,return-value]  # the table pairs handlers with their access


async def _expect(request: web.Request) -> web.StreamResponse | None:
    """RFC 9110, 10.1.1: a client may expect 100-continue and nothing else."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # what follows is the answer itself
        return None
    return json_response({"message": "Expect may be 100-continue only"}, 417)


@web.middleware
async def _log_access(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Log route, status and time; never a path with an id in it, a header or a body."""
    started = time.monotonic()
    response = await handler(request)
    elapsed = round((time.monotonic() - started) * 1000)
    logger.info("%s %d %d ms", route_of(request), response.status, elapsed)
    return response


@web.middleware
async def _secure(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    response = await handler(request)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    return response
