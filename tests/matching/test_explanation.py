"""Every summand of a score is told once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.matching.explanation import Explainer
from matchmaker.matching.phenotype import shared_information
from matchmaker.matching.profile import Knowledge
from tests.tiny_world import TREE, tiny_knowledge

TINY = tiny_knowledge()
TERMS = st.sets(st.sampled_from(sorted(TREE)), max_size=6)


def numbers(knowledge: Knowledge, terms: set[str]) -> list[int]:
    return [number for term in terms if (number := knowledge.ontology.number(term)) is not None]


@settings(deadline=None)  # the first compiles
@given(TERMS, TERMS)
def test_the_weights_add_up_to_all_that_is_shared(query: set[str], case: set[str]) -> None:
    q, c = TINY.profile_of_terms(numbers(TINY, query)), TINY.profile_of_terms(numbers(TINY, case))
    reasons = Explainer(TINY.ontology, TINY.information).explain(q, c)
    told = sum(shared.weight for shared in reasons.shared) + sum(related.weight for related in reasons.related)
    assert told == shared_information(q, c, TINY.information)
    assert {reason.term for reason in reasons.shared} == q.observed & c.observed


def test_terms_are_related_through_their_most_telling_common_ancestor(tiny: Knowledge) -> None:
    q = tiny.profile_of_terms(numbers(tiny, {"HP:0002373"}))
    c = tiny.profile_of_terms(numbers(tiny, {"HP:0001250", "HP:0012443"}))
    (related,) = [r for r in Explainer(tiny.ontology, tiny.information).explain(q, c).related
                  if r.case == tiny.ontology.number("HP:0001250")]  # fmt: skip
    assert related.through == tiny.ontology.number("HP:0001250")


@settings(deadline=None)  # as above
@given(TERMS, TERMS, TERMS, TERMS)
def test_what_is_denied_is_no_reason(query: set[str], case: set[str], no_query: set[str], no_case: set[str]) -> None:
    q = TINY.profile_of_terms(numbers(TINY, query), numbers(TINY, no_query))
    c = TINY.profile_of_terms(numbers(TINY, case), numbers(TINY, no_case))
    reasons = Explainer(TINY.ontology, TINY.information).explain(q, c)
    told = sum(shared.weight for shared in reasons.shared) + sum(related.weight for related in reasons.related)
    assert told == shared_information(q, c, TINY.information)
    for related in reasons.related:
        assert related.through in TINY.ontology.ancestors(related.query) & TINY.ontology.ancestors(related.case)
        assert related.through in q.closure & c.closure
