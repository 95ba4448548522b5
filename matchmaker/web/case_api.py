"""Deposits and searches of a node's own users, with a depositor's token: /api/cases."""

from aiohttp import web

from matchmaker.exchange.depositing import loosened
from matchmaker.exchange.messages import CaseDeposit, CaseList, CaseView, SearchRequest
from matchmaker.exchange.reporting import disclosures
from matchmaker.exchange.service import Exchange
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.media import require_json
from matchmaker.mme.strict_json import parse, printable
from matchmaker.mme.validation import validate
from matchmaker.records.case import Case
from matchmaker.records.sharing import Sharing
from matchmaker.store.base import Outcome
from matchmaker.web.body import json_response, read_body
from matchmaker.web.keys import EXCHANGE
from matchmaker.web.query import MAX_PAGE, PAGE, asked, check_query, limited, skipped
from matchmaker.web.sharing import choice_of, sharing_of


async def put_case(request: web.Request) -> web.Response:
    """PUT /api/cases/{id}: 201 when new, 200 when changed or the same again."""
    exchange, owner, case_id = asked(request)
    require_json(request.headers.get("Content-Type"))
    body = validate(CaseDeposit, parse(await read_body(request)))
    if body.patient.id != case_id:
        raise InvalidRequest(
            Problem(
                "patient.id",
                f"differs from the id in the path; expected '{printable(case_id)}', as in the path",
            )
        )
    deposit = await exchange.deposit(owner, body.patient, sharing_of(body), body.owner, body.family)
    notes = (*exchange.notes(body.patient, deposit.case.sharing), *loosened(deposit.before, deposit.case.sharing))
    view = _view(deposit.case, notes=notes)
    return json_response(view, 201 if deposit.outcome is Outcome.NEW else 200)


async def get_cases(request: web.Request) -> web.Response:
    """GET /api/cases?after=ID&limit=N: the owner's cases by id, a page at a time, without their patients.

    With ?known_as=ID: the one that somebody else knows by this id, withdrawn or not.
    """
    exchange, owner, _ = asked(request)
    check_query(request, "after", "limit", "known_as")
    if (quoted := request.query.get("known_as")) is not None:
        known = await exchange.cases_known_as(owner, quoted)
        return json_response(CaseList(cases=tuple(_view(case) for case in known)))
    limit = limited(request.query.get("limit", str(PAGE)))
    found = await exchange.cases(owner, request.query.get("after", ""), limit + 1)
    page = found[:limit]
    following = page[-1].id if len(found) > limit else None
    return json_response(CaseList(cases=tuple(_view(case) for case in page), next=following))


async def get_case(request: web.Request) -> web.Response:
    """GET /api/cases/{id}: the case as deposited."""
    exchange, owner, case_id = asked(request)
    case = await exchange.case(owner, case_id)
    notes = exchange.notes(case.patient, case.sharing) if case.patient else ()
    return json_response(_view(case, whole=True, notes=notes))


async def delete_case(request: web.Request) -> web.Response:
    """DELETE /api/cases/{id}: 204; the patient is erased, the id never used again."""
    exchange, owner, case_id = asked(request)
    await exchange.withdraw(owner, case_id)
    return web.Response(status=204)


async def search_case(request: web.Request) -> web.Response:
    """POST /api/cases/{id}/search: the own node and its peers, asked with this case."""
    exchange, owner, case_id = asked(request)
    wanted = await _wanted(request)
    await exchange.case(owner, case_id)  # a missing case costs nothing of the budget
    exchange.charge(owner)
    return json_response(await exchange.search(owner, case_id, wanted.nodes, wanted.genes))


async def preview_case(request: web.Request) -> web.Response:
    """POST /api/cases/{id}/preview: exactly what each peer would be sent by a search of the same body."""
    exchange, owner, case_id = asked(request)
    wanted = await _wanted(request)
    return json_response(await exchange.preview(owner, case_id, wanted.nodes, wanted.genes))


async def get_disclosures(request: web.Request) -> web.Response:
    """GET /api/cases/{id}/disclosures?after=N&limit=N: who was told of a case, or asked about it, page by page.

    Of a withdrawn case, too. `after` is how many are passed over.
    """
    exchange, owner, case_id = asked(request)
    check_query(request, "after", "limit")
    limit, after = limited(request.query.get("limit", str(MAX_PAGE))), skipped(request.query.get("after", "0"))
    told = await exchange.report(owner, case_id, limit + 1, after)
    return json_response(disclosures(told, after, limit))


async def get_collections(request: web.Request) -> web.Response:
    """GET /api/collections: the public catalogue."""
    return json_response(await request.app[EXCHANGE].catalogue())


async def _wanted(request: web.Request) -> SearchRequest:
    body = await read_body(request)
    if not body.strip():
        return SearchRequest()
    require_json(request.headers.get("Content-Type"))
    return validate(SearchRequest, parse(body))


def _view(case: Case, *, whole: bool = False, notes: tuple[str, ...] = ()) -> CaseView:
    return CaseView(
        id=case.id,
        public_id=case.public_id,
        sharing=choice_of(Sharing() if case.withdrawn else case.sharing),
        collection=case.sharing.collection,
        owner=case.person,
        family=case.family,
        created_at=Exchange.time(case.created_at),
        updated_at=Exchange.time(case.updated_at),
        revision=case.revision,
        withdrawn=True if case.withdrawn else None,
        patient=case.patient if whole else None,
        notes=notes or None,
    )
