"""What was shared: who asked, what they were shown, when, for each case; and a report to print for the patient."""

from aiohttp import web

from matchmaker.policy.levels import SHOWN
from matchmaker.web.pages.access import Visit
from matchmaker.web.pages.terms import names_of

PAGE = 50


async def get_shared(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /shared: the latest of the person's cases, each with who was told of it."""
    rows = await visit.desk.cases(None, PAGE)
    told = await visit.desk.told(rows)
    return visit.page("shared.html", rows=[(row.case, told.get(row.case.public_id, ())) for row in rows])


async def get_case_shared(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/{id}/shared: every line of the ledger about one case."""
    case = await visit.desk.case(request.match_info["id"])
    report = await visit.desk.report(case.public_id)
    questions = await visit.desk.questions(case.public_id)
    return visit.page("case_shared.html", case=case, report=report, questions=questions.queries, shown=SHOWN)


async def get_report(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/{id}/report: the same in words for the patient, to be printed."""
    case = await visit.desk.case(request.match_info["id"])
    report = await visit.desk.report(case.public_id)
    terms = [one.id for one in case.patient.features] if case.patient else []
    return visit.page(
        "report.html",
        case=case,
        report=report,
        who=sorted({line.who for line in report.disclosures if line.what in {"told", "asked"}}),
        names=await names_of(visit, terms),
        shown=SHOWN.get(case.sharing.level.word, ()),
        now=visit.exchange.now,
    )
