"""One search: a query over blocks, its best rows and their scores. Pure."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.genome.variants import VariantKey
from matchmaker.matching.blocks import BLOCK, MASKED, Block
from matchmaker.matching.calibration import Calibration
from matchmaker.matching.genotype import LEVEL_FACTORS, agreement, factors, onset_agreement
from matchmaker.matching.kernels import COLUMNS, RUN, best_rows, mask_table, take_block
from matchmaker.matching.phenotype import similarity
from matchmaker.matching.profile import INHERITANCE, ONSET, Profile
from matchmaker.matching.rows import digest
from matchmaker.matching.score import Score, combined
from matchmaker.ontology.information import Information

SPARE = 12  # rows kept beyond k: the score of two raw values a last bit apart may be the same figure
_LAST_KEY = np.iinfo(np.int64).max
TOGETHER = 8  # blocks that are summed up before any is looked at closely: the best so far are then good ones
_NEVER = -1.0

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hit:
    """A case found: its key, the version that it was taken in with, and how alike it is."""

    key: int
    version: int
    score: Score
    shares_gene: bool = False


@dataclass(frozen=True, slots=True)
class Most:
    """How many cases a search returns at most: in all, of those that share a gene, and of those that share none.

    `least_*` are the scores below which a case is no hit.
    """

    results: int
    with_gene: int
    without_gene: int
    least_with_gene: float = 0.0
    least_without_gene: float = 0.0

    @classmethod
    def best(cls, k: int, minimum: float) -> "Most":
        """Return a limit that does not ask about genes."""
        return cls(k, k, k, minimum, minimum)


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
    """What a search writes to: sums and highest bounds for TOGETHER blocks."""

    sums: NDArray[np.int32]
    highest: NDArray[np.float32]
    slots: NDArray[np.int32]

    @classmethod
    def empty(cls) -> "Scratch":
        """Return a new one."""
        sums, highest = np.empty((TOGETHER, BLOCK), np.int32), np.empty((TOGETHER, BLOCK // RUN), np.float32)
        return cls(sums, highest, np.full(BLOCK, -1, np.int32))

    @property
    def nbytes(self) -> int:
        """How much memory it takes."""
        return self.sums.nbytes + self.highest.nbytes + self.slots.nbytes


@dataclass(frozen=True)
class _Search:
    """One search under way: what is asked, of whom, and the best so far."""

    query: Query
    allowed: NDArray[np.bool_]
    leave_out: Ints
    least: float
    calibration: Calibration
    scratch: Scratch
    heap_raw: Floats
    heap: Ints
    odds: Floats  # of the best that share a gene
    odds_without_gene: Floats  # of the best that share a diagnosis and no gene
    inheritances: Ints
    onsets: Ints

    def take(self, number: int, block: Block, place: int) -> tuple[Ints, Floats]:
        """Sum a block up, offer its likeliest rows; return lines of rows that share a gene or a diagnosis."""
        query, scratch = self.query, self.scratch
        return take_block(
            scratch.sums[place], scratch.highest[place], scratch.slots,
            query.profile.self_information, query.mask_total, query.table, query.terms, query.masked,
            query.implied_weight, query.stated_weight, query.genes, query.alleles, query.variant_start,
            query.variants, query.kinds, query.starts, query.ends, query.disorders, self.inheritances, self.onsets,
            self.calibration.knots, self.calibration.shares_at_knots, LEVEL_FACTORS,
            self.least, self.allowed, self.leave_out, self.odds, self.odds_without_gene, self.heap_raw, self.heap,
            number, block.record, block.group, block.inverse, block.implied_start, block.implied,
            block.stated_start, block.stated, block.gene, block.gene_start, block.entry_row, block.entry_variant,
            block.entry_state, block.span_entry, block.span_kind, block.span_start, block.span_end,
            block.disorder, block.disorder_start, block.disorder_row,
        )  # fmt: skip

    def offer(self, number: int, block: Block, place: int) -> None:
        """Put the rows of a block that was taken into the heap, as far as they are among the best."""
        best_rows(
            False, self.scratch.sums[place], self.scratch.highest[place], self.query.profile.self_information,
            self.query.mask_total, self.query.table, self.least, self.allowed, number, block.record, block.group,
            block.inverse, self.heap_raw, self.heap,
        )  # fmt: skip


@dataclass(frozen=True)
class _Rows:
    """Rows that were found, as columns."""

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
    most: Most,
    blocks: Sequence[Block],
    allowed: NDArray[np.bool_],
    leave_out: Collection[int],
    calibration: Calibration,
    scratch: Scratch,
) -> list[Hit]:
    """Return the best allowed rows, by score, best first, then key. See CaseIndex.search."""
    kept = most.without_gene + SPARE
    search = _Search(
        query,
        allowed,
        _whole(leave_out),
        calibration.raw_at(most.least_without_gene),
        calibration,
        scratch,
        heap_raw=np.full(kept, _NEVER),
        heap=np.full((kept, COLUMNS), _LAST_KEY),
        odds=_least_odds(most.with_gene, most.least_with_gene),
        odds_without_gene=_least_odds(most.without_gene, most.least_without_gene),
        inheritances=_levels(agreement, query.profile.inheritance, INHERITANCE),
        onsets=_levels(onset_agreement, query.profile.onset, ONSET),
    )
    found: list[tuple[Ints, Floats]] = []
    for start in range(0, len(blocks), TOGETHER):
        together = list(enumerate(blocks))[start : start + TOGETHER]
        found += [search.take(number, block, number - start) for number, block in together]
        for number, block in together:
            search.offer(number, block, number - start)
    rows = _together(_related(*map(np.concatenate, zip(*found, strict=True))), _alone(blocks, search))
    return _best(query, most, calibration, rows)


def _least_odds(count: int, minimum: float) -> Floats:
    return np.full(count + SPARE, minimum / (1 - minimum) if minimum < 1 else np.inf)


def _related(lines: Ints, raw: Floats) -> _Rows:
    """Return lines of kernels.promising_lines as columns."""
    key, shared, common, strength, level, disorder, version, information, genes = lines.T
    return _Rows(key, version, shared, information, raw, genes, common, strength, level, disorder > 0)


def _levels(agrees: Callable[[int, int], int], own: int, classes: Sequence[str]) -> Ints:
    return _whole(agrees(own, other) for other in range(len(classes) + 1))


def _alone(blocks: Sequence[Block], search: _Search) -> _Rows:
    """Return what the heap kept: rows as if they shared nothing but phenotypes."""
    filled = search.heap_raw > 0
    key, shared, information, row, number = search.heap[filled].T
    version = _whole(blocks[n].version_of(at) for n, at in zip(number.tolist(), row.tolist(), strict=True))
    none = np.zeros(len(key), np.int64)
    return _Rows(key, version, shared, information, search.heap_raw[filled], none, none, none, none, none > 0)


def _together(*pieces: _Rows) -> _Rows:
    return _Rows(*(np.concatenate([getattr(piece, name) for piece in pieces]) for name in _Rows.__dataclass_fields__))


def _scores(query: Query, calibration: Calibration, rows: _Rows) -> tuple[Floats, Floats, Floats]:
    """Return each row's score, the part of its phenotype, and its factor."""
    mine = len(query.profile.genes) - rows.common
    factor = factors(rows.common, mine, rows.genes - rows.common, rows.strength, rows.level, rows.disorder)
    phenotype = calibration.shares(rows.raw)
    return combined(phenotype, factor), phenotype, factor


