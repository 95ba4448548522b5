"""Signing in and out, registering, invitations, the agreement, and a hospital's own sign-in."""

import ipaddress
import re
from typing import Any

from aiohttp import web
from multidict import MultiDict

from matchmaker.accounts.oidc import SignInFailed
from matchmaker.accounts.sessions import csrf_of
from matchmaker.alerts.compose import N_
from matchmaker.exchange.noticing import is_mailable
from matchmaker.exchange.service import Exchange
from matchmaker.exchange.signing_in import Entered
from matchmaker.mme.errors import InvalidRequest, OverBudget, Problem
from matchmaker.records.person import Person, PersonRole, address_of
from matchmaker.web.keys import EXCHANGE
from matchmaker.web.pages.access import (
    START,
    Refused,
    Visit,
    check_origin,
    cookie_name,
    outside,
    see_other,
    set_cookie,
    words_for,
)
from matchmaker.web.pages.errors import one_line
from matchmaker.web.pages.forms import read_fields
from matchmaker.web.pages.frame import page

_HALF_DONE = "matchmaker-half"  # the cookie between password and code, or while the browser is at a provider
_HALF_DONE_SECONDS = 600
_KEPT = "kept-"  # before the names of fields that were typed into a form whose session was over
_TYPED = ("email", "name", "institution", "language")
_LONGEST = 255
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_WAIT_STATUS = 429
_IPV6 = 6


async def get(request: web.Request) -> web.StreamResponse:
    """GET /sign-in."""
    exchange = _exchange(request)
    exchange.vocabulary.begin()  # ready when who signs in begins to type
    return _sign_in(request, onward=_inside(request.query.get("onward", START)), exchange=exchange)


async def post(request: web.Request) -> web.StreamResponse:
    """POST /sign-in: begin a session by address and password."""
    exchange, form = _exchange(request), await _own_form(request)
    email, onward, kept = form.get("email", ""), _inside(form.get("onward", "")), _kept(form)
    try:
        if not exchange.config.sign_in.passwords:
            raise Refused("this node knows no passwords")
        entered = await exchange.signing_in.enter(email, form.get("password", ""), _where(request))
    except (InvalidRequest, OverBudget) as error:
        status = _WAIT_STATUS if isinstance(error, OverBudget) else 422
        return _sign_in(request, onward, exchange, email=email, problem=error.message, kept=kept, status=status)
    return _entered(request, entered, onward, kept)


def _entered(request: web.Request, entered: Entered, onward: str, kept: list[tuple[str, str]]) -> web.StreamResponse:
    """Go on with a session, ask for the second factor, or show what was typed before the former session ended."""
    exchange = request.app[EXCHANGE]
    words, language = words_for(request)
    if not entered.done:
        response: web.StreamResponse = page(
            "code.html", words, language, **outside(exchange), onward=onward, kept=kept, problem=None
        )
        _set_half_done(response, exchange, entered.token)
        return response
    if kept:
        content = {**outside(exchange), "csrf": csrf_of(entered.token)}
        response = page("resume.html", words, language, **content, onward=onward, kept=kept)
    else:
        response = see_other(onward)
    set_cookie(response, exchange, entered.token)
    _set_half_done(response, exchange, None)
    return response


async def post_code(request: web.Request) -> web.StreamResponse:
    """POST /sign-in/code: the second factor, or a recovery code."""
    exchange, form = _exchange(request), await _own_form(request)
    onward, kept = _inside(form.get("onward", "")), _kept(form)
    try:
        entered = await exchange.signing_in.confirm_entry(
            request.cookies.get(_HALF_DONE), form.get("code", ""), _where(request)
        )
    except (InvalidRequest, OverBudget) as error:
        words, language = words_for(request)
        content = {**outside(exchange), "onward": onward, "kept": kept}
        return page("code.html", words, language, error.status, **content, problem=one_line(words, error))
    return _entered(request, entered, onward, kept)


