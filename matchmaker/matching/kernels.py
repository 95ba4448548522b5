"""The compiled inner loops of a search, one block at a time.

`add_up` sums what a query shares with every row, but for the terms of the mask. `best_rows` bounds each row's raw
value from above and completes only those that may be among the best. `related_rows` lists every row that shares a
gene or a diagnosis, `promising_lines` completes those of them that may be among the best. Weights are whole numbers,
1/1024 nat: sums do not depend on their order, and are exact.

Blocks of 65,536, a threshold seeded with the best of each 64, a scan of upper bounds in runs of 64. Where this departs
from the measured design that it began with: a row is in the list of a term's stated rows or in that of its implied
ones, never in both, which saves memory; new rows are small blocks of their own and not scanned one by one; bounds are
of single precision with some slack, so that the compiler takes many at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.blocks import (
    GENES_MASK,
    INFORMATION,
    INHERITANCE_SHIFT,
    INVERSE,
    MASK,
    MASKED,
    ONSET_SHIFT,
    TOLD,
    VERSION,
    key_of_row,
    row_of,
)
from matchmaker.matching.calibration import CEILING
from matchmaker.matching.compiled import compiled, compiled_unordered, inlined
from matchmaker.matching.genotype import (
    LEVELS,
    MOST_STRENGTH,
    PRIOR_ODDS,
    SAME_DISORDER,
    SAME_GENE,
    SAME_VARIANT,
    WHOLE,
)
from matchmaker.matching.phenotype import EXPONENT
from matchmaker.matching.rows import ALLELES, GENES_SHIFT, SPAN
from matchmaker.ontology.information import SCALE

RUN = 64
LINE = 9  # columns of related_rows
DONE = -(2**30)  # the sum of a row that was offered already: it is below every bound
SLACK = 1 - 1e-6  # bounds are of single precision
HALF = 0.5
COLUMNS = 5  # of the heap: key, I(q, c), b(c), row, number of the block; the worst line first
Whole = int | np.integer[Any]
Real = float | np.floating[Any]


@compiled
def add_up(
    sums: NDArray[np.int32],
    count: int,
    terms: NDArray[np.int64],
    masked: NDArray[np.bool_],
    implied_weight: NDArray[np.int32],
    stated_weight: NDArray[np.int32],
    implied_start: NDArray[np.uint32],
    implied: NDArray[np.uint16],
    stated_start: NDArray[np.uint32],
    stated: NDArray[np.uint16],
) -> None:
    """Write into `sums` what each row shares with the query, but for what it implies of the masked terms."""
    sums[:count] = 0
    for n in range(len(terms)):
        term, weight = terms[n], stated_weight[n]
        if not masked[n]:
            less = implied_weight[n]
            weight += less
            for at in range(implied_start[term], implied_start[term + 1]):
                sums[implied[at]] += less
        for at in range(stated_start[term], stated_start[term + 1]):
            sums[stated[at]] += weight


@compiled
def mask_table(bits: NDArray[np.int64], weights: NDArray[np.int32], count: int) -> NDArray[np.int32]:
    """Return bytes x 256: the weight of the masked terms whose bits are set in a byte of a row's mask."""
    table = np.zeros((count, 256), np.int32)
    alone = np.zeros(count * 8, np.int32)
    for n in range(len(bits)):
        alone[bits[n]] = weights[n]
    for place in range(count):
        for value in range(1, 256):
            lowest = 0
            while not value >> lowest & 1:
                lowest += 1
            table[place, value] = table[place, value & (value - 1)] + alone[place * 8 + lowest]
    return table


