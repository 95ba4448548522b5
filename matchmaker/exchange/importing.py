"""New reference data: what a file is, whether it can be used, and what it would change in the cases of a store."""

import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matchmaker.exchange.config import Config
from matchmaker.exchange.reference import load_knowledge, with_imported
from matchmaker.genome.genes import COLUMNS
from matchmaker.genome.hgnc import is_hgnc, table_of_hgnc
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.hpo import PHENOTYPIC_ABNORMALITY, Ontology
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.store.base import Store

_CHROMOSOME_1 = (249_250_621, 248_956_422)  # its length on GRCh37 and on GRCh38
_SIZES = (3, 8)  # where a chain's header tells both
_FIRST = 100_000  # characters in which a file tells what it is


class ReferenceUnusable(Exception):
    """A file is no reference data that a node can use. The message says why, and what is expected."""


@dataclass(frozen=True)
class Replaced:
    """A term id that means another term from now on, or none."""

    old: str
    label: str
    new: str | None
    new_label: str | None


@dataclass
class Changes:
    """What new reference data change: `terms` whose id is replaced, how many are `added`, and in the cases:

    `cases` of the store in all, `touched` of them with a term, gene or variant that is resolved in another way, and how
    many of them have each such identifier (`by_identifier`).
    """

    versions: dict[str, tuple[str, str]]
    terms: list[Replaced]
    added: int
    cases: int = 0
    touched: int = 0
    by_identifier: Counter[str] = field(default_factory=Counter)


