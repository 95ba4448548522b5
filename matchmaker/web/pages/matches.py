"""Matches of a person's cases: the inbox over all of them, and each one whole."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from matchmaker.exchange.follow_up import Filter
from matchmaker.exchange.match_messages import MatchChange, MatchDetail
from matchmaker.mme.errors import InvalidRequest, Problem, RequestError
from matchmaker.mme.messages import Explanation
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.peers import breaker
from matchmaker.records.match import Status
from matchmaker.web.pages.access import Visit, see_other
from matchmaker.web.pages.picture import picture
from matchmaker.web.pages.terms import names_of, terms_of

PAGE = 50
_TYPED = ("status", "reason", "note", "diagnosis_id", "diagnosis_label", "helped_name", "helped_code")
_SCORE = re.compile(r"0?[.,]\d{1,9}|[01](?:[.,]0{1,9})?")
_SCALE = 1_024


@dataclass(frozen=True, slots=True)
class Aligned:
    """A pair of terms, what joins them, and their part of all that is shared, in percent. Equal ids: both show it."""

    mine: str
    theirs: str
    through: str
    nat: float
    percent: int

    @property
    def same(self) -> bool:
        """Whether both show the very same term."""
        return self.mine == self.theirs


async def get_matches(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /matches: all matches of the person's cases, latest first, and which nodes do not answer."""
    query, problems = request.query, list[Problem]()
    wanted = _filter({name: query[name].strip() for name in query}, problems)
    found, more = ([], None) if problems else await visit.desk.matches(wanted)
    found.sort(key=lambda one: (one.view.changed_at[:16], one.view.score), reverse=True)  # of one minute, best first
    cases = await visit.desk.ids_of([one.case for one in found] + ([wanted.case] if wanted.case else []))
    healths, now = await visit.exchange.store.healths(), visit.exchange.now
    return visit.page(
        "matches.html",
        422 if problems else 200,
        matches=found,
        cases=cases,
        names=await names_of(visit, terms_of(found)),
        problems=problems,
        typed={name: query.get(name, "") for name in ("case", "status", "node", "gene", "min_score", "since")},
        statuses=[one.value for one in Status],
        nodes=sorted({visit.exchange.config.node.name, *visit.exchange.directory.peers}),
        after=more,
        silent=[one for one in healths.values() if one.failures and one.name in visit.exchange.directory.peers],
        state_of=lambda health: breaker.state_of(health, now),
    )


def _filter(query: dict[str, str], problems: list[Problem]) -> Filter:
    score = query.get("min_score", "")
    if score and not _SCORE.fullmatch(score):
        problems.append(Problem("min_score", "expected a number from 0 to 1"))
        score = ""
    since = query.get("since", "")
    status = query.get("status", "")
    if status and status not in set(Status):
        problems.append(Problem("status", "expected one of the list"))
        status = ""
    return Filter(
        case=query.get("case") or None,
        status=Status(status) if status else None,
        node=query.get("node") or None,
        gene=query.get("gene") or None,
        min_score=float(score.replace(",", ".")) if score else None,
        since=_seconds(since, problems) if since else None,
        after=query.get("after") or None,
        limit=PAGE,
    )


def _seconds(text: str, problems: list[Problem]) -> float | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        problems.append(Problem("since", "expected a day such as 2026-11-29"))
        return None


