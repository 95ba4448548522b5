"""What a term tells: more, the rarer it is; what a link adds, only beyond the parents."""

import math
from pathlib import Path

import pytest

from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.information import (
    SCALE,
    Frequencies,
    FrequenciesUnreadable,
    count_terms,
    disease_frequencies,
    information,
    read_frequencies,
    write_frequencies,
)
from tests.tiny_world import COUNTS, tiny_ontology


def test_content_is_minus_the_logarithm_of_the_mean_frequency() -> None:
    ontology = tiny_ontology()
    other = Frequencies("b", 10, {"HP:0000252": 1})
    weights = information(ontology, {"a": Frequencies("a", 100, COUNTS), "b": other})
    number = ontology.number("HP:0000252")
    assert number is not None
    expected = -math.log((8.5 / 100.5 + 1.5 / 10.5) / 2)
    assert weights.content[number] == round(SCALE * expected)
    assert weights.versions == {"a": "a", "b": "b"}


def test_a_term_tells_at_least_what_its_parents_tell(real_knowledge: Knowledge) -> None:
    ontology, weights = real_knowledge.ontology, real_knowledge.information
    for number in range(len(ontology)):
        for parent in ontology.parents(number):
            assert weights.content[number] >= weights.content[parent]
        highest = max((weights.content[parent] for parent in ontology.parents(number)), default=0)
        assert weights.link[number] == weights.content[number] - highest


def test_outside_phenotypic_abnormality_nothing_is_told(tiny: Knowledge) -> None:
    for term in ("HP:0000001", "HP:0000118", "HP:0000005"):
        number = tiny.ontology.number(term)
        assert number is not None
        assert (tiny.information.content[number], tiny.information.link[number]) == (0, 0)


def test_counting_includes_ancestors_once_and_leaves_unknown_terms_out() -> None:
    counted = count_terms(tiny_ontology(), [["HP:0002373", "HP:0001250"], ["HP:7777777"], ["HP:0009999"]], "v")
    assert counted.total == 2
    assert counted.counts["HP:0000707"] == 2
    assert counted.counts["HP:0001250"] == 1
    assert "HP:7777777" not in counted.counts


def test_a_table_of_frequencies_is_read_as_written_and_always_the_same_bytes(tmp_path: Path) -> None:
    table, path, again = Frequencies("v", 3, {"HP:0000252": 2, "HP:0000118": 3}), tmp_path / "a.gz", tmp_path / "b.gz"
    write_frequencies(table, path)
    write_frequencies(table, again)
    assert read_frequencies(path) == table
    assert path.read_bytes() == again.read_bytes()


def test_negated_annotations_are_not_counted(tmp_path: Path) -> None:
    row = "OMIM:1\tname\t{}\t{}\tPMID:1\tPCS\t\t\t\t\tP\tx"
    path = tmp_path / "phenotype.hpoa"
    lines = ["#version: 2025-01-01", "database_id\tx", row.format("", "HP:0000252"), row.format("NOT", "HP:0001250")]
    path.write_text("\n".join(lines), encoding="utf-8")
    cache = tmp_path / "cache"
    counted = disease_frequencies(tiny_ontology(), path, cache)
    assert (counted.version, counted.total) == ("2025-01-01", 1)
    assert "HP:0001250" not in counted.counts
    assert disease_frequencies(tiny_ontology(), path, cache) == counted, "from the cache"


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x1f\x8brubbish", b"HP:0000001\tmany"])
def test_what_is_no_table_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content)
    with pytest.raises(FrequenciesUnreadable, match="bad"):
        read_frequencies(path)
    with pytest.raises(FrequenciesUnreadable, match="bad"):
        disease_frequencies(tiny_ontology(), path)
