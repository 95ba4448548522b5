"""All measures over all cases at once, in numpy. tests/benchmarks holds them to matching/phenotype.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.phenotype import EXPONENT
from matchmaker.matching.profile import Knowledge, Profile

Floats = NDArray[np.float64]
Measure = Callable[[Profile], Floats]  # a query -> its similarity to every case


@dataclass(frozen=True)
class Cases:
    """The cases as incidence matrices over the terms that occur: `stated`, `implied`, cases x terms, 0 or 1."""

    terms: NDArray[np.int64]
    stated: Floats
    implied: Floats

    @classmethod
    def of(cls, profiles: Sequence[Profile]) -> "Cases":
        """Build from profiles."""
        terms = np.array(sorted(set().union(*(profile.closure for profile in profiles))))
        place = {term: n for n, term in enumerate(terms.tolist())}
        stated = np.zeros((len(profiles), len(terms)))
        implied = np.zeros_like(stated)
        for row, profile in enumerate(profiles):
            stated[row, [place[term] for term in profile.observed]] = 1
            implied[row, [place[term] for term in profile.closure]] = 1
        return cls(terms, stated, implied)

    def has(self, terms: frozenset[int]) -> Floats:
        """Return 0 or 1 for each term of the cases: whether it is among `terms`."""
        return np.isin(self.terms, list(terms)).astype(float)


def lsx(cases: Cases, knowledge: Knowledge) -> Measure:
    """LSX, as the node orders by it."""
    link = np.array(knowledge.information.link)[cases.terms] / 1024
    content = np.array(knowledge.information.content)[cases.terms] / 1024
    own = cases.implied @ link + 2 * cases.stated @ content

    def measure(query: Profile) -> Floats:
        stated, implied = cases.has(query.observed), cases.has(query.closure)
        shared = cases.implied @ (link * implied + content * stated) + cases.stated @ (content * implied)
        mine = np.maximum(query.self_information / 1024, shared)
        norm = (mine * np.maximum(own, shared)) ** EXPONENT
        value: Floats = np.divide(shared, norm, out=np.zeros(len(own)), where=shared > 0)
        return value

    return measure


def jaccard(cases: Cases, _knowledge: Knowledge) -> Measure:
    """Jaccard of the stated terms, without any ontology."""
    count = cases.stated.sum(axis=1)

    def measure(query: Profile) -> Floats:
        shared = cases.stated @ cases.has(query.observed)
        value: Floats = shared / (len(query.observed) + count - shared)
        return value

    return measure


def simgic(cases: Cases, content: Mapping[int, float]) -> Measure:
    """SimGIC as patientMatcher computes it."""
    weights = np.array([content.get(term, 0.0) for term in cases.terms.tolist()])
    own = cases.implied @ weights

    def measure(query: Profile) -> Floats:
        mine = sum(content.get(term, 0.0) for term in query.closure)
        shared = cases.implied @ (weights * cases.has(query.closure))
        total = mine + own - shared
        value: Floats = np.divide(shared, total, out=np.zeros(len(own)), where=total > 0)
        return value

    return measure


class TermPairs:
    """For any two stated terms: the information of their best common ancestor, and the Jaccard of their ancestors."""

    def __init__(self, profiles: Sequence[Profile], knowledge: Knowledge) -> None:
        ontology = knowledge.ontology
        self.terms = np.array(sorted(set().union(*(profile.observed for profile in profiles))))
        self.place = {term: n for n, term in enumerate(self.terms.tolist())}
        self.content = np.array(knowledge.information.content)[self.terms] / 1024
        below: dict[int, list[int]] = {}
        for n, term in enumerate(self.terms.tolist()):
            for ancestor in ontology.ancestors(term):
                below.setdefault(ancestor, []).append(n)
        count = len(self.terms)
        self.common = np.zeros((count, count))
        both = np.zeros((count, count), dtype=np.int16)
        for ancestor in sorted(below, key=lambda term: knowledge.information.content[term]):
            block = np.ix_(below[ancestor], below[ancestor])
            self.common[block] = knowledge.information.content[ancestor] / 1024  # the last written tells the most
            both[block] += 1
        depth = np.diag(both)
        self.jaccard = both / (depth[:, None] + depth[None, :] - both)

    def rows(self, profile: Profile) -> list[int]:
        """Return the places of a profile's stated terms."""
        return [self.place[term] for term in sorted(profile.observed)]


def best_match_average(
    pairs: TermPairs, profiles: Sequence[Profile], alike: Floats, weights: Floats | None = None
) -> Measure:
    """Best-match average of a matrix of term similarities, both directions; each term weighted, 1 when None."""
    weight = np.ones(len(pairs.terms)) if weights is None else weights
    places = [pairs.rows(profile) for profile in profiles]
    together = np.concatenate([np.array(rows) for rows in places])
    starts = np.concatenate([[0], np.cumsum([len(rows) for rows in places])[:-1]])
    total = np.add.reduceat(weight[together], starts)

    def measure(query: Profile) -> Floats:
        rows = pairs.rows(query)
        found = alike[rows][:, together]
        there = (weight[rows, None] * np.maximum.reduceat(found, starts, axis=1)).sum(axis=0) / weight[rows].sum()
        back = np.add.reduceat(found.max(axis=0) * weight[together], starts) / total
        result: Floats = (there + back) / 2
        return result

    return measure


def references(
    cases: Cases,
    profiles: Sequence[Profile],
    queries: Sequence[Profile],
    knowledge: Knowledge,
    annotated: Mapping[int, float],
) -> dict[str, Measure]:
    """Return every published measure over the cases, by its name."""
    pairs = TermPairs([*profiles, *queries], knowledge)
    total = pairs.content[:, None] + pairs.content[None, :]
    lin = np.divide(2 * pairs.common, total, out=np.zeros_like(total), where=total > 0)
    return {
        "simGIC, as in patientMatcher": simgic(cases, annotated),
        "Resnik, best-match average": best_match_average(pairs, profiles, pairs.common),
        "Lin, best-match average": best_match_average(pairs, profiles, lin),
        "PhenoDigm, best-match average": best_match_average(pairs, profiles, np.sqrt(pairs.common * pairs.jaccard)),
        "Jaccard, no ontology": jaccard(cases, knowledge),
        "Jiang-Conrath, IC-weighted": best_match_average(
            pairs, profiles, 1 / (1 + total - 2 * pairs.common), pairs.content
        ),
    }
