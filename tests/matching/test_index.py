"""The index finds exactly what scoring every case alone would find."""

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import CandidateGene, Knowledge, Profile
from matchmaker.matching.score import score
from tests.tiny_world import TREE, tiny_knowledge

TINY = tiny_knowledge()
NUMBERS = [number for term in sorted(TREE) if (number := TINY.ontology.number(term)) is not None]


def with_genes(terms: set[int], genes: set[str]) -> Profile:
    candidates = {gene: CandidateGene(gene, gene, gene) for gene in genes}
    return replace(TINY.profile_of_terms(terms), genes=candidates)


PROFILES = st.builds(with_genes, st.sets(st.sampled_from(NUMBERS), max_size=5), st.sets(st.sampled_from("ABC")))
KEYS = st.sampled_from([f"case{number}" for number in range(8)])
CHANGES = st.lists(st.tuples(KEYS, PROFILES | st.none(), st.sampled_from(["x", "y"])), max_size=20)


@dataclass
class EveryCaseAlone:
    """Brute force: the claim that the index is held to."""

    cases: dict[str, tuple[Profile, str]] = field(default_factory=dict)

    def search(self, query: Profile, k: int, groups: set[str], leave_out: str) -> list[tuple[str, float]]:
        scored = [
            (key, score(query, profile, TINY.information).value)
            for key, (profile, group) in self.cases.items()
            if group in groups and key != leave_out
        ]
        return sorted((one for one in scored if one[1] > 0), key=lambda one: (-one[1], one[0]))[:k]


@settings(max_examples=300)
@given(CHANGES, PROFILES, st.integers(1, 9), st.sets(st.sampled_from(["x", "y"])), KEYS)
def test_the_index_equals_brute_force_after_any_changes(
    changes: list[tuple[str, Profile | None, str]], query: Profile, k: int, groups: set[str], leave_out: str
) -> None:
    index, brute = CaseIndex(TINY.information), EveryCaseAlone()
    for key, profile, group in changes:
        if profile is None:
            index.remove(key)
            brute.cases.pop(key, None)
        else:
            index.add(key, profile, group)
            brute.cases[key] = (profile, group)
    found = index.search(query, k, lambda group: group in groups, frozenset({leave_out}))
    assert [(hit.key, hit.score.value) for hit in found] == brute.search(query, k, groups, leave_out)
    assert len(index) == len(brute.cases)


@given(st.dictionaries(KEYS, PROFILES), PROFILES)
def test_an_index_filled_at_once_is_one_filled_case_by_case(cases: dict[str, Profile], query: Profile) -> None:
    at_once, one_by_one = CaseIndex(TINY.information), CaseIndex(TINY.information)
    at_once.fill((key, profile, "x") for key, profile in cases.items())
    for key, profile in cases.items():
        one_by_one.add(key, profile, "x")
    assert at_once.search(query, 9) == one_by_one.search(query, 9)
    assert sorted(at_once.cases(), key=str) == sorted(one_by_one.cases(), key=str)


def test_many_removals_leave_an_index_that_still_finds_the_rest() -> None:
    index = CaseIndex(TINY.information)
    same = with_genes({NUMBERS[-1]}, {"A"})
    for number in range(3_000):
        index.add(f"{number:05}", same, "x")
    for number in range(2_990):
        index.remove(f"{number:05}")
    assert [hit.key for hit in index.search(same, 3)] == ["02990", "02991", "02992"]


def test_an_empty_index_finds_nothing(tiny: Knowledge) -> None:
    assert CaseIndex(tiny.information).search(with_genes({NUMBERS[-1]}, {"A"}), 5) == []


def test_the_numbers_of_the_index_are_those_of_the_score_on_real_cases(real_knowledge: Knowledge) -> None:
    ids = real_knowledge.ontology.ids
    cases = [real_knowledge.profile_of_terms(range(start, len(ids), 997)) for start in range(200)]
    index = CaseIndex(real_knowledge.information)
    for number, case in enumerate(cases):
        index.add(f"{number:03}", case, None)
    for query in cases[::10]:
        for hit in index.search(query, 200):
            assert hit.score == score(query, cases[int(hit.key)], real_knowledge.information)
        shared, evidence = index._shared(query), index._evidence(query)  # noqa: SLF001 - the figures by which it orders
        values = index._scores(query, shared, evidence)  # noqa: SLF001 - as above
        assert [score(query, case, real_knowledge.information).value for case in cases] == values.tolist()
