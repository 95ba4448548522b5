"""Hits -> what an asker is shown: results, each cut to what others may see, with its reasons in words.

In the exchange's JSON from end to end: an answer has hundreds of small values, and most of a node's time would go into
making objects of them only to write them down again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from matchmaker.matching import phenotype
from matchmaker.matching.explanation import explain
from matchmaker.matching.finding import Hit
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.matching.score import Score
from matchmaker.mme.messages import Explanation
from matchmaker.policy.consent import outward_content, owns
from matchmaker.records.case import KeptCase
from matchmaker.records.party import Client

MOST_BYTES = 1_000_000  # of results in one answer; our own nodes cut at 2 MiB, others may sooner

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Results in JSON, each of them a whole MatchResult, and the keys of the genes that they share with the query."""

    results: tuple[bytes, ...]
    genes: tuple[str, ...]

    def body(self, told: Mapping[str, str]) -> bytes:
        """Return the body of a MatchResponse: the results, and what else is `told`."""
        rest = to_json(told)[1:-1]
        return b'{"results":[' + b",".join(self.results) + b"]" + (b"," + rest if rest else b"") + b"}"


def results(profile: Profile, hits: Iterable[tuple[Hit, KeptCase]], asker: Client, knowledge: Knowledge) -> Answer:
    """Return the results for hits, in their order, as far as one answer holds them.

    The asker's own cases keep its ids. Nodes cut an answer that is too long and then have nothing: so where space
    runs out, explanations go first, then the results from there on.
    """
    shown: list[bytes] = []
    genes: set[str] = set()
    left = MOST_BYTES
    versions = knowledge.versions
    for hit, case in hits:
        if case.content is None:
            continue
        found = knowledge.profile_of_content(case.content)
        result = {
            "score": {"patient": hit.score.value},
            "patient": _shown(case, asker, knowledge),
            "_score": score_parts(hit.score, versions),
            "_explanation": explanation_content(profile, found, knowledge),
        }
        written = to_json(result)
        if len(written) > left:
            written = to_json({name: part for name, part in result.items() if name != "_explanation"})
        if len(written) > left:
            break
        left -= len(written)
        shown.append(written)
        genes |= profile.genes.keys() & found.genes.keys()
    return Answer(tuple(shown), tuple(sorted(genes)))


def _shown(case: KeptCase, asker: Client, knowledge: Knowledge) -> Json:
    patient = outward_content(case, knowledge.genes)
    return {**patient, "id": case.id} if owns(asker, case.owner) else patient


def score_parts(score: Score, versions: Mapping[str, str]) -> Json:
    """Return `_score` (a ScoreParts): the parts, the measure, and the versions of the data."""
    return {
        "phenotype": round(score.phenotype, 6),
        "genotype": round(score.genotype, 6),
        "raw": round(score.raw, 6),
        "cosine": round(score.cosine, 6),
        "measure": phenotype.NAME,
        "version": phenotype.VERSION,
        "data": versions,
    }


def explanation(query: Profile, case: Profile, knowledge: Knowledge) -> Explanation:
    """Return `_explanation`: what two cases share, in words."""
    return Explanation.model_validate(explanation_content(query, case, knowledge))


def explanation_content(query: Profile, case: Profile, knowledge: Knowledge) -> Json:
    """Return `_explanation` in JSON."""
    reasons = explain(query, case, knowledge.ontology, knowledge.information)
    term = knowledge.ontology.shown
    genes = (
        ({"symbol": shared.gene.symbol} if shared.gene.symbol else {})
        | {"id": shared.gene.shown_id, "sameVariant": shared.same_variant}
        for shared in reasons.genes
    )
    return {
        "sharedTerms": [{**term(reason.term), "weight": reason.weight} for reason in reasons.shared],
        "relatedTerms": [
            {
                "query": term(reason.query),
                "match": term(reason.case),
                "through": term(reason.through),
                "weight": reason.weight,
            }
            for reason in reasons.related
        ],
        "sharedGenes": list(genes),
        "notes": query.notes,
    }
