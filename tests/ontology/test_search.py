"""A term is found as a clinician types it, in English and in the clinician's language."""

import contextlib
import sqlite3
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.load import OntologyUnreadable, load_synonyms
from matchmaker.ontology.search import TermSearch, open_terms
from matchmaker.ontology.translations import TranslationsUnreadable
from matchmaker.ontology.wording import Vocabulary, stem, words
from tests.tiny_world import tiny_ontology

MICROCEPHALY = "HP:0000252"
Sources = tuple[Path, Path]


def ids(search: TermSearch, text: str, language: str = "en", limit: int = 12) -> list[str]:
    return [found.id for found in search.find(text, language, limit)]


@pytest.mark.parametrize(
    ("text", "language"),
    [("microcephaly", "en"), ("microcefalia", "es"), ("MICROCEFÁLIA", "es-MX"), ("microceph", "de"), ("small head", "en"),
     ("small  HEAD", "fr"), ("microcéphalie", "fr"), ("Mikrozephalie", "de"), ("microcefalie", "nl"),
     ("circumference head small", "en"), ("circumf hea sma", "es"), ("mala lebka", "cs")],
)  # fmt: skip
def test_a_name_finds_its_term_whatever_its_case_accents_and_order(terms: TermSearch, text: str, language: str) -> None:
    assert ids(terms, text, language)[0] == MICROCEPHALY


@pytest.mark.parametrize(
    "text", ["HP:0000252", "hp:0000252", "hp0000252", " HP_0000252 ", "0000252", "HP:252", "HP:0001366"]
)
def test_an_id_of_any_age_finds_its_term(terms: TermSearch, text: str) -> None:
    assert ids(terms, text) == [MICROCEPHALY]


@pytest.mark.parametrize("text", ["microcephally", "micrcephaly", "microcephyl", "mircocephaly", "nicrocephaly"])
def test_a_word_may_be_one_slip_away(terms: TermSearch, text: str) -> None:
    assert ids(terms, text)[0] == MICROCEPHALY


def test_a_hit_tells_its_labels_and_what_matched(terms: TermSearch) -> None:
    (found,) = terms.find("small head", "es", limit=1)
    assert (found.label, found.translated, found.machine) == ("Microcephaly", "Microcefalia", False)
    assert (found.said, found.language) == ("Small head", "en")
    (found,) = terms.find("microcefalie", "nl", limit=1)
    assert (found.translated, found.machine, found.language) == ("Microcefalie", True, "nl")


def test_labels_come_before_synonyms_and_short_ones_before_long(terms: TermSearch) -> None:
    found = terms.find("seiz", "en")
    assert found[0].said == "Seizure"
    assert len({one.id for one in found}) == len(found) == 12, "each term once"


def test_only_terms_below_phenotypic_abnormality_are_found(terms: TermSearch, real_knowledge: Knowledge) -> None:
    for text in ("HP:0000005", "HP:0000118", "autosomal dominant inheritance", "Phenotypic abnormality", "Sporadic"):
        assert not {"HP:0000005", "HP:0000118", "HP:0000006", "HP:0003745"} & set(ids(terms, text))
    below = {real_knowledge.ontology.ids[number] for number in real_knowledge.ontology.abnormalities}
    assert all(set(ids(terms, letter, "es", 50)) <= below for letter in "abcdefghijklmnopqrstuvwxyz")


def test_any_live_term_can_be_told_in_a_language(terms: TermSearch) -> None:
    assert terms.translated("HP:0001366", "es") == ("Microcefalia", False), "an old id"
    assert terms.translated("HP:0000005", "es-MX") is not None, "a mode of inheritance"
    assert terms.translated(MICROCEPHALY, "nl") == ("Microcefalie", True)
    for term, language in ((MICROCEPHALY, "en"), (MICROCEPHALY, "cs"), (MICROCEPHALY, "xx"), ("HP:9999999", "es")):
        assert terms.translated(term, language) is None
    assert terms.languages == ("en", "cs", "de", "es", "fr", "it", "nl", "pt")


def test_an_unknown_language_is_answered_in_english(terms: TermSearch) -> None:
    for language in ("xx", "", "en'; DROP TABLE names_en; --", "\x00"):
        assert terms.find("microcephaly", language) == terms.find("microcephaly", "en")
    assert terms.find("microcephaly", "en", limit=0) == []


@given(st.text(max_size=300), st.sampled_from(["en", "es", "fr"]))
@settings(max_examples=300, deadline=None)
@example('"', "en")
@example('microcephaly" OR *', "en")
@example("NEAR(a b, 2) AND NOT ^x:*", "es")
@example("\x00\ud800\u0301", "en")
@example("½ ᾧ ǅ ﬁ İ ß", "en")
@example("a " * 100, "es")
def test_nothing_that_is_typed_is_an_error(terms: TermSearch, text: str, language: str) -> None:
    assert len(ids(terms, text, language)) <= 12


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "a b " * 2_500, "....", "a", "abnor", "microcephalz zzzz", "c" * 24 + " " + "ab" * 12]
)
def test_no_search_runs_long(terms: TermSearch, text: str) -> None:
    terms.find(text, "es")  # the first one reads the words of a language
    times = []
    for _ in range(5):
        started = time.thread_time()
        terms.find(text, "es")
        times.append(time.thread_time() - started)
    assert min(times) < 0.05, "0.1 to 5 ms on an idle core"


