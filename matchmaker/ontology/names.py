"""Everything that HPO's terms are called: English labels and synonyms, and their translations, as one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.load import load_synonyms
from matchmaker.ontology.translations import Translation, read_translations

ENGLISH = "en"


class Kind(IntEnum):
    """How well a name stands for its term; the best first."""

    LABEL = 0
    EXACT = 1
    LOOSE = 2  # a synonym that is broader, narrower, or only related


@dataclass(frozen=True, slots=True)
class Name:
    """What a live term is called in a language. `term` is its canonical id."""

    term: str
    language: str
    said: str
    kind: Kind
    machine: bool = False


def read_names(ontology: Ontology, obo: Path, translations: Path) -> list[Name]:
    """Return the names of all live terms, English first; a term has at most one label in a language.

    Errors: OntologyUnreadable, TranslationsUnreadable.
    """
    return [*_english(ontology, obo), *_translated(ontology, read_translations(translations))]


def _english(ontology: Ontology, obo: Path) -> Iterator[Name]:
    for term in ontology.terms():
        yield Name(term.id, ENGLISH, term.label, Kind.LABEL)
    for synonym in load_synonyms(obo, ontology):
        kind = Kind.EXACT if synonym.scope == "EXACT" else Kind.LOOSE
        yield Name(synonym.term, ENGLISH, synonym.text, kind)


def _translated(ontology: Ontology, given: tuple[Translation, ...]) -> Iterator[Name]:
    """Yield names of live terms. A second label of a term, its own or that of an old id, is a synonym."""
    labelled: set[tuple[str, str]] = set()
    for one in sorted(given, key=lambda one: ontology.canonical(one.term) != one.term):
        term = ontology.canonical(one.term)
        if term is None:
            continue
        first = one.label and (one.language, term) not in labelled
        labelled |= {(one.language, term)} if first else set()
        yield Name(term, one.language, one.text, Kind.LABEL if first else Kind.EXACT, one.machine)