def _best(query: Query, most: Most, calibration: Calibration, rows: _Rows) -> list[Hit]:
    """Score and order. A row that shares a diagnosis may stand among the rows twice: its better line comes first."""
    value, phenotype, factor = _scores(query, calibration, rows)
    genotype = combined(np.zeros_like(phenotype), factor)
    hits: dict[int, Hit] = {}
    shares_gene = rows.common > 0
    for at in _chosen(value, rows.key, shares_gene, most):
        score = float(value[at])
        if len(hits) == most.results or score <= 0.0:
            break
        key = int(rows.key[at])
        if key not in hits:
            alike = similarity(int(rows.shared[at]), query.profile.self_information, int(rows.information[at]))
            parts = float(phenotype[at]), float(genotype[at]), alike.raw, alike.cosine, float(factor[at])
            hits[key] = Hit(key, int(rows.version[at]), Score(score, *parts), shares_gene=bool(shares_gene[at]))
    return list(hits.values())


def _chosen(value: Floats, key: Ints, shares_gene: NDArray[np.bool_], most: Most) -> list[int]:
    """Return the places of the best of either kind, together in order; one row's two lines count once."""
    kinds = (
        (shares_gene, most.with_gene, most.least_with_gene),
        (~shares_gene, most.without_gene, most.least_without_gene),
    )
    places: list[int] = []
    for of_kind, count, least in kinds:
        some = np.flatnonzero(of_kind & (value >= least) & (value > 0))
        if not count:
            continue
        met: set[int] = set()
        for at in some[_leading(value[some], key[some], 2 * count)].tolist():
            if len(met) == count and int(key[at]) not in met:
                break
            met.add(int(key[at]))
            places.append(at)
    return sorted(places, key=lambda at: (-value[at], key[at]))


def _leading(value: NDArray[np.float64], key: Ints, count: int) -> Ints:
    """Return the places of the greatest values, at least `count` of them, ordered by value, then key."""
    places = np.arange(len(value))
    if len(value) > count:
        places = np.flatnonzero(value >= np.partition(value, len(value) - count)[len(value) - count])
    return places[np.lexsort((key[places], -value[places]))]