def read_reference(path: Path, imported_at: float) -> ReferenceFile:
    """Read a file and tell what it is by its content. Errors: ReferenceUnusable."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is damaged, or no text"
        raise ReferenceUnusable(f"{path} cannot be read: {reason}") from None
    kind, version, kept = _recognised(path, text, imported_at)
    content = gzip.compress(kept.encode("utf-8"), mtime=0)
    return ReferenceFile(kind, path.name, version, hashlib.sha256(content).hexdigest(), imported_at, content)


def _recognised(path: Path, text: str, imported_at: float) -> tuple[Kind, str, str]:
    """Return what a file is, its version, and its text as it is kept."""
    beginning = text[:_FIRST].splitlines()
    first = beginning[0] if beginning else ""
    today = datetime.fromtimestamp(imported_at, UTC).date().isoformat()
    if first.startswith("format-version:"):
        if f"id: {PHENOTYPIC_ABNORMALITY}\n" not in text:
            raise ReferenceUnusable(f"{path} is an ontology, but not HPO: it has no {PHENOTYPIC_ABNORMALITY}")
        return Kind.HPO, _told(beginning, "data-version:").rsplit("/", 1)[-1] or today, text
    if any(line.startswith("database_id\t") for line in beginning):
        return Kind.ANNOTATIONS, _told(beginning, "#version:") or today, text
    if is_hgnc(first):
        try:
            version, table = table_of_hgnc(text)
        except (ValueError, KeyError) as error:
            raise ReferenceUnusable(f"{path} is no complete set of HGNC: {error}") from None
        return Kind.GENES, version, table
    if tuple(first.split("\t")) == COLUMNS:
        return Kind.GENES, today, text
    if first.startswith("chain "):
        return Kind.CHAIN, today, _checked_chain(path, text)
    raise ReferenceUnusable(
        f"{path} is none of what can be imported: hp.obo, phenotype.hpoa, HGNC's complete set or a table of genes as in"
        " ontologies/README.md, a chain file from GRCh37 to GRCh38; each may be compressed with gzip"
    )


def _told(lines: Sequence[str], key: str) -> str:
    return next((line.removeprefix(key).strip() for line in lines if line.startswith(key)), "")


def _checked_chain(path: Path, text: str) -> str:
    headers = (line.split() for line in text.splitlines() if line.startswith("chain "))
    sizes = {tuple(header[place] for place in _SIZES) for header in headers if header[2] in {"1", "chr1"}}
    if tuple(map(str, _CHROMOSOME_1)) not in sizes:
        raise ReferenceUnusable(f"{path} is no chain from GRCh37 to GRCh38, by the lengths of its chromosome 1")
    return text


def load_with(config: Config, files: Sequence[ReferenceFile], folder: Path) -> Knowledge:
    """Read reference data with new files among them, which are written into `folder` for that.

    Errors: those of load_knowledge.
    """
    try:
        return load_knowledge(with_imported(config, files, folder))
    except OSError as error:
        raise ReferenceUnusable(f"{folder} cannot be written: {error.strerror}; nothing was imported") from None


async def changes_between(
    old: Knowledge,
    new: Knowledge,
    kinds: Collection[Kind],
    store: Store,
    progress: Callable[[int], None] = lambda _done: None,
) -> Changes:
    """Return what changes from one knowledge to another by files of these kinds, and for which cases of a store."""
    versions = {
        name: (old.versions.get(name, "none"), version)
        for name, version in new.versions.items()
        if old.versions.get(name) != version
    }
    changes = Changes(versions, _replaced(old.ontology, new.ontology), _added(old.ontology, new.ontology))
    compared = _Compared(old, new, variants=Kind.CHAIN in kinds)
    async for cases in store.changes_since(-1):
        for case in cases:
            if case.content is not None:
                changes.cases += 1
                if differing := compared.differing(case.content):
                    changes.touched += 1
                    changes.by_identifier.update(differing)
        progress(changes.cases)
    return changes


def _replaced(old: Ontology, new: Ontology) -> list[Replaced]:
    """Return the terms that were live and whose id now means another one, or nothing."""
    return [
        Replaced(term_id, old.label(term_id) or "", now, new.label(now) if now else None)
        for term_id in old.ids
        if (now := new.canonical(term_id)) != term_id
    ]


def _added(old: Ontology, new: Ontology) -> int:
    return sum(1 for term_id in new.ids if term_id not in old)


class _Compared:
    """Tells which identifiers of a case mean something else than they did."""

    def __init__(self, old: Knowledge, new: Knowledge, *, variants: bool) -> None:
        self._old, self._new = old, new
        self._genes: dict[str, bool] = {}
        self._variants = variants

    def differing(self, content: Mapping[str, Any]) -> set[str]:
        found = {feature["id"] for feature in content.get("features", ()) if self._term_differs(feature["id"])}
        names = [one["gene"]["id"] for one in content.get("genomicFeatures", ())]
        found |= {name for name in names if self._gene_differs(name)}
        if not found and self._variants_differ(content):
            found.add("(variants)")
        return found

    def _term_differs(self, term_id: str) -> bool:
        return self._old.ontology.canonical(term_id) != self._new.ontology.canonical(term_id)

    def _gene_differs(self, name: str) -> bool:
        if name not in self._genes:
            self._genes[name] = self._old.genes.resolve(name).key != self._new.genes.resolve(name).key
        return self._genes[name]

    def _variants_differ(self, content: Mapping[str, Any]) -> bool:
        if not self._variants or not any("variant" in one for one in content.get("genomicFeatures", ())):
            return False
        (old, _), (new, _) = self._old.candidates(content), self._new.candidates(content)
        return {key: gene.variants for key, gene in old.items()} != {key: gene.variants for key, gene in new.items()}


def kinds_once(files: Iterable[ReferenceFile]) -> list[ReferenceFile]:
    """Return the files by kind. Errors: ReferenceUnusable, when two are of one kind."""
    by_kind: dict[Kind, ReferenceFile] = {}
    for file in files:
        if other := by_kind.get(file.kind):
            raise ReferenceUnusable(f"{other.name} and {file.name} are both of kind {file.kind}; import one of them")
        by_kind[file.kind] = file
    return sorted(by_kind.values(), key=lambda file: file.kind)
