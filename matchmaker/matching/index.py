"""CaseIndex: the exact best k of a node's cases, a million of them. Takes profiles and gives keys; reads no store.

Cases lie in blocks that never change (blocks.py); new ones in a small block of their own that is made at the next
search. Blocks that have become many or sparse are put together by work that is handed to `later`; until that is done
the old ones answer. A search takes the blocks as they are when it begins, so that searches and changes may come from
any thread and never wait for more than one another's first microseconds.
"""

import sys
import threading
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.blocks import BLOCK, Block, block_of, masked_terms, rows_of
from matchmaker.matching.calibration import Calibration
from matchmaker.matching.counting import Counts, count_rows
from matchmaker.matching.finding import Hit, Most, Query, Scratch, find
from matchmaker.matching.profile import CandidateGene, Profile
from matchmaker.matching.rows import NOBODY, OpenRows, Row, joined
from matchmaker.ontology.information import Information

OPEN = 1_024  # new cases that are turned round at once, within a millisecond
FAMILY = 8  # blocks of one size, at which they become one
_MOST_GROUPS = 2**16
_MOST_TERMS = 2**16
_MOST_REMEMBERED = 64  # askers, of whom is known which groups they may find


class TooManyGroups(ValueError):
    """Cases are shared in so many different ways that one more cannot be told apart."""


