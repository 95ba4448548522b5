"""What must always hold of a score, on the real ontology. Each test quotes the sentence that it checks."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from matchmaker.genome.variants import VariantKey
from matchmaker.matching.phenotype import lsx
from matchmaker.matching.profile import CandidateGene, Knowledge, Profile
from matchmaker.matching.score import score

pytestmark = pytest.mark.usefixtures("real_knowledge")
SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Terms are drawn as paths up from anywhere, so that ancestors and descendants of one another meet often: that is
# where a measure of sets is most easily wrong.
ANYWHERE = st.integers(0, 10**9)
TERM = st.tuples(ANYWHERE, st.integers(0, 6))
VARIANTS = [VariantKey("GRCh38", "1", start, start + 1, "A", "C") for start in range(2)]
GENE = st.tuples(st.sampled_from("ABC"), st.sets(st.sampled_from(VARIANTS)))
CASE = st.tuples(st.lists(TERM, max_size=8), st.lists(GENE, max_size=3))
Drawn = tuple[list[tuple[int, int]], list[tuple[str, set[VariantKey]]]]


def number(knowledge: Knowledge, drawn: tuple[int, int]) -> int:
    """A scored term: some steps up from anywhere."""
    scored = sorted(knowledge.ontology.abnormalities)
    term = scored[drawn[0] % len(scored)]
    for _ in range(drawn[1]):
        parents = [parent for parent in knowledge.ontology.parents(term) if parent in knowledge.ontology.abnormalities]
        term = parents[drawn[0] % len(parents)] if parents else term
    return term


def profile(knowledge: Knowledge, drawn: Drawn) -> Profile:
    terms = knowledge.profile_of_terms([number(knowledge, one) for one in drawn[0]])
    genes = {key: CandidateGene(key, key, key, frozenset(variants)) for key, variants in drawn[1]}
    return replace(terms, genes=genes)


@SETTINGS
@given(CASE, CASE)
def test_range(real_knowledge: Knowledge, one: Drawn, other: Drawn) -> None:
    """ "both combined in [0, 1]" """
    found = score(
        profile(real_knowledge, one),
        profile(real_knowledge, other),
        real_knowledge.information,
        real_knowledge.calibration,
    )
    assert 0.0 <= found.value <= 1.0
    assert 0.0 <= found.phenotype < 0.5
    assert 0.0 <= found.cosine <= 1.0 + 1e-12


@SETTINGS
@given(CASE, CASE)
def test_symmetry_of_the_raw_measure(real_knowledge: Knowledge, one: Drawn, other: Drawn) -> None:
    """ "symmetry of the raw measure" """
    a, b = profile(real_knowledge, one), profile(real_knowledge, other)
    assert lsx(a, b, real_knowledge.information) == lsx(b, a, real_knowledge.information)
    assert (
        score(a, b, real_knowledge.information, real_knowledge.calibration).value
        == score(b, a, real_knowledge.information, real_knowledge.calibration).value
    )


@SETTINGS
@given(CASE, CASE)
def test_nobody_is_more_alike_than_a_case_to_itself(real_knowledge: Knowledge, one: Drawn, other: Drawn) -> None:
    """Of the cosine: "is 1 for a case with itself"."""
    a, b = profile(real_knowledge, one), profile(real_knowledge, other)
    itself = lsx(a, a, real_knowledge.information)
    assert itself.cosine == pytest.approx(1.0 if a.observed else 0.0)
    assert lsx(a, b, real_knowledge.information).cosine <= itself.cosine + 1e-12


@SETTINGS
@given(CASE, CASE, TERM)
def test_a_term_added_to_both_never_lowers_the_score(
    real_knowledge: Knowledge, one: Drawn, other: Drawn, term: tuple[int, int]
) -> None:
    """ "adding shared evidence to both cases never lowers it" """
    before = score(
        profile(real_knowledge, one),
        profile(real_knowledge, other),
        real_knowledge.information,
        real_knowledge.calibration,
    )
    more, most = ([*one[0], term], one[1]), ([*other[0], term], other[1])
    after = score(
        profile(real_knowledge, more),
        profile(real_knowledge, most),
        real_knowledge.information,
        real_knowledge.calibration,
    )
    assert after.raw >= before.raw - 1e-9
    assert after.value >= before.value


@SETTINGS
@given(CASE, CASE, GENE)
def test_a_gene_added_to_both_never_lowers_the_score(
    real_knowledge: Knowledge, one: Drawn, other: Drawn, gene: tuple[str, set[VariantKey]]
) -> None:
    """ "adding shared evidence to both cases never lowers it" """
    assume(gene[0] not in {key for key, _ in one[1] + other[1]})
    before = score(
        profile(real_knowledge, one),
        profile(real_knowledge, other),
        real_knowledge.information,
        real_knowledge.calibration,
    )
    more, most = (one[0], [*one[1], gene]), (other[0], [*other[1], gene])
    after = score(
        profile(real_knowledge, more),
        profile(real_knowledge, most),
        real_knowledge.information,
        real_knowledge.calibration,
    )
    assert after.value >= before.value


@SETTINGS
@given(CASE, st.sampled_from(VARIANTS))
def test_the_same_phenotypes_gene_and_variant(real_knowledge: Knowledge, one: Drawn, variant: VariantKey) -> None:
    """ "the same phenotypes with the same gene and variant score above 0.95" """
    same = profile(real_knowledge, (one[0], [*one[1], ("D", {variant})]))
    assume(same.observed)
    assert score(same, same, real_knowledge.information, real_knowledge.calibration).value > 0.95


@SETTINGS
@given(CASE, CASE)
def test_nothing_shared(real_knowledge: Knowledge, one: Drawn, other: Drawn) -> None:
    """ "nothing shared scores 0" """
    a, b = profile(real_knowledge, one), profile(real_knowledge, other)
    found = score(a, b, real_knowledge.information, real_knowledge.calibration).value
    assert (found == 0) == (not a.closure & b.closure and not a.genes.keys() & b.genes.keys())
