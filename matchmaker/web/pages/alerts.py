"""/alerts/{token}: what one address wants to be alerted of, reached by the link in its mails. No JavaScript needed.

The link is the key: whoever has the mail may choose. Opening a link changes nothing, as programs open links in mails;
a mail program that unsubscribes by itself posts (RFC 8058).
"""

from collections.abc import Mapping

from aiohttp import web

from matchmaker.exchange.match_messages import PersonAlerts
from matchmaker.mme.errors import InvalidRequest, NotFound, Problem
from matchmaker.mme.validation import validate
from matchmaker.web.body import read_form
from matchmaker.web.keys import EXCHANGE
from matchmaker.web.pages.frame import page

FREQUENCIES = ("at once", "hourly", "daily", "weekly", "never")
_FLAGS = ("onlySharedGenes", "onlyNew")
_LISTS = ("mutedGenes", "mutedNodes")
_SCORES = ("minScore", "minScoreByPhenotype")


async def get(request: web.Request) -> web.Response:
    """GET /alerts/{token}."""
    address = await _address(request)
    chosen = await request.app[EXCHANGE].choosing.of_address(address)
    return _form(request, address, chosen)


async def post(request: web.Request) -> web.Response:
    """POST /alerts/{token}: keep what was chosen; what cannot be is said beside the form."""
    address = await _address(request)
    choosing = request.app[EXCHANGE].choosing
    typed = await read_form(request)
    try:
        chosen = await choosing.set_of_address(address, validate(PersonAlerts, stated(typed)))
    except InvalidRequest as error:
        return _form(request, address, await choosing.of_address(address), problems=error.problems, status=422)
    return _form(request, address, chosen, saved=True)


async def get_unsubscribe(request: web.Request) -> web.Response:
    """GET /alerts/{token}/unsubscribe: a button; opening the link alone changes nothing."""
    address = await _address(request)
    words, language = request.app[EXCHANGE].choosing.words_of(address)
    return page("unsubscribe.html", words, language, node=_node(request), done=False)


async def post_unsubscribe(request: web.Request) -> web.Response:
    """POST /alerts/{token}/unsubscribe: no more mails of matches, at once."""
    address = await _address(request)
    choosing = request.app[EXCHANGE].choosing
    await choosing.unsubscribe(address)
    words, language = choosing.words_of(address)
    return page("unsubscribe.html", words, language, node=_node(request), done=True)


async def _address(request: web.Request) -> str:
    token = request.match_info["token"]
    if not token.isascii():
        raise NotFound("this link is nobody's; use one of a mail")
    return await request.app[EXCHANGE].choosing.address_of(token)


def _node(request: web.Request) -> str:
    return request.app[EXCHANGE].config.node.name


def _form(
    request: web.Request,
    address: str,
    chosen: PersonAlerts,
    *,
    saved: bool = False,
    problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> web.Response:
    exchange = request.app[EXCHANGE]
    words, language = exchange.choosing.words_of(address)
    return page(
        "alerts.html",
        words,
        language,
        status,
        node=_node(request),
        chosen=chosen,
        frequencies=FREQUENCIES,
        languages=exchange.choosing.catalogues.languages(),
        defaults=exchange.config.alerts,
        saved=saved,
        problems=problems,
    )


def stated(form: Mapping[str, str]) -> dict[str, object]:
    """Return a form as the JSON that it stands for; empty fields are absent."""
    told: dict[str, object] = {name: form[name] for name in ("frequency", "language", "snoozedUntil") if form.get(name)}
    told.update({name: name in form for name in _FLAGS})
    for name in _LISTS:
        told[name] = [one.strip() for one in form.get(name, "").split(",") if one.strip()]
    for name in _SCORES:
        if text := form.get(name, "").strip().replace(",", "."):
            try:
                told[name] = float(text)
            except ValueError:
                raise InvalidRequest(Problem(name, "expected a number from 0 to 1")) from None
    return told
