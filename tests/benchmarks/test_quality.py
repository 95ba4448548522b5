"""The quality benchmark measures what it says: its matrices equal the functions, and its ranks are ranks."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.quality import measures
from benchmarks.quality.ranking import interval, rank
from benchmarks.quality.task import MOST_OF_A_GENE, PublishedCase, drawn, noisy
from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.matching import phenotype
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.ontology.information import SCALE, annotation_content


@pytest.fixture(scope="module")
def profiles(real_knowledge: Knowledge) -> list[Profile]:
    scored = sorted(real_knowledge.ontology.abnormalities)
    return [real_knowledge.profile_of_terms(scored[start :: 2_003 + start]) for start in range(0, 150, 10)]


@pytest.fixture(scope="module")
def annotated(real_knowledge: Knowledge) -> dict[int, float]:
    return annotation_content(real_knowledge.ontology, REFERENCE_DATA / "phenotype.hpoa.gz")


def test_the_matrices_equal_the_functions(
    real_knowledge: Knowledge, profiles: list[Profile], annotated: dict[int, float]
) -> None:
    ontology, weights = real_knowledge.ontology, real_knowledge.information
    content = [value / SCALE for value in weights.content]

    def averaged(alike: object, query: Profile, case: Profile) -> float:
        return phenotype.best_match_average(query, case, lambda a, b: alike(a, b, ontology, content))  # type: ignore[operator]

    functions: dict[str, Callable[[Profile, Profile], float]] = {
        "LSX": lambda q, c: phenotype.lsx(q, c, weights).raw,
        "simGIC, as in patientMatcher": lambda q, c: phenotype.simgic(q, c, annotated),
        "Resnik, best-match average": lambda q, c: averaged(phenotype.common_content, q, c),
        "Lin, best-match average": lambda q, c: averaged(phenotype.lin, q, c),
        "PhenoDigm, best-match average": lambda q, c: averaged(phenotype.phenodigm, q, c),
        "Jiang-Conrath, IC-weighted": lambda q, c: phenotype.weighted_best_match_average(
            q, c, lambda a, b: phenotype.jiang_conrath(a, b, ontology, content), lambda term: content[term]
        ),
    }
    cases = measures.Cases.of(profiles)
    matrices = measures.references(cases, profiles, profiles, real_knowledge, annotated)
    matrices["LSX"] = measures.lsx(cases, real_knowledge)
    for name, function in functions.items():
        for query in profiles[::5]:
            assert matrices[name](query) == pytest.approx([function(query, case) for case in profiles]), name


def case(number: int, gene: str, publication: str) -> PublishedCase:
    return PublishedCase(f"case{number}", gene, publication, Profile(frozenset({number})))


def test_the_rank_is_that_of_the_first_relevant_case_of_another_publication() -> None:
    cases = [case(0, "A", "p"), case(1, "A", "p"), case(2, "B", "q"), case(3, "A", "r"), case(4, "C", "s")]
    values = {0: [9, 5, 7, 4, 8], 1: [1, 9, 0, 2, 3]}

    def measure(query: Profile) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        (number,) = query.observed
        return np.array(values.get(number, [0, 0, 0, 0, 0]), dtype=float)

    anywhere = rank(cases, cases, measure, other_publications=False)
    elsewhere = rank(cases, cases, measure, other_publications=True)
    assert anywhere.ranks.tolist()[:2] == [3, 2]
    assert elsewhere.ranks.tolist()[:2] == [3, 2]
    assert elsewhere.genes.tolist() == [0, 0, 0], "B and C have no relevant case, and are left out"


def test_the_interval_holds_the_mean_and_knows_that_queries_of_a_gene_are_not_independent() -> None:
    genes = np.arange(400) // 50
    values = np.random.default_rng(1).normal(50, 10, 8)[genes]
    mean, low, high = interval(values, genes)
    as_if_independent = interval(values, np.arange(400))
    assert low < mean < high
    assert high - low > 3 * (as_if_independent[2] - as_if_independent[1])


def test_at_most_ten_cases_of_a_gene_are_drawn_and_always_the_same() -> None:
    cases = [case(number, "AB"[number % 2], "p") for number in range(50)]
    assert len(drawn(cases)) == 2 * MOST_OF_A_GENE
    assert drawn(cases) == drawn(list(reversed(cases)))


def test_a_noisy_query_is_another_one_and_always_the_same(real_knowledge: Knowledge, profiles: list[Profile]) -> None:
    cases = [PublishedCase(str(n), "A", "p", profile) for n, profile in enumerate(profiles)]
    once = noisy(cases, real_knowledge)
    assert once == noisy(cases, real_knowledge)
    assert all(query.profile.observed != case.profile.observed for query, case in zip(once, cases, strict=True))
