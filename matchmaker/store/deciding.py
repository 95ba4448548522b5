"""What a deposit comes to, and which store may be filled anew: the same in every store. Pure."""

from collections.abc import Mapping, Sequence

from matchmaker.records.audit import Action, AuditLine
from matchmaker.records.case import Case
from matchmaker.records.inquiry import Asked, Inquiry
from matchmaker.records.match import Match, of_what_is_shared
from matchmaker.records.person import Person
from matchmaker.store.base import Draft, Outcome, StoreHasOthers

COUNTERS = ("revision", "parties", "reference", "requests", "results")
FRESH_PARTIES = 1  # the count of changes to clients and peers in a store that has seen none
WAITS_FOR_ITS_TURN = "waiting"  # the status of an inquiry that an agreement does not allow yet
WITHDRAWN = "withdrawn"  # that of an inquiry about a case that is gone: only that a node was asked, and when, is kept
TELLS = '"tells":true'  # stands in a match as it is kept, where one of its sides tells what it came to
ACTIONS = {Outcome.NEW: Action.DEPOSITED, Outcome.CHANGED: Action.CHANGED}


def outcome_of(known: Case | None, draft: Draft) -> Outcome:
    """Return what becomes of a draft, beside what is known under its id."""
    if known is None:
        return Outcome.NEW
    if known.withdrawn:
        return Outcome.WITHDRAWN
    stated = (draft.sharing, draft.patient, draft.person, draft.family)
    same = (known.sharing, known.patient, known.person, known.family) == stated
    return Outcome.UNCHANGED if same else Outcome.CHANGED


def stored(known: Case | None, draft: Draft, now: float, revision: int) -> Case:
    """Return the case that a new or changed draft is from this revision on."""
    public_id, created_at = (known.public_id, known.created_at) if known else (draft.public_id, now)
    told = (draft.sharing, draft.patient, created_at, now, revision, draft.person, draft.family)
    return Case(draft.owner, draft.id, public_id, *told)


def audited(case: Case, outcome: Outcome) -> AuditLine:
    """Return the line of the audit for a deposit that changed something."""
    return AuditLine(case.revision, case.updated_at, case.owner, ACTIONS[outcome], case.public_id)


def fill_mark(counters: Mapping[str, int]) -> str:
    """Return what a store remembers of its filling, by which it tells whether it was written to since."""
    return "/".join(str(counters[name]) for name in COUNTERS)


def check_copy(source: str, identity: str, filled: str, counters: Mapping[str, int]) -> None:
    """Raise StoreHasOthers unless a store is empty, or a copy of the source that nobody has written to since.

    `source` and `identity` are the identities of both; `filled` what fill_mark gave when the store was filled last.
    """
    if (
        not any(counters[name] for name in ("revision", "reference", "requests"))
        and counters["parties"] <= FRESH_PARTIES
    ):
        return
    if identity != source:
        raise StoreHasOthers("it holds records of another node; choose an empty store")
    if filled != fill_mark(counters):
        raise StoreHasOthers("it was written to since it was filled, or is the source itself; choose an empty store")


def may_otherwise(before: Person, after: Person) -> bool:
    """Tell whether a person may do something else than before, so that who is signed in must sign in anew."""
    told = ("role", "institution", "disabled_at", "waiting")
    return any(getattr(before, name) != getattr(after, name) for name in told)


def asked_of(rows: Sequence[tuple[float, bool]], waiting: int, before: int) -> Asked:
    """Return how much a node was asked: when about each case, and whether that is the one meant; and how many wait."""
    times = tuple(at for at, _ in rows)
    return Asked(times=times, among=any(among for _, among in rows), waiting=waiting, before=before)


def of_withdrawn(inquiry: Inquiry) -> Inquiry:
    """Return what is kept of an inquiry about a case that was withdrawn: its place in what was agreed with the node."""
    told = {"case": inquiry.case, "node": inquiry.node, "at": inquiry.at, "asked_at": inquiry.asked_at}
    return Inquiry(**told, status=WITHDRAWN)


def without_answer(match: Match) -> Match:
    """Return a match without what the other node showed of its case; contact, score and what is shared stay."""
    other = match.other.model_copy(update={"answer": None}) if match.other else None
    return match.model_copy(update={"other": other, "explanation": of_what_is_shared(match.explanation), "parts": None})
