"""One search: a query over blocks, its best rows and their scores. Pure."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.genome.variants import VariantKey
from matchmaker.matching.blocks import BLOCK, MASKED, Block
from matchmaker.matching.calibration import Calibration
from matchmaker.matching.genotype import agreement, factors, onset_agreement
from matchmaker.matching.kernels import COLUMNS, RUN, add_up, best_rows, evidence_rows, mask_table
from matchmaker.matching.phenotype import similarity
from matchmaker.matching.profile import INHERITANCE, ONSET, Profile
from matchmaker.matching.rows import digest
from matchmaker.matching.score import Score, combined
from matchmaker.ontology.information import Information

SPARE = 12  # rows kept beyond k: the score of two raw values a last bit apart may be the same figure
_LAST_KEY = np.iinfo(np.int64).max
_NEVER = -1.0

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Hit:
    """A case found: its key, the version that it was taken in with, and how alike it is."""

    key: int
    version: int
    score: Score


@dataclass(frozen=True)
class Query:
    """A profile as arrays: the terms of its closure with their weights, its genes, variants, spans and diagnoses."""

    profile: Profile
    terms: Ints
    masked: NDArray[np.bool_]
    implied_weight: NDArray[np.int32]
    stated_weight: NDArray[np.int32]
    table: NDArray[np.int32]
    mask_total: int
    genes: Ints
    alleles: Ints
    variant_start: Ints
    variants: Ints
    kinds: Ints
    starts: Ints
    ends: Ints
    disorders: Ints

    @classmethod
    def of(cls, profile: Profile, weights: Information, bits: NDArray[np.int16]) -> "Query":
        """Return a profile as arrays."""
        closure = sorted(profile.closure)
        content = [weights.content[term] for term in closure]
        implied = np.array(
            [
                weights.link[term] + tells * (term in profile.observed)
                for term, tells in zip(closure, content, strict=True)
            ],
            np.int32,
        )
        terms = np.array(closure, np.int64)
        places = bits[terms].astype(np.int64)
        masked = places >= 0
        genes = sorted(profile.genes.values(), key=lambda gene: gene.key)
        variants = [sorted(gene.variants, key=lambda variant: variant.digest) for gene in genes]
        flat = [variant for several in variants for variant in several]
        return cls(
            profile=profile,
            terms=terms,
            masked=masked,
            implied_weight=implied,
            stated_weight=np.array(content, np.int32),
            table=mask_table(places[masked], implied[masked], MASKED // 8),
            mask_total=int(implied[masked].sum()),
            genes=_whole(digest(gene.key) for gene in genes),
            alleles=_whole(gene.alleles for gene in genes),
            variant_start=np.cumsum([0, *map(len, variants)]),
            variants=_whole(variant.digest for variant in flat),
            kinds=_whole(_kind(variant) for variant in flat),
            starts=_whole(variant.start for variant in flat),
            ends=_whole(variant.end for variant in flat),
            disorders=_whole(digest(name) for name in sorted(profile.disorders)),
        )


def _whole(numbers: Iterable[int]) -> Ints:
    return np.fromiter(numbers, np.int64)


def _kind(variant: VariantKey) -> int:
    return digest(variant.kind) if variant.is_span else 0


@dataclass(frozen=True)
class Scratch:
    """What a search writes to, block after block."""

    sums: NDArray[np.int32]
    bounds: NDArray[np.float32]
    highest: NDArray[np.float32]
    slots: NDArray[np.int32]

    @classmethod
    def empty(cls) -> "Scratch":
        """Return a new one."""
        return cls(
            np.empty(BLOCK, np.int32),
            np.empty(BLOCK, np.float32),
            np.empty(BLOCK // RUN, np.float32),
            np.full(BLOCK, -1, np.int32),
        )


@dataclass(frozen=True)
class _Rows:
    """Rows that were found, as columns. `level` is of alleles only; inheritance and onset are the rows' own."""

    key: Ints
    version: Ints
    shared: Ints
    information: Ints
    raw: NDArray[np.float64]
    genes: Ints
    common: Ints
    strength: Ints
    level: Ints
    disorder: NDArray[np.bool_]


def find(
    query: Query,
    k: int,
    blocks: Sequence[Block],
    allowed: NDArray[np.bool_],
    leave_out: Collection[int],
    minimum: float,
    calibration: Calibration,
    scratch: Scratch,
) -> list[Hit]:
    """Return the best k allowed rows, by score, best first, then key. See CaseIndex.search."""
    kept = k + SPARE
    heap_raw = np.full(kept, _NEVER)
    heap = np.full((kept, COLUMNS), _LAST_KEY)
    least = calibration.raw_at(minimum)
    scanned = [
        _scan(query, number, block, allowed, leave_out, least, heap_raw, heap, scratch)
        for number, block in enumerate(blocks)
    ]
    lines, raw = (np.concatenate(pieces) for pieces in zip(*scanned, strict=True))
    rows = _together(_related(query.profile, lines, raw), _alone(blocks, heap_raw, heap))
    return _best(query, k, minimum, calibration, rows)


