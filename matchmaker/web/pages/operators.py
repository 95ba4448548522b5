"""Pages of who runs the node: nodes, clients and tokens, people, mails, data. No case is ever shown here."""

from aiohttp import web

from matchmaker.mme.errors import InvalidRequest, NotFound, Problem
from matchmaker.peers.outcome import PeerFailure
from matchmaker.records.alert import MailState
from matchmaker.records.person import PersonRole
from matchmaker.store.base import NameUnknown
from matchmaker.web.pages.access import Visit, see_other


async def get_node(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /operators: peers, clients, counts and data versions."""
    exchange = visit.exchange
    _, counts, unaddressed = await exchange.operating.mails()
    waiting = [one for one in await exchange.operating.people() if one.waiting]
    return visit.page(
        "operators.html",
        peers=await exchange.operating.peers(),
        clients=await exchange.operating.clients(),
        waiting=len(waiting),
        given_up=counts.get(MailState.GIVEN_UP, 0),
        unaddressed=unaddressed,
        versions=exchange.knowledge.versions,
        cases=await exchange.store.count_cases(),
    )


async def get_heartbeat(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /operators/peers/{name}/heartbeat: ask a peer whether it is there."""
    name = request.match_info["name"]
    heard = await visit.exchange.operating.heartbeat(name)
    failed = heard if isinstance(heard, PeerFailure) else None
    content = {"name": name, "heard": None if failed else heard, "failed": failed}
    if visit.is_partial:
        return visit.part("heartbeat.html", **content)
    return visit.page("heartbeat_page.html", 200, **content)


async def post_revoke(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /operators/clients/{name}/revoke."""
    try:
        await visit.exchange.operating.revoke(request.match_info["name"], visit.person)
    except NameUnknown as error:
        raise NotFound(str(error)) from None
    return see_other("/operators")


async def get_people(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /operators/people: those who wait, and all others."""
    return await _people(visit, kept="kept" in request.query)


async def post_people(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /operators/people: let in, refuse, close, or invite somebody."""
    form, signing_in = visit.form, visit.exchange.signing_in
    email, wanted = form.get("email", ""), form.get("action", "")
    try:
        if wanted == "approve":
            role, institution = _role(form.get("role", "")), form.get("institution", "").strip()
            if not institution or not institution.isprintable():
                raise InvalidRequest(Problem("institution", "whose cases the person may see: a name, in one line"))
            await signing_in.approve(email, role, institution, visit.person)
            return await _invited(visit, email)
        if wanted == "refuse":
            await signing_in.refuse(email, visit.person)
        elif wanted == "disable":
            await signing_in.disable(email, visit.person)
        elif wanted == "invite":
            return await _invited(visit, email)
        else:
            raise InvalidRequest(Problem("action", "expected approve, refuse, disable or invite"))
    except InvalidRequest as error:
        return await _people(visit, problems=error.problems, status=422)
    await visit.exchange.catch_up()
    return see_other("/operators/people?kept=1")


async def _invited(visit: Visit, email: str) -> web.StreamResponse:
    token = await visit.exchange.signing_in.invite(email, visit.person.email)
    await visit.exchange.catch_up()
    return await _people(visit, link=f"{visit.exchange.config.public_url}/invitation/{token}", invited=email)


def _role(text: str) -> PersonRole:
    try:
        return PersonRole(text)
    except ValueError:
        raise InvalidRequest(Problem("role", f"expected one of {', '.join(PersonRole)}")) from None


async def _people(
    visit: Visit,
    *,
    kept: bool = False,
    link: str = "",
    invited: str = "",
    problems: tuple[Problem, ...] = (),
    status: int = 200,
) -> web.StreamResponse:
    people = await visit.exchange.operating.people()
    content = {"link": link, "invited": invited, "kept": kept, "problems": problems}
    content["institutions"] = sorted({one.institution for one in people if not one.waiting})
    return visit.page("people.html", status, people=people, roles=[one.value for one in PersonRole], **content)


async def get_mails(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /operators/mails: the queue, and what nobody took."""
    mails, counts, unaddressed = await visit.exchange.operating.mails()
    return visit.page("mails.html", mails=mails, counts=counts, unaddressed=unaddressed)


async def post_retry(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /operators/mails/{id}/retry."""
    if not await visit.exchange.operating.retry(request.match_info["id"]):
        raise NotFound("there is no such mail that was given up")
    return see_other("/operators/mails")
