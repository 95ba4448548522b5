"""What a person chooses: language and name, mails, password, the second factor."""

from typing import Any

from aiohttp import web

from matchmaker.accounts.second_factor import qr_svg
from matchmaker.exchange.match_messages import PersonAlerts
from matchmaker.mme.errors import InvalidRequest, OverBudget, Problem
from matchmaker.mme.validation import validate
from matchmaker.records.person import PersonRole
from matchmaker.web.pages.access import Visit, see_other
from matchmaker.web.pages.alerts import FREQUENCIES, stated
from matchmaker.web.pages.errors import one_line

_LONGEST = 255


async def get_settings(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /settings."""
    return await _settings(visit, kept="kept" in request.query)


async def post_settings(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /settings: keep language, name, and what to be alerted of."""
    name = visit.form.get("name", "").strip()
    try:
        if len(name) > _LONGEST or not name.isprintable():
            raise InvalidRequest(Problem("name", "expected a name, in one line"))
        if visit.person.role is not PersonRole.OPERATOR:
            chosen = validate(PersonAlerts, stated(visit.form))
            await visit.exchange.choosing.set_of_address(visit.person.email, chosen)
        language = visit.exchange.choosing.catalogues.nearest(visit.form.get("language") or visit.person.language)
        await visit.exchange.signing_in.describe(visit.person, name or None, language)
        await visit.exchange.catch_up()
    except InvalidRequest as error:
        return await _settings(visit, problems=error.problems, status=422)
    return see_other("/settings?kept=1")


async def post_password(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /settings/password: another password; all other browsers are signed out."""
    try:
        await visit.exchange.signing_in.change_password(
            visit.visitor, visit.form.get("old", ""), visit.form.get("password", "")
        )
    except (InvalidRequest, OverBudget) as error:
        path = error.problems[0].path if error.problems else ""
        problem = Problem(path, one_line(visit.words, error))
        return await _settings(visit, problems=(problem,), status=error.status)
    return see_other("/settings?kept=1")


async def post_sign_out_everywhere(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /settings/sessions: sign out all other browsers."""
    await visit.exchange.store.end_sessions(visit.person.email, but=visit.visitor.session.digest)
    return see_other("/settings?kept=1")


async def get_second_factor(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /settings/second-factor: the QR code, until it is in force."""
    return await _second_factor(visit)


async def post_second_factor(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /settings/second-factor: put it in force by a code of it, or take it away; recovery codes are shown once."""
    signing_in = visit.exchange.signing_in
    try:
        if "remove" in visit.form:
            await signing_in.remove_second_factor(visit.visitor, visit.form.get("old", ""))
            return see_other("/settings?kept=1")
        codes = await signing_in.confirm_second_factor(
            visit.visitor, visit.form.get("code", ""), visit.form.get("old", "")
        )
    except (InvalidRequest, OverBudget) as error:
        return await _second_factor(visit, one_line(visit.words, error), error.status)
    return visit.page("recovery.html", codes=codes)


async def _second_factor(visit: Visit, problem: str | None = None, status: int = 200) -> web.StreamResponse:
    in_force, left = await visit.exchange.signing_in.has_second_factor(visit.person)
    secret, drawn = "", ""
    if not in_force:
        node = visit.exchange.config.node.name
        secret, uri = await visit.exchange.signing_in.offer_second_factor(visit.person, node)
        drawn = qr_svg(uri)
    required = visit.exchange.config.sign_in.second_factor == "required"
    has_password = await visit.exchange.signing_in.has_password(visit.person)
    content: dict[str, Any] = {"in_force": in_force, "left": left, "secret": secret, "drawn": drawn}
    content["has_password"] = has_password
    return visit.page("second_factor.html", status, **content, problem=problem, required=required)


async def _settings(
    visit: Visit, *, kept: bool = False, problems: tuple[Problem, ...] = (), status: int = 200
) -> web.StreamResponse:
    exchange = visit.exchange
    in_force, left = await exchange.signing_in.has_second_factor(visit.person)
    return visit.page(
        "settings.html",
        status,
        chosen=await exchange.choosing.of_address(visit.person.email),
        frequencies=FREQUENCIES,
        languages=exchange.choosing.catalogues.languages(),
        defaults=exchange.config.alerts,
        kept=kept,
        problems=problems,
        has_password=await exchange.signing_in.has_password(visit.person),
        in_force=in_force,
        left=left,
        spoken=visit.language,
    )
