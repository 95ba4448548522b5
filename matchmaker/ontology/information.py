"""How much a term tells: its information content, and the strength of its link to its parents.

Two sources speak of a term's frequency, each with ancestors counted in: the diseases of phenotype.hpoa and a
published cohort of cases. The cohort's counts are a table shipped with the node, so that a young node scores
like an old one.
"""

import contextlib
import gzip
import hashlib
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from matchmaker.ontology.files import replace_file
from matchmaker.ontology.hpo import PHENOTYPIC_ABNORMALITY, Ontology

SCALE = 1_024  # weights are whole numbers, 1/1024 nat each: a sum does not depend on its order
_ASPECT = 10  # the 11th column of phenotype.hpoa; a shorter row is no annotation
_UNSEEN = 0.5  # added to every count: a term that nobody ever showed is rare, not impossible


class FrequenciesUnreadable(Exception):
    """A table of term frequencies is missing or is none. The message says which, and what to do."""


@dataclass(frozen=True)
class Frequencies:
    """Of `total` diseases or cases, how many show each term, ancestors counted in. Keys are canonical term ids."""

    version: str
    total: int
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Information:
    """For each term's number: `content` IC(t) and `link` L(t), in 1/1024 nat; 0 outside phenotypic abnormality."""

    versions: Mapping[str, str]
    content: tuple[int, ...]
    link: tuple[int, ...]


def information(ontology: Ontology, sources: Mapping[str, Frequencies]) -> Information:
    """Return IC(t) = -ln p(t), p the mean over the named sources, and L(t) = max(0, IC(t) - max IC of t's parents).

    Source: Resnik 1995 (arXiv:cmp-lg/9511007) for the information content; link strength after Jiang and Conrath
    1997 (arXiv:cmp-lg/9709008). Edges: a term outside phenotypic abnormality tells nothing, 0; one that no source
    has seen counts as half a sighting.
    """
    tables = tuple(sources.values())
    content = tuple(
        round(SCALE * -math.log(_probability(ontology.ids[number], tables))) if number in ontology.abnormalities else 0
        for number in range(len(ontology))
    )
    link = tuple(
        max(0, own - max((content[parent] for parent in ontology.parents(number)), default=0))
        for number, own in enumerate(content)
    )
    return Information({name: table.version for name, table in sources.items()}, content, link)


def _probability(term_id: str, tables: tuple[Frequencies, ...]) -> float:
    shares = [(table.counts.get(term_id, 0) + _UNSEEN) / (table.total + _UNSEEN) for table in tables]
    return min(1.0, sum(shares) / len(shares))


def count_terms(ontology: Ontology, annotated: Iterable[Iterable[str]], version: str) -> Frequencies:
    """Count in how many of the `annotated` sets of term ids each term occurs, ancestors counted in.

    Unknown ids are left out; a set without a known term is not counted.
    """
    counts: Counter[int] = Counter()
    total = 0
    for terms in annotated:
        closure = ontology.closure(n for n in map(ontology.number, terms) if n is not None)
        counts.update(closure)
        total += bool(closure)
    return Frequencies(version, total, {ontology.ids[number]: count for number, count in counts.items()})


def annotation_content(ontology: Ontology, path: Path) -> dict[int, float]:
    """Return -ln of each term's share of all annotations of a phenotype.hpoa(.gz), its descendants' counted in.

    In nat, by the term's number; terms that nothing is annotated with are left out. As patientMatcher computes
    information content: by annotations, not by diseases. Errors: FrequenciesUnreadable.
    """
    root = _root(ontology)
    _, diseases = _diseases(path, _content(path))
    stated = Counter(number for terms in diseases.values() for number in map(ontology.number, terms) if number)
    mass: Counter[int] = Counter()
    for number, count in stated.items():
        for ancestor in ontology.ancestors(number):
            mass[ancestor] += count if root in ontology.ancestors(number) else 0
    return {
        number: -math.log(count / mass[root])
        for number, count in mass.items()
        if count and (number == root or number in ontology.abnormalities)
    }


