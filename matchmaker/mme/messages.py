"""What nodes say to each other: the query, the answer, the heartbeat, the metrics."""

from typing import Annotated, Any

from pydantic import Field, Strict

from matchmaker.mme.patient import Patient, Text, Value

Disclaimer = Annotated[str, Field(max_length=100_000)]


class MatchQuery(Value):
    """The body of POST /match (MME search-api, Search Request)."""

    patient: Patient
    disclaimer: Disclaimer | None = None
    terms: Disclaimer | None = None


class ShownTerm(Value):
    """A term by its current id, with its label where the ontology has one."""

    id: str
    label: str | None = None


class SharedTerm(ShownTerm):
    """A term that both cases show. `weight` is its part of the raw information, in 1/1024 nat."""

    weight: int = Field(description="its part of the information shared, with its ancestors', in 1/1024 nat")


class RelatedTerms(Value):
    """Two different terms, alike through a common ancestor; `weight` as in SharedTerm."""

    query: ShownTerm
    match: ShownTerm
    through: ShownTerm
    weight: int = Field(description="the pair's part of the information shared, in 1/1024 nat")


class SharedGene(Value):
    """A gene among the candidates of both cases. `same_variant`: a variant in it is the same, too."""

    id: str
    symbol: str | None = None
    same_variant: bool = False


class Explanation(Value):
    """Why two cases were found alike (`_explanation`)."""

    shared_terms: Annotated[tuple[SharedTerm, ...], Strict(False)] = ()
    related_terms: Annotated[tuple[RelatedTerms, ...], Strict(False)] = ()
    shared_genes: Annotated[tuple[SharedGene, ...], Strict(False)] = ()
    notes: Annotated[tuple[str, ...], Strict(False)] = ()


class ScoreParts(Value):
    """What a score is made of (`_score`): each part in [0, 1], `raw` without bound.

    `phenotype` and `genotype` are combined into `score.patient`; `cosine` is 1 for the same phenotypes.
    """

    phenotype: float = Field(description="alike by phenotype, in [0, 0.5]")
    genotype: float = Field(description="alike by genes and variants, in [0, 1]")
    raw: float = Field(description="the measure's own value, without bound; orders phenotypes")
    cosine: float = Field(description="in [0, 1], 1 for the same phenotypes")
    measure: str
    version: str
    data: dict[str, str]


class Treatment(Value):
    """What helped a patient: by name, by a code such as ATC:A16AX, or both."""

    name: Text | None = None
    code: Text | None = None


class Diagnosis(Value):
    """What a patient was found to have: a disorder's id, such as MIM:614923, its name, or both."""

    id: Text | None = None
    label: Annotated[str, Field(min_length=1, max_length=1_000)] | None = None


class Solved(Value):
    """What a solved case came to, told to the node whose case matched it where its owner agrees (`_solved`)."""

    diagnosis: Diagnosis | None = None
    helped: Annotated[tuple[Treatment, ...], Strict(False), Field(max_length=20)] = ()


class MatchScore(Value):
    """MME search-api, Results: how alike, in [0, 1]."""

    patient: Annotated[float, Field(ge=0, le=1, strict=True)]


class MatchResult(Value):
    """One match. Own additions begin with an underscore."""

    score: MatchScore
    patient: Patient
    parts: ScoreParts | None = Field(default=None, alias="_score")
    explanation: Explanation | None = Field(default=None, alias="_explanation")
    solved: Solved | None = Field(default=None, alias="_solved")


class MatchResponse(Value):
    """The answer to POST /match, best match first. `_notice` says why there is nothing in it, where a rule says so."""

    results: Annotated[tuple[MatchResult, ...], Strict(False)]
    disclaimer: Disclaimer | None = None
    terms: Disclaimer | None = None
    notice: str | None = Field(default=None, alias="_notice")


class HeartbeatBody(Value):
    """MME heartbeat-api: `accept` lists the media types that this node speaks."""

    production: bool
    version: str
    accept: Annotated[tuple[str, ...], Strict(False)]


class Heartbeat(Value):
    """The answer to GET /heartbeat."""

    heartbeat: HeartbeatBody
    disclaimer: Disclaimer | None = None
    terms: Disclaimer | None = None


class MetricsBody(Value):
    """MME metrics-api: counts of what is available for matching; with repeats, unless unique."""

    number_of_cases: int
    number_of_submitters: int
    number_of_genes: int
    number_of_unique_genes: int
    number_of_variants: int
    number_of_unique_variants: int
    number_of_features: int
    number_of_unique_features: int
    number_of_feature_sets: int
    number_of_unique_genes_matched: int
    number_of_cases_with_diagnosis: int
    number_of_requests_received: int
    number_of_potential_matches_sent: int
    date_generated: str


class Metrics(Value):
    """The answer to GET /metrics."""

    metrics: MetricsBody
    disclaimer: Disclaimer | None = None
    terms: Disclaimer | None = None


class ErrorBody(Value):
    """The body of every error: a human message, and each problem by its path."""

    message: str
    errors: Annotated[tuple[dict[str, Any], ...], Strict(False)] | None = None
