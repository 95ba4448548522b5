"""Similarity of two sets of observed terms: one function a measure.

LSX, link strength with cross terms, is the measure that this node orders by: a sum over shared ancestors of what
each adds to its parents, plus the information of every stated term that the other case shows or implies.
The others are published measures, kept as references that benchmarks/quality holds LSX against; no node uses them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

from matchmaker.matching.profile import Profile
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.information import SCALE, Information

NAME = "LSX"
VERSION = "1"
EXPONENT = 0.3


@dataclass(frozen=True, slots=True)
class Similarity:
    """`shared` is I(q, c) in 1/1024 nat; `raw` orders results, `cosine` is in [0, 1] and 1 for the same terms."""

    shared: int
    raw: float
    cosine: float


def norm(self_information: int) -> float:
    """Return b^0.3, b in nat: each case's part of the denominator of the raw value."""
    return float((self_information / SCALE) ** EXPONENT)


def shared_information(query: Profile, case: Profile, weights: Information) -> int:
    """Return I(q, c) = sum of L over cl(q) and cl(c) + sum of IC over q in cl(c) + sum of IC over c in cl(q).

    In 1/1024 nat. Symmetric; 0 where nothing below phenotypic abnormality is shared.
    """
    return sum(weight for _, weight in summands(query, case, weights))


def summands(query: Profile, case: Profile, weights: Information) -> Iterator[tuple[int, int]]:
    """Yield (term, weight): every summand of I(q, c) belongs to one term, which is the explanation."""
    for term in query.closure & case.closure:
        stated = (term in query.observed) + (term in case.observed)
        if weight := weights.link[term] + stated * weights.content[term]:
            yield term, weight


def lsx(query: Profile, case: Profile, weights: Information) -> Similarity:
    """Compare two profiles by LSX: I / (b(q) b(c))^0.3, b(x) = I(x, x).

    A case that states many ancestors of one term can share more than the other's whole self-information. I is
    therefore counted into the denominator where it is larger than b: the cosine then stays within [0, 1], and
    evidence added to both cases never lowers the raw value. (It may lower the cosine a little: where a term was
    implied before by one case and is now stated, that case's b grows by twice what is newly shared.) Edge: nothing
    shared is 0.
    """
    shared = shared_information(query, case, weights)
    return similarity(shared, query.self_information, case.self_information)


def similarity(shared: int, query_information: int, case_information: int) -> Similarity:
    """Return the LSX values for I, b(q) and b(c), all in 1/1024 nat."""
    if not shared:
        return Similarity(0, 0.0, 0.0)
    b_query, b_case = max(query_information, shared), max(case_information, shared)
    raw = (shared / SCALE) / (norm(b_query) * norm(b_case))
    return Similarity(shared, raw, shared / (b_query * b_case) ** 0.5)


TermSimilarity = Callable[[int, int], float]


def simgic(query: Profile, case: Profile, content: Mapping[int, float]) -> float:
    """Return simGIC: the information of the common ancestors over that of all ancestors, in [0, 1].

    Source: Pesquita et al. 2008, doi:10.1186/1471-2105-9-S5-S4. As patientMatcher computes it, `content` is minus the
    logarithm of a term's share of all disease annotations (`annotation_content`). Edge: no ancestors at all is 0.
    """
    shared = sum(content.get(term, 0.0) for term in query.closure & case.closure)
    total = sum(content.get(term, 0.0) for term in query.closure | case.closure)
    return shared / total if total else 0.0


def best_match_average(query: Profile, case: Profile, alike: TermSimilarity) -> float:
    """Return the mean of both directions' means of each term's best match. Edge: a case without terms is 0.

    Source: Pesquita et al. 2008, doi:10.1186/1471-2105-9-S5-S4.
    """
    return weighted_best_match_average(query, case, alike, lambda _term: 1.0)


def weighted_best_match_average(
    query: Profile, case: Profile, alike: TermSimilarity, weight: Callable[[int], float]
) -> float:
    """As best_match_average, each term's best match weighted, for instance by its information content."""
    if not query.observed or not case.observed:
        return 0.0
    there = _best_matches(query.observed, case.observed, alike, weight)
    back = _best_matches(case.observed, query.observed, alike, weight)
    return (there + back) / 2


def _best_matches(
    terms: frozenset[int], others: frozenset[int], alike: TermSimilarity, weight: Callable[[int], float]
) -> float:
    total = sum(weight(term) for term in terms)
    return sum(weight(term) * max(alike(term, other) for other in others) for term in terms) / total if total else 0.0


def common_content(one: int, other: int, ontology: Ontology, content: Sequence[float]) -> float:
    """Return the information content of the most informative common ancestor.

    Source: Resnik 1995, IJCAI 448-453, doi:10.48550/arXiv.cmp-lg/9511007.
    """
    return max((content[term] for term in ontology.ancestors(one) & ontology.ancestors(other)), default=0.0)


def lin(one: int, other: int, ontology: Ontology, content: Sequence[float]) -> float:
    """Return 2 IC(common) / (IC(one) + IC(other)), in [0, 1].

    Source: Lin 1998, ICML 296-304, dl.acm.org/doi/10.5555/645527.657297. Edge: both tell nothing, 0/0: we say 0.
    """
    total = content[one] + content[other]
    return 2 * common_content(one, other, ontology, content) / total if total else 0.0


def phenodigm(one: int, other: int, ontology: Ontology, content: Sequence[float]) -> float:
    """Return the geometric mean of IC(common) and the Jaccard index of both terms' ancestors.

    Source: Smedley et al. 2013, doi:10.1093/database/bat025.
    """
    mine, theirs = ontology.ancestors(one), ontology.ancestors(other)
    jaccard = len(mine & theirs) / len(mine | theirs)
    return sqrt(common_content(one, other, ontology, content) * jaccard)


def jiang_conrath(one: int, other: int, ontology: Ontology, content: Sequence[float]) -> float:
    """Return 1 / (1 + IC(one) + IC(other) - 2 IC(common)), in (0, 1].

    Source: Jiang and Conrath 1997, ROCLING 19-33, doi:10.48550/arXiv.cmp-lg/9709008, their distance as a similarity.
    """
    return 1 / (1 + content[one] + content[other] - 2 * common_content(one, other, ontology, content))
