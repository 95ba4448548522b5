"""The index finds exactly what scoring every case alone would find."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.genome.variants import VariantKey
from matchmaker.matching import index as index_module
from matchmaker.matching.blocks import BLOCK, block_of, masked_terms, rows_of
from matchmaker.matching.finding import Hit, Most
from matchmaker.matching.index import CaseIndex, TooManyGroups
from matchmaker.matching.kernels import raw_value
from matchmaker.matching.phenotype import norm, similarity
from matchmaker.matching.profile import CandidateGene, Knowledge, Profile
from matchmaker.matching.rows import OpenRows, Row, joined
from matchmaker.matching.score import Score, score
from tests.tiny_world import TREE, tiny_knowledge

TINY = tiny_knowledge()
NUMBERS = [number for term in sorted(TREE) if (number := TINY.ontology.number(term)) is not None]
VARIANTS = [
    VariantKey("GRCh38", "1", 5, 6, "A", "C"),
    VariantKey("GRCh38", "1", 5, 6, "A", "G"),
    VariantKey("GRCh38", "1", 100, 200, "", "<DEL>"),
    VariantKey("GRCh38", "1", 120, 220, "", "<DEL>"),
    VariantKey("GRCh38", "1", 150, 210, "", "<DEL>"),
    VariantKey("GRCh38", "1", 100, 200, "", "<DUP>"),
    VariantKey("GRCh38", "1", 100, 200, "", ""),
]


def new_index() -> CaseIndex:
    return CaseIndex(TINY.information, TINY.calibration)


def scored(query: Profile, case: Profile) -> Score:
    return score(query, case, TINY.information, TINY.calibration)


def with_genes(terms: set[int], genes: set[str]) -> Profile:
    candidates = {gene: CandidateGene(gene, gene, gene) for gene in genes}
    return replace(TINY.profile_of_terms(terms), genes=candidates)


def profile(
    terms: set[int], genes: list[tuple[str, set[VariantKey], int]], disorders: set[str], inheritance: int, onset: int
) -> Profile:
    candidates = {key: CandidateGene(key, key, key, frozenset(variants), n) for key, variants, n in genes}
    return replace(
        TINY.profile_of_terms(terms),
        genes=candidates, disorders=frozenset(disorders), inheritance=inheritance, onset=onset,
    )  # fmt: skip


GENE = st.tuples(st.sampled_from("ABC"), st.sets(st.sampled_from(VARIANTS), max_size=3), st.integers(0, 2))
PROFILES = st.builds(
    profile,
    st.sets(st.sampled_from(NUMBERS), max_size=5),
    st.lists(GENE, max_size=3),
    st.sets(st.sampled_from(["MIM:1", "MIM:2"]), max_size=2),
    st.integers(0, 5),
    st.integers(0, 7),
)
KEYS = st.integers(0, 9)
LEAST = st.sampled_from([0.0, 0.01, 0.3])
MOST = st.one_of(
    st.builds(Most.best, st.integers(1, 9), LEAST),
    st.builds(Most, st.integers(1, 9), st.integers(0, 4), st.integers(0, 4), LEAST, LEAST),
)
CHANGES = st.lists(st.tuples(KEYS, PROFILES | st.none(), st.sampled_from(["x", "y"])), max_size=20)


@dataclass
class EveryCaseAlone:
    """Brute force: the claim that the index is held to."""

    cases: dict[int, tuple[Profile, str]] = field(default_factory=dict)

    def search(self, query: Profile, most: Most, groups: set[str], leave_out: int) -> list[Hit]:
        found = [
            Hit(key, key + 1, scored(query, case), shares_gene=bool(query.genes.keys() & case.genes.keys()))
            for key, (case, group) in self.cases.items()
            if group in groups and key != leave_out
        ]
        found.sort(key=lambda hit: (-hit.score.value, hit.key))
        positive = [hit for hit in found if hit.score.value > 0]
        with_gene = [hit for hit in positive if hit.shares_gene and hit.score.value >= most.least_with_gene]
        without = [hit for hit in positive if not hit.shares_gene and hit.score.value >= most.least_without_gene]
        shown = {hit.key for hit in (*with_gene[: most.with_gene], *without[: most.without_gene])}
        return [hit for hit in found if hit.key in shown][: most.results]


@pytest.fixture(params=["all open", "sealed at once", "small blocks"])
def sizes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same world in blocks of several sizes, so that merges happen within a few changes."""
    if request.param != "all open":
        monkeypatch.setattr(index_module, "OPEN", 1 if request.param == "sealed at once" else 3)
        monkeypatch.setattr(index_module, "FAMILY", 2 if request.param == "sealed at once" else 3)


