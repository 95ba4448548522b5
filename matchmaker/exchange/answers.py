"""Hits -> what an asker is shown: results, each cut to what others may see, with its reasons in words."""

from collections.abc import Iterable, Mapping

from matchmaker.matching import phenotype
from matchmaker.matching.explanation import Reasons, explain
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


def results(
    profile: Profile, hits: Iterable[Hit], cases: Mapping[str, Case], asker: Client, knowledge: Knowledge
) -> tuple[MatchResult, ...]:
    """Return the results for hits whose case is still there, in their order. The asker's own cases keep its ids."""
    return tuple(
        MatchResult(
            score=MatchScore(patient=hit.score.value),
            patient=_shown(cases[hit.key], asker, knowledge),
            parts=score_parts(hit.score, knowledge),
            explanation=explanation(profile, hit.profile, knowledge),
        )
        for hit in hits
        if hit.key in cases
    )


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
    """Return `_explanation`: what two cases share, in words."""
    reasons = explain(query, case, knowledge.ontology, knowledge.information)
    return Explanation(
        shared_terms=tuple(_shared(reason.term, reason.weight, knowledge) for reason in reasons.shared),
        related_terms=_related(reasons, knowledge),
        shared_genes=tuple(
            SharedGene(id=shared.gene.shown_id, symbol=shared.gene.symbol, same_variant=shared.same_variant)
            for shared in reasons.genes
        ),
        notes=query.notes,
    )


def _shared(term: int, weight: int, knowledge: Knowledge) -> SharedTerm:
    shown = _term(term, knowledge)
    return SharedTerm(id=shown.id, label=shown.label, weight=weight)


def _related(reasons: Reasons, knowledge: Knowledge) -> tuple[RelatedTerms, ...]:
    return tuple(
        RelatedTerms(
            query=_term(reason.query, knowledge),
            match=_term(reason.case, knowledge),
            through=_term(reason.through, knowledge),
            weight=reason.weight,
        )
        for reason in reasons.related
    )


def _term(number: int, knowledge: Knowledge) -> ShownTerm:
    term_id = knowledge.ontology.ids[number]
    return ShownTerm(id=term_id, label=knowledge.ontology.label(term_id))
