"""What handlers find in the application and on a request."""

from aiohttp import web

from matchmaker.exchange.service import Exchange

EXCHANGE = web.AppKey("exchange", Exchange)
PAGE_PATHS = web.AppKey("page_paths", frozenset)  # of routes that answer people, in HTML
VERSION = web.RequestKey("version", str)  # the version in which a request is answered
MME_PATHS = {"/match", "/heartbeat", "/metrics"}


def is_mme(request: web.Request) -> bool:
    """Tell whether a request speaks the exchange's API, so that its errors do, too."""
    return request.path.rstrip("/") in MME_PATHS
