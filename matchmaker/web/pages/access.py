"""Who may see a page: the session of a cookie, the role that the route asks for, and that a form is our own.

Deny, then allow. Who is not signed in is sent to do so; what was typed is kept meanwhile. A form counts only when it
comes from a page of ours: by its Origin (or Sec-Fetch-Site) and by a token of the session that it carries.
"""

import gettext
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from aiohttp import web
from multidict import MultiDict

from matchmaker.accounts.sessions import same
from matchmaker.alerts.compose import N_
from matchmaker.exchange.desk import Desk
from matchmaker.exchange.service import Exchange
from matchmaker.exchange.signing_in import Visitor
from matchmaker.mme.errors import RequestError
from matchmaker.mme.patient import Gene, Patient
from matchmaker.policy.news import NONE_CHOSEN
from matchmaker.records.person import Person, PersonRole
from matchmaker.web.keys import EXCHANGE
from matchmaker.web.pages.forms import read_fields
from matchmaker.web.pages.frame import POLICY, page, rendered
from matchmaker.web.roles import Access

_SAFE = {"GET", "HEAD"}
_ROLES = {
    Access.SIGNED_IN: frozenset(PersonRole),
    Access.CASES: frozenset({PersonRole.CLINICIAN, PersonRole.CURATOR}),
    Access.OPERATOR: frozenset({PersonRole.OPERATOR}),
}
START = "/start"  # where somebody goes on who named no page
_BEFORE_AGREEING = ("/agreement", "/sign-out", "/settings/second-factor")
_CSRF = "csrf"
_SECRETS = ("/settings", "/sign-out")


class Refused(RequestError):
    """A page or form that this person, or this origin, may not have."""

    status = 403


@dataclass(frozen=True)
class Visit:
    """A request of somebody who is signed in. `form` holds the fields of a form that was posted, checked to be ours."""

    exchange: Exchange
    visitor: Visitor
    desk: Desk
    words: gettext.NullTranslations
    language: str
    form: MultiDict[str]
    is_partial: bool

    @property
    def person(self) -> Person:
        """Who it is."""
        return self.visitor.person

    def page(self, template: str, status: int = 200, **content: Any) -> web.Response:
        """Return a page with all that every page shows."""
        return page(template, self.words, self.language, status, **self._frame(), **content)

    def part(self, template: str, **content: Any) -> web.Response:
        """Return a piece of a page, for one that is open already."""
        html = rendered(template, self.words, self.language, **self._frame(), **content)
        headers = {"Cache-Control": "no-store", "Content-Security-Policy": POLICY}  # also where it is opened by itself
        return web.Response(text=html, content_type="text/html", headers=headers)

    def _frame(self) -> dict[str, Any]:
        told = {"node": self.exchange.config.node, "person": self.person, "csrf": self.visitor.csrf}
        return {**told, "symbol": self.symbol, "symbols": self.symbols}

    def symbol(self, gene: Gene) -> str:
        """Return what a gene is called: by its symbol here, else as the one who wrote it calls it."""
        known = self.exchange.knowledge.genes.resolve(gene.id).gene
        return known.symbol if known else gene.name or gene.id

    def symbols(self, patient: Patient) -> list[str]:
        """Return the names of a patient's genes, each once."""
        return list(dict.fromkeys(self.symbol(one.gene) for one in patient.genomic_features))


