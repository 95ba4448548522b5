"""Generation: one set of reference data, the index of all cases made with it, and what its answers are written with.

A node answers with one generation at a time. New reference data make another one beside it, which takes its place at
once when it is complete; a query under way ends with the one that it began with.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence

import numpy as np

from matchmaker.exchange.answers import Answers
from matchmaker.matching.blocks import Block
from matchmaker.matching.counting import Counts
from matchmaker.matching.finding import Hit, Most
from matchmaker.matching.index import CaseIndex, TooManyGroups, warm_up
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.policy.levels import evidence
from matchmaker.records.case import KeptCase
from matchmaker.records.sharing import Audience

logger = logging.getLogger(__name__)


class Generation:
    """`revision` is the store's up to which cases were taken in, -1 when none were. Changed by one thread at a time."""

    def __init__(
        self, knowledge: Knowledge, later: Callable[[Callable[[], None]], object], answers: Answers | None = None
    ) -> None:
        """Make an empty one; `answers` are those of an earlier one of the same knowledge, as they take a while."""
        self.knowledge = knowledge
        self.answers = answers or Answers(knowledge)
        self.revision = -1
        self.changes = 0  # of cases
        self._later = later
        self._index = self._empty()
        self._ahead: dict[int, int] = {}  # revisions of cases taken in before all up to theirs were
        self._gone: set[int] = set()  # keys of cases withdrawn meanwhile: they never come back

    def __len__(self) -> int:
        """Return the count of cases."""
        return len(self._index)

    def _empty(self) -> CaseIndex:
        return CaseIndex(self.knowledge.information, self.knowledge.calibration, self._later)

    def search(
        self, profile: Profile, itself: Collection[int], most: Most, eligible: Callable[[Hashable], bool]
    ) -> list[Hit]:
        """Return the best matches of a profile. `itself`: keys of cases that are the patient."""
        return self._index.search(profile, most, eligible, itself)

    def size(self, eligible: Callable[[Hashable], bool]) -> int:
        """Return how many cases of some audiences there are."""
        return self._index.size(eligible)

    def sizes_by_collection(self) -> Counter[str]:
        """Return how many cases each collection has, tests left out."""
        sizes: Counter[str] = Counter()
        for group, count in self._index.sizes():
            if isinstance(group, Audience) and group.collection is not None and not group.test:
                sizes[group.collection] += count
        return sizes

    def tally(self, counted: Callable[[Hashable], bool]) -> tuple[Counts, list[Audience]]:
        """Count what the cases of some audiences hold; return those audiences that have any, too."""
        counts, groups = self._index.count(counted)
        return counts, [group for group in groups if isinstance(group, Audience)]

    def take_in(self, cases: Iterable[KeptCase], *, ahead: bool = False) -> int:
        """Take in cases as they were written; return how many cases that were known have gone.

        `ahead`: as they were just written, before all that was written earlier.
        """
        left = 0
        for case in cases:
            try:
                left += self._take_in_one(case, ahead=ahead)
            except Exception as error:
                if ahead:
                    raise
                logger.error("a case cannot be taken in, and will not be found: %s", type(error).__name__)
        return left

    def _take_in_one(self, case: KeptCase, *, ahead: bool) -> bool:
        """Take in one case; return whether it was known and is gone."""
        if self._ahead.get(case.key, -1) >= case.revision or case.key in self._gone:
            return False  # taken in already, perhaps of a later revision: changes may come out of turn
        if ahead and case.revision <= self.revision:
            return False  # what was read from the store meanwhile is this, or newer
        if ahead:
            self._ahead[case.key] = case.revision
        if case.content is None:
            known = self._index.version(case.key) is not None
            self._index.remove(case.key)
            self._gone.add(case.key)
            self.changes += 1
            return known
        if self._index.version(case.key) != case.version:
            self.changes += 1
            profile = self.knowledge.profile_of_content(evidence(case.content, case.sharing.level))
            try:
                self._index.add(case.key, profile, case.audience, case.version)
            except TooManyGroups as error:
                logger.error("a case is found by nobody until others go: %s", error)
        return False

    def reach(self, revision: int) -> None:
        """Note that all cases up to a revision were taken in."""
        self.revision = max(self.revision, revision)
        self._ahead = {key: ahead for key, ahead in self._ahead.items() if ahead > self.revision}

    def restore(self, blocks: Sequence[Block], groups: Sequence[Hashable], changed: Iterable[KeptCase]) -> None:
        """Take over an index kept from an earlier run, without the cases that have changed since."""
        self._index.restore(blocks, groups)
        for case in changed:
            self._index.remove(case.key)

    def checksum(self) -> tuple[int, int]:
        """Return the count of cases, and the sum of their versions."""
        pieces = [versions for _, versions in self._index.versions()]
        return sum(map(len, pieces)), sum(int(np.sum(versions, dtype="u8")) for versions in pieces)

    def blocks(self) -> tuple[list[Block], list[Hashable]]:
        """Return what `restore` takes over."""
        return self._index.blocks()

    def pack(self) -> None:
        """Put the blocks of an index that was filled case by case into few."""
        packed = self._empty()
        packed.restore(*self._index.blocks())
        self._index = packed

    def warm_up(self) -> None:
        """Search and answer once, so that nobody waits for code to be compiled or read."""
        warm_up(self.knowledge.information, self.knowledge.calibration)
        self.answers.warm_up()
