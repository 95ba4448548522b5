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
    nearest = sorted(_nearest(query, case, ontology, weights), key=lambda term: (-weights.content[term], term))
    related = [_related(query, case, term, _take(left, ontology.ancestors(term)), ontology) for term in nearest]
    while left:  # ancestors that stand behind no term's nearest one
        through = max(left, key=lambda term: (weights.content[term], term))
        related.append(_related(query, case, through, _take(left, ontology.ancestors(through)), ontology))
    return Reasons(
        tuple(sorted(shared, key=lambda reason: (-reason.weight, reason.term))),
        tuple(sorted((r for r in related if r.weight), key=lambda r: (-r.weight, r.query, r.case))),
        tuple(shared_genes(query, case)),
    )


def _related(query: Profile, case: Profile, through: int, weight: int, ontology: Ontology) -> Related:
    return Related(_below(through, query, ontology), _below(through, case, ontology), through, weight)


def _below(ancestor: int, profile: Profile, ontology: Ontology) -> int:
    """Return a stated term that implies `ancestor`: itself, or else the first."""
    if ancestor in profile.observed:
        return ancestor
    return min(term for term in profile.observed if ancestor in ontology.ancestors(term))


def _nearest(query: Profile, case: Profile, ontology: Ontology, weights: Information) -> set[int]:
    """Return for every term without its like the most telling ancestor that the other case has, too."""
    common = query.closure & case.closure
    found = set()
    for term in query.observed ^ case.observed:
        if ancestors := ontology.ancestors(term) & common:
            found.add(max(ancestors, key=lambda ancestor: (weights.content[ancestor], ancestor)))
    return found


def _take(left: dict[int, int], terms: frozenset[int]) -> int:
    return sum(left.pop(term) for term in terms & left.keys())
