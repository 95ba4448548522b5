"""Any identifier -> one gene: symbol, alias, Entrez, Ensembl (with or without version), HGNC id.

Never a call to the network. An alias of two genes stays ambiguous and says so; an id that nobody knows is still
equal to itself.
"""

import gzip
import re
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

_ENSEMBL = re.compile(r"(ENSG\d{11})(?:\.\d+)?", re.IGNORECASE)
_ENTREZ = re.compile(r"(?:NCBIGene:|ENTREZ:)?(\d{1,9})", re.IGNORECASE)
_HGNC = re.compile(r"HGNC:\d{1,6}", re.IGNORECASE)
_RECENT = 20_000
_LONGEST_KEPT = 60  # characters: longer ones are nobody's, and are not remembered
_CODING = "protein-coding"
COLUMNS = ("hgnc_id", "symbol", "entrez_id", "ensembl_gene_ids", "aliases", "locus_type", "name")


class GenesUnreadable(Exception):
    """The gene table is missing or is none. The message says which, and what to do."""


@dataclass(frozen=True)
class Gene:
    """A human gene. `key` is the same for every identifier of it."""

    key: str
    symbol: str
    hgnc: str
    ensembl: tuple[str, ...]
    coding: bool


@dataclass(frozen=True)
class Resolution:
    """What an identifier means: `gene`, or none of them; then `candidates` are the genes it may mean.

    `key` compares: two identifiers with the same key are the same gene, as far as anybody knows.
    """

    key: str
    gene: Gene | None = None
    candidates: tuple[Gene, ...] = ()

    @property
    def ambiguous(self) -> bool:
        """Whether the identifier is known, but as an alias of several genes."""
        return len(self.candidates) > 1


class GeneTable:
    """The known genes, by every identifier. Immutable.

    Rows stay text until somebody asks for them: of 55,000 genes a node meets a few thousand.
    """

    def __init__(self, version: str, rows: Sequence[str]) -> None:
        """Build from tab-separated rows of COLUMNS. Errors: ValueError when a row has other columns."""
        if not rows:
            raise ValueError("no rows")
        self.version = version
        self._rows = rows
        self._recent = lru_cache(maxsize=_RECENT)(self._resolved)  # the same few thousand genes again and again
        self._preferred: dict[str, str] = {}
        self._by_id: dict[str, tuple[int, ...]] = {}
        self._by_symbol: dict[str, tuple[int, ...]] = {}
        self._by_alias: dict[str, tuple[int, ...]] = {}
        for number, row in enumerate(rows):
            hgnc, symbol, entrez, ensembl, aliases, _locus, _name = row.upper().split("\t")
            _add(self._by_symbol, symbol, number)
            if entrez:
                _add(self._by_id, f"NCBIGENE:{entrez}", number)
            _add(self._by_id, hgnc, number)
            for identifier in ensembl.split("|"):
                _add(self._by_id, identifier, number)
            for alias in aliases.split("|"):
                _add(self._by_alias, alias, number)

    def resolve(self, identifier: str) -> Resolution:
        """Return what an identifier means. A current symbol goes before an alias; case does not matter."""
        return self._recent(identifier) if len(identifier) <= _LONGEST_KEPT else self._resolved(identifier)

    def _resolved(self, identifier: str) -> Resolution:
        canonical, table = self._sort(identifier.strip())
        known = table.get(canonical, ())
        if not known and table is self._by_symbol:
            known = self._by_alias.get(canonical, ())
        genes = tuple(_gene(self._rows[number]) for number in known)
        if len(genes) > 1 and table is self._by_id:
            genes = _meant(genes)
        if len(genes) == 1:
            return Resolution(genes[0].key, genes[0])
        return Resolution(f"unresolved:{canonical}", None, genes)

    def find(self, prefix: str, limit: int = 12) -> list[Gene]:
        """Return the genes that a half-typed name may mean, each once; case does not matter.

        First the gene whose symbol it is, then those whose symbols begin so, coding ones before others, then those
        with an alias that begins so, each in the order of the alphabet. A whole identifier of another kind (Ensembl,
        HGNC, Entrez) finds its gene when nothing else does. An empty prefix finds nothing.
        """
        typed = prefix.strip().upper()
        if not typed or limit < 1:
            return []
        found: dict[str, Gene] = {}
        for gene in (_gene(self._rows[number]) for number in self._beginning(typed)):
            found.setdefault(gene.key, gene)
            if len(found) == limit:
                break
        named = self.resolve(prefix).gene
        return list(found.values()) or ([named] if named else [])

    def _beginning(self, typed: str) -> Iterator[int]:
        """Yield the rows with a symbol or alias that begins so, the best first, some more than once."""
        yield from self._by_symbol.get(typed, ())
        coding, others, aliases = self._sorted_names
        for names, table in ((coding, self._by_symbol), (others, self._by_symbol), (aliases, self._by_alias)):
            for place in range(bisect_left(names, typed), len(names)):
                if not names[place].startswith(typed):
                    break
                yield from table[names[place]]

    @cached_property
    def _sorted_names(self) -> tuple[list[str], list[str], list[str]]:
        """Symbols of coding genes, other symbols, and aliases, in upper case; made when first somebody types."""
        names = sorted(self._by_symbol)
        coding = {name for name in names if any(_coding(self._rows[row]) for row in self._by_symbol[name])}
        return [n for n in names if n in coding], [n for n in names if n not in coding], sorted(self._by_alias)

    def preferred_id(self, gene: Gene) -> str:
        """Return an id that means this gene alone: Ensembl's, which other nodes understand best, if it can be."""
        if gene.key not in self._preferred:
            ids = (*gene.ensembl, gene.symbol, gene.key.removeprefix("NCBIGene:"))
            self._preferred[gene.key] = next(i for i in ids if self.resolve(i).key == gene.key)
        return self._preferred[gene.key]

    def _sort(self, text: str) -> tuple[str, Mapping[str, tuple[int, ...]]]:
        """Tell which kind of identifier it is: its canonical writing, and the table to look in."""
        if match := _ENSEMBL.fullmatch(text):
            return match[1].upper(), self._by_id
        if match := _ENTREZ.fullmatch(text):
            return f"NCBIGENE:{int(match[1])}", self._by_id
        if _HGNC.fullmatch(text):
            return text.upper(), self._by_id
        return text.upper(), self._by_symbol