def _root(ontology: Ontology) -> int:
    number = ontology.number(PHENOTYPIC_ABNORMALITY)
    if number is None:
        raise FrequenciesUnreadable("the ontology has no phenotypic abnormality")
    return number


def disease_terms(ontology: Ontology, path: Path) -> list[frozenset[int]]:
    """Return the numbers of each disease's terms of a phenotype.hpoa(.gz), in the order of the diseases' ids.

    Negated rows and unknown terms are left out. Errors: FrequenciesUnreadable.
    """
    _, diseases = _diseases(path, _content(path))
    numbered = (map(ontology.number, terms) for _, terms in sorted(diseases.items()))
    return [frozenset(number for number in terms if number is not None) for terms in numbered]


def disease_frequencies(ontology: Ontology, path: Path, cache: Path | None = None) -> Frequencies:
    """Count the terms of the diseases of a phenotype.hpoa(.gz), or read the counts kept in `cache` from last time.

    Negated rows are left out. Errors: FrequenciesUnreadable. A cache that cannot be written is done without.
    """
    content = _content(path)
    fingerprint = hashlib.sha256(content).hexdigest()[:16]
    kept = cache / f"diseases-{fingerprint}-{ontology.version}.tsv.gz" if cache else None
    if kept and kept.exists():
        with contextlib.suppress(FrequenciesUnreadable):
            return read_frequencies(kept)
    counted = _count_diseases(ontology, path, content)
    if kept:
        with contextlib.suppress(OSError):
            write_frequencies(counted, kept)
    return counted


def _count_diseases(ontology: Ontology, path: Path, content: bytes) -> Frequencies:
    version, diseases = _diseases(path, content)
    return count_terms(ontology, diseases.values(), version)


def _diseases(path: Path, content: bytes) -> tuple[str, dict[str, set[str]]]:
    """Return the file's version, and the terms of each disease as it writes them."""
    diseases: dict[str, set[str]] = {}
    version = "unknown"
    for line in _lines(path, content):
        if line.startswith("#version:"):
            version = line.split(":", 1)[1].strip()
        fields = line.split("\t")
        if len(fields) > _ASPECT and not line.startswith(("#", "database_id")) and fields[2] != "NOT":
            diseases.setdefault(fields[0], set()).add(fields[3])
    if not diseases:
        raise FrequenciesUnreadable(f"{path} is no phenotype.hpoa: it has no annotations; see [ontology] annotations")
    return version, diseases


def read_frequencies(path: Path) -> Frequencies:
    """Read a table as `write_frequencies` makes it. Errors: FrequenciesUnreadable."""
    version, total, counts = "unknown", 0, {}
    try:
        for line in _lines(path, _content(path)):
            if line.startswith("#"):
                key, _, text = line[1:].strip().partition("=")
                version = text if key == "version" else version
                total = int(text) if key == "total" else total
            else:
                term_id, count = line.split("\t")
                counts[term_id] = int(count)
    except ValueError:
        raise FrequenciesUnreadable(f"{path} is no table of term frequencies; see [ontology] frequencies") from None
    if total < 1:
        raise FrequenciesUnreadable(f"{path} has no total; see [ontology] frequencies")
    return Frequencies(version, total, counts)


def write_frequencies(frequencies: Frequencies, path: Path) -> None:
    """Write a table: two lines of header, then term id, tab, count, in order of the id. The same bytes every time."""
    rows = [f"#version={frequencies.version}", f"#total={frequencies.total}"]
    rows += [f"{term_id}\t{count}" for term_id, count in sorted(frequencies.counts.items())]
    replace_file(path, gzip.compress(("\n".join(rows) + "\n").encode(), mtime=0))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FrequenciesUnreadable(f"{path} cannot be read: {error.strerror}; see [ontology]") from None


def _lines(path: Path, content: bytes) -> list[str]:
    try:
        text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        return text.decode("utf-8").splitlines()
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise FrequenciesUnreadable(f"{path} is damaged ({type(error).__name__}); see [ontology]") from None