@pytest.mark.usefixtures("sizes")
def test_the_index_equals_brute_force_after_any_changes() -> None:
    @settings(max_examples=100, deadline=None)
    @given(
        st.lists(st.tuples(CHANGES, PROFILES), min_size=1, max_size=3),
        MOST,
        st.sets(st.sampled_from(["x", "y"])),
        KEYS,
    )
    def holds(
        rounds: list[tuple[list[tuple[int, Profile | None, str]], Profile]],
        most: Most,
        groups: set[str],
        leave_out: int,
    ) -> None:
        index, brute = new_index(), EveryCaseAlone()
        for changes, query in rounds:
            for key, case, group in changes:
                if case is None:
                    index.remove(key)
                    brute.cases.pop(key, None)
                else:
                    index.add(key, case, group, key + 1)
                    brute.cases[key] = (case, group)
            found = index.search(query, most, lambda group: group in groups, {leave_out})
            assert found == brute.search(query, most, groups, leave_out)
            assert len(index) == len(brute.cases)
            assert {key: index.version(key) for key in range(10)} == {
                key: key + 1 if key in brute.cases else None for key in range(10)
            }

    holds()


@settings(deadline=None)
@given(st.dictionaries(KEYS, PROFILES), PROFILES)
def test_an_index_filled_at_once_is_one_filled_case_by_case(cases: dict[int, Profile], query: Profile) -> None:
    at_once, one_by_one = new_index(), new_index()
    at_once.fill((key, case, "x", 0) for key, case in cases.items())
    for key, case in cases.items():
        one_by_one.add(key, case, "x")
    assert at_once.search(query, 9) == one_by_one.search(query, 9)


@settings(deadline=None)
@given(st.dictionaries(KEYS, st.tuples(PROFILES, st.sampled_from("xy"))), st.sets(KEYS), PROFILES)
def test_an_index_restored_from_its_blocks_is_the_same_and_holds_nothing_removed(
    cases: dict[int, tuple[Profile, str]], gone: set[int], query: Profile
) -> None:
    index = new_index()
    for key, (case, group) in cases.items():
        index.add(key, case, group)
    for key in gone:
        index.remove(key)
    blocks, groups = index.blocks()
    assert {int(key) for block in blocks for key in block.key} == cases.keys() - gone
    other = new_index()
    other.restore(blocks, groups)
    assert other.search(query, 9, lambda group: group == "x") == index.search(query, 9, lambda group: group == "x")
    assert len(other) == len(index)


@settings(deadline=None)
@given(st.lists(PROFILES, min_size=1, max_size=9))
def test_a_block_turned_back_is_what_it_was_made_of(cases: list[Profile]) -> None:
    bits = masked_terms(TINY.information)
    bits[bits > 2] = -1  # with terms on either side of the mask
    rows = OpenRows()
    for key, case in enumerate(cases):
        rows.add(Row.of(key, case, 1, 0))
    block = block_of(rows.frozen(), bits)
    again = block_of(joined([rows_of(block, bits)]), bits)
    for name in block.__dataclass_fields__:
        assert np.array_equal(np.sort(getattr(block, name), 0), np.sort(getattr(again, name), 0)), name


def test_many_removals_leave_an_index_that_still_finds_the_rest() -> None:
    index = new_index()
    same = with_genes({NUMBERS[-1]}, {"A"})
    for number in range(3_000):
        index.add(number, same, "x")
    for number in range(2_990):
        index.remove(number)
    assert [hit.key for hit in index.search(same, 3)] == [2990, 2991, 2992]
    assert sum(map(len, index.current())) < 100, "and does not keep the room that they took"


def test_an_empty_index_finds_nothing() -> None:
    assert new_index().search(with_genes({NUMBERS[-1]}, {"A"}), 5) == []