def _add(table: dict[str, tuple[int, ...]], identifier: str, number: int) -> None:
    if identifier and number not in (others := table.get(identifier, ())):
        table[identifier] = (*others, number)


def _meant(genes: tuple[Gene, ...]) -> tuple[Gene, ...]:
    """Return whom a shared id means: not an antisense or pseudogene, a placeholder, or a readthrough, if it can be."""
    symbols = {gene.symbol for gene in genes}
    coding = tuple(gene for gene in genes if gene.coding) or genes
    named = tuple(gene for gene in coding if not re.fullmatch(r"LOC\d+", gene.symbol)) or coding
    return tuple(gene for gene in named if not symbols.intersection(gene.symbol.split("-")) - {gene.symbol}) or named


def load_genes(path: Path, version: str) -> GeneTable:
    """Read the table of genes (tab-separated, .gz or not, columns as in ontologies/README.md).

    Errors: GenesUnreadable.
    """
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        header, *rows = text.decode("utf-8").splitlines()
        if tuple(header.split("\t")) != COLUMNS:
            raise ValueError(header)
        return GeneTable(version, rows)
    except OSError as error:
        reason = error.strerror or "damaged"
        raise GenesUnreadable(f"the genes {path} cannot be read: {reason}; see [genes] table") from None
    except (ValueError, EOFError, zlib.error) as error:
        raise GenesUnreadable(f"{path} is no table of genes ({type(error).__name__}); see [genes] table") from None


def _coding(row: str) -> bool:
    return row.split("\t")[-2] == _CODING


def _gene(row: str) -> Gene:
    hgnc, symbol, entrez, ensembl, _aliases, locus_type, _name = row.split("\t")
    return Gene(
        key=f"NCBIGene:{entrez}" if entrez else hgnc,
        symbol=symbol,
        hgnc=hgnc,
        ensembl=tuple(sorted(ensembl.split("|"))) if ensembl else (),
        coding=locus_type == _CODING,
    )
