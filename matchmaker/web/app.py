"""create_app(exchange): one table of routes, and the middlewares around them."""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from matchmaker.exchange.service import Exchange
from matchmaker.web import case_api, description, matches_api, mme_api
from matchmaker.web.body import json_response
from matchmaker.web.errors import errors_middleware, route_of
from matchmaker.web.keys import EXCHANGE
from matchmaker.web.pages import alerts as alerts_page
from matchmaker.web.pages import frame
from matchmaker.web.pages import match as match_page
from matchmaker.web.pages.numbers import NumbersPage

logger = logging.getLogger("matchmaker.access")


def create_app(exchange: Exchange) -> web.Application:
    """Return the HTTP side of a node."""
    app = web.Application(middlewares=[_log_access, errors_middleware(lambda: secrets.token_hex(8)), _secure])
    app[EXCHANGE] = exchange
    app.router.add_routes(
        [
            web.post("/match", mme_api.match, expect_handler=_expect),
            web.get("/heartbeat", mme_api.heartbeat, allow_head=False),
            web.get("/metrics", mme_api.metrics, allow_head=False),
            web.get("/api/cases", case_api.get_cases, allow_head=False),
            web.put("/api/cases/{id}", case_api.put_case, expect_handler=_expect),
            web.get("/api/cases/{id}", case_api.get_case, allow_head=False),
            web.delete("/api/cases/{id}", case_api.delete_case),
            web.post("/api/cases/{id}/search", case_api.search_case, expect_handler=_expect),
            web.post("/api/cases/{id}/preview", case_api.preview_case, expect_handler=_expect),
            web.get("/api/cases/{id}/disclosures", case_api.get_disclosures, allow_head=False),
            web.get("/api/cases/{id}/nodes", matches_api.get_nodes, allow_head=False),
            web.get("/api/cases/{id}/alerts", matches_api.get_case_alerts, allow_head=False),
            web.put("/api/cases/{id}/alerts", matches_api.put_case_alerts, expect_handler=_expect),
            web.get("/api/people/{id}/alerts", matches_api.get_person_alerts, allow_head=False),
            web.put("/api/people/{id}/alerts", matches_api.put_person_alerts, expect_handler=_expect),
            web.get("/api/matches", matches_api.get_matches, allow_head=False),
            web.get("/api/matches/{id}", matches_api.get_match, allow_head=False),
            web.patch("/api/matches/{id}", matches_api.patch_match, expect_handler=_expect),
            web.get("/api/queries", matches_api.get_queries, allow_head=False),
            web.get("/api/collections", case_api.get_collections, allow_head=False),
            web.get("/", NumbersPage(time.monotonic).get),
            web.get("/matches/{id}", match_page.get),
            web.get("/alerts/{token}", alerts_page.get),
            web.post("/alerts/{token}", alerts_page.post),
            web.get("/alerts/{token}/unsubscribe", alerts_page.get_unsubscribe),
            web.post("/alerts/{token}/unsubscribe", alerts_page.post_unsubscribe),
            web.get("/static/style.css", frame.style),
            web.get("/service-info", description.service_info),
            web.get("/openapi.json", description.openapi),
        ]
    )
    return app


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
