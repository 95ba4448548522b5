"""Finding a term as a clinician types, in English and the clinician's language together.

The names lie in an SQLite file with a full-text index (FTS5), built once and only read afterwards, by any number of
threads and processes. Within a language they are numbered by how good an answer they make (a common term before a
rare one, a label before a synonym, short before long), so that the first rows of the index are the best ones and
nothing is ever sorted.
The one importer of sqlite3 outside the store. Never sees patients.
"""

import contextlib
import hashlib
import re
import sqlite3
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from itertools import starmap
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from matchmaker.ontology.files import replace_file
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.lexicon import Entry, Lexicon
from matchmaker.ontology.load import OntologyUnreadable
from matchmaker.ontology.names import ENGLISH, Kind, Name, read_names
from matchmaker.ontology.translations import translation_files
from matchmaker.ontology.wording import Vocabulary, words

_SCHEMA = 2  # of the file; raise it when its content or the folding of words changes
_COST_OF_KIND = {Kind.LABEL: 0.0, Kind.EXACT: 1.5, Kind.LOOSE: 3.0}  # nat
_COST_OF_LETTER = 0.15  # nat
_MOST_CHARACTERS = 200
_MOST_WORDS = 12
_ID = re.compile(r"\s*(?:HP[:_ ]?(\d{1,7})|(\d{7}))\s*", re.IGNORECASE | re.ASCII)
_TABLES = """
    CREATE TABLE names_{0} (
        number INTEGER PRIMARY KEY, term TEXT, said TEXT, folded TEXT, kind INTEGER, machine INTEGER, searched INTEGER,
        cost INTEGER
    ) STRICT;
    CREATE VIRTUAL TABLE fts_{0} USING fts5 (
        folded, content = '', columnsize = 0, prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2'
    );
    CREATE VIRTUAL TABLE words_{0} USING fts5vocab (fts_{0}, row);
"""
_INDEXES = """
    CREATE INDEX exact_{0} ON names_{0} (folded) WHERE searched;
    CREATE INDEX labels_{0} ON names_{0} (term) WHERE kind = 0;
    INSERT INTO fts_{0} (rowid, folded) SELECT number, folded FROM names_{0} WHERE searched;
    INSERT INTO fts_{0} (fts_{0}) VALUES ('optimize');
"""
_EXACT = "SELECT {0!r}, term, said, kind, cost FROM names_{0} WHERE searched AND folded = ? ORDER BY number"
_MATCH = (
    "SELECT {0!r}, term, said, kind, cost FROM fts_{0} AS f JOIN names_{0} AS n ON number = f.rowid"
    " WHERE fts_{0} MATCH ? ORDER BY f.rowid"
)


@dataclass(frozen=True, slots=True)
class TermFound:
    """A term, and the name by which it was found.

    `said` is that name as HPO writes it, in `language`; `translated` the label in the language asked for, None where
    there is none or that is English; `machine` whether a machine translated it.
    """

    id: str
    label: str
    translated: str | None
    machine: bool
    said: str
    language: str


class _Hit(NamedTuple):
    """A row that matched. Rows of one statement come in order of `goodness`."""

    language: str
    term: str
    said: str
    kind: int
    cost: int


def _goodness(hit: _Hit) -> int:
    return hit.cost


class _Reading(threading.local):
    """A connection for each thread, that closes with its thread."""

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