class CaseIndex:
    """Cases by key, a whole number of 63 bits. Each belongs to a `group`, by which a search is told who may be found.

    `later` is handed work that may be done in another thread, or at once.
    """

    def __init__(
        self,
        weights: Information,
        calibration: Calibration,
        later: Callable[[Callable[[], None]], object] = lambda work: work(),
    ) -> None:
        if len(weights.content) > _MOST_TERMS:
            raise ValueError(f"an ontology of more than {_MOST_TERMS} terms does not fit")
        self._weights = weights
        self._calibration = calibration
        self._later = later
        self._bits = masked_terms(weights)
        self._lock = threading.Lock()
        self._scratch = threading.local()
        self._groups: dict[Hashable, int] = {}
        self._permitted: dict[Callable[[Hashable], bool], NDArray[np.bool_]] = {}
        self._serials = count()
        self._blocks: dict[int, Block] = {}
        self._live: dict[int, int] = {}  # of each block, the rows that were not removed
        self._open = OpenRows()
        self._turned: Block | None = None  # the open rows as a block, while nothing has changed
        self._merging: frozenset[int] = frozenset()  # serials of blocks that are being put together
        self._removed: list[int] = []  # keys removed from those meanwhile
        self._count = 0

    def __len__(self) -> int:
        """Return the count of cases."""
        return self._count

    def add(self, key: int, profile: Profile, group: Hashable, version: int = 0) -> None:
        """Take a case in, in place of what had its key. `version` has 32 bits, for its owner to compare."""
        with self._lock:
            try:
                number = self._number_of(group)
            except TooManyGroups:
                self._remove(key)  # what it was before is not to be found any more, and may make room
                number = self._number_of(group)
            row = Row.of(key, profile, number, version)
            self._remove(key)
            self._open.add(row)
            self._turned = None
            self._count += 1
            if len(self._open) >= OPEN:
                self._seal()
        self._tidy()

    def remove(self, key: int) -> None:
        """Forget a case; nothing happens when the key is unknown."""
        with self._lock:
            self._remove(key)
        self._tidy()

    def fill(self, cases: Iterable[tuple[int, Profile, Hashable, int]]) -> None:
        """Take (key, profile, group, version) of many cases into an empty index.

        Errors: ValueError when it is not empty, or two cases have one key; it is then as good as none.
        """
        with self._lock:
            if self._blocks or len(self._open):
                raise ValueError("only an empty index can be filled")
            self._open = OpenRows(removable=False)
            for key, profile, group, version in cases:
                self._open.add(Row.of(key, profile, self._number_of(group), version))
                self._count += 1
                if len(self._open) >= BLOCK:
                    self._seal(removable=False)
            self._seal()
            keys = np.concatenate([block.key for block in self._blocks.values()] or [np.zeros(0, np.int64)])
            if len(np.unique(keys)) < len(keys):
                raise ValueError("two cases have one key")

    def restore(self, blocks: Iterable[Block], groups: Sequence[Hashable]) -> None:
        """Take over blocks that `blocks` gave. Errors: ValueError when the index is not empty, or they do not fit."""
        with self._lock:
            if self._blocks or len(self._open):
                raise ValueError("only an empty index can be filled")
            found = list(blocks)
            for block in found:
                if len(block.implied_start) != len(self._bits) + 1 or block.group.max(initial=0) > len(groups):
                    raise ValueError("these blocks are of another ontology, or of other groups")
            self._groups = {group: number for number, group in enumerate(groups, NOBODY + 1)}
            self._permitted = {}
            self._blocks = {next(self._serials): block for block in found}
            self._live = {serial: block.live for serial, block in self._blocks.items()}
            self._count = sum(self._live.values())

    def blocks(self) -> tuple[list[Block], list[Hashable]]:
        """Return all cases as few blocks without a trace of removed ones, and the groups that `restore` wants."""
        with self._lock:
            blocks, groups = self._current(), list(self._groups)
        return [made for some in _packed(blocks) if len(made := self._together(some))], groups

    def _together(self, blocks: Sequence[Block]) -> Block:
        """Return blocks as one, without the rows that were removed."""
        if len(blocks) == 1 and blocks[0].live == len(blocks[0]):
            return blocks[0]
        return block_of(joined(rows_of(block, self._bits) for block in blocks), self._bits)

    def versions(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint32]]]:
        """Yield keys and versions of all cases, in pieces."""
        with self._lock:
            blocks = self._current()
        for block in blocks:
            live = block.group != NOBODY
            yield block.key[live], block.version[live]

    def version(self, key: int) -> int | None:
        """Return the version that a case was taken in with, None when there is none of this key."""
        with self._lock:
            version = self._open.version(key)
            if version is not None:
                return version
            found = ((block, block.row(key)) for block in self._blocks.values())
            return next((block.version_of(row) for block, row in found if row is not None), None)

    def count(self, eligible: Callable[[Hashable], bool]) -> tuple[Counts, list[Hashable]]:
        """Count what the cases of eligible groups hold; return the groups that have any, too."""
        with self._lock:
            blocks, groups, allowed = self._current(), list(self._groups), self._allowed(eligible)
        counts = count_rows(blocks, allowed)
        return counts, [groups[number - NOBODY - 1] for number in sorted(counts.groups)]

    @property
    def held_bytes(self) -> int:
        """All that the index holds in memory: blocks, open rows, and what one searching thread writes to."""
        with self._lock:
            blocks = sum(block.nbytes for block in self._current())
            tables = sys.getsizeof(self._groups) + self._bits.nbytes
            return blocks + self._open.nbytes + tables + Scratch.empty().nbytes

    def current(self) -> list[Block]:
        """Return the cases as they are now, removed rows included: their group is NOBODY."""
        with self._lock:
            return self._current()

    def search(
        self,
        query: Profile,
        k: int | Most,
        eligible: Callable[[Hashable], bool] = lambda _group: True,
        leave_out: Collection[int] = (),
        minimum: float = 0.0,
    ) -> list[Hit]:
        """Return the best `k` cases by (score, best first; then key), of the groups that are `eligible`.

        Cases scoring 0, or below `minimum`, are no hits; Most says it for either kind of case. Exact, ties included, as
        if every case had been scored alone. `eligible` is asked once for each group, as long as it is the same object
        or an equal one: it must always answer alike.
        """
        most = k if isinstance(k, Most) else Most.best(k, minimum)
        with self._lock:
            blocks = self._current()
            allowed = self._allowed(eligible)
        if most.results < 1 or not blocks or not allowed.any():
            return []
        asked = Query.of(query, self._weights, self._bits)
        return find(asked, most, blocks, allowed, leave_out, self._calibration, self._own_scratch())

    def size(self, eligible: Callable[[Hashable], bool]) -> int:
        """Return how many cases the eligible groups have."""
        with self._lock:
            blocks, allowed = self._current(), self._allowed(eligible)
        return sum(int(np.count_nonzero(allowed[block.group])) for block in blocks)

    def sizes(self) -> list[tuple[Hashable, int]]:
        """Return each group, and how many cases it has."""
        with self._lock:
            blocks, groups = self._current(), list(self._groups)
        counts = sum((np.bincount(block.group, minlength=len(groups) + 1) for block in blocks), np.zeros(1, np.int64))
        return [(group, int(counts[n]) if n < len(counts) else 0) for n, group in enumerate(groups, NOBODY + 1)]

    def _allowed(self, eligible: Callable[[Hashable], bool]) -> NDArray[np.bool_]:
        """Return for each group's number whether it is eligible; nobody's never is."""
        known = self._permitted.pop(eligible, None)
        told = len(known) - 1 if known is not None else 0
        if known is None or told < len(self._groups):
            fresh = [eligible(group) for group in islice(self._groups, told, None)]
            known = np.array([*(known if known is not None else (False,)), *fresh])
        self._permitted[eligible] = known  # the one used last stands last
        if len(self._permitted) > _MOST_REMEMBERED:
            del self._permitted[next(iter(self._permitted))]
        return known

    def _own_scratch(self) -> Scratch:
        """Return this thread's own: two searches never write to the same."""
        if not hasattr(self._scratch, "own"):
            self._scratch.own = Scratch.empty()
        own: Scratch = self._scratch.own
        return own

    def _number_of(self, group: Hashable) -> int:
        if group not in self._groups and len(self._groups) + NOBODY + 1 >= _MOST_GROUPS:
            self._forget_empty_groups()
        return self._groups.setdefault(group, len(self._groups) + NOBODY + 1)

    def _forget_empty_groups(self) -> None:
        """Number the groups that have cases anew, from 1. Errors: TooManyGroups, when none is empty."""
        groups = np.concatenate([self._open.groups(), *(block.group for block in self._blocks.values())])
        used = set(np.unique(groups).tolist()) - {NOBODY}
        if self._merging or len(used) == len(self._groups):  # what is being put together has the old numbers
            raise TooManyGroups(f"more than {_MOST_GROUPS} groups do not fit")
        kept = {group: number for group, number in self._groups.items() if number in used}
        renumbered = np.zeros(_MOST_GROUPS, np.uint16)
        for fresh, number in enumerate(kept.values(), NOBODY + 1):
            renumbered[number] = fresh
        self._blocks = {serial: replace(block, group=renumbered[block.group]) for serial, block in self._blocks.items()}
        self._open.renumber(renumbered)
        self._turned = None
        self._groups = {group: fresh for fresh, group in enumerate(kept, NOBODY + 1)}
        self._permitted = {}
        if len(self._groups) + NOBODY + 1 >= _MOST_GROUPS:
            raise TooManyGroups(f"more than {_MOST_GROUPS} groups do not fit")

    def _current(self) -> list[Block]:
        if self._turned is None and len(self._open):
            self._turned = block_of(self._open.frozen(), self._bits)
        return [*self._blocks.values(), *((self._turned,) if self._turned is not None else ())]

    def _remove(self, key: int) -> None:
        if self._open.remove(key):
            self._turned = None
            self._count -= 1
            return
        for serial, block in self._blocks.items():
            row = block.row(key)
            if row is not None:
                self._blocks[serial] = _without(block, row)
                self._live[serial] -= 1
                self._count -= 1
                if serial in self._merging:
                    self._removed.append(key)
                return

    def _seal(self, *, removable: bool = True) -> None:
        """Close the open rows: they are a block from now on."""
        turned = self._turned if self._turned is not None else block_of(self._open.frozen(), self._bits)
        if len(turned):
            serial = next(self._serials)
            self._blocks[serial], self._live[serial] = turned, len(turned)
        self._open, self._turned = OpenRows(removable=removable), None

    def _tidy(self) -> None:
        with self._lock:
            if self._merging:
                return
            self._merging = _worth_merging(self._live, {serial: len(block) for serial, block in self._blocks.items()})
            if not self._merging:
                return
            self._removed = []
        try:
            self._later(self._merge)
        except BaseException:
            with self._lock:
                self._merging = frozenset()  # as if it had not been begun: it is tried again
            raise

    def _merge(self) -> None:
        merged = False
        try:
            with self._lock:
                blocks = [self._blocks[serial] for serial in sorted(self._merging)]
            one = self._together(blocks)
            with self._lock:
                for key in self._removed:
                    row = one.row(key)
                    one = _without(one, row) if row is not None else one
                for serial in self._merging:
                    del self._blocks[serial], self._live[serial]
                if one.live:
                    serial = next(self._serials)
                    self._blocks[serial], self._live[serial] = one, one.live
                merged = True
        finally:
            with self._lock:
                self._merging = frozenset()
        if merged:
            self._tidy()


