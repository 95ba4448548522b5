"""OBO -> Ontology, and its compiled form. The one importer of pronto.

pronto takes seconds over HPO; the compiled form takes a fraction of one. It names the SHA-256 of the source that
it was made from, so that a changed source is read anew, and so is a compiled form that is damaged.
"""

import contextlib
import gzip
import hashlib
import json
import re
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from matchmaker.ontology.files import replace_file
from matchmaker.ontology.hpo import Ontology, Term

_FORMAT = 1  # of the compiled form; raise it when its content changes
_SYNONYM = re.compile(r'synonym: "((?:[^"\\]|\\.)*)" (EXACT|BROAD|NARROW|RELATED)(?: ([^\s\[]+))? ?\[')
_WITHDRAWN = "obsolete_synonym"


class OntologyUnreadable(Exception):
    """The ontology's file is missing or is none. The message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Synonym:
    """An English synonym of a live term; `scope` is EXACT, BROAD, NARROW or RELATED."""

    term: str
    text: str
    scope: str


def load_ontology(source: Path, cache: Path | None = None) -> Ontology:
    """Return the ontology of an OBO file (.obo or .obo.gz), through the compiled form in `cache` where there is one.

    Errors: OntologyUnreadable. A cache that cannot be written is done without.
    """
    try:
        content = source.read_bytes()
    except OSError as error:
        raise OntologyUnreadable(
            f"the ontology {source} cannot be read: {error.strerror}; see [ontology] hpo"
        ) from None
    fingerprint = hashlib.sha256(content).hexdigest()
    compiled = cache / f"hpo-{fingerprint[:16]}.json.gz" if cache else None
    if compiled and (kept := _read_compiled(compiled, fingerprint)):
        return kept
    ontology = _read_obo(source)
    if compiled:
        _write_compiled(compiled, fingerprint, ontology)
    return ontology


def _read_obo(source: Path) -> Ontology:
    from pronto.ontology import Ontology as OboFile  # noqa: PLC0415 - slow to import, and needed only when there is no compiled form

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pronto warns of every odd cross-reference
            parsed = OboFile(str(source), encoding="utf-8", import_depth=0)
            live = [term for term in parsed.terms() if not term.obsolete]
            return Ontology(
                version=(parsed.metadata.data_version or "unknown").rsplit("/", 1)[-1],
                terms=[_term(term) for term in live],
                aliases=_aliases(parsed, {term.id for term in live}),
            )
    except Exception as error:  # noqa: BLE001 - pronto raises whatever its parsers raise; all mean the same here
        reason = type(error).__name__
        raise OntologyUnreadable(
            f"{source} is no OBO ontology ({reason}); get hp.obo anew, see [ontology] hpo"
        ) from None


def load_synonyms(source: Path, ontology: Ontology) -> tuple[Synonym, ...]:
    """Return the synonyms that an OBO file (.obo or .obo.gz) gives the live terms of its ontology, in its order.

    Read line by line, which pronto, whose seconds are for the relations, agrees with.
    Source: the OBO 1.4 format, 3.2 (synonym clauses). Errors: OntologyUnreadable.
    """
    try:
        content = source.read_bytes()
        text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        reason = type(error).__name__
        raise OntologyUnreadable(f"the ontology {source} cannot be read ({reason}); see [ontology] hpo") from None
    return tuple(one for one in _synonyms(text) if ontology.canonical(one.term) == one.term)


def _synonyms(text: str) -> Iterator[Synonym]:
    term = ""
    for line in text.split("\n"):
        if line.startswith("id: "):
            term = line[4:].strip()
        elif (match := _SYNONYM.match(line)) and match[3] != _WITHDRAWN:
            yield Synonym(term, re.sub(r"\\(.)", r"\1", match[1]), match[2])


def _term(term: Any) -> Term:
    parents = tuple(sorted(parent.id for parent in term.superclasses(distance=1, with_self=False)))
    return Term(term.id, term.name or "", parents)


def _aliases(parsed: Any, live: set[str]) -> dict[str, str]:
    """Alternative ids of live terms, and obsolete terms that one live term replaces."""
    aliases = {old: term.id for term in parsed.terms() if term.id in live for old in term.alternate_ids}
    for term in parsed.terms():
        replacements = [new.id for new in term.replaced_by if new.id in live] if term.obsolete else []
        if len(replacements) == 1:
            aliases[term.id] = replacements[0]
    return {old: new for old, new in aliases.items() if old not in live}


def _read_compiled(path: Path, fingerprint: str) -> Ontology | None:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            kept = json.load(file)
        if (kept["format"], kept["sha256"]) != (_FORMAT, fingerprint):
            return None
        terms = [Term(term_id, label, tuple(parents)) for term_id, label, parents in kept["terms"]]
        return Ontology(kept["version"], terms, cast(dict[str, str], kept["aliases"]))
    except (OSError, EOFError, ValueError, KeyError, TypeError):
        return None


def _write_compiled(path: Path, fingerprint: str, ontology: Ontology) -> None:
    kept = {
        "format": _FORMAT,
        "sha256": fingerprint,
        "version": ontology.version,
        "terms": [[term.id, term.label, term.parents] for term in ontology.terms()],
        "aliases": ontology.aliases,
    }
    with contextlib.suppress(OSError):
        replace_file(path, gzip.compress(json.dumps(kept).encode(), compresslevel=1))
