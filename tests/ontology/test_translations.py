"""HPO's files of translations are read as they are: quotes, line ends, machine translations and all."""

import gzip
from pathlib import Path

import pytest

from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.ontology.translations import Translation, TranslationsUnreadable, read_translations

BABELON = (
    "subject_id\tpredicate_id\ttranslation_value\ttranslation_status\r\n"
    "HP:0000252\trdfs:label\tMicrocefalia\tOFFICIAL\r\n"
    'HP:0000774\trdfs:label\tTórax "en campana"\tCANDIDATE\r\n'
    "HP:0000118\tIAO:0000115\tuna definición\tOFFICIAL\r\n"
    "HP:0000119\trdfs:label\tabnormality\tNOT_TRANSLATED\r\n"
    "HP:0000120\trdfs:label\t\tOFFICIAL\r\n"
    "\r\n"
)
SYNONYMS = (
    "subject_id\ttranslation_value\tcomment\n"
    "ID\tAL oboInOwl:hasExactSynonym@cs SPLIT=|\t\n"
    "HP:0000252\tMalá hlava| Mikro\xa0cefalie \tOFFICIAL\n"
    'HP:0000774\t"""Zvon"" hrudníku"\tCANDIDATE\n'
    "HP:0000775\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hp-es.babelon.tsv.gz").write_bytes(gzip.compress(BABELON.encode()))
    (tmp_path / "hp-cs.synonyms.tsv").write_text(SYNONYMS, encoding="utf-8")
    (tmp_path / "README.md").write_text("no translations", encoding="utf-8")
    return tmp_path


def test_labels_and_synonyms_are_read_and_machine_translations_marked(folder: Path) -> None:
    assert read_translations(folder) == (
        Translation("HP:0000252", "cs", "Malá hlava", label=False, machine=False),
        Translation("HP:0000252", "cs", "Mikro cefalie", label=False, machine=False),
        Translation("HP:0000774", "cs", '"Zvon" hrudníku', label=False, machine=True),
        Translation("HP:0000252", "es", "Microcefalia", label=True, machine=False),
        Translation("HP:0000774", "es", 'Tórax "en campana"', label=True, machine=True),
    )


@pytest.mark.parametrize("content", [b"", b"\x1f\x8brubbish", b"\xff\xfe", b"a\tb\n1\t2\n"])
def test_what_is_no_file_of_translations_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "hp-fr.babelon.tsv.gz").write_bytes(content)
    with pytest.raises(TranslationsUnreadable, match=r"hp-fr\.babelon"):
        read_translations(tmp_path)
    with pytest.raises(TranslationsUnreadable, match="missing"):
        read_translations(tmp_path / "missing")


def test_the_shipped_files_speak_seven_languages() -> None:
    told = read_translations(REFERENCE_DATA / "translations")
    assert {one.language for one in told} == {"cs", "de", "es", "fr", "it", "nl", "pt"}
    assert Translation("HP:0000252", "es", "Microcefalia", label=True, machine=False) in told
    machine = [one for one in told if one.language == "nl" and one.label and one.machine]
    assert len(machine) > 12_000, "most Dutch labels"
    assert not [one for one in told if "\r" in one.text or one.term == "ID" or not one.text]
