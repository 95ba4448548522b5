"""GET /matches/{id}: where the link of a mail leads. It tells nothing of a match, not even whether there is one."""

from aiohttp import web

from matchmaker.web.keys import EXCHANGE
from matchmaker.web.pages.frame import page


async def get(request: web.Request) -> web.Response:
    """Return the page that stands before a login."""
    exchange = request.app[EXCHANGE]
    words, language = exchange.choosing.words(request.headers.get("Accept-Language", "").split(",")[0].split(";")[0])
    match_id = request.match_info["id"] if request.match_info["id"].isalnum() else ""
    return page("match.html", words, language, node=exchange.config.node.name, match_id=match_id)
