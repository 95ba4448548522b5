"""HGNC's complete set (genenames.org, hgnc_complete_set.txt) -> rows of our table of genes. Pure."""

import csv
import io
from collections.abc import Iterator

from matchmaker.genome.genes import COLUMNS

MARKS = ("hgnc_id", "symbol", "alias_symbol", "prev_symbol", "entrez_id", "ensembl_gene_id")
_CODING = "gene with protein product"


def is_hgnc(header: str) -> bool:
    """Tell whether a first line is that of HGNC's complete set."""
    return set(MARKS) <= set(header.rstrip("\r\n").split("\t"))


def table_of_hgnc(text: str) -> tuple[str, str]:
    """Return the newest date in HGNC's complete set, and its approved genes as a table of ours.

    Errors: ValueError, when it has no approved gene.
    """
    rows = list(_approved(text))
    if not rows:
        raise ValueError("it has no approved gene")
    newest = max((row.get("date_modified") or "" for row in rows), default="")
    table = "\n".join(("\t".join(COLUMNS), *("\t".join(_row(row)) for row in rows)))
    return newest or "unknown", table + "\n"


def _approved(text: str) -> Iterator[dict[str, str]]:
    for row in csv.DictReader(io.StringIO(text), delimiter="\t"):
        if row.get("status", "Approved") == "Approved" and row["symbol"]:
            yield {name: (value or "").strip() for name, value in row.items() if name}


def _row(row: dict[str, str]) -> tuple[str, ...]:
    aliases = [alias for name in ("alias_symbol", "prev_symbol") for alias in row[name].split("|") if alias]
    locus = "protein-coding" if row.get("locus_type") == _CODING else row.get("locus_type", "other")
    values = (
        row["hgnc_id"],
        row["symbol"],
        row["entrez_id"],
        row["ensembl_gene_id"],
        "|".join(dict.fromkeys(aliases)),
        locus,
        row.get("name", ""),
    )
    return tuple(" ".join(value.split()) for value in values)
