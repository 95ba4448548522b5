"""A file of cases: read, shown row by row, and kept once somebody has looked it through.

What was read travels in the page that is looked through, and is validated anew when it is kept: nothing is stored
before.
"""

import asyncio
import json
from dataclasses import replace

from aiohttp import web

from matchmaker.intake.patients import Reading, Rejected, Taken
from matchmaker.intake.upload import read_upload
from matchmaker.mme.errors import InvalidRequest, Problem, RequestError
from matchmaker.mme.patient import Patient
from matchmaker.mme.strict_json import parse
from matchmaker.mme.validation import validate
from matchmaker.records.sharing import Circle, Level, Sharing
from matchmaker.web.pages.access import Visit
from matchmaker.web.pages.case_form import CIRCLES, LEVELS, CaseForm, sharing_of_form
from matchmaker.web.pages.cases import contact_of
from matchmaker.web.pages.forms import MOST_BYTES
from matchmaker.web.pages.terms import names_of

MOST_CASES = 200


async def get_import(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /cases/import: choose a file."""
    return _chosen(visit)


async def post_import(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /cases/import: read a file, and show what each row is; nothing is kept yet."""
    text, name = visit.form.get("file", ""), visit.form.get("file-name", "file")
    if not text.strip():
        return _chosen(visit, Problem("file", "choose a file; this one is empty"))
    knowledge, contact = visit.exchange.knowledge, contact_of(visit)
    reading = Reading(knowledge.genes, contact, contact)
    try:
        rows = await asyncio.to_thread(read_upload, name, text, reading, knowledge.ontology, contact)
    except RequestError as error:
        return _chosen(visit, *(error.problems or (Problem("file", error.message),)))
    if not rows:
        return _chosen(visit, Problem("file", "holds no case"))
    good = [row for row in rows if isinstance(row, Taken)]
    bad = [row for row in rows if isinstance(row, Rejected)]
    if len(good) > MOST_CASES:
        said = f"holds {len(good)} cases; at most {MOST_CASES} at once: split it, or use matchmaker load"
        return _chosen(visit, Problem("file", said))
    shown = {one.id for row in good for one in row.patient.features[:4]}
    return visit.page(
        "import_rows.html",
        good=[(row, json.dumps(row.patient.to_json(), ensure_ascii=False)) for row in good],
        bad=bad,
        names=await names_of(visit, shown),
        taken=[row.patient.id for row in good if await visit.desk.is_taken(row.patient.id)],
        circles=[one.value for one in CIRCLES],
        levels=[one.word for one in LEVELS],
        file=name,
    )


async def post_confirm(_request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /cases/import/confirm: keep those rows that were left checked, each by itself."""
    form = visit.form
    stated = CaseForm(circle=form.get("circle", Circle.NONE.value), level=form.get("level", Level.MINIMAL.word))
    sharing = sharing_of_form(replace(stated, own_contact=True))
    done, failed = list[tuple[str, str]](), list[tuple[str, str]]()
    patients, wanted = form.getall("patient", [])[:MOST_CASES], set(form.getall("keep", []))
    for number, text in enumerate(patients):
        if str(number) in wanted:
            await _keep(visit, text, sharing, done, failed)
    return visit.page("imported.html", done=done, failed=failed)


async def _keep(
    visit: Visit, text: str, sharing: Sharing, done: list[tuple[str, str]], failed: list[tuple[str, str]]
) -> None:
    try:
        patient = validate(Patient, parse(text.encode()))
        if await visit.desk.is_taken(patient.id):
            raise InvalidRequest(Problem("id", "you have, or had, a case of this id"))
        deposit = await visit.desk.deposit(patient.model_copy(update={"contact": contact_of(visit)}), sharing, None)
        done.append((patient.id, deposit.case.public_id))
    except RequestError as error:
        failed.append((text[:60], error.message))


def _chosen(visit: Visit, *problems: Problem) -> web.StreamResponse:
    return visit.page("import.html", 422 if problems else 200, problems=problems, most=MOST_BYTES // (1024 * 1024))
