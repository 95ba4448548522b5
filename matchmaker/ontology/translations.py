"""HPO's translations: labels (babelon files) and synonyms of terms in other languages, as their files give them.

A language is named by its file: hp-es.babelon.tsv.gz, hp-fr.synonyms.tsv.gz. Knows nothing of which terms live.
Source: github.com/obophenotype/hpo-translations; the columns of babelon: github.com/monarch-initiative/babelon.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILE = re.compile(r"hp-([a-z]{2,3})\.(babelon|synonyms)\.tsv(?:\.gz)?")
_LABEL = "rdfs:label"  # other rows of a babelon file translate definitions
_OFFICIAL, _CANDIDATE, _NOT_TRANSLATED = "OFFICIAL", "CANDIDATE", "NOT_TRANSLATED"
_STATUS_COLUMNS = ("translation_status", "Status", "comment")  # babelon; French synonyms; Czech synonyms
_TEMPLATE = "ID"  # the subject of a row of instructions to ROBOT, the tool that makes HPO's releases


class TranslationsUnreadable(Exception):
    """A file of translations is missing or is none. The message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What a term is called in a language: its label or a synonym. `term` is the id as written, maybe an old one."""

    term: str
    language: str
    text: str
    label: bool
    machine: bool  # of status CANDIDATE: translated by a machine, or not yet looked at


def translation_files(folder: Path) -> list[Path]:
    """Return the files of translations in a folder, in order of their names. Errors: TranslationsUnreadable."""
    try:
        return sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))
    except OSError as error:
        raise TranslationsUnreadable(
            f"the translations {folder} cannot be read: {error.strerror}; see [ontology] translations"
        ) from None


def read_translations(folder: Path) -> tuple[Translation, ...]:
    """Return every translation of every file in a folder. Errors: TranslationsUnreadable."""
    return tuple(one for path in translation_files(folder) for one in _read(path))


def _read(path: Path) -> Iterator[Translation]:
    match = _FILE.fullmatch(path.name)
    assert match is not None, "translation_files gives no others"  # noqa: S101
    language, label = match[1], match[2] == "babelon"
    for row in _rows(path):
        if row["subject_id"] == _TEMPLATE or (label and row.get("predicate_id") != _LABEL):
            continue
        status = _status(row)
        if status != _NOT_TRANSLATED:
            for text in _texts(row["translation_value"], label=label):
                yield Translation(row["subject_id"], language, text, label, status == _CANDIDATE)


def _rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield each row by its columns. A quote is a character as any other; a row that ends early lacks its last ones."""
    header, *lines = _content(path).split("\n")
    columns = header.rstrip("\r").split("\t")
    if not {"subject_id", "translation_value"}.issubset(columns):
        raise TranslationsUnreadable(f"{path} has no column of ids or of translations; see [ontology] translations")
    for line in lines:
        fields = line.rstrip("\r").split("\t")
        row = dict(zip(columns, fields, strict=False))
        if row.get("subject_id") and row.get("translation_value"):
            yield row


def _content(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise TranslationsUnreadable(
            f"{path} is no file of translations ({type(error).__name__}); see [ontology] translations"
        ) from None


def _status(row: dict[str, str]) -> str:
    stated = (row.get(column, "") for column in _STATUS_COLUMNS)
    return next((status for status in stated if status in {_CANDIDATE, _NOT_TRANSLATED}), _OFFICIAL)


def _texts(value: str, *, label: bool) -> Iterator[str]:
    """Yield what a field says: a label, or synonyms between bars. Some fields kept the quotes of a table of old."""
    for part in [value] if label else value.split("|"):
        text = " ".join(part.split())
        if len(text) > 1 and text[0] == text[-1] == '"' and '""' in text[1:-1]:
            text = text[1:-1].replace('""', '"')
        if text:
            yield text
