"""HPO is read through its compiled form, which is made again whenever it does not fit."""

import gzip
from pathlib import Path

import pytest

from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.load import OntologyUnreadable, load_ontology

SMALL = """format-version: 1.2
data-version: hp/releases/2025-01-01
ontology: hp.obo

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
alt_id: HP:0000100
is_a: HP:0000001 ! All

[Term]
id: HP:0000200
name: obsolete One
is_obsolete: true
replaced_by: HP:0000118

[Term]
id: HP:0000300
name: obsolete Many
is_obsolete: true
replaced_by: HP:0000118
replaced_by: HP:0000001
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "hp.obo"
    path.write_text(SMALL, encoding="utf-8")
    return path


def same(one: Ontology, other: Ontology) -> bool:
    return (one.version, one.terms(), one.aliases) == (other.version, other.terms(), other.aliases)


def test_alternative_and_replaced_ids_are_aliases(source: Path) -> None:
    ontology = load_ontology(source)
    assert ontology.version == "2025-01-01"
    assert ontology.aliases == {"HP:0000100": "HP:0000118", "HP:0000200": "HP:0000118"}
    assert "HP:0000300" not in ontology, "two terms took its place: nobody can say which is meant"


def test_the_compiled_form_is_the_ontology(source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = load_ontology(source, cache)
    assert [path.name.startswith("hpo-") for path in cache.iterdir()] == [True]
    assert same(load_ontology(source, cache), first)


def test_a_changed_source_is_read_anew(source: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    load_ontology(source, cache)
    source.write_text(SMALL.replace("name: All", "name: Everything"), encoding="utf-8")
    assert load_ontology(source, cache).label("HP:0000001") == "Everything"


@pytest.mark.parametrize(
    "damage", [b"", b"rubbish", gzip.compress(b"[]", mtime=0), gzip.compress(b'{"format": 0}', mtime=0)]
)
def test_a_damaged_compiled_form_is_made_again(source: Path, tmp_path: Path, damage: bytes) -> None:
    cache = tmp_path / "cache"
    first = load_ontology(source, cache)
    (compiled,) = cache.iterdir()
    compiled.write_bytes(damage)
    assert same(load_ontology(source, cache), first)
    assert compiled.read_bytes() != damage


def test_a_cache_that_cannot_be_written_is_done_without(source: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    assert len(load_ontology(source, blocked / "cache")) == 2


@pytest.mark.parametrize("content", ["", "no ontology at all", "[Term]\nid: HP:0000001\nis_a: HP:0000002\n"])
def test_what_is_no_ontology_is_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.obo"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(OntologyUnreadable, match=r"bad\.obo"):
        load_ontology(path)
    with pytest.raises(OntologyUnreadable, match="cannot be read"):
        load_ontology(tmp_path / "missing.obo")


def test_hpo_has_all_its_terms(real_knowledge: Knowledge) -> None:
    ontology = real_knowledge.ontology
    assert (REFERENCE_DATA / "hp.obo.gz").is_file()
    assert (len(ontology), ontology.version) == (19_177, "2025-05-06")
    assert ontology.label("HP:0000252") == "Microcephaly"
    assert ontology.canonical("HP:0004715") == "HP:0000003", "an alt_id"
