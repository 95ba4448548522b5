"""What a node says to its own users, besides the exchange's language: deposits and searches."""

from typing import Annotated, Literal

from pydantic import Field, Strict

from matchmaker.mme.messages import Disclaimer, MatchResult
from matchmaker.mme.patient import Patient, Value
from matchmaker.peers.outcome import Status


class SharingChoice(Value):
    """With whom a case is shared: nobody, the node's country, or all."""

    with_: Literal["none", "country", "all"] = Field(alias="with")


class CaseDeposit(Value):
    """The body of PUT /api/cases/{id}."""

    patient: Patient
    sharing: SharingChoice


class CaseView(Value):
    """A case as its owner sees it. `public_id` is what others see; times are ISO 8601."""

    id: str
    public_id: str
    sharing: SharingChoice
    created_at: str
    updated_at: str
    revision: int
    patient: Patient | None = None
    notes: Annotated[tuple[str, ...], Strict(False)] | None = None


class CaseList(Value):
    """The answer to GET /api/cases. `next` is the `after` of the next page, absent on the last."""

    cases: Annotated[tuple[CaseView, ...], Strict(False)]
    next: str | None = None


class SearchRequest(Value):
    """The body of POST /api/cases/{id}/search: the names of the nodes to ask, all when absent."""

    nodes: (
        Annotated[tuple[Annotated[str, Field(max_length=255)], ...], Strict(False), Field(max_length=1_000)] | None
    ) = None


class SearchResult(MatchResult):
    """A match, and the node that found it."""

    node: str


class NodeReport(Value):
    """How one node answered. `results` counts its valid results; `reason` says what was wrong."""

    node: str
    country: str | None = None
    status: Annotated[Status, Strict(False)]
    results: int
    elapsed_ms: int = Field(alias="elapsed_ms")
    reason: str | None = None
    disclaimer: Disclaimer | None = None
    terms: Disclaimer | None = None


class SearchAnswer(Value):
    """The answer to a search: every node's results, best first, and how every node answered."""

    results: Annotated[tuple[SearchResult, ...], Strict(False)]
    nodes: Annotated[tuple[NodeReport, ...], Strict(False)]
