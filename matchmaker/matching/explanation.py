"""Why two cases are alike, for people: every summand of the score is told once, with the terms it came from."""

from dataclasses import dataclass

from matchmaker.matching.genotype import SharedGene, shared_genes
from matchmaker.matching.phenotype import summands
from matchmaker.matching.profile import Profile
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.information import Information


@dataclass(frozen=True, slots=True)
class Shared:
    """A term that both cases show, with all that it and its ancestors add to I(q, c), in 1/1024 nat."""

    term: int
    weight: int


@dataclass(frozen=True, slots=True)
class Related:
    """A term of the query and one of the case, alike `through` their most telling common ancestor."""

    query: int
    case: int
    through: int
    weight: int


@dataclass(frozen=True, slots=True)
class Reasons:
    """The weights of `shared` and `related` add up to I(q, c)."""

    shared: tuple[Shared, ...]
    related: tuple[Related, ...]
    genes: tuple[SharedGene, ...]


def explain(query: Profile, case: Profile, ontology: Ontology, weights: Information) -> Reasons:
    """Return the reasons, heaviest first. Ancestors are told with the most telling terms that they stand behind."""
    left = dict(summands(query, case, weights))
    common = sorted(query.observed & case.observed, key=lambda term: (-weights.content[term], term))
    shared = [Shared(term, _take(left, ontology.ancestors(term))) for term in common]
    related = [
        Related(*pair, _take(left, ontology.ancestors(pair[0]) & ontology.ancestors(pair[1])))
        for pair in _pairs(query, case, ontology, weights)
    ]
    while left:  # ancestors of other pairs than the nearest: the most telling first, each with a pair below it
        through = max(left, key=lambda term: (weights.content[term], term))
        pair = (_below(through, query, ontology), _below(through, case, ontology))
        related.append(Related(*pair, through, _take(left, ontology.ancestors(through))))
    return Reasons(
        tuple(sorted(shared, key=lambda reason: (-reason.weight, reason.term))),
        tuple(sorted((r for r in related if r.weight), key=lambda r: (-r.weight, r.query, r.case))),
        tuple(shared_genes(query, case)),
    )


def _pairs(query: Profile, case: Profile, ontology: Ontology, weights: Information) -> list[tuple[int, int, int]]:
    """Return (query term, case term, common ancestor) for every term without its like, most telling ancestor first."""
    found: set[tuple[int, int, int]] = set()
    for term in query.observed - case.observed:
        if best := _nearest(term, case.observed, ontology, weights):
            found.add((term, *best))
    for term in case.observed - query.observed:
        if best := _nearest(term, query.observed, ontology, weights):
            found.add((best[0], term, best[1]))
    return sorted(found, key=lambda pair: (-weights.content[pair[2]], pair))


def _nearest(term: int, others: frozenset[int], ontology: Ontology, weights: Information) -> tuple[int, int] | None:
    """Return (other term, common ancestor) with the most telling common ancestor; None where none tells anything."""
    best: tuple[int, int, int] | None = None
    for other in others:
        for ancestor in ontology.ancestors(term) & ontology.ancestors(other):
            candidate = (weights.content[ancestor], -other, ancestor)
            if candidate[0] and (best is None or candidate > best):
                best = candidate
    return (-best[1], best[2]) if best else None


def _below(ancestor: int, profile: Profile, ontology: Ontology) -> int:
    """Return the first of a profile's terms that imply `ancestor`."""
    return min(term for term in profile.observed if ancestor in ontology.ancestors(term))


def _take(left: dict[int, int], terms: frozenset[int]) -> int:
    return sum(left.pop(term) for term in terms & left.keys())