async def get_match(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /matches/{id}: one match, whole: why, side by side, and its follow-up."""
    return await _shown(request, visit)


async def post_match(request: web.Request, visit: Visit) -> web.StreamResponse:
    """POST /matches/{id}: another status, a note, what it came to."""
    match_id = request.match_info["id"]
    try:
        told = _change(dict(visit.form))
        if "helped" in told:  # the form shows the first
            match, _ = await visit.desk.match(match_id)
            told["helped"] += [one.to_json() for one in match.solved.helped[1:]] if match.solved else []
        await visit.desk.change_match(match_id, validate(MatchChange, told))
    except InvalidRequest as error:
        return await _shown(request, visit, error)
    return see_other(f"/matches/{match_id}?kept=1")


def _change(form: dict[str, str]) -> dict[str, Any]:
    """Return a form as the JSON that it stands for; empty fields are absent."""
    told: dict[str, Any] = {
        name: form[name].strip() for name in ("status", "reason", "note") if form.get(name, "").strip()
    }
    if told.get("status") != Status.NOT_A_MATCH:
        told.pop("reason", None)
    if told.get("status") == Status.SOLVED:
        diagnosis = {name: form.get(f"diagnosis_{name}", "").strip() for name in ("id", "label")}
        helped = {name: form.get(f"helped_{name}", "").strip() for name in ("name", "code")}
        if given := {name: text for name, text in diagnosis.items() if text}:
            told["diagnosis"] = given
        if given := {name: text for name, text in helped.items() if text}:
            told["helped"] = [given]
        told["tell"] = "tell" in form
    return told


async def _shown(request: web.Request, visit: Visit, problem: RequestError | None = None) -> web.StreamResponse:
    match, case = await visit.desk.match(request.match_info["id"])
    mine, theirs = _observed(match.patient), _observed(match.other.patient)
    aligned = aligned_terms(match.explanation)
    paired = {one.mine for one in aligned} | {one.theirs for one in aligned}
    absent = {
        "mine": [one.id for one in match.patient.features if one.observed == "no"] if match.patient else [],
        "theirs": [one.id for one in match.other.patient.features if one.observed == "no"]
        if match.other.patient
        else [],
    }
    ids = {*mine, *theirs, *paired, *(one.through for one in aligned), *absent["mine"], *absent["theirs"]}
    names = await names_of(visit, ids | _modes(match))
    drawn = picture(
        visit.exchange.knowledge.ontology,
        mine,
        theirs,
        match.explanation,
        visit.words.gettext,
        lambda term: names[term].name if term in names else "",
    )
    return visit.page(
        "match.html",
        problem.status if problem else 200,
        match=match,
        case=case,
        names=names,
        aligned=aligned,
        only_mine=[one for one in mine if one not in {pair.mine for pair in aligned}],
        only_theirs=[one for one in theirs if one not in {pair.theirs for pair in aligned}],
        absent=absent,
        genes=_genes(match, visit),
        drawn=drawn,
        kept="kept" in request.query,
        problems=problem.problems if problem else (),
        typed={name: visit.form.get(name, "") for name in _TYPED},
        statuses=[one.value for one in Status],
        meaning=_meaning(visit, match),
        versions=visit.exchange.knowledge.versions,
    )


def _observed(patient: Patient | None) -> list[str]:
    return [one.id for one in patient.features if one.observed == "yes"] if patient else []


def _modes(match: MatchDetail) -> set[str]:
    both = (match.patient, match.other.patient)
    return {mode for one in both if one for mode in (one.inheritance_mode, one.age_of_onset) if mode}


def aligned_terms(explanation: Explanation) -> list[Aligned]:
    """Return the pairs of an explanation, those with the greatest weight first."""
    shared = [(one.id, one.id, one.id, one.weight) for one in explanation.shared_terms]
    related = [(one.query.id, one.match.id, one.through.id, one.weight) for one in explanation.related_terms]
    rows = sorted((*shared, *related), key=lambda row: -row[3])
    whole = sum(max(0, row[3]) for row in rows) or 1
    return [
        Aligned(mine, theirs, through, weight / _SCALE, round(100 * max(0, weight) / whole))
        for mine, theirs, through, weight in rows
    ]


def _genes(match: MatchDetail, visit: Visit) -> dict[str, list[str]]:
    """Return the genes that one side alone has."""
    shared = {one.symbol or one.id for one in match.shared_genes}

    def only(patient: Patient | None) -> list[str]:
        return [name for name in visit.symbols(patient) if name not in shared] if patient else []

    return {"mine": only(match.patient), "theirs": only(match.other.patient)}


def _meaning(visit: Visit, match: MatchDetail) -> int | None:
    """Return of how many in a thousand published pairs with such phenotypes the causal gene was the same."""
    raw = (match.parts or {}).get("raw")
    return None if raw is None else round(1000 * visit.exchange.knowledge.calibration.share_of(raw))