def _scan(
    query: Query,
    number: int,
    block: Block,
    allowed: NDArray[np.bool_],
    leave_out: Collection[int],
    least: float,
    heap_raw: NDArray[np.float64],
    heap: Ints,
    scratch: Scratch,
) -> tuple[Ints, NDArray[np.float64]]:
    """Put the block's best rows into the heap; return those that share a gene or a diagnosis, with raw values."""
    own, information = block, query.profile.self_information
    left_out = _whole(row for row in map(block.row, leave_out) if row is not None)
    add_up(
        scratch.sums, len(own), query.terms, query.masked, query.implied_weight, query.stated_weight,
        own.implied_start, own.implied, own.stated_start, own.stated,
    )  # fmt: skip
    lines, raw = evidence_rows(
        scratch.sums, scratch.slots, information, query.table, allowed, left_out,
        query.genes, query.alleles, query.variant_start, query.variants, query.kinds, query.starts, query.ends,
        query.disorders, own.key, own.version, own.group, own.information, own.genes, own.inheritance, own.onset,
        own.mask, own.gene, own.gene_start, own.entry_row, own.entry_variant, own.entry_state,
        own.span_entry, own.span_kind, own.span_start, own.span_end, own.disorder, own.disorder_start,
        own.disorder_row,
    )  # fmt: skip
    best_rows(
        scratch.sums, scratch.bounds, scratch.highest, information, query.mask_total, query.table, least, allowed,
        left_out, number, own.key, own.group, own.information, own.inverse, own.mask, heap_raw, heap,
    )  # fmt: skip
    return lines, raw


def _related(profile: Profile, lines: Ints, raw: NDArray[np.float64]) -> _Rows:
    """Return the lines of kernels.evidence_rows as columns."""
    key, shared, common, strength, alleles, disorder, version, information, genes, inheritance, onset = lines.T
    course = _levels(agreement, profile.inheritance, INHERITANCE)[inheritance]
    course += _levels(onset_agreement, profile.onset, ONSET)[onset]
    level = np.where(common > 0, alleles + course, 0)
    return _Rows(key, version, shared, information, raw, genes, common, strength, level, disorder > 0)


def _levels(agrees: Callable[[int, int], int], own: int, classes: Sequence[str]) -> Ints:
    return _whole(agrees(own, other) for other in range(len(classes) + 1))


def _alone(blocks: Sequence[Block], heap_raw: NDArray[np.float64], heap: Ints) -> _Rows:
    """Return what the heap kept: rows as if they shared nothing but phenotypes."""
    filled = heap_raw > 0
    key, shared, information, row, number = heap[filled].T
    version = _whole(blocks[n].version[at] for n, at in zip(number.tolist(), row.tolist(), strict=True))
    none = np.zeros(len(key), np.int64)
    return _Rows(key, version, shared, information, heap_raw[filled], none, none, none, none, none > 0)


def _together(*pieces: _Rows) -> _Rows:
    return _Rows(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in _Rows.__dataclass_fields__))


def _best(query: Query, k: int, minimum: float, calibration: Calibration, rows: _Rows) -> list[Hit]:
    """Score and order. A row that shares a gene may stand among the rows twice: its better line comes first."""
    mine = len(query.profile.genes) - rows.common
    factor = factors(rows.common, mine, rows.genes - rows.common, rows.strength, rows.level, rows.disorder)
    phenotype = calibration.shares(rows.raw)
    value = combined(phenotype, factor)
    genotype = combined(np.zeros_like(phenotype), factor)
    hits: dict[int, Hit] = {}
    for at in _leading(value, rows.key, 2 * k).tolist():  # a row may stand there twice
        score = float(value[at])
        if len(hits) == k or score <= 0.0 or score < minimum:
            break
        key = int(rows.key[at])
        if key not in hits:
            alike = similarity(int(rows.shared[at]), query.profile.self_information, int(rows.information[at]))
            parts = float(phenotype[at]), float(genotype[at]), alike.raw, alike.cosine, float(factor[at])
            hits[key] = Hit(key, int(rows.version[at]), Score(score, *parts))
    return list(hits.values())


def _leading(value: NDArray[np.float64], key: Ints, count: int) -> Ints:
    """Return the places of the greatest values, at least `count` of them, ordered by value, then key."""
    places = np.arange(len(value))
    if len(value) > count:
        places = np.flatnonzero(value >= np.partition(value, len(value) - count)[len(value) - count])
    return places[np.lexsort((key[places], -value[places]))]