def test_the_figures_of_the_index_are_those_of_the_score_on_real_cases(real_knowledge: Knowledge) -> None:
    ids = real_knowledge.ontology.ids
    cases = [real_knowledge.profile_of_terms(range(start, len(ids), 997)) for start in range(200)]
    index = CaseIndex(real_knowledge.information, real_knowledge.calibration)
    for number, case in enumerate(cases):
        index.add(number, case, None)
    for query in cases[::10]:
        found = {hit.key: hit.score for hit in index.search(query, 200)}
        for number, case in enumerate(cases):
            expected = score(query, case, real_knowledge.information, real_knowledge.calibration)
            assert found.get(number, expected) == expected
            assert (number in found) == (expected.value > 0)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_compiled_raw_value_is_the_plain_one_to_the_last_bit(shared: int, mine: int, theirs: int) -> None:
    assert raw_value(shared, mine, norm(mine), theirs) == similarity(shared, mine, theirs).raw


def test_searches_beside_changes_see_every_case_that_stays(real_knowledge: Knowledge) -> None:
    terms = sorted(real_knowledge.ontology.abnormalities)
    query = real_knowledge.profile_of_terms(terms[100:110])
    index = CaseIndex(real_knowledge.information, real_knowledge.calibration, ThreadPoolExecutor(1).submit)
    index.fill((key, query, "stays", 0) for key in range(20))

    def search(_: int) -> list[int]:
        return [hit.key for hit in index.search(query, 20)]

    with ThreadPoolExecutor(2) as pool:
        searches = pool.map(search, range(300))
        for number in range(6_000):
            key = 100 + number % 2_500
            index.add(key, real_knowledge.profile_of_terms(terms[number % 900 + 200 : number % 900 + 205]), "goes")
            if number % 3 == 0:
                index.remove(key)
        assert all(found == list(range(20)) for found in searches)


def test_the_index_takes_cases_beyond_one_block(real_knowledge: Knowledge) -> None:
    terms = sorted(real_knowledge.ontology.abnormalities)
    shapes = [real_knowledge.profile_of_terms(terms[n * 7 : n * 7 + 6]) for n in range(1_000)]
    count = BLOCK + 5_000
    index = CaseIndex(real_knowledge.information, real_knowledge.calibration)
    index.fill((key, shapes[key % 1_000], key % 3, 0) for key in range(count))
    for shape in (3, 500, 999):
        hits = index.search(shapes[shape], 200, lambda group: group == 1)
        alike = [key for key in range(shape, count, 1_000) if key % 3 == 1]
        assert [hit.key for hit in hits[: len(alike)]] == alike


def test_two_cases_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="one key"):
        new_index().fill((7, with_genes({NUMBERS[-1]}, {"A"}), "x", 0) for _ in range(2))


def test_a_row_that_does_not_fit_changes_nothing() -> None:
    index, case = new_index(), with_genes({NUMBERS[-1]}, {"A"})
    index.add(1, case, "x", 5)
    with pytest.raises(OverflowError):
        index.add(1, replace(case, self_information=2**40), "x", 6)
    index.add(2, case, "x", 7)
    assert [(hit.key, hit.version) for hit in index.search(case, 5)] == [(1, 5), (2, 7)]


def test_of_many_equal_cases_those_of_the_lowest_keys_are_found(real_knowledge: Knowledge) -> None:
    """Equal raw values, far more than are asked for: the bound of a row must let through what equals the best."""
    terms = sorted(real_knowledge.ontology.abnormalities)
    same, other = (real_knowledge.profile_of_terms(terms[start : start + 9]) for start in (500, 4_000))
    index = CaseIndex(real_knowledge.information, real_knowledge.calibration)
    keys = np.random.default_rng(3).permutation(9_000).tolist()
    index.fill((key, same if key % 2 else other, key % 5, 0) for key in keys[:7_000])
    for key in keys[7_000:]:
        index.add(key, same if key % 2 else other, key % 5)
    hits = index.search(same, 25, lambda group: group != 3)
    assert [hit.key for hit in hits] == [key for key in range(9_000) if key % 2 and key % 5 != 3][:25]


def test_groups_that_are_empty_make_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_MOST_GROUPS", 6)
    monkeypatch.setattr(index_module, "OPEN", 3)
    index, alone = new_index(), with_genes({NUMBERS[-1]}, {"A"})
    for number in range(40):
        index.add(number % 5, alone, f"group {number}", number)
        latest = {f"group {n}" for n in range(max(0, number - 4), number + 1)}
        for group in [*latest, f"group {number - 5}"]:
            found = index.search(alone, 9, group.__eq__)
            assert len(found) == (group in latest), "each case stands in its own group"
    with pytest.raises(TooManyGroups):
        index.add(77, alone, "one too many")
    index.add(4, alone, "another", 1)
    assert index.version(4) == 1, "in the place of what it was"
