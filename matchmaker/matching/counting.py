"""How many genes, variants and features the cases of an index hold."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.blocks import GENES_MASK, TOLD, Block


@dataclass(frozen=True, slots=True)
class Counts:
    """Over all cases counted: with repeats, unless unique. `groups` are the numbers of those that have a case."""

    cases: int
    groups: frozenset[int]
    genes: int
    unique_genes: int
    variants: int
    unique_variants: int
    features: int
    unique_features: int
    with_features: int
    with_disorders: int


def count_rows(blocks: Iterable[Block], allowed: NDArray[np.bool_]) -> Counts:
    """Count the rows of the groups `allowed`: features below phenotypic abnormality, a case's repeats once."""
    cases = genes = variants = with_features = with_disorders = 0
    groups: set[int] = set()
    unique_genes: set[int] = set()
    unique_variants: set[int] = set()
    stated = np.zeros(0, np.int64)
    for block in blocks:
        counted = allowed[block.group]
        cases += int(counted.sum())
        groups |= set(np.unique(block.group[counted]).tolist())
        genes += int((block.record[counted, TOLD] & GENES_MASK).sum())
        entries = counted[block.entry_row]
        unique_genes |= set(np.unique(np.repeat(block.gene, np.diff(block.gene_start))[entries]).tolist())
        told = block.entry_variant[entries & (block.entry_variant != 0)]
        variants += len(told)
        unique_variants |= set(np.unique(told).tolist())
        terms = np.repeat(np.arange(len(block.stated_start) - 1), np.diff(block.stated_start))[counted[block.stated]]
        of_terms = np.bincount(terms, minlength=len(block.stated_start) - 1)
        stated = of_terms if not len(stated) else stated + of_terms
        with_features += len(np.unique(block.stated[counted[block.stated]]))
        with_disorders += len(np.unique(block.disorder_row[counted[block.disorder_row]]))
    return Counts(
        cases,
        frozenset(groups),
        genes,
        len(unique_genes),
        variants,
        len(unique_variants),
        int(stated.sum()),
        int((stated > 0).sum()),
        with_features,
        with_disorders,
    )
