"""The cases of a person: listed, shown, filled in, previewed, kept, searched with, withdrawn."""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from aiohttp import web

from matchmaker.exchange.depositing import loosened
from matchmaker.exchange.follow_up import Filter, Listed
from matchmaker.exchange.match_messages import CaseAlerts
from matchmaker.exchange.vocabulary import sharper
from matchmaker.mme.errors import InvalidRequest, NotFound, Problem, RequestError
from matchmaker.mme.patient import Contact, Patient
from matchmaker.mme.validation import validate
from matchmaker.policy.consent import same_institution
from matchmaker.records.case import Case
from matchmaker.records.work import Work
from matchmaker.web.pages.access import Visit, see_other
from matchmaker.web.pages.case_form import (
    CIRCLES,
    INHERITANCE,
    LEVELS,
    ONSET,
    SEXES,
    CaseForm,
    form_of,
    form_of_case,
    patient_of,
    sharing_of_form,
)
from matchmaker.web.pages.terms import find_genes, find_terms, names_of, suggestions_of, terms_of

PAGE = 50
_MATCHES_SHOWN = 50
_POSITION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)-([0-9a-f]{32})")
_LONGEST_TEXT = 20_000


async def get_cases(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases?after=…&q=…: the person's cases, latest change first; or the one that an id means."""
    quoted = request.query.get("q", "").strip()
    if quoted and (found := await visit.desk.find(quoted)):
        return see_other(f"/cases/{found.public_id}")
    read = _POSITION.fullmatch(request.query.get("after", ""))
    before = (float(read[1]), read[2]) if read else None
    rows = await visit.desk.cases(before, PAGE + 1)
    page = rows[:PAGE]
    last = page[-1].case if len(rows) > PAGE else None
    names = await names_of(visit, {one.id for row in page for one in _observed(row.case)[:3]})
    return visit.page(
        "cases.html",
        rows=page,
        names=names,
        observed=_observed,
        count=await visit.desk.count(),
        after=f"{last.updated_at!r}-{last.public_id}" if last else None,
        quoted=quoted,
        home=visit.exchange.config.node.name,
    )


def _observed(case: Case) -> list[Any]:
    return [one for one in case.patient.features if one.observed == "yes"] if case.patient else []


async def get_case(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/{id}: one case, its matches, and how each node has answered."""
    case = await visit.desk.case(_id(request))
    patient = _patient(case)
    matches = await _matches(visit, case)
    sharp = sharper(patient, visit.exchange.knowledge)
    wanted = {one.id for one in patient.features} | {patient.inheritance_mode or "", patient.age_of_onset or ""}
    wanted |= {one.age_of_onset or "" for one in patient.features}
    wanted |= {one.term for one in sharp} | {child for one in sharp for child, _ in one.children}
    return visit.page(
        "case.html",
        case=case,
        patient=patient,
        names=await names_of(visit, wanted | terms_of(matches)),
        notes=visit.desk.notes(case),
        sharper=sharp,
        matches=matches,
        saved="saved" in request.query,
        loosened=(),
        alerts=await visit.exchange.choosing.of_case(visit.exchange.directory.owner(case.owner), case.id),
        **await _progress(visit, case),
    )


async def get_progress(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/{id}/progress: how each node has answered, and the matches so far; asked while nodes are asked."""
    case = await visit.desk.case(_id(request))
    matches = await _matches(visit, case)
    names = await names_of(visit, terms_of(matches))
    return visit.part("progress.html", case=case, matches=matches, names=names, **await _progress(visit, case))


async def _matches(visit: Visit, case: Case) -> list[Listed]:
    """Return a case's latest matches, the best first."""
    listed, _ = await visit.desk.matches(Filter(case=case.public_id, limit=_MATCHES_SHOWN))
    return sorted(listed, key=lambda one: -one.view.score)


async def _progress(visit: Visit, case: Case) -> dict[str, Any]:
    outcomes, work = await visit.desk.progress(case.public_id)
    now = visit.exchange.now
    waiting = {_node_of(one, visit) for one in work if one.kind in {"search", "ask"} and one.due <= now}
    asked = {one.node for one in outcomes.nodes if one.status == "asking"}
    unasked = sorted(waiting - {one.node for one in outcomes.nodes})
    return {
        "outcomes": outcomes.nodes,
        "unasked": unasked,
        "pending": bool(waiting or asked),
        "home": visit.exchange.config.node.name,
    }


def _node_of(work: Work, visit: Visit) -> str:
    return work.subject.partition(" ")[2] or visit.exchange.config.node.name


async def get_new(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/new: the form, empty."""
    return await _show_form(visit, CaseForm(), None)


async def get_edit(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/{id}/edit: the form, as the case is."""
    case = await visit.desk.case(_id(request))
    return await _show_form(visit, form_of_case(case), case)


async def post_new(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /cases/new: what a button of the form does; the case is kept by the one that says so."""
    return await _form_sent(visit, None)


async def post_edit(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /cases/{id}/edit: the same of a case that there is."""
    return await _form_sent(visit, await visit.desk.case(_id(request)))


async def _form_sent(visit: Visit, case: Case | None) -> web.StreamResponse:
    fields = visit.form
    form = form_of(fields)
    if case is not None:
        form = replace(form, id=case.id)
    if "add" in fields:
        return await _show_form(visit, form.with_feature(fields["add"]), case)
    if "drop" in fields:
        return await _show_form(visit, form.without_feature(fields["drop"]), case)
    if "add_gene" in fields:
        return await _show_form(visit, form.with_gene(fields["add_gene"]), case)
    if "drop_gene" in fields:
        return await _show_form(visit, form.without_gene(fields["drop_gene"]), case)
    if fields.get("action") in {"save", "preview"}:
        return await _checked(visit, form, case)
    return await _show_form(visit, form, case, found=True)


async def _checked(visit: Visit, form: CaseForm, case: Case | None) -> web.StreamResponse:
    """Keep a case, or show what would leave the node; what is wrong is said above the form."""
    knowledge = visit.exchange.knowledge
    try:
        before = case.patient if case else None
        patient = patient_of(form, contact_of(visit, case), knowledge.ontology, knowledge.genes, before)
        sharing = sharing_of_form(form, case.sharing if case else None)
        if visit.form["action"] == "preview":
            previewed = visit.desk.preview_of(patient, sharing, case)
            return await _show_form(visit, form, case, preview=await previewed)
        if case is None and await visit.desk.is_taken(form.id):
            raise InvalidRequest(Problem("id", f"you have, or had, a case {form.id}; choose another id"))
        if case is None:
            deposit = await visit.desk.deposit(patient, sharing, form.family or None)
        else:
            deposit = await visit.desk.change(case.public_id, patient, sharing, form.family or None)
    except RequestError as error:
        if isinstance(error, NotFound):
            raise
        problems = error.problems or (Problem("", error.message),)
        return await _show_form(visit, form, case, problems=problems, status=error.status)
    if deposit.before is not None and loosened(deposit.before, deposit.case.sharing):
        return see_other(f"/cases/{deposit.case.public_id}?saved=looser")
    return see_other(f"/cases/{deposit.case.public_id}?saved=1")


def contact_of(visit: Visit, case: Case | None = None) -> Contact:
    """Return whom others write to about a case: the one that it has, else the person."""
    if case is not None and case.patient is not None:
        return case.patient.contact
    person = visit.person
    told = {"name": person.name or person.email, "href": f"mailto:{person.email}", "institution": person.institution}
    return validate(Contact, told)


async def _show_form(
    visit: Visit,
    form: CaseForm,
    case: Case | None,
    *,
    problems: Iterable[Problem] = (),
    preview: Any = None,
    found: bool = False,
    status: int = 200,
) -> web.StreamResponse:
    fields = visit.form
    text = fields.get("text", "")[:_LONGEST_TEXT]
    suggestions = await suggestions_of(visit, text) if text.strip() and "suggest" in fields else ()
    known = {row.id for row in form.features}
    typed, gene_typed = (fields.get(name, "").strip() if found else "" for name in ("term", "gene_typed"))
    wanted = {*known, *INHERITANCE, *ONSET, form.inheritance, form.onset, *(row.onset for row in form.features)}
    return visit.page(
        "case_form.html",
        status,
        case=case,
        form=form,
        names=await names_of(visit, wanted),
        genes_known=_genes_known(visit, form),
        problems=tuple(problems),
        preview=preview,
        previewed=fields.get("action") == "preview",
        text=text,
        suggestions=[one for one in suggestions if one.term.id not in known],
        suggested="suggest" in fields,
        terms=await find_terms(visit, typed),
        typed=typed,
        genes=find_genes(visit.exchange, gene_typed),
        gene_typed=gene_typed,
        circles=[one.value for one in CIRCLES],
        levels=[one.word for one in LEVELS],
        sexes=SEXES,
        modes=INHERITANCE,
        onsets=ONSET,
        collections=_collections(visit),
        needs_collection=visit.exchange.config.node.production,
        action=f"/cases/{case.public_id}/edit" if case else "/cases/new",
    )


def _genes_known(visit: Visit, form: CaseForm) -> list[str]:
    """Return what is known of each gene of a form, in words: its symbol, or that nobody knows which it is."""
    table, told = visit.exchange.knowledge.genes, []
    for row in form.genes:
        found = table.resolve(row.gene)
        several = ", ".join(gene.symbol for gene in found.candidates)
        told.append(found.gene.symbol if found.gene else f"? {several}" if several else "?")
    return told


def _collections(visit: Visit) -> list[Any]:
    known = visit.exchange.directory.collections.values()
    return [one for one in known if same_institution(one.institution, visit.person.institution)]


async def get_withdraw(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/{id}/withdraw: asked once more, as it is for ever."""
    return visit.page("withdraw.html", case=await visit.desk.case(_id(request)))


async def post_withdraw(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /cases/{id}/withdraw: erase a case, its matches, alerts and answers."""
    await visit.desk.withdraw(_id(request))
    return see_other("/cases?withdrawn=1")


async def post_search(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /cases/{id}/search: search again in the background, here and at the nodes that may be asked."""
    await visit.desk.search_again(_id(request))
    return see_other(f"/cases/{_id(request)}")


async def get_preview(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/{id}/preview: exactly what leaves the node, and for whom."""
    case = await visit.desk.case(_id(request))
    return visit.page("preview.html", case=case, preview=await visit.desk.preview(case.public_id))


async def post_alerts(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /cases/{id}/alerts: mute a case, or say from which score on it alerts."""
    case = await visit.desk.case(_id(request))
    owner = visit.exchange.directory.owner(case.owner)
    before = await visit.exchange.choosing.of_case(owner, case.id)
    chosen = before.model_copy(update={"muted": "muted" in visit.form})
    await visit.exchange.choosing.set_of_case(owner, case.id, CaseAlerts.model_validate(chosen.model_dump()))
    return see_other(f"/cases/{case.public_id}")


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _patient(case: Case) -> Patient:
    if case.patient is None:
        raise NotFound("there is no such case of yours")
    return case.patient
