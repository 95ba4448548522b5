"""The compiled inner loops of a search, one block at a time.

`add_up` sums what a query shares with every row, but for the terms of the mask. `best_rows` bounds each row's raw
value from above and completes only those that may be among the best. `evidence_rows` completes every row that shares
a gene or a diagnosis. Weights are whole numbers, 1/1024 nat: sums do not depend on their order, and are exact.

Blocks of 65,536, a threshold seeded with the best of each 64, a scan of upper bounds in runs of 64. Where this departs
from the measured design that it began with: a row is in the list of a term's stated rows or in that of its implied
ones, never in both, which saves memory; new rows are small blocks of their own and not scanned one by one; bounds are
of single precision with some slack, so that the compiler takes many at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.blocks import INVERSE
from matchmaker.matching.compiled import compiled, compiled_unordered
from matchmaker.matching.genotype import MOST_STRENGTH, WHOLE
from matchmaker.matching.phenotype import EXPONENT
from matchmaker.matching.rows import ALLELES, SPAN
from matchmaker.ontology.information import SCALE

RUN = 64
LINE = 11  # columns of evidence_rows
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


@compiled
def completed(row: int, sums: NDArray[np.int32], mask: NDArray[np.uint8], table: NDArray[np.int32]) -> np.int64:
    """Return I(q, c) of a row, in 1/1024 nat."""
    total = np.int64(sums[row])
    for place in range(mask.shape[1]):
        total += table[place, mask[row, place]]
    return total


@compiled
def raw_value(shared: Whole, query_information: Whole, information: Whole) -> float:
    """Return the raw value, as phenotype.similarity does."""
    if shared <= 0:
        return 0.0
    mine = (max(query_information, shared) / SCALE) ** EXPONENT
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
def _needed(heap_raw: NDArray[np.float64], least: float, query_information: int) -> np.float32:
    """Return the bound below which no row is among the best, nor at least `least`."""
    norm = (query_information / SCALE) ** EXPONENT
    return np.float32(max(max(heap_raw[0], least) * norm * SCALE * INVERSE * SLACK, HALF))


@compiled
def _offer(
    row: int,
    block: int,
    query_information: int,
    sums: NDArray[np.int32],
    mask: NDArray[np.uint8],
    table: NDArray[np.int32],
    information: NDArray[np.int32],
    key: NDArray[np.int64],
    heap_raw: NDArray[np.float64],
    heap: NDArray[np.int64],
) -> None:
    shared = completed(row, sums, mask, table)
    if shared > 0:
        raw = raw_value(shared, query_information, information[row])
        keep(raw, key[row], shared, information[row], row, block, heap_raw, heap)


@compiled_unordered
def _bounds(
    sums: NDArray[np.int32],
    inverse: NDArray[np.uint16],
    more: int,
    bounds: NDArray[np.float32],
    highest: NDArray[np.float32],
    count: int,
) -> None:
    """Write each row's bound, and the highest of each run."""
    added = np.int32(more)
    for run in range((count + RUN - 1) // RUN):
        best = np.float32(0)
        for row in range(run * RUN, min(count, run * RUN + RUN)):
            bound = np.float32(sums[row] + added) * np.float32(inverse[row])
            bounds[row] = bound
            best = max(best, bound)
        highest[run] = best


@compiled
def best_rows(
    sums: NDArray[np.int32],
    bounds: NDArray[np.float32],
    highest: NDArray[np.float32],
    query_information: int,
    more: int,
    table: NDArray[np.int32],
    least: float,
    allowed: NDArray[np.bool_],
    left_out: NDArray[np.int64],
    block: int,
    key: NDArray[np.int64],
    group: NDArray[np.uint16],
    information: NDArray[np.int32],
    inverse: NDArray[np.uint16],
    mask: NDArray[np.uint8],
    heap_raw: NDArray[np.float64],
    heap: NDArray[np.int64],
) -> None:
    """Keep in the heap the best rows by raw value, then key. `more` is the most that the mask can add.

    Only rows of the groups `allowed`, and not `left_out`; of those, none of a raw value of at least `least` is missed.
    """
    count = len(key)
    _bounds(sums, inverse, more, bounds, highest, count)
    for row in left_out:
        bounds[row] = 0
    need = _needed(heap_raw, least, query_information)
    for run in range((count + RUN - 1) // RUN):
        if highest[run] >= need:
            first = run * RUN
            while bounds[first] < highest[run] and first + 1 < min(count, run * RUN + RUN):
                first += 1
            if allowed[group[first]] and bounds[first] > 0:
                _offer(first, block, query_information, sums, mask, table, information, key, heap_raw, heap)
                bounds[first] = 0
                need = _needed(heap_raw, least, query_information)
    for run in range((count + RUN - 1) // RUN):
        if highest[run] >= need:
            for row in range(run * RUN, min(count, run * RUN + RUN)):
                if bounds[row] >= need and allowed[group[row]]:
                    _offer(row, block, query_information, sums, mask, table, information, key, heap_raw, heap)
                    need = _needed(heap_raw, least, query_information)


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
    variants: NDArray[np.int64],
    kinds: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    entry_variant: NDArray[np.int64],
    entry_state: NDArray[np.uint8],
    span_entry: NDArray[np.uint32],
    span_kind: NDArray[np.int64],
    span_start: NDArray[np.int32],
    span_end: NDArray[np.int32],
) -> int:
    """As genotype.common_strength, of the query's variants in a gene and a row's entries first to last of it."""
    sums = np.zeros(2, np.int64)
    theirs = np.zeros(last - first, np.int64)
    for n in range(len(variants)):
        best = 0
        for entry in range(first, last):
            found = 0
            if variants[n] == entry_variant[entry]:
                found = WHOLE
            elif kinds[n] and entry_state[entry] & SPAN:
                at = _span_place(span_entry, entry)
                if span_kind[at] == kinds[n]:
                    found = _overlap(starts[n], ends[n], span_start[at], span_end[at])
            best = max(best, found)
            theirs[entry - first] = max(theirs[entry - first], found)
        sums[0] += best
    sums[1] = theirs.sum()
    return min(MOST_STRENGTH, int(sums[0]), int(sums[1]))


@compiled
def evidence_rows(  # noqa: C901 - the loops over a gene's rows and a diagnosis's, with what each writes
    sums: NDArray[np.int32],
    slots: NDArray[np.int32],
    query_information: int,
    table: NDArray[np.int32],
    allowed: NDArray[np.bool_],
    left_out: NDArray[np.int64],
    genes: NDArray[np.int64],
    alleles: NDArray[np.int64],
    variant_start: NDArray[np.int64],
    variants: NDArray[np.int64],
    kinds: NDArray[np.int64],
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    disorders: NDArray[np.int64],
    key: NDArray[np.int64],
    version: NDArray[np.uint32],
    group: NDArray[np.uint16],
    information: NDArray[np.int32],
    gene_count: NDArray[np.uint16],
    inheritance: NDArray[np.uint8],
    onset: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    gene: NDArray[np.int64],
    gene_start: NDArray[np.uint32],
    entry_row: NDArray[np.uint16],
    entry_variant: NDArray[np.int64],
    entry_state: NDArray[np.uint8],
    span_entry: NDArray[np.uint32],
    span_kind: NDArray[np.int64],
    span_start: NDArray[np.int32],
    span_end: NDArray[np.int32],
    disorder: NDArray[np.int64],
    disorder_start: NDArray[np.uint32],
    disorder_row: NDArray[np.uint16],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return a line for each allowed row that shares a gene or a diagnosis, and its raw value.

    A line: key, I(q, c), shared genes, most strength, highest agreement of alleles, whether a diagnosis is shared; then
    the row's own version, b(c), count of genes, inheritance, onset. `slots` holds -1 for every row, before and after.
    """
    gene_at, most = _places(gene, gene_start, genes)
    disorder_at, more = _places(disorder, disorder_start, disorders)
    lines, count = np.zeros((most + more, LINE), np.int64), 0
    for n in range(len(genes)):
        if gene_at[n] < 0:
            continue
        first, end = np.int64(gene_start[gene_at[n]]), np.int64(gene_start[gene_at[n] + 1])
        own = slice(variant_start[n], variant_start[n + 1])
        while first < end:
            row, last = entry_row[first], first + 1
            while last < end and entry_row[last] == row:
                last += 1
            if allowed[group[row]]:
                if slots[row] < 0:
                    slots[row], lines[count, 0], lines[count, 4] = count, row, -1
                    count += 1
                line = lines[slots[row]]
                line[2] += 1
                if len(variants[own]):
                    strength = _strength(
                        first, last, variants[own], kinds[own], starts[own], ends[own],
                        entry_variant, entry_state, span_entry, span_kind, span_start, span_end,
                    )  # fmt: skip
                    line[3] = max(line[3], strength)
                theirs = np.int64(entry_state[first] & ALLELES)
                agrees = 0 if alleles[n] == 0 or theirs == 0 else 1 if alleles[n] == theirs else -1
                line[4] = max(line[4], agrees)
            first = last
    for n in range(len(disorders)):
        if disorder_at[n] < 0:
            continue
        for at in range(disorder_start[disorder_at[n]], disorder_start[disorder_at[n] + 1]):
            row = disorder_row[at]
            if allowed[group[row]]:
                if slots[row] < 0:
                    slots[row], lines[count, 0] = count, row
                    count += 1
                lines[slots[row], 5] = 1
    return _completed_lines(
        lines[:count], sums, slots, query_information, table, left_out,
        key, version, information, gene_count, inheritance, onset, mask,
    )  # fmt: skip


@compiled
def _completed_lines(
    lines: NDArray[np.int64],
    sums: NDArray[np.int32],
    slots: NDArray[np.int32],
    query_information: int,
    table: NDArray[np.int32],
    left_out: NDArray[np.int64],
    key: NDArray[np.int64],
    version: NDArray[np.uint32],
    information: NDArray[np.int32],
    gene_count: NDArray[np.uint16],
    inheritance: NDArray[np.uint8],
    onset: NDArray[np.uint8],
    mask: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Complete the lines, which begin with their row; return those not left out, and their raw values."""
    raw, kept = np.empty(len(lines), np.float64), 0
    for n in range(len(lines)):
        row = lines[n, 0]
        slots[row] = -1
        out = False
        for other in left_out:
            out = out or other == row
        if not out:
            line = lines[kept]
            line[2], line[3], line[4], line[5] = lines[n, 2], lines[n, 3], lines[n, 4], lines[n, 5]
            line[0], line[1] = key[row], completed(row, sums, mask, table)
            line[6], line[7], line[8] = version[row], information[row], gene_count[row]
            line[9], line[10] = inheritance[row], onset[row]
            raw[kept] = raw_value(line[1], query_information, information[row])
            kept += 1
    return lines[:kept], raw[:kept]


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
