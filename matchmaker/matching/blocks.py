"""Blocks: up to 65,536 rows turned round, so that a query reads only what it shares with them. Never changed, but
for the group of a row that is removed.

For every term the rows that state it and those that only imply it, in 16 bits each. The 128 commonest terms are
implied by so many rows that they are a bit of a mask in each row instead.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.compiled import compiled, inlined
from matchmaker.matching.phenotype import EXPONENT
from matchmaker.matching.rows import NOBODY, Rows
from matchmaker.ontology.information import SCALE, Information

BLOCK = 65_536
MASKED = 128
INVERSE = 4_096  # 1 / b^0.3 is kept as a whole number of 1/4096, rounded up: at most 8 of them for the smallest b
RARE = -1
# The numbers of a record: a key in two, the version, b(c); genes, inheritance and onset in one; and the mask in four.
KEY_HIGH, KEY_LOW, VERSION, INFORMATION, TOLD, MASK, RECORD = 0, 1, 2, 3, 4, 5, 9
GENES_MASK, INHERITANCE_SHIFT, ONSET_SHIFT = 0xFFFF, 16, 24  # within TOLD


@dataclass(frozen=True)
class Block:
    """Rows in order of their keys.

    `implied[implied_start[t] : implied_start[t + 1]]` are the rows that imply term t and do not state it. All else that
    is asked of single rows lies together in `record`, nine numbers a row, as memory is read by the line.
    """

    record: NDArray[np.uint32]
    group: NDArray[np.uint16]
    inverse: NDArray[np.uint16]
    implied_start: NDArray[np.uint32]
    implied: NDArray[np.uint16]
    stated_start: NDArray[np.uint32]
    stated: NDArray[np.uint16]
    gene: NDArray[np.int64]
    gene_start: NDArray[np.uint32]
    entry_row: NDArray[np.uint16]
    entry_variant: NDArray[np.int64]
    entry_state: NDArray[np.uint8]
    span_entry: NDArray[np.uint32]
    span_kind: NDArray[np.int64]
    span_start: NDArray[np.int64]
    span_end: NDArray[np.int64]
    disorder: NDArray[np.int64]
    disorder_start: NDArray[np.uint32]
    disorder_row: NDArray[np.uint16]

    def __post_init__(self) -> None:
        """Let nobody write: searches may be reading; and arrays of one kind are compiled for once."""
        for field in fields(self):
            getattr(self, field.name).flags.writeable = False

    def __len__(self) -> int:
        """Return the count of rows, removed ones included."""
        return len(self.record)

    @property
    def nbytes(self) -> int:
        """How much memory the arrays take."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    @property
    def key(self) -> NDArray[np.int64]:
        """Each row's key."""
        return self.record[:, KEY_HIGH].astype(np.int64) << 32 | self.record[:, KEY_LOW]

    @property
    def version(self) -> NDArray[np.uint32]:
        """Each row's version."""
        return self.record[:, VERSION]

    def version_of(self, row: int) -> int:
        """One row's version."""
        return int(self.record[row, VERSION])

    @property
    def mask(self) -> NDArray[np.uint8]:
        """Each row's mask, as bytes."""
        return np.ascontiguousarray(self.record[:, MASK:]).view(np.uint8)

    @property
    def live(self) -> int:
        """The count of rows that were not removed."""
        return int(np.count_nonzero(self.group))

    def row(self, key: int) -> int | None:
        """Return the live row of a key, None when there is none."""
        place = row_of(self.record, key)
        return place if place >= 0 and self.group[place] != NOBODY else None


def masked_terms(weights: Information) -> NDArray[np.int16]:
    """Return for each term its bit in the mask, RARE for most: the commonest are those that tell least."""
    content = np.array(weights.content)
    told = np.flatnonzero(content)
    commonest = told[np.argsort(content[told], kind="stable")[:MASKED]]
    bits = np.full(len(content), RARE, np.int16)
    bits[commonest] = np.arange(len(commonest))
    return bits