PageHandler = Callable[[web.Request, Visit], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def guarded(handler: PageHandler, access: Access) -> Handler:
    """Return a handler that lets in who may, and nobody else."""

    async def handle(request: web.Request) -> web.StreamResponse:
        exchange = request.app[EXCHANGE]
        visitor = await exchange.signing_in.visitor(request.cookies.get(cookie_name(exchange)))
        form = MultiDict[str]() if request.method in _SAFE else await _own_form(request, is_known=visitor is not None)
        if visitor is None:
            return _signed_out(request, form)
        words, language = words_for(request, visitor.person)
        if request.method not in _SAFE and not same(form.get(_CSRF, ""), visitor.csrf):
            raise Refused(N_("this form is not one of this session; load the page again"))
        if not request.path.startswith(_BEFORE_AGREEING):
            if not exchange.signing_in.has_agreed(visitor.person):
                return _seen_other("/agreement", request)
            if await _lacks_second_factor(exchange, visitor.person):
                return _seen_other("/settings/second-factor", request)
        if visitor.person.role not in _ROLES[access]:
            raise Refused(N_("this page is for others: go on to a page of your own"))
        desk = Desk(exchange, visitor.person)
        partial = "HX-Request" in request.headers
        return await handler(request, Visit(exchange, visitor, desk, words, language, form, partial))

    return handle


async def _lacks_second_factor(exchange: Exchange, person: Person) -> bool:
    if exchange.config.sign_in.second_factor != "required":
        return False
    by_password = await exchange.signing_in.has_password(person)  # a provider asks for its own second factor
    return by_password and not (await exchange.signing_in.has_second_factor(person))[0]


async def _own_form(request: web.Request, *, is_known: bool) -> MultiDict[str]:
    """Return the fields of a form, once it is known to come from a page of ours. Errors: Refused; those of forms."""
    check_origin(request)
    return await read_fields(request, to_its_end=is_known)


def check_origin(request: web.Request) -> None:
    """Raise Refused unless a form comes from a page of this node (OWASP, Cross-Site Request Forgery Prevention)."""
    public = urlsplit(request.app[EXCHANGE].config.public_url)
    ours = {f"{public.scheme}://{public.netloc}"}
    if public.scheme != "https":  # behind a proxy that speaks https, what the node hears by http is not its origin
        ours.add(f"{request.scheme}://{request.host}")
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    own = origin in ours if origin is not None else site in {"same-origin", "none"}
    if not own:
        raise Refused(N_("this form was sent from a page of another site; open it here and send it again"))


def _signed_out(request: web.Request, form: MultiDict[str]) -> web.StreamResponse:
    """Send somebody to sign in. Of a form that was sent, all that was typed goes along, and comes back afterwards."""
    if request.method in _SAFE:
        return _seen_other(f"/sign-in?onward={quote(request.path_qs, safe='')}", request)
    words, language = words_for(request)
    secret = request.path.startswith(_SECRETS)  # what holds passwords does not come back in a page
    kept = [] if secret else [(name, value) for name, value in form.items() if name != _CSRF]
    exchange = request.app[EXCHANGE]
    return page(
        "sign_in.html",
        words,
        language,
        401,
        **outside(exchange),
        email="",
        problem=None,
        onward=START if secret else request.rel_url.raw_path,
        kept=kept,
        expired=True,
    )


def outside(exchange: Exchange) -> dict[str, Any]:
    """Return what pages for those who are not signed in show."""
    languages = exchange.choosing.catalogues.languages()
    return {
        "node": exchange.config.node,
        "person": None,
        "csrf": "",
        "languages": languages,
        "config": exchange.config.sign_in,
    }


def _seen_other(where: str, request: web.Request) -> web.StreamResponse:
    if "HX-Request" in request.headers:  # a piece of a page cannot be another page: let the whole one go there
        return web.Response(status=200, headers={"HX-Redirect": where, "Cache-Control": "no-store"})
    return web.Response(status=303, headers={"Location": where, "Cache-Control": "no-store"})


def see_other(where: str) -> web.Response:
    """Send the browser on after a form, so that nothing is sent twice."""
    return web.Response(status=303, headers={"Location": where, "Cache-Control": "no-store"})


def words_for(request: web.Request, person: Person | None = None) -> tuple[gettext.NullTranslations, str]:
    """Return what the node says in a person's language; of a stranger, in the one that the browser asks for."""
    exchange = request.app[EXCHANGE]
    if person is not None:
        chosen = exchange.directory.choices.get(person.email, NONE_CHOSEN)
        return exchange.choosing.words(chosen.language or person.language)
    wanted = request.query.get("language") or request.headers.get("Accept-Language", "").split(",")[0].split(";")[0]
    return exchange.choosing.words(wanted.strip()[:20] or None)


def cookie_name(exchange: Exchange) -> str:
    """Return the cookie's name: one that only this host can set, over https (RFC 6265bis, 4.1.3)."""
    return "__Host-matchmaker" if exchange.config.public_url.startswith("https://") else "matchmaker"


def set_cookie(response: web.StreamResponse, exchange: Exchange, token: str | None) -> None:
    """Keep a session's token in the browser, or take it away."""
    name, secure = cookie_name(exchange), exchange.config.public_url.startswith("https://")
    if token is None:
        response.del_cookie(name, path="/", secure=secure, httponly=True, samesite="Lax")
    else:
        response.set_cookie(name, token, path="/", secure=secure, httponly=True, samesite="Lax")