def _without(block: Block, row: int) -> Block:
    """Return a block without a row. The old one stays as it is: a search may be reading it."""
    group = np.array(block.group)
    group[row] = NOBODY
    return replace(block, group=group)


def _worth_merging(live: Mapping[int, int], rows: Mapping[int, int]) -> frozenset[int]:
    """Return the serials of blocks that should be one: many of about one size, or one that is mostly removed."""
    sparse = [serial for serial, count in live.items() if count * 2 < rows[serial]]
    if sparse:
        return frozenset(sparse[:1])
    for most in (OPEN * FAMILY, BLOCK):
        family = [serial for serial, count in live.items() if count < most]
        if len(family) >= FAMILY:
            return _as_many_as_fit(family, live)
    return frozenset()


def _as_many_as_fit(family: list[int], live: Mapping[int, int]) -> frozenset[int]:
    chosen: list[int] = []
    for serial in sorted(family, key=lambda one: live[one]):
        if sum(live[one] for one in chosen) + live[serial] > BLOCK:
            break
        chosen.append(serial)
    return frozenset(chosen if len(chosen) > 1 else ())


def _packed(blocks: Sequence[Block]) -> list[list[Block]]:
    """Return blocks in families that fit into one each: the largest first, small ones where there is room."""
    families: list[list[Block]] = []
    room: list[int] = []
    for block in sorted(blocks, key=lambda one: -one.live):
        place = next((n for n, left in enumerate(room) if left >= block.live), None)
        if place is None:
            families.append([block])
            room.append(BLOCK - block.live)
        else:
            families[place].append(block)
            room[place] -= block.live
    return families


def warm_up(weights: Information, calibration: Calibration) -> None:
    """Search a case for itself, so that the first search of a node need not wait for code to be compiled or read."""
    profile = Profile(genes={"": CandidateGene("", "", None)})
    index = CaseIndex(weights, calibration)
    index.add(0, profile, None)
    index.search(profile, 1, leave_out=(1,))
