"""Who asks: the token in X-Auth-Token, in the role that the path needs."""

from aiohttp import web

from matchmaker.records.party import Client, Role
from matchmaker.web.keys import EXCHANGE


def authenticated(request: web.Request, role: Role) -> Client:
    """Return who asks. Errors: Unauthorised, one answer for every cause."""
    return request.app[EXCHANGE].authenticate(request.headers.get("X-Auth-Token"), role)
