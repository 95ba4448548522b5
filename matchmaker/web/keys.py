"""What handlers find in the application and on a request."""

from aiohttp import web

from matchmaker.exchange.service import Exchange

EXCHANGE = web.AppKey("exchange", Exchange)
VERSION = web.RequestKey("version", str)  # the version in which a request is answered
MME_PATHS = {"/match", "/heartbeat", "/metrics"}


def is_mme(request: web.Request) -> bool:
    """Tell whether a request speaks the exchange's API, so that its errors do, too."""
    return request.path.rstrip("/") in MME_PATHS
