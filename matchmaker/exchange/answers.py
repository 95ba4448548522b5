"""Hits -> what an asker is shown: results, each cut to what others may see, with its reasons in words."""

from collections.abc import Iterable
from dataclasses import dataclass

from matchmaker.matching import phenotype
from matchmaker.matching.explanation import Related, explain
from matchmaker.matching.index import Hit
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.matching.score import Score
from matchmaker.mme.messages import (
    Explanation,
    MatchResult,
    MatchScore,
    RelatedTerms,
    ScoreParts,
    SharedGene,
    SharedTerm,
    ShownTerm,
)
from matchmaker.mme.patient import Patient
from matchmaker.policy.consent import outward, owns
from matchmaker.records.case import Case
from matchmaker.records.party import Client

MOST_BYTES = 1_000_000  # of results in one answer; our own nodes cut at 2 MiB, others may sooner


@dataclass(frozen=True, slots=True)
class Answer:
    """Results, and the keys of the genes that they share with the query."""

    results: tuple[MatchResult, ...]
    genes: tuple[str, ...]


def results(profile: Profile, hits: Iterable[tuple[Hit, Case]], asker: Client, knowledge: Knowledge) -> Answer:
    """Return the results for hits, in their order, as far as one answer holds them.

    The asker's own cases keep its ids. Nodes cut an answer that is too long and then have nothing: so where space
    runs out, explanations go first, then the results from there on.
    """
    shown: list[MatchResult] = []
    genes: set[str] = set()
    left = MOST_BYTES
    for hit, case in hits:
        if case.patient is None:
            continue
        found = knowledge.profile(case.patient)
        result = MatchResult(
            score=MatchScore(patient=hit.score.value),
            patient=_shown(case, asker, knowledge),
            parts=score_parts(hit.score, knowledge),
            explanation=explanation(profile, found, knowledge),
        )
        size = _size(result)
        if size > left:
            result = result.model_copy(update={"explanation": None})
            size = _size(result)
        if size > left:
            break
        left -= size
        shown.append(result)
        genes |= profile.genes.keys() & found.genes.keys()
    return Answer(tuple(shown), tuple(sorted(genes)))


def _size(result: MatchResult) -> int:
    """Return how many bytes a result takes in JSON, in UTF-8."""
    written = result.model_dump_json(by_alias=True, exclude_none=True)
    return len(written) if written.isascii() else len(written.encode("utf-8"))


def _shown(case: Case, asker: Client, knowledge: Knowledge) -> Patient:
    patient = outward(case, knowledge.genes)
    return patient.model_copy(update={"id": case.id}) if owns(asker, case.owner) else patient


def score_parts(score: Score, knowledge: Knowledge) -> ScoreParts:
    """Return `_score`: the parts, the measure, and the versions of the data."""
    return ScoreParts(
        phenotype=round(score.phenotype, 6),
        genotype=round(score.genotype, 6),
        raw=round(score.raw, 6),
        cosine=round(score.cosine, 6),
        measure=phenotype.NAME,
        version=phenotype.VERSION,
        data=knowledge.versions,
    )


def explanation(query: Profile, case: Profile, knowledge: Knowledge) -> Explanation:
    """Return `_explanation`: what two cases share, in words.

    Built without validation, as all of it is our own: an answer has hundreds of these values.
    """
    reasons = explain(query, case, knowledge.ontology, knowledge.information)
    return Explanation.model_construct(
        shared_terms=tuple(_shared(reason.term, reason.weight, knowledge) for reason in reasons.shared),
        related_terms=tuple(_related(reason, knowledge) for reason in reasons.related),
        shared_genes=tuple(
            SharedGene.model_construct(
                id=shared.gene.shown_id, symbol=shared.gene.symbol, same_variant=shared.same_variant
            )
            for shared in reasons.genes
        ),
        notes=query.notes,
    )


def _shared(term: int, weight: int, knowledge: Knowledge) -> SharedTerm:
    term_id = knowledge.ontology.ids[term]
    return SharedTerm.model_construct(id=term_id, label=knowledge.ontology.label(term_id), weight=weight)


def _related(reason: Related, knowledge: Knowledge) -> RelatedTerms:
    return RelatedTerms.model_construct(
        query=_term(reason.query, knowledge),
        match=_term(reason.case, knowledge),
        through=_term(reason.through, knowledge),
        weight=reason.weight,
    )


def _term(number: int, knowledge: Knowledge) -> ShownTerm:
    term_id = knowledge.ontology.ids[number]
    return ShownTerm.model_construct(id=term_id, label=knowledge.ontology.label(term_id))
