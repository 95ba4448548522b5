"""Cases as rows of numbers: what the index takes in, before it is turned round into blocks.

A row has a key, the group that it is found by, a version that its owner may compare, its terms, its candidate genes
with their variants, and its diagnoses. Genes, variants and diagnoses are 64-bit digests: a name of a case that was
withdrawn stays nowhere.
"""

import hashlib
import sys
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.profile import Profile

NOBODY = 0  # the group of a row that was removed: nobody may find it
# An entry's state: alleles in two bits, whether its variant is a span in one, and the row's genes, as far as they go.
ALLELES = 0b11
SPAN = 0b100
GENES_SHIFT, MOST_GENES = 3, 0b11111
_LAST = 2**16 - 1


@dataclass(frozen=True)
class Rows:
    """Cases, row by row. `*_start` has one number more than there are rows: row n's part is [start[n], start[n + 1]).

    An entry is a candidate gene with one of its variants (0: none); spans are entries of which start and end are
    known, `span_entry` is their entry's number.
    """

    key: NDArray[np.int64]
    version: NDArray[np.uint32]
    group: NDArray[np.uint16]
    information: NDArray[np.int32]
    inheritance: NDArray[np.uint8]
    onset: NDArray[np.uint8]
    genes: NDArray[np.uint16]
    closure_start: NDArray[np.int64]
    closure: NDArray[np.uint16]
    stated_start: NDArray[np.int64]
    stated: NDArray[np.uint16]
    entry_start: NDArray[np.int64]
    entry_gene: NDArray[np.int64]
    entry_variant: NDArray[np.int64]
    entry_state: NDArray[np.uint8]
    span_entry: NDArray[np.int64]
    span_kind: NDArray[np.int64]
    span_start: NDArray[np.int64]
    span_end: NDArray[np.int64]
    disorder_start: NDArray[np.int64]
    disorder: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the count of rows."""
        return len(self.key)


_CODES = {"int64": "q", "uint32": "I", "uint16": "H", "int32": "i", "uint8": "B"}
_TYPES = {
    **dict.fromkeys(("key", "closure_start", "stated_start", "entry_start", "disorder_start"), "int64"),
    **dict.fromkeys(("entry_gene", "entry_variant", "disorder"), "int64"),
    **dict.fromkeys(("span_entry", "span_kind", "span_start", "span_end"), "int64"),
    **dict.fromkeys(("group", "genes", "closure", "stated"), "uint16"),
    **dict.fromkeys(("inheritance", "onset", "entry_state"), "uint8"),
    "version": "uint32",
    "information": "int32",
}
_STARTS = ("closure_start", "stated_start", "entry_start", "disorder_start")


@dataclass(frozen=True)
class Row:
    """One row, ready to be added: whatever of it does not fit was refused when it was made."""

    key: int
    arrays: dict[str, "array[int]"]
    spans: tuple[int, ...]  # which of its entries are spans

    @classmethod
    def of(cls, key: int, profile: Profile, group: int, version: int) -> "Row":
        """Return the row of a profile. Errors: OverflowError, when a number does not fit."""
        entries = [
            (digest(gene.key), variant, gene.alleles)
            for gene in profile.genes.values()
            for variant in sorted(gene.variants, key=lambda one: one.digest) or (None,)
        ]
        spans = [variant for _, variant, _ in entries if variant is not None and variant.is_span]
        genes = min(len(profile.genes), MOST_GENES) << GENES_SHIFT
        values: dict[str, Iterable[int]] = {
            "key": (key,),
            "version": (version,),
            "group": (group,),
            "information": (profile.self_information,),
            "inheritance": (profile.inheritance,),
            "onset": (profile.onset,),
            "genes": (min(len(profile.genes), _LAST),),
            "closure": profile.closure,
            "stated": profile.observed,
            "entry_gene": (gene for gene, _, _ in entries),
            "entry_variant": (variant.digest if variant else 0 for _, variant, _ in entries),
            "entry_state": (
                alleles | genes | (SPAN if variant is not None and variant.is_span else 0)
                for _, variant, alleles in entries
            ),
            "span_kind": (digest(span.kind) for span in spans),
            "span_start": (span.start for span in spans),
            "span_end": (span.end for span in spans),
            "disorder": (digest(name) for name in profile.disorders),
        }
        arrays = {name: array(_CODES[_TYPES[name]], items) for name, items in values.items()}
        places = (n for n, (_, variant, _) in enumerate(entries) if variant is not None and variant.is_span)
        return cls(key, arrays, tuple(places))


class OpenRows:
    """Rows that more can be added to, and removed from if they are `removable`: which takes memory."""

    def __init__(self, *, removable: bool = True) -> None:
        self._removable = removable
        self._arrays: dict[str, array[int]] = {name: array(_CODES[kind]) for name, kind in _TYPES.items()}
        for name in _STARTS:
            self._arrays[name].append(0)
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        """Return the count of rows, removed ones included."""
        return len(self._arrays["key"])

    def add(self, row: "Row") -> None:
        """Add a row. Its key is none of those before."""
        of, entries = self._arrays, len(self._arrays["entry_gene"])
        if self._removable:
            self._place[row.key] = len(self)
        for name, items in row.arrays.items():
            of[name].extend(items)
        of["span_entry"].extend(entries + place for place in row.spans)
        for start, filled in zip(_STARTS, ("closure", "stated", "entry_gene", "disorder"), strict=True):
            of[start].append(len(of[filled]))

    @property
    def nbytes(self) -> int:
        """How much memory the rows take, with the table of their keys."""
        numbers = 2 * sys.getsizeof(2**62) * len(self._place)
        return sum(map(sys.getsizeof, self._arrays.values())) + sys.getsizeof(self._place) + numbers

    def remove(self, key: int) -> bool:
        """Forget a row; tell whether there was one."""
        place = self._place.pop(key, None)
        if place is None:
            return False
        self._arrays["group"][place] = NOBODY
        return True

    def groups(self) -> NDArray[np.uint16]:
        """Return the group of every row."""
        return np.array(self._arrays["group"], np.uint16)

    def renumber(self, numbers: NDArray[np.uint16]) -> None:
        """Give every group another number: the one at its place."""
        self._arrays["group"] = array(_CODES["uint16"], numbers[self.groups()].tolist())

    def frozen(self) -> Rows:
        """Return the rows as they are now."""
        return Rows(**{name: np.array(items, _TYPES[name]) for name, items in self._arrays.items()})

    def version(self, key: int) -> int | None:
        """Return the version of a row, None when there is none."""
        place = self._place.get(key)
        return None if place is None else self._arrays["version"][place]


@lru_cache(maxsize=2_048)
def digest(name: str) -> int:
    """64 bits, signed, of a name: a gene's key, a diagnosis. Two names share them with a chance of 2^-64."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def joined(several: Iterable[Rows]) -> Rows:
    """Return all rows together, in order."""
    parts = list(several)
    made = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _TYPES if name not in _STARTS}
    for name in _STARTS:
        made[name] = _joined_starts([getattr(part, name) for part in parts])
    before = np.cumsum([0, *(len(part.entry_gene) for part in parts)])
    made["span_entry"] = np.concatenate(
        [part.span_entry + shift for part, shift in zip(parts, before[:-1], strict=True)]
    )
    return Rows(**made)


def _joined_starts(several: list[NDArray[np.int64]]) -> NDArray[np.int64]:
    ends = np.cumsum([0, *(one[-1] for one in several)])
    return np.concatenate([[0], *(one[1:] + shift for one, shift in zip(several, ends[:-1], strict=True))])