def test_many_threads_may_search_at_once(terms: TermSearch) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: ids(terms, "microcef", "es"), range(64)))
    assert found == [ids(terms, "microcef", "es")] * 64


def test_a_second_label_is_a_synonym_and_an_unknown_term_is_left_out(sources: Sources, tmp_path: Path) -> None:
    search = open_terms(tiny_ontology(), *sources, tmp_path / "cache")
    assert search.languages == ("en", "es")
    assert search.translated(MICROCEPHALY, "es") == ("Microcefalia", True), "the old id's label does not count"
    (found,) = search.find("cabeza pequena", "es")
    assert (found.id, found.said, found.machine) == (MICROCEPHALY, "Cabeza pequeña", True)
    assert not search.find("de mañana", "es")


def test_synonyms_are_those_of_live_terms(sources: Sources) -> None:
    told = [(one.term, one.text, one.scope) for one in load_synonyms(sources[0], tiny_ontology())]
    assert told == [
        (MICROCEPHALY, 'Small "head"', "BROAD"), (MICROCEPHALY, "Microcephaly", "EXACT"), ("HP:0001250", "Seizures", "EXACT")
    ]  # fmt: skip


def test_the_file_is_built_once_and_anew_when_a_source_has_changed(sources: Sources, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    open_terms(tiny_ontology(), *sources, cache)
    (built,) = cache.iterdir()
    before = built.stat()
    assert ids(open_terms(tiny_ontology(), *sources, cache), "small head") == [MICROCEPHALY]
    assert built.stat() == before
    (sources[1] / "hp-de.babelon.tsv").write_text("subject_id\tpredicate_id\ttranslation_value\n", encoding="utf-8")
    open_terms(tiny_ontology(), *sources, cache)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"rubbish" * 1_000, "half", "no tables"])
def test_a_damaged_file_is_built_anew(sources: Sources, tmp_path: Path, damage: bytes | str) -> None:
    cache = tmp_path / "cache"
    open_terms(tiny_ontology(), *sources, cache)
    (built,) = cache.iterdir()
    content = built.read_bytes()
    if damage == "no tables":
        built.unlink()
        with contextlib.closing(sqlite3.connect(built)) as database:
            database.execute("CREATE TABLE other (x)")
    else:
        built.write_bytes(damage if isinstance(damage, bytes) else content[: len(content) // 2])
    assert ids(open_terms(tiny_ontology(), *sources, cache), "small head") == [MICROCEPHALY]
    assert built.read_bytes() == content, "the same bytes every time"


def test_a_cache_that_cannot_be_written_is_done_without(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    for cache in (tmp_path / "file" / "cache", None):
        assert ids(open_terms(tiny_ontology(), *sources, cache), "microcefalia", "es") == [MICROCEPHALY]


def open_and_find(sources: Sources, cache: Path) -> list[str]:
    return ids(open_terms(tiny_ontology(), *sources, cache), "seizures")


def test_two_processes_may_build_at_once(sources: Sources, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as processes:
        building = [processes.submit(open_and_find, sources, tmp_path / "cache") for _ in range(6)]
        assert [one.result() for one in building] == [["HP:0001250"]] * 6
    assert len(list((tmp_path / "cache").iterdir())) == 1, "and leave no halves"


def test_sources_that_are_missing_are_named(sources: Sources, tmp_path: Path) -> None:
    with pytest.raises(OntologyUnreadable, match=r"missing\.obo"):
        open_terms(tiny_ontology(), tmp_path / "missing.obo", sources[1], tmp_path / "cache")
    with pytest.raises(TranslationsUnreadable, match="nowhere"):
        open_terms(tiny_ontology(), sources[0], tmp_path / "nowhere", tmp_path / "cache")


def test_folding_takes_case_accents_and_signs_away() -> None:
    assert words("  L'Épilepsie, (Größe)—e\u0301t\u00e9 2½ ") == ["l", "epilepsie", "grosse", "ete", "212"]
    assert {stem(word) for word in words("seizure seizures")} == {"seizur"}
    assert {stem(word) for word in words("convulsión convulsiones")} == {"convulsion"}
    assert {stem(word) for word in words("anomaly anomalies anomalie")} == {"anomali"}
    assert [stem(word) for word in words("loss ptosis ileus toes intoe rashes")] == [
        "loss",
        "ptosis",
        "ileus",
        "toe",
        "intoe",
        "rash",
    ]


@given(st.text("abc", min_size=4, max_size=6), st.lists(st.text("abc", min_size=4, max_size=8), min_size=1))
def test_what_is_meant_begins_a_known_word(typed: str, known: list[str]) -> None:
    vocabulary = Vocabulary(known)
    assert all(vocabulary.begins(one) for one in vocabulary.meant(typed))
    assert vocabulary.meant(known[0]) == [known[0]], "a word that is right stands alone"
