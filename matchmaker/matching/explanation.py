"""Why two cases are alike, for people: every summand of the score is told once, with the terms it came from."""

from collections.abc import Iterable
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


class Explainer:
    """Explains pairs of cases. Keeps, for every term that it met, its ancestors in order of what they tell."""

    def __init__(self, ontology: Ontology, weights: Information) -> None:
        self.ontology = ontology
        self._weights = weights
        self._ranked: dict[int, tuple[int, ...]] = {}

    def explain(self, query: Profile, case: Profile) -> Reasons:
        """Return the reasons, heaviest first. Ancestors are told with the most telling terms they stand behind."""
        ancestors, content = self.ontology.ancestors, self._weights.content
        left = dict(summands(query, case, self._weights))
        common = query.observed & case.observed
        shared = [Shared(term, _take(left, ancestors(term))) for term in self._telling(common)]
        nearest = ((through, _take(left, ancestors(through))) for through in self._telling(self._nearest(query, case)))
        below = _Below(query, self.ontology), _Below(case, self.ontology)
        related = [
            Related(below[0].of(through), below[1].of(through), through, weight)
            for through, weight in nearest
            if weight
        ]
        while left:  # ancestors that stand behind no term's nearest one
            through = max(left, key=lambda term: (content[term], term))
            weight = _take(left, ancestors(through))
            related.append(Related(below[0].of(through), below[1].of(through), through, weight))
        return Reasons(
            tuple(sorted(shared, key=lambda reason: (-reason.weight, reason.term))),
            tuple(sorted(related, key=lambda reason: (-reason.weight, reason.query, reason.case))),
            tuple(shared_genes(query, case)),
        )

    def _telling(self, terms: Iterable[int]) -> list[int]:
        """Return terms, the most telling first."""
        content = self._weights.content
        return sorted(terms, key=lambda term: (-content[term], term))

    def _nearest(self, query: Profile, case: Profile) -> set[int]:
        """Return for every term without its like the most telling ancestor that the other case has, too."""
        common = query.closure & case.closure
        found = set()
        for term in query.observed ^ case.observed:
            for ancestor in self._ranked.get(term) or self._rank(term):
                if ancestor in common:
                    found.add(ancestor)
                    break
        return found

    def _rank(self, term: int) -> tuple[int, ...]:
        content = self._weights.content
        above = sorted(self.ontology.ancestors(term), key=lambda one: (content[one], one), reverse=True)
        self._ranked[term] = tuple(above)
        return self._ranked[term]


class _Below:
    """Finds stated terms of a case that imply an ancestor."""

    def __init__(self, profile: Profile, ontology: Ontology) -> None:
        self._observed = profile.observed
        self._above = [(term, ontology.ancestors(term)) for term in sorted(profile.observed)]

    def of(self, ancestor: int) -> int:
        """Return a stated term that implies `ancestor`: itself, or else the first."""
        if ancestor in self._observed:
            return ancestor
        for term, above in self._above:
            if ancestor in above:
                return term
        raise LookupError(f"no stated term implies {ancestor}")


def _take(left: dict[int, int], terms: frozenset[int]) -> int:
    total = 0
    for term in terms:
        if term in left:
            total += left.pop(term)
    return total