async def post_sign_out(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /sign-out."""
    await visit.exchange.signing_in.leave(request.cookies.get(cookie_name(visit.exchange)))
    response = see_other("/sign-in")
    set_cookie(response, visit.exchange, None)
    return response


async def get_register(request: web.Request) -> web.StreamResponse:
    """GET /register: ask to be let in."""
    told = _exchange(request).config.sign_in
    if not (told.register_oneself and told.passwords):
        raise Refused(N_("people are let in here by the operator of this node; write to the address below"))
    return _register(request, dict.fromkeys(_TYPED, ""), ())


async def post_register(request: web.Request) -> web.StreamResponse:
    """POST /register: wait for an operator's approval. The answer is the same where the address is known."""
    exchange, form = _exchange(request), await _own_form(request)
    told = exchange.config.sign_in
    if not (told.register_oneself and told.passwords):
        raise Refused(N_("people are let in here by the operator of this node; write to the address below"))
    typed = {name: form.get(name, "").strip() for name in _TYPED}
    try:
        await exchange.signing_in.register(_wanted(typed, exchange), _where(request))
    except (InvalidRequest, OverBudget) as error:
        return _register(request, typed, error.problems or (Problem("", error.message),), status=error.status)
    words, language = words_for(request)
    return page("registered.html", words, language, **outside(exchange))


def _wanted(typed: dict[str, str], exchange: Exchange) -> Person:
    problems = []
    if not is_mailable(typed["email"]):
        problems.append(Problem("email", "expected an e-mail address, such as ana@hospital.example"))
    bad = [
        name
        for name in ("name", "institution")
        if not typed[name] or not typed[name].isprintable() or len(typed[name]) > _LONGEST
    ]
    problems += [Problem(name, "expected some text, in one line") for name in bad]
    if problems:
        raise InvalidRequest(*problems)
    return Person(
        email=address_of(typed["email"]),
        institution=typed["institution"],
        role=PersonRole.CLINICIAN,
        language=exchange.choosing.catalogues.nearest(typed["language"]),
        name=typed["name"],
    )


async def get_invitation(request: web.Request) -> web.StreamResponse:
    """GET /invitation/{token}: set a password."""
    exchange = _exchange(request)
    person = await exchange.signing_in.invited(request.match_info["token"])
    return _invitation(request, person, None)


async def post_invitation(request: web.Request) -> web.StreamResponse:
    """POST /invitation/{token}: keep the password, and begin a session."""
    exchange, form = _exchange(request), await _own_form(request)
    token = request.match_info["token"]
    try:
        entered = await exchange.signing_in.accept_invitation(token, form.get("password", ""))
    except InvalidRequest as error:
        return _invitation(request, await exchange.signing_in.invited(token), error.message)
    return _entered(request, entered, START, [])


async def get_agreement(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /agreement: the end-user agreement."""
    text, _ = visit.exchange.signing_in.agreement
    agreed = visit.exchange.signing_in.has_agreed(visit.person)
    return visit.page("agreement.html", text=text, agreed=agreed)


async def post_agreement(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /agreement: accept it, once."""
    await visit.exchange.signing_in.agree(visit.person)
    return see_other(START)


async def get_start(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /start: on to the page that somebody begins with, which another role may not see."""
    return see_other("/operators" if visit.person.role is PersonRole.OPERATOR else "/cases")


async def get_provider(request: web.Request) -> web.StreamResponse:
    """GET /sign-in/provider: send the browser to the hospital's own sign-in."""
    exchange = _exchange(request)
    onward = _inside(request.query.get("onward", START))
    try:
        url, token = await exchange.signing_in.begin_at_provider(onward)
    except SignInFailed as error:
        return _sign_in(request, onward, exchange, problem=str(error), status=502)
    response = web.Response(status=303, headers={"Location": url, "Cache-Control": "no-store"})
    _set_half_done(response, exchange, token)
    return response


async def get_provider_back(request: web.Request) -> web.StreamResponse:
    """GET /sign-in/provider/back: the browser comes back from there."""
    exchange = _exchange(request)
    try:
        entered = await exchange.signing_in.finish_at_provider(
            request.cookies.get(_HALF_DONE), {name: request.query[name] for name in request.query}
        )
    except SignInFailed as error:
        return _sign_in(request, START, exchange, problem=str(error), status=422)
    return _entered(request, entered, _inside(entered.onward or START), [])


def _sign_in(
    request: web.Request,
    onward: str,
    exchange: Exchange,
    *,
    email: str = "",
    problem: str | None = None,
    kept: list[tuple[str, str]] | None = None,
    status: int = 200,
) -> web.Response:
    words, language = words_for(request)
    said = words.gettext(problem) if problem else None
    told: dict[str, Any] = {"email": email, "problem": said, "onward": onward, "kept": kept or [], "expired": False}
    return page("sign_in.html", words, language, status, **outside(exchange), **told)


def _register(
    request: web.Request, typed: dict[str, str], problems: tuple[Problem, ...], status: int = 200
) -> web.Response:
    words, language = words_for(request)
    content = {**outside(_exchange(request)), "typed": typed, "problems": problems}
    return page("register.html", words, language, status, **content)


def _invitation(request: web.Request, person: Person, problem: str | None) -> web.Response:
    words, language = words_for(request, person)
    content = {**outside(_exchange(request)), "email": person.email, "problem": problem}
    return page("invitation.html", words, language, 422 if problem else 200, **content)


async def _own_form(request: web.Request) -> MultiDict[str]:
    check_origin(request)
    return await read_fields(request)


def _kept(form: MultiDict[str]) -> list[tuple[str, str]]:
    return [(name.removeprefix(_KEPT), value) for name, value in form.items() if name.startswith(_KEPT)]


def _inside(onward: str) -> str:
    """Return a path of this node: nobody is sent elsewhere by a link to our sign-in."""
    return onward if re.fullmatch(r"/(?![/\\])[^\s\\]*", onward) and onward.isprintable() else START


def _exchange(request: web.Request) -> Exchange:
    """Return the node. Errors: Refused, where a password would travel in the clear."""
    exchange = request.app[EXCHANGE]
    config = exchange.config
    if not config.public_url.startswith("https://") and config.server.host not in _LOOPBACK:
        raise Refused("people sign in over https only; see server.public_url in this node's configuration")
    return exchange


def _where(request: web.Request) -> str:
    """Return the network address that somebody signs in from; "" where it is only known to a proxy in front.

    Of an address of IPv6 the first 64 bits: one household or ward may use all the others.
    """
    config = request.app[EXCHANGE].config
    told = [one.strip() for one in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",") if one.strip()]
    if config.server.proxies:
        told = [*told, request.remote or ""]
        return _network(told[-1 - config.server.proxies] if len(told) > config.server.proxies else told[0])
    if config.public_url.startswith("https://") and request.remote in _LOOPBACK:
        return ""
    return _network(request.remote or "")


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address[:_LONGEST]
    if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network(f"{known}/64", strict=False)) if known.version == _IPV6 else str(known)


def _set_half_done(response: web.StreamResponse, exchange: Exchange, token: str | None) -> None:
    secure = exchange.config.public_url.startswith("https://")
    if token is None:
        response.del_cookie(_HALF_DONE, path="/sign-in", secure=secure, httponly=True, samesite="Lax")
    else:
        response.set_cookie(
            _HALF_DONE,
            token,
            max_age=_HALF_DONE_SECONDS,
            path="/sign-in",
            secure=secure,
            httponly=True,
            samesite="Lax",
        )
