"""What a node says to its own users, besides the exchange's language: deposits and searches."""

import re
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, Strict
from pydantic_core import PydanticCustomError

from matchmaker.mme.messages import Disclaimer, MatchResult
from matchmaker.mme.patient import Contact, Email, Patient, Text, Value
from matchmaker.peers.outcome import Status
from matchmaker.records.sharing import MOST_GENES


def _country(value: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}", value):
        raise PydanticCustomError("country", "expected two capital letters, such as ES")
    return value


def _day(value: str) -> str:
    try:
        if date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise PydanticCustomError("day", "expected a day such as 2027-01-31")


Countries = Annotated[tuple[Annotated[str, AfterValidator(_country)], ...], Strict(False), Field(max_length=250)]
Nodes = Annotated[tuple[Annotated[str, Field(max_length=255)], ...], Strict(False), Field(max_length=250)]
Genes = Annotated[tuple[Text, ...], Strict(False), Field(max_length=MOST_GENES)]


class Stated(Value):
    """Base of what a node's own users state: a key that nobody knows is refused, as it was meant to say something."""

    model_config = ConfigDict(extra="forbid")


class SharingChoice(Stated):
    """What an owner allows of a case: with whom it is shared, until when (the last day, in UTC), and at which level.

    `named` goes with `countries`, `nodes` or both. `contact` is whose is shown: the institution's monitored address, as
    the collection has it, or the case's own. `genes` are the candidate genes that may leave in a question.
    """

    with_: Literal["none", "institution", "country", "named", "all"] = Field(alias="with")
    countries: Countries | None = None
    nodes: Nodes | None = None
    until: Annotated[str, AfterValidator(_day)] | None = None
    level: Literal["minimal", "standard", "full"] = "standard"
    contact: Literal["institution", "own"] = "institution"
    genes: Genes | None = None


class CaseDeposit(Stated):
    """The body of PUT /api/cases/{id}. `collection` is the name of the one that the case belongs to.

    `owner` is the address of the person who is alerted of its matches, `family` what the institution calls the family
    by: cases of one are never told to be a match. Neither leaves the node.
    """

    patient: Patient
    sharing: SharingChoice
    collection: Annotated[str, Field(max_length=63)] | None = None
    owner: Email | None = None
    family: Text | None = None


class CaseView(Value):
    """A case as its owner sees it; times are ISO 8601.

    `public_id` is the node's own id of it: each peer sees another one, by which GET /api/cases?known_as= finds it.
    """

    id: str
    public_id: str
    sharing: SharingChoice
    collection: str | None = None
    owner: str | None = None
    family: str | None = None
    created_at: str
    updated_at: str
    revision: int
    withdrawn: bool | None = None
    patient: Patient | None = None
    notes: Annotated[tuple[str, ...], Strict(False)] | None = None


class CaseList(Value):
    """The answer to GET /api/cases. `next` is the `after` of the next page, absent on the last."""

    cases: Annotated[tuple[CaseView, ...], Strict(False)]
    next: str | None = None


class SearchRequest(Stated):
    """The body of POST /api/cases/{id}/search and /preview: the names of the nodes to ask, all when absent.

    `genes` are the candidate genes that leave this once, in place of the case's own choice.
    """

    nodes: (
        Annotated[tuple[Annotated[str, Field(max_length=255)], ...], Strict(False), Field(max_length=1_000)] | None
    ) = None
    genes: Genes | None = None


class NodePreview(Value):
    """What one peer would be sent, to the letter; or why it would not be asked."""

    node: str
    country: str | None = None
    sent: dict[str, Any] | None = None
    reason: str | None = None


class Preview(Value):
    """The answer to POST /api/cases/{id}/preview."""

    nodes: Annotated[tuple[NodePreview, ...], Strict(False)]


class DisclosureView(Value):
    """Somebody was told of a case, or asked about it. `seen_as` is the id by which it knows the case.

    `not sent`: the question that was written down before never left. `notified`: it was told that the case was
    withdrawn.
    """

    at: str
    who: str
    what: Literal["told", "shown", "asked", "not sent", "notified"]
    level: str
    purpose: str
    seen_as: str


class DisclosureList(Value):
    """The answer to GET /api/cases/{id}/disclosures: what was told of a case, oldest first.

    `notices` names those who are to be told that it was withdrawn; `next` is the `after` of the next page.
    """

    id: str
    public_id: str
    withdrawn: bool
    disclosures: Annotated[tuple[DisclosureView, ...], Strict(False)]
    notices: Annotated[tuple[str, ...], Strict(False)] = ()
    next: int | None = None


class CatalogueEntry(Value):
    """A collection as anybody may see it: the survey's answers, counts in coarse steps, and nothing of any case."""

    name: str
    institution: str
    title: str | None = None
    main_purpose: str | None = None
    genetic_data: Annotated[tuple[str, ...], Strict(False)] = ()
    clinical_data: Annotated[tuple[str, ...], Strict(False)] = ()
    subjects: str | None = None
    storage: str | None = None
    subjects_identified_by: str | None = None
    phenotypes_linked_to: str | None = None
    phenotype_form: Annotated[tuple[str, ...], Strict(False)] = ()
    data_quality: str | None = None
    legal_basis: str
    future_research: str
    benefit_of_others: str
    data_use: Annotated[tuple[dict[str, str], ...], Strict(False)] = ()
    until: str | None = None
    contact: Contact
    cases: str


class Catalogue(Value):
    """The answer to GET /api/collections."""

    collections: Annotated[tuple[CatalogueEntry, ...], Strict(False)]


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
