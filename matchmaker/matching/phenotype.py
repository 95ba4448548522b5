"""Similarity of two sets of observed terms.

LSX, link strength with cross terms, is the measure that this node orders by: a sum over shared ancestors of what
each adds to its parents, plus the information of every stated term that the other case shows or implies.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from matchmaker.matching.profile import Profile
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
    evidence added to both cases never lowers the value. Edge: nothing shared is 0.
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