@inlined
def completed(row: Whole, begun: Whole, record: NDArray[np.uint32], table: NDArray[np.int32]) -> np.int64:
    """Return I(q, c) of a row, in 1/1024 nat, from its sum."""
    total = np.int64(begun)
    for place in range(MASKED // 32):
        word = np.uint64(record[row, MASK + place])
        for byte in range(4):
            total += table[4 * place + byte, word >> np.uint64(8 * byte) & np.uint64(255)]
    return total


@compiled
def raw_value(shared: Whole, query_information: Whole, query_norm: Real, information: Whole) -> float:
    """Return the raw value, as phenotype.similarity does. `query_norm` is that of the query's information."""
    if shared <= 0:
        return 0.0
    mine = query_norm if shared <= query_information else (shared / SCALE) ** EXPONENT
    theirs = (max(information, shared) / SCALE) ** EXPONENT
    return float((shared / SCALE) / (mine * theirs))


@compiled
def worse(raw: Real, key: Whole, than_raw: Real, than_key: Whole) -> bool:
    """Tell whether (raw, key) comes after the other: a lower raw value, or an equal one and a higher key."""
    return bool(raw < than_raw or (raw == than_raw and key > than_key))


@compiled
def keep(
    raw: float,
    key: Whole,
    shared: Whole,
    information: Whole,
    row: Whole,
    block: Whole,
    heap_raw: NDArray[np.float64],
    heap: NDArray[np.int64],
) -> None:
    """Put a row in the place of the worst one kept, if it is better."""
    if not worse(heap_raw[0], heap[0, 0], raw, key):
        return
    place, size = 0, len(heap_raw)
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and worse(heap_raw[child + 1], heap[child + 1, 0], heap_raw[child], heap[child, 0]):
            child += 1
        if not worse(heap_raw[child], heap[child, 0], raw, key):
            break
        heap_raw[place] = heap_raw[child]
        for column in range(COLUMNS):
            heap[place, column] = heap[child, column]
        place = child
    heap_raw[place] = raw
    heap[place, 0], heap[place, 1], heap[place, 2] = key, shared, information
    heap[place, 3], heap[place, 4] = row, block


@compiled
def _needed(heap_raw: NDArray[np.float64], least: float, query_norm: float) -> np.float32:
    """Return the bound below which no row is among the best, nor at least `least`."""
    return np.float32(max(max(heap_raw[0], least) * query_norm * SCALE * INVERSE * SLACK, HALF))


@compiled_unordered
def _highest_bounds(
    sums: NDArray[np.int32], inverse: NDArray[np.uint16], more: np.float32, highest: NDArray[np.float32], count: int
) -> None:
    """Write the highest bound of each run of rows: by halves, so that sixteen are compared at once."""
    lanes = np.empty(16, np.float32)
    for run in range(count // RUN):
        first = run * RUN
        for lane in range(16):
            at = first + lane
            one = (np.float32(sums[at]) + more) * np.float32(inverse[at])
            two = (np.float32(sums[at + 16]) + more) * np.float32(inverse[at + 16])
            three = (np.float32(sums[at + 32]) + more) * np.float32(inverse[at + 32])
            four = (np.float32(sums[at + 48]) + more) * np.float32(inverse[at + 48])
            one = one if one > two else two  # noqa: FURB136 - the compiler takes many of these at once, none of max
            three = three if three > four else four  # noqa: FURB136 - as above
            lanes[lane] = one if one > three else three  # noqa: FURB136 - as above
        best = lanes[0]
        for lane in range(1, 16):
            best = max(best, lanes[lane])
        highest[run] = best
    if count % RUN:
        best = np.float32(0)
        for row in range(count // RUN * RUN, count):
            best = max(best, (np.float32(sums[row]) + more) * np.float32(inverse[row]))
        highest[count // RUN] = best


@compiled_unordered
def _run_bounds(
    sums: NDArray[np.int32],
    inverse: NDArray[np.uint16],
    more: np.float32,
    first: np.uint64,
    count: np.uint64,
    bounds: NDArray[np.float32],
) -> None:
    """Write the bounds of some rows."""
    for n in range(count):
        bounds[n] = (np.float32(sums[first + n]) + more) * np.float32(inverse[first + n])


@compiled
def best_rows(
    seeding: bool,
    sums: NDArray[np.int32],
    highest: NDArray[np.float32],
    query_information: int,
    mask_total: int,
    table: NDArray[np.int32],
    least: float,
    allowed: NDArray[np.bool_],
    block: int,
    record: NDArray[np.uint32],
    group: NDArray[np.uint16],
    inverse: NDArray[np.uint16],
    heap_raw: NDArray[np.float64],
    heap: NDArray[np.int64],
) -> None:
    """Keep in the heap the best rows by raw value, then key. `mask_total` is the most that the mask can add.

    Called twice for a block: when `seeding`, of each run only the row of the highest bound is offered, so that the
    worst row kept is a good one before all others are looked at. Only rows of the groups `allowed`; of those, none of
    a raw value of at least `least` is missed. Rows offered are DONE in `sums` afterwards.
    """
    count, more = len(record), np.float32(mask_total)
    query_norm = (query_information / SCALE) ** EXPONENT
    if seeding:
        _highest_bounds(sums, inverse, more, highest, count)
    need, bounds = _needed(heap_raw, least, query_norm), np.empty(RUN, np.float32)
    for run in range((count + RUN - 1) // RUN):
        if highest[run] < need:
            continue
        first = np.uint64(run * RUN)
        _run_bounds(sums, inverse, more, first, np.uint64(min(RUN, count - run * RUN)), bounds)
        wanted = highest[run] if seeding else need
        for n in range(min(RUN, count - run * RUN)):
            if bounds[n] < wanted:
                continue
            row = first + np.uint64(n)
            if allowed[group[row]]:
                shared = completed(row, sums[row], record, table)
                sums[row] = DONE
                if np.float32(shared) * np.float32(inverse[row]) >= need:
                    information = np.int64(record[row, INFORMATION])
                    raw = raw_value(shared, query_information, query_norm, information)
                    keep(raw, key_of_row(record, row), shared, information, row, block, heap_raw, heap)
                    need = _needed(heap_raw, least, query_norm)
                    wanted = max(wanted, need)
            if seeding:
                break


@compiled
def _place(items: NDArray[np.int64], wanted: Whole) -> int:
    """Return where an item stands in sorted items, -1 for nowhere."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < len(items) and items[low] == wanted else -1


@compiled
def _span_place(span_entry: NDArray[np.uint32], entry: Whole) -> int:
    low, high = 0, len(span_entry)
    while low < high:
        middle = (low + high) // 2
        if span_entry[middle] < entry:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _overlap(start: Whole, end: Whole, other_start: Whole, other_end: Whole) -> int:
    """As genotype.span_strength."""
    both = int(min(int(end), int(other_end)) - max(int(start), int(other_start)))
    longer = max(int(end) - int(start), int(other_end) - int(other_start))
    return max(0, 2 * WHOLE * max(0, both) // longer - WHOLE)


@compiled
def _strength(
    first: Whole,
    last: Whole,
    own_first: Whole,
    own_last: Whole,
    variants: NDArray[np.int64],
    kinds: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    entry_variant: NDArray[np.int64],
    entry_state: NDArray[np.uint8],
    span_entry: NDArray[np.uint32],
    span_kind: NDArray[np.int64],
    span_start: NDArray[np.int64],
    span_end: NDArray[np.int64],
) -> int:
    """As genotype.common_strength, of the query's variants in a gene and a row's entries first to last of it."""
    mine = theirs = 0
    for turned in range(2):  # for each of either side its best among the other's
        outer = (first, last) if turned else (own_first, own_last)
        inner = (own_first, own_last) if turned else (first, last)
        for one in range(outer[0], outer[1]):
            best = 0
            for other in range(inner[0], inner[1]):
                n, entry = (other, one) if turned else (one, other)
                found = 0
                if variants[n] == entry_variant[entry]:
                    found = WHOLE
                elif kinds[n] and entry_state[entry] & SPAN:
                    at = _span_place(span_entry, entry)
                    if span_kind[at] == kinds[n]:
                        found = _overlap(starts[n], ends[n], span_start[at], span_end[at])
                best = max(best, found)
            if turned:
                theirs += best
            else:
                mine += best
    return min(MOST_STRENGTH, mine, theirs)


@compiled
def related_rows(  # noqa: C901, PLR0912 - the loops over a gene's rows and a diagnosis's, with what each writes
    sums: NDArray[np.int32],
    slots: NDArray[np.int32],
    allowed: NDArray[np.bool_],
    genes: NDArray[np.int64],
    alleles: NDArray[np.int64],
    variant_start: NDArray[np.int64],
    variants: NDArray[np.int64],
    kinds: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    disorders: NDArray[np.int64],
    group: NDArray[np.uint16],
    gene: NDArray[np.int64],
    gene_start: NDArray[np.uint32],
    entry_row: NDArray[np.uint16],
    entry_variant: NDArray[np.int64],
    entry_state: NDArray[np.uint8],
    span_entry: NDArray[np.uint32],
    span_kind: NDArray[np.int64],
    span_start: NDArray[np.int64],
    span_end: NDArray[np.int64],
    disorder: NDArray[np.int64],
    disorder_start: NDArray[np.uint32],
    disorder_row: NDArray[np.uint16],
) -> NDArray[np.int64]:
    """Return a line for each allowed row that shares a gene or a diagnosis, but for those that are DONE.

    A line: row; its sum; shared genes; most strength; highest agreement of alleles; whether a diagnosis is shared;
    genes that the row has at least. Two columns are left free. `slots` holds -1 for every row, before and after.
    """
    gene_at, most = _places(gene, gene_start, genes)
    disorder_at, others = _places(disorder, disorder_start, disorders)
    lines, count = np.zeros((most + others, LINE), np.int64), 0
    for n in range(len(genes)):
        if gene_at[n] < 0:
            continue
        first, end = np.int64(gene_start[gene_at[n]]), np.int64(gene_start[gene_at[n] + 1])
        while first < end:
            row, last = entry_row[first], first + 1
            while last < end and entry_row[last] == row:
                last += 1
            if allowed[group[row]] and sums[row] != DONE:
                if slots[row] < 0:
                    slots[row], lines[count, 0], lines[count, 4] = count, row, -1
                    count += 1
                at = slots[row]
                lines[at, 2] += 1
                if variant_start[n] < variant_start[n + 1] and entry_variant[first]:
                    strength = _strength(
                        first, last, variant_start[n], variant_start[n + 1], variants, kinds, starts, ends,
                        entry_variant, entry_state, span_entry, span_kind, span_start, span_end,
                    )  # fmt: skip
                    lines[at, 3] = max(lines[at, 3], strength)
                theirs = np.int64(entry_state[first] & ALLELES)
                agrees = 0 if alleles[n] == 0 or theirs == 0 else 1 if alleles[n] == theirs else -1
                lines[at, 4] = max(lines[at, 4], agrees)
                lines[at, 6] = entry_state[first] >> GENES_SHIFT
            first = last
    for n in range(len(disorders)):
        if disorder_at[n] < 0:
            continue
        for at in range(disorder_start[disorder_at[n]], disorder_start[disorder_at[n] + 1]):
            row = disorder_row[at]
            if allowed[group[row]] and sums[row] != DONE:
                if slots[row] < 0:
                    slots[row], lines[count, 0] = count, row
                    count += 1
                lines[slots[row], 5] = 1
    for n in range(count):
        row = lines[n, 0]
        slots[row] = -1
        lines[n, 1] = sums[row]
    return lines[:count]


@inlined
def _factor(
    shared: Whole,
    mine: Whole,
    theirs: Whole,
    strength: Whole,
    level: Whole,
    disorder: Whole,
    by_level: NDArray[np.float64],
) -> float:
    """As genotype.factors; to choose by, not to show."""
    lists = (1.0 + mine) * (1.0 + theirs)
    evidence = (
        SAME_GENE * by_level[level + LEVELS] / (lists * np.sqrt(np.sqrt(lists))) + SAME_VARIANT * strength / WHOLE
    )
    return (1.0 + (evidence if shared > 0 else 0.0)) * (SAME_DISORDER if disorder else 1.0)


@inlined
def _odds(raw: Real, factor: Real, knots: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """As the odds of score.combined; to choose by, not to show."""
    last = len(knots) - 1
    if raw > knots[last]:
        share = CEILING - (CEILING - shares[last]) * knots[last] / raw
    else:
        low, high = 0, last
        while high - low > 1:
            middle = (low + high) // 2
            if knots[middle] <= raw:
                low = middle
            else:
                high = middle
        share = shares[low] + (raw - knots[low]) * (shares[high] - shares[low]) / (knots[high] - knots[low])
    return float((share / (1.0 - share) + PRIOR_ODDS) * factor)


@compiled
def _raise_worst(heap: NDArray[np.float64], value: float) -> None:
    """Put a value in the place of the least of a heap, if it is greater."""
    if value <= heap[0]:
        return
    place, size = 0, len(heap)
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = value


@compiled
def promising_lines(
    lines: NDArray[np.int64],
    query_information: int,
    mask_total: int,
    table: NDArray[np.int32],
    genes: int,
    inheritances: NDArray[np.int64],
    onsets: NDArray[np.int64],
    knots: NDArray[np.float64],
    shares: NDArray[np.float64],
    by_level: NDArray[np.float64],
    odds: NDArray[np.float64],
    odds_without_gene: NDArray[np.float64],
    record: NDArray[np.uint32],
    inverse: NDArray[np.uint16],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Complete those lines of related_rows that may be among the best; return them and their raw values.

    A gene may be a candidate of every fiftieth case: most of them are too unlike to be worth a look at their record.
    `odds` is a heap of the best so far that share a gene, `odds_without_gene` of those that share a diagnosis only. A
    line is then: key, I(q, c), shared genes, strength, level, diagnosis, version, b(c), genes. `inheritances` and
    `onsets` hold the level of every class.
    """
    query_norm = (query_information / SCALE) ** EXPONENT
    course = inheritances.max() + onsets.max()
    raws, kept = np.empty(len(lines), np.float64), 0
    for n in range(len(lines)):
        row, shared, strength, disorder = lines[n, 0], lines[n, 2], lines[n, 3], lines[n, 5]
        level = lines[n, 4] if shared else 0
        most = level + course if shared else 0
        bound = (np.float64(lines[n, 1]) + mask_total) * inverse[row] / (SCALE * INVERSE * SLACK)
        at_most = _factor(shared, genes - shared, max(0, lines[n, 6] - shared), strength, most, disorder, by_level)
        raw = bound / query_norm if query_norm > 0 else 0.0
        best = odds if shared else odds_without_gene
        if _odds(raw, at_most, knots, shares) < best[0] * SLACK:
            continue
        total, told = completed(row, lines[n, 1], record, table), np.int64(record[row, TOLD])
        information, theirs = np.int64(record[row, INFORMATION]), told & GENES_MASK
        raw = raw_value(total, query_information, query_norm, information)
        if shared:
            level += inheritances[told >> INHERITANCE_SHIFT & 255] + onsets[told >> ONSET_SHIFT]
        factor = _factor(shared, genes - shared, theirs - shared, strength, level, disorder, by_level)
        _raise_worst(best, _odds(raw, factor, knots, shares))
        lines[kept, 0], lines[kept, 1], lines[kept, 2] = key_of_row(record, row), total, shared
        lines[kept, 3], lines[kept, 4], lines[kept, 5] = strength, level, disorder
        lines[kept, 6], lines[kept, 7], lines[kept, 8] = record[row, VERSION], information, theirs
        raws[kept] = raw
        kept += 1
    return lines[:kept].copy(), raws[:kept]


@compiled
def _places(
    items: NDArray[np.int64], starts: NDArray[np.uint32], wanted: NDArray[np.int64]
) -> tuple[NDArray[np.int64], int]:
    """Return where each item wanted stands, -1 for nowhere, and how many rows all of them have together."""
    places, rows = np.empty(len(wanted), np.int64), 0
    for n in range(len(wanted)):
        places[n] = _place(items, wanted[n])
        if places[n] >= 0:
            rows += int(starts[places[n] + 1]) - int(starts[places[n]])
    return places, rows


@compiled
def take_block(
    sums: NDArray[np.int32],
    highest: NDArray[np.float32],
    slots: NDArray[np.int32],
    query_information: int,
    mask_total: int,
    table: NDArray[np.int32],
    terms: NDArray[np.int64],
    masked: NDArray[np.bool_],
    implied_weight: NDArray[np.int32],
    stated_weight: NDArray[np.int32],
    query_genes: NDArray[np.int64],
    alleles: NDArray[np.int64],
    variant_start: NDArray[np.int64],
    variants: NDArray[np.int64],
    kinds: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    disorders: NDArray[np.int64],
    inheritances: NDArray[np.int64],
    onsets: NDArray[np.int64],
    knots: NDArray[np.float64],
    shares: NDArray[np.float64],
    by_level: NDArray[np.float64],
    least: float,
    allowed: NDArray[np.bool_],
    leave_out: NDArray[np.int64],
    odds: NDArray[np.float64],
    odds_without_gene: NDArray[np.float64],
    heap_raw: NDArray[np.float64],
    heap: NDArray[np.int64],
    block: int,
    record: NDArray[np.uint32],
    group: NDArray[np.uint16],
    inverse: NDArray[np.uint16],
    implied_start: NDArray[np.uint32],
    implied: NDArray[np.uint16],
    stated_start: NDArray[np.uint32],
    stated: NDArray[np.uint16],
    gene: NDArray[np.int64],
    gene_start: NDArray[np.uint32],
    entry_row: NDArray[np.uint16],
    entry_variant: NDArray[np.int64],
    entry_state: NDArray[np.uint8],
    span_entry: NDArray[np.uint32],
    span_kind: NDArray[np.int64],
    span_start: NDArray[np.int64],
    span_end: NDArray[np.int64],
    disorder: NDArray[np.int64],
    disorder_start: NDArray[np.uint32],
    disorder_row: NDArray[np.uint16],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sum a block up, offer its likeliest rows; return the promising lines. All in one call, as each has its price."""
    add_up(
        sums, len(record), terms, masked, implied_weight, stated_weight, implied_start, implied, stated_start, stated
    )  # fmt: skip
    for key in leave_out:
        row = row_of(record, key)
        if row >= 0:
            sums[row] = DONE
    lines = related_rows(
        sums, slots, allowed, query_genes, alleles, variant_start, variants, kinds, starts, ends, disorders,
        group, gene, gene_start, entry_row, entry_variant, entry_state, span_entry, span_kind, span_start, span_end,
        disorder, disorder_start, disorder_row,
    )  # fmt: skip
    for n in range(len(lines)):  # what shares a gene never takes the place of what shares none
        if lines[n, 2] > 0:
            sums[lines[n, 0]] = DONE
    promising = promising_lines(
        lines, query_information, mask_total, table, len(query_genes), inheritances, onsets,
        knots, shares, by_level, odds, odds_without_gene, record, inverse,
    )  # fmt: skip
    best_rows(
        True, sums, highest, query_information, mask_total, table, least, allowed, block, record, group, inverse,
        heap_raw, heap,
    )  # fmt: skip
    return promising