class TermSearch:
    """The terms below phenotypic abnormality, by their names. Safe for use from many threads.

    `languages` are those that there are names in, English first.
    """

    def __init__(self, ontology: Ontology, path: Path, folder: object = None) -> None:
        """Open a search file; `folder` is what must live as long as the file. Errors: sqlite3.DatabaseError."""
        self._ontology = ontology
        self._folder = folder
        self._reading = _Reading(path)
        self.languages: tuple[str, ...] = tuple(language for (language,) in self._rows("SELECT * FROM languages"))
        self._vocabularies: dict[str, Vocabulary] = {}
        self._lexicons: dict[str, Lexicon] = {}

    def find(self, text: str, language: str = ENGLISH, limit: int = 12) -> list[TermFound]:
        """Return the terms that a text, maybe half typed, may mean: each once, by its best name, the best first.

        Names in English and in `language` (es, also as es-MX). First names that are the text, then those that begin
        so, then those with words that begin so, in any order; the likeliest first (see `_cost`). When there is none,
        words may be one slip away. An HPO id of any age finds its term. Only the first 200 characters and 12 words
        count; nothing that is typed is an error.
        """
        text = text[:_MOST_CHARACTERS]
        if match := _ID.fullmatch(text):
            return self._numbered(f"HP:{int(match[1] or match[2]):07d}", language)[:limit]
        typed = words(text)[:_MOST_WORDS]
        if not typed:
            return []
        spoken = self.spoken(language)
        hits = _first(limit, self._hits(typed, spoken)) or _first(limit, self._near_hits(typed, spoken))
        return [self._shown(hit, language) for hit in hits]

    def translated(self, term_id: str, language: str) -> tuple[str, bool] | None:
        """Return a term's label in a language other than English, and whether a machine translated it.

        Any live term, by an id of any age. None when there is no such label.
        """
        asked = self.spoken(language)[0]
        if asked == ENGLISH:
            return None
        statement = f"SELECT said, machine FROM names_{asked} WHERE kind = 0 AND term = ?"
        for said, machine in self._rows(statement, self._ontology.canonical(term_id)):
            return said, bool(machine)
        return None

    def lexicon(self, language: str) -> Lexicon:
        """Return the names of a language that can be recognised in running text; made once, then kept.

        Errors: KeyError when it is none of `languages`.
        """
        if language not in self.languages:
            raise KeyError(language)
        if language not in self._lexicons:
            statement = (
                f"SELECT number, said, folded, kind, machine FROM names_{language} WHERE searched ORDER BY number"
            )
            self._lexicons[language] = Lexicon(starmap(Entry, self._rows(statement)))
        return self._lexicons[language]

    def named(self, number: int, of: str, language: str) -> TermFound:
        """Return the term that a lexicon of the language `of` gives the number of a name of; `language` as in find."""
        statement = f"SELECT {of!r}, term, said, kind, cost FROM names_{of} WHERE number = ?"
        return self._shown(_Hit(*next(self._rows(statement, number))), language)

    def spoken(self, language: str) -> tuple[str, ...]:
        """Return the languages of names that somebody who asks in `language` is answered from: it, and English."""
        first = language.partition("-")[0].lower()
        return (first, ENGLISH) if first != ENGLISH and first in self.languages else (ENGLISH,)

    def _numbered(self, term_id: str, language: str) -> list[TermFound]:
        number = self._ontology.number(term_id)
        if number is None or number not in self._ontology.abnormalities:
            return []
        term = self._ontology.term(term_id)
        return [self._shown(_Hit(ENGLISH, term.id, term.label, Kind.LABEL, 0), language)]

    def _hits(self, typed: list[str], spoken: tuple[str, ...]) -> Iterator[_Hit]:
        """Yield what matches, the best first; a name may come more than once."""
        phrase = " ".join(typed)
        yield from self._merged(_EXACT, dict.fromkeys(spoken, phrase))
        yield from self._merged(_MATCH, dict.fromkeys(spoken, f'^"{phrase}" *'))
        yield from self._merged(_MATCH, dict.fromkeys(spoken, " AND ".join(_any([word]) for word in _telling(typed))))

    def _near_hits(self, typed: list[str], spoken: tuple[str, ...]) -> Iterator[_Hit]:
        """Yield what matches when every word may hold a slip, language by language."""
        asked = {}
        for language in spoken:
            meant = [self._vocabulary(language).meant(word) for word in _telling(typed)]
            if all(meant):
                asked[language] = " AND ".join(_any(near) for near in meant)
        return self._merged(_MATCH, asked)

    def _merged(self, statement: str, asked: Mapping[str, str]) -> Iterator[_Hit]:
        """Yield the rows of a statement, asked in each language, the best first, the clinician's language first."""
        found = (starmap(_Hit, self._rows(statement.format(language), query)) for language, query in asked.items())
        return merge(*found, key=_goodness)

    def _vocabulary(self, language: str) -> Vocabulary:
        if language not in self._vocabularies:
            self._vocabularies[language] = Vocabulary([w for (w,) in self._rows(f"SELECT term FROM words_{language}")])
        return self._vocabularies[language]

    def _shown(self, hit: _Hit, language: str) -> TermFound:
        label = self._ontology.label(hit.term) or ""
        translated, machine = self.translated(hit.term, language) or (None, False)
        return TermFound(hit.term, label, translated, machine, hit.said, hit.language)

    def _rows(self, statement: str, *values: object) -> Iterator[Any]:
        return self._reading.database.execute(statement, values)


def _telling(typed: Iterable[str]) -> list[str]:
    """Return the words of which none begins another: what begins with that begins with this."""
    longest: list[str] = []
    for word in sorted(set(typed), key=len, reverse=True):
        longest += [] if any(other.startswith(word) for other in longest) else [word]
    return longest


def _any(beginnings: Iterable[str]) -> str:
    either = " OR ".join(f'"{one}" *' for one in beginnings)
    return f"({either})"


