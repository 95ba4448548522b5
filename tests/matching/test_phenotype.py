"""LSX as in its formula, worked out by hand in the tiny world."""

import math
from itertools import product

import pytest

from matchmaker.matching.phenotype import lsx, shared_information
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.ontology.information import SCALE
from tests.tiny_world import COUNTS, TREE

SCORED = sorted(TREE.keys() - {"HP:0000001", "HP:0000118", "HP:0000005"})


def content(term: str) -> float:
    return -math.log((COUNTS[term] + 0.5) / 100.5)


def link(term: str) -> float:
    return content(term) - max(content(parent) for parent in TREE[term][1])


def up(terms: set[str]) -> set[str]:
    found = set(terms)
    for term in terms:
        found |= up({parent for parent in TREE[term][1] if parent in SCORED})
    return found & set(SCORED)


def by_hand(query: set[str], case: set[str]) -> float:
    """I(q, c), term by term as the formula has it."""
    shared = sum(link(term) for term in up(query) & up(case))
    return shared + sum(content(t) for t in query & up(case)) + sum(content(t) for t in case & up(query))


def profile(tiny: Knowledge, terms: set[str]) -> Profile:
    numbers = [number for term in terms if (number := tiny.ontology.number(term)) is not None]
    return tiny.profile_of_terms(numbers)


@pytest.mark.parametrize(("query", "case"), list(product(SCORED, SCORED)))
def test_shared_information_is_the_formula(tiny: Knowledge, query: str, case: str) -> None:
    q, c = {query, "HP:0001250"}, {case}
    found = shared_information(profile(tiny, q), profile(tiny, c), tiny.information) / SCALE
    assert found == pytest.approx(by_hand(q, c), abs=0.01)


def test_the_raw_value_divides_by_both_self_informations(tiny: Knowledge) -> None:
    q, c = {"HP:0000252", "HP:0001250"}, {"HP:0000252", "HP:0000504"}
    similar = lsx(profile(tiny, q), profile(tiny, c), tiny.information)
    expected = by_hand(q, c) / (by_hand(q, q) * by_hand(c, c)) ** 0.3
    assert similar.raw == pytest.approx(expected, rel=0.001)
    assert similar.cosine == pytest.approx(by_hand(q, c) / math.sqrt(by_hand(q, q) * by_hand(c, c)), rel=0.001)


def test_a_case_is_most_like_itself(tiny: Knowledge) -> None:
    same = profile(tiny, {"HP:0000252", "HP:0002373"})
    assert lsx(same, same, tiny.information).cosine == 1.0
    assert lsx(same, same, tiny.information).shared == same.self_information


def test_a_shared_root_tells_nothing(tiny: Knowledge) -> None:
    assert lsx(profile(tiny, {"HP:0001250"}), profile(tiny, {"HP:0000504"}), tiny.information).raw == 0.0
    assert lsx(profile(tiny, {"HP:0000118"}), profile(tiny, {"HP:0000118"}), tiny.information).raw == 0.0
    assert lsx(Profile(), Profile(), tiny.information).cosine == 0.0


def test_a_case_of_all_ancestors_is_not_more_like_a_term_than_the_term_itself(real_knowledge: Knowledge) -> None:
    """Without the bound in the denominator the cosine of these two would be 1.6."""
    ontology = real_knowledge.ontology
    leaf = ontology.number("HP:0500132")
    assert leaf is not None
    one = real_knowledge.profile_of_terms([leaf])
    chain = real_knowledge.profile_of_terms(ontology.ancestors(leaf) - {leaf})
    similar = lsx(one, chain, real_knowledge.information)
    assert similar.shared > one.self_information
    assert similar.cosine <= 1.0