def block_of(rows: Rows, bits: NDArray[np.int16]) -> Block:
    """Turn rows round; those that were removed are left out. `bits` is that of masked_terms."""
    alive = np.flatnonzero(rows.group != NOBODY)
    order = alive[np.argsort(rows.key[alive])]
    place = np.full(len(rows), -1, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    mask, implied_start, implied, stated_start, stated = _turned(
        order, rows.closure_start, rows.closure, rows.stated_start, rows.stated, bits
    )
    information = rows.information[order]
    return Block(
        record=_record(rows, order, mask),
        group=rows.group[order],
        inverse=np.ceil(INVERSE / (np.maximum(information, 1) / SCALE) ** EXPONENT).astype(np.uint16),
        implied_start=implied_start,
        implied=implied,
        stated_start=stated_start,
        stated=stated,
        **_entries(rows, place),
        **_disorders(rows, place),
    )


def _record(rows: Rows, order: NDArray[np.int64], mask: NDArray[np.uint8]) -> NDArray[np.uint32]:
    record = np.empty((len(order), RECORD), np.uint32)
    record[:, KEY_HIGH], record[:, KEY_LOW] = rows.key[order] >> 32, rows.key[order] & 0xFFFFFFFF
    record[:, VERSION], record[:, INFORMATION] = rows.version[order], rows.information[order]
    told = rows.genes[order].astype(np.int64) | rows.inheritance[order].astype(np.int64) << INHERITANCE_SHIFT
    record[:, TOLD] = told | rows.onset[order].astype(np.int64) << ONSET_SHIFT
    record[:, MASK:] = mask.view(np.uint32)
    return record


@inlined
def key_of_row(record: NDArray[np.uint32], row: "int | np.integer[Any]") -> np.int64:
    """Return the key of a row."""
    return np.int64(record[row, KEY_HIGH]) << np.int64(32) | np.int64(record[row, KEY_LOW])


@compiled
def row_of(record: NDArray[np.uint32], key: int) -> int:
    """Return the row of a key, removed or not, -1 when there is none."""
    low, high = 0, len(record)
    while low < high:
        middle = (low + high) // 2
        if key_of_row(record, middle) < key:
            low = middle + 1
        else:
            high = middle
    return low if low < len(record) and key_of_row(record, low) == key else -1


def _entries(rows: Rows, place: NDArray[np.int32]) -> dict[str, Any]:
    row = place[np.repeat(np.arange(len(rows)), np.diff(rows.entry_start))]
    kept = np.flatnonzero(row >= 0)
    order = kept[np.lexsort((row[kept], rows.entry_gene[kept]))]
    gene, first = np.unique(rows.entry_gene[order], return_index=True)
    new = np.full(len(row), -1, np.int64)
    new[order] = np.arange(len(order))
    span = new[rows.span_entry]
    spans = np.flatnonzero(span >= 0)
    spans = spans[np.argsort(span[spans])]
    return {
        "gene": gene,
        "gene_start": np.append(first, len(order)).astype(np.uint32),
        "entry_row": row[order].astype(np.uint16),
        "entry_variant": rows.entry_variant[order],
        "entry_state": rows.entry_state[order],
        "span_entry": span[spans].astype(np.uint32),
        "span_kind": rows.span_kind[spans],
        "span_start": rows.span_start[spans],
        "span_end": rows.span_end[spans],
    }


def _disorders(rows: Rows, place: NDArray[np.int32]) -> dict[str, Any]:
    row = place[np.repeat(np.arange(len(rows)), np.diff(rows.disorder_start))]
    kept = np.flatnonzero(row >= 0)
    order = kept[np.lexsort((row[kept], rows.disorder[kept]))]
    disorder, first = np.unique(rows.disorder[order], return_index=True)
    starts = np.append(first, len(order)).astype(np.uint32)
    return {"disorder": disorder, "disorder_start": starts, "disorder_row": row[order].astype(np.uint16)}


@compiled
def _turned(  # noqa: C901 - two passes over the same loops: a compiled call a term would cost more than it tells
    order: NDArray[np.int64],
    closure_start: NDArray[np.int64],
    closure: NDArray[np.uint16],
    stated_start: NDArray[np.int64],
    stated: NDArray[np.uint16],
    bits: NDArray[np.int16],
) -> tuple[
    NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint16], NDArray[np.uint32], NDArray[np.uint16]
]:  # fmt: skip
    """Return the mask, and the starts and rows of terms implied and stated, of the rows in `order`."""
    terms = len(bits)
    mask = np.zeros((len(order), MASKED // 8), np.uint8)
    implied_start = np.zeros(terms + 1, np.uint32)
    stated_start_of = np.zeros(terms + 1, np.uint32)
    of_row = np.full(terms, -1, np.int64)
    for place in range(len(order)):
        row = order[place]
        for n in range(stated_start[row], stated_start[row + 1]):
            of_row[stated[n]] = place
            stated_start_of[stated[n] + 1] += np.uint32(1)
        for n in range(closure_start[row], closure_start[row + 1]):
            bit = bits[closure[n]]
            if bit >= 0:
                mask[place, bit >> 3] |= np.uint8(1 << (bit & 7))
            elif of_row[closure[n]] != place:
                implied_start[closure[n] + 1] += np.uint32(1)
    for term in range(terms):
        implied_start[term + 1] += implied_start[term]
        stated_start_of[term + 1] += stated_start_of[term]
    implied, stated_rows = np.empty(implied_start[terms], np.uint16), np.empty(stated_start_of[terms], np.uint16)
    implied_next, stated_next = implied_start.copy(), stated_start_of.copy()
    of_row[:] = -1
    for place in range(len(order)):
        row = order[place]
        for n in range(stated_start[row], stated_start[row + 1]):
            of_row[stated[n]] = place
            stated_rows[stated_next[stated[n]]] = place
            stated_next[stated[n]] += np.uint32(1)
        for n in range(closure_start[row], closure_start[row + 1]):
            term = closure[n]
            if bits[term] < 0 and of_row[term] != place:
                implied[implied_next[term]] = place
                implied_next[term] += np.uint32(1)
    return mask, implied_start, implied, stated_start_of, stated_rows


def rows_of(block: Block, bits: NDArray[np.int16]) -> Rows:
    """Turn a block back: the rows that `block_of` made it from, in order of their keys."""
    count = len(block)
    order = np.argsort(block.entry_row, kind="stable")
    new = np.empty(len(order), np.int64)
    new[order] = np.arange(len(order))
    diseases = np.argsort(block.disorder_row, kind="stable")
    return Rows(
        key=block.key,
        version=block.version,
        group=block.group.copy(),
        information=block.record[:, INFORMATION].astype(np.int32),
        inheritance=(block.record[:, TOLD] >> INHERITANCE_SHIFT & 0xFF).astype(np.uint8),
        onset=(block.record[:, TOLD] >> ONSET_SHIFT & 0xFF).astype(np.uint8),
        genes=(block.record[:, TOLD] & GENES_MASK).astype(np.uint16),
        **_turned_back(block, bits),
        entry_start=_starts(block.entry_row, count),
        entry_gene=np.repeat(block.gene, np.diff(block.gene_start))[order],
        entry_variant=block.entry_variant[order],
        entry_state=block.entry_state[order],
        span_entry=new[block.span_entry],
        span_kind=block.span_kind,
        span_start=block.span_start,
        span_end=block.span_end,
        disorder_start=_starts(block.disorder_row, count),
        disorder=np.repeat(block.disorder, np.diff(block.disorder_start))[diseases],
    )


def _starts(rows: NDArray[np.uint16], count: int) -> NDArray[np.int64]:
    return np.append(0, np.cumsum(np.bincount(rows, minlength=count)[:count])).astype(np.int64)


def _turned_back(block: Block, bits: NDArray[np.int16]) -> dict[str, Any]:
    """Return the starts and terms of each row's closure and stated terms."""
    count, terms = len(block), np.arange(len(bits), dtype=np.uint16)
    stated = np.repeat(terms, np.diff(block.stated_start))
    rare = bits[stated] == RARE
    of_bit = np.zeros(MASKED, np.uint16)
    of_bit[bits[bits != RARE]] = terms[bits != RARE]
    masked_row, bit = np.nonzero(np.unpackbits(block.mask, axis=1, bitorder="little"))
    rows = np.concatenate([block.implied, block.stated[rare], masked_row.astype(np.uint16)])
    closure = np.concatenate([np.repeat(terms, np.diff(block.implied_start)), stated[rare], of_bit[bit]])
    return {
        "closure_start": _starts(rows, count),
        "closure": closure[np.argsort(rows, kind="stable")],
        "stated_start": _starts(block.stated, count),
        "stated": stated[np.argsort(block.stated, kind="stable")],
    }