def _first(limit: int, hits: Iterator[_Hit]) -> list[_Hit]:
    """Return the first hit of each of the first `limit` terms."""
    best: dict[str, _Hit] = {}
    while len(best) < limit and (hit := next(hits, None)):
        best.setdefault(hit.term, hit)
    return list(best.values())


def open_terms(
    ontology: Ontology,
    obo: Path,
    translations: Path,
    cache_dir: Path | None,
    rarity: Mapping[str, float] = MappingProxyType({}),
) -> TermSearch:
    """Return the search of an ontology's terms, through the file in `cache_dir`, which is built where it lacks.

    `obo` is what the ontology was read from, `translations` a folder as ontologies/translations; `rarity` is how rare
    each term is among patients, in nat, by id (none: all are alike). A file that is damaged
    is built anew; a cache that cannot be written, or none, is done without, with a file that lives as long as the
    search. Errors: OntologyUnreadable, TranslationsUnreadable; OSError when not even a temporary file can be written.
    """
    name = f"terms-{_fingerprint(obo, translations, rarity)}.sqlite"
    path = cache_dir / name if cache_dir else None
    if path and (kept := _open_kept(ontology, path)):
        return kept
    content = _built(ontology, read_names(ontology, obo, translations), rarity)
    if path:
        with contextlib.suppress(OSError, sqlite3.Error):
            replace_file(path, content)
            return TermSearch(ontology, path)
    folder = tempfile.TemporaryDirectory(prefix="matchmaker-terms-")
    own = Path(folder.name) / name
    own.write_bytes(content)
    return TermSearch(ontology, own, folder)


def _fingerprint(obo: Path, translations: Path, rarity: Mapping[str, float]) -> str:
    """Return a hash of the sources. Errors: OntologyUnreadable, TranslationsUnreadable."""
    digest = hashlib.sha256(f"{_SCHEMA} {sorted(rarity.items())}".encode())
    try:
        for path in (obo, *translation_files(translations)):
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    except OSError as error:
        raise OntologyUnreadable(f"{error.filename} cannot be read: {error.strerror}; see [ontology]") from None
    return digest.hexdigest()[:16]


def _open_kept(ontology: Ontology, path: Path) -> TermSearch | None:
    """Return the search of a file of last time; None when it is missing or damaged."""
    try:
        with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            ((sound,),) = database.execute("PRAGMA quick_check(1)")
        return TermSearch(ontology, path) if sound == "ok" else None
    except (sqlite3.Error, ValueError):
        return None


def _built(ontology: Ontology, names: Iterable[Name], rarity: Mapping[str, float]) -> bytes:
    """Return the content of a search file. It is made in memory, and written whole: two processes may do so at once."""
    told: dict[str, list[Name]] = defaultdict(list)
    for name in names:
        told[name.language].append(name)
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE languages (language TEXT)")
        for language in sorted(told, key=lambda language: (language != ENGLISH, language)):
            database.execute("INSERT INTO languages VALUES (?)", (language,))
            database.executescript(_TABLES.format(language))
            insert = f"INSERT INTO names_{language} VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
            database.executemany(insert, _numbered_rows(ontology, told[language], rarity))
            database.executescript(_INDEXES.format(language))
        database.commit()
        database.execute("VACUUM")
        return database.serialize()


def _numbered_rows(
    ontology: Ontology, names: Iterable[Name], rarity: Mapping[str, float]
) -> list[tuple[str, str, str, int, bool, bool, int]]:
    """Return the rows of a language in the order of their numbers: good answers first."""
    known = {ontology.ids[number] for number in ontology.abnormalities}
    folded = ((" ".join(words(name.said)), name) for name in names)
    costs = ((_cost(name, text, rarity), text, name) for text, name in folded)
    ordered = sorted(costs, key=lambda row: (row[0], row[2].kind, row[1], row[2].machine, row[2].term))
    best: dict[tuple[str, str], tuple[int, Name]] = {}  # a synonym may repeat its label
    for cost, text, name in ordered:
        if text:
            best.setdefault((text, name.term), (cost, name))
    return [
        (name.term, name.said, text, int(name.kind), name.machine, name.term in known, cost)
        for (text, _term), (cost, name) in best.items()
    ]


def _cost(name: Name, text: str, rarity: Mapping[str, float]) -> int:
    """Return how unlikely a name is to be the one meant, in 1/100 nat: by its term's rarity, its kind, its length."""
    return round(100 * (rarity.get(name.term, 0.0) + _COST_OF_KIND[name.kind] + _COST_OF_LETTER * len(text)))
