"""What a node says to its own users about matches: the inbox, one match, its follow-up, what to be alerted of."""

from typing import Annotated, Any, Literal

from pydantic import Field, Strict, StringConstraints

from matchmaker.exchange.messages import Stated
from matchmaker.mme.messages import Diagnosis as DiagnosisTold
from matchmaker.mme.messages import Disclaimer, Explanation, Solved
from matchmaker.mme.messages import Treatment as TreatmentTold
from matchmaker.mme.patient import Contact, Patient, Text, Value

StatusWord = Literal["new", "contacted", "in discussion", "same disorder", "not a match", "solved"]
FrequencyWord = Literal["at once", "hourly", "daily", "weekly", "never"]
Score = Annotated[float, Field(ge=0, le=1)]
Note = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
Names = Annotated[tuple[Text, ...], Strict(False), Field(max_length=100)]


class GeneShared(Value):
    """A gene of both cases."""

    id: str
    symbol: str | None = None
    same_variant: bool = False


class HistoryEntry(Value):
    """Something that was done with a match: when (ISO 8601), by whom, what; and a note."""

    at: str
    who: str
    what: str
    note: str | None = None


class AlertView(Value):
    """Who was alerted, or is to be: `state` is waiting, nobody (no address is known), or what became of the mail."""

    to: str
    news: Literal["found", "stronger", "solved"]
    at: str
    state: Literal["waiting", "nobody", "sent", "given up", "empty"]


class PrefilledMessage(Value):
    """A message to the other side, to be looked through and sent: `mailto` opens it in a mail program."""

    to: str
    subject: str
    body: str
    mailto: str | None = None


class OtherSide(Value):
    """The other case: as it is shown here, whom to write to, and how far its doctor is, where that is known.

    `status` is known where both cases are of this node; `solved` where its owner tells it. `patient` is what was shown
    last, kept for ninety days where another node showed it; absent where it asked and showed nothing to keep.
    """

    id: str
    node: str
    contact: Contact | None = None
    patient: Patient | None = None
    status: StatusWord | None = None
    solved: Solved | None = None


class MatchView(Value):
    """A match as the owner of one of its cases sees it. Times are ISO 8601; scores in [0, 1].

    `score` is this node's own, `peer_score` that of a node that answered. `flag` says why it may be none; `quiet` why
    nobody was alerted. `strength` is the score in words.
    """

    id: str
    node: str
    case: str
    other: OtherSide
    status: StatusWord
    reason: str | None = None
    solved: Solved | None = None
    told_to_other_side: bool = False
    score: float
    peer_score: float | None = None
    strength: str
    shared_genes: Annotated[tuple[GeneShared, ...], Strict(False)] = ()
    directions: Annotated[tuple[str, ...], Strict(False)]
    flag: str | None = None
    quiet: str | None = None
    test: bool | None = None
    first_seen: str
    last_seen: str
    changed_at: str


class MatchDetail(MatchView):
    """One match, whole: why, from the owner's case as the query, its history, its alerts, what to write."""

    explanation: Explanation
    parts: dict[str, float] | None = None
    patient: Patient | None = None
    history: Annotated[tuple[HistoryEntry, ...], Strict(False)] = ()
    alerts: Annotated[tuple[AlertView, ...], Strict(False)] = ()
    message: PrefilledMessage | None = None
    disclaimer: Disclaimer | None = None
    terms: Disclaimer | None = None


class MatchList(Value):
    """The answer to GET /api/matches: latest change first. `next` is the `after` of the next page, if there is one."""

    matches: Annotated[tuple[MatchView, ...], Strict(False)]
    next: str | None = None


class MatchChange(Stated):
    """The body of PATCH /api/matches/{id}: what changes; what is absent stays.

    `not a match` goes with a `reason`, `solved` with a `diagnosis` and, where something did, with what `helped`;
    `tell`: the other side may know. `by` is the address of the person who does it. `case` says which one, where both
    are yours.
    """

    status: StatusWord | None = None
    reason: Note | None = None
    note: Note | None = None
    diagnosis: DiagnosisTold | None = None
    helped: Annotated[tuple[TreatmentTold, ...], Strict(False), Field(max_length=20)] | None = None
    tell: bool | None = None
    by: Annotated[str, Field(max_length=320)] | None = None
    case: Annotated[str, Field(max_length=255)] | None = None


class QuestionView(Value):
    """A question of another node that was told of a case: who, when (ISO 8601), what it was shown, under which id."""

    at: str
    who: str
    institution: str | None = None
    case: str
    seen_as: str
    level: str
    purpose: str
    shown: Annotated[tuple[str, ...], Strict(False)]


class QuestionList(Value):
    """The answer to GET /api/queries, latest first. `next` is the `after` of the next page."""

    queries: Annotated[tuple[QuestionView, ...], Strict(False)]
    next: int | None = None


class NodeOutcome(Value):
    """What came of asking a node about a case the last time, and how that node stands.

    `status` is that of a search, or `waiting` where the agreement with the node is used up. A node that failed has not
    said that there is no match.
    """

    node: str
    status: str
    reason: str | None = None
    at: str
    results: int = 0
    asked_at: str | None = None
    answered_at: str | None = None
    failures: int = 0
    breaker: Literal["closed", "open", "half open"] | None = None


class NodeOutcomes(Value):
    """The answer to GET /api/cases/{id}/nodes."""

    nodes: Annotated[tuple[NodeOutcome, ...], Strict(False)]


class CaseAlerts(Stated):
    """What the owner of a case wants to be alerted of: GET and PUT /api/cases/{id}/alerts.

    Scores below which a match is kept quiet; absent ones are the person's. `snoozed_until`: a day or a time, ISO 8601.
    """

    min_score: Score | None = None
    min_score_by_phenotype: Score | None = None
    only_shared_genes: bool = False
    only_new: bool = False
    muted: bool = False
    muted_genes: Names = ()
    muted_nodes: Names = ()
    snoozed_until: Annotated[str, Field(max_length=40)] | None = None


class PersonAlerts(Stated):
    """What a person wants to be alerted of, and how often: GET and PUT /api/people/{email}/alerts."""

    frequency: FrequencyWord = "at once"
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] | None = None
    min_score: Score | None = None
    min_score_by_phenotype: Score | None = None
    only_shared_genes: bool = False
    only_new: bool = False
    muted_genes: Names = ()
    muted_nodes: Names = ()
    snoozed_until: Annotated[str, Field(max_length=40)] | None = None


def solved_of(solution: Any) -> Solved | None:
    """Return a solution as it is told (records.match.Solution or None)."""
    return Solved.model_validate(solution.model_dump(exclude_none=True)) if solution else None
