"""Account: what is remembered of the dealings with one organisation, and what it may therefore still be told.

Made by taking in its dealings one after the other; whoever has taken in the same ones answers alike. Time is handed in.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from matchmaker.policy.agreement import MOST_GENES, MOST_VARIANTS, SPAN_SECONDS, Agreement
from matchmaker.policy.fingerprints import NEAR, ROWS, Question, alike, rows_of
from matchmaker.records.dealing import Dealing, Event

_REMEMBER_SECONDS = 86_400.0  # a repeated question is noted once a day
_TIDY_SECONDS = 3_600.0
_MOST_PROFILES = 50_000  # remembered of an organisation that may ask as much as it likes


class Reason(StrEnum):
    """Why a question is refused."""

    GENES = "more genes with one profile than are allowed"
    MONTH = "more new profiles than were agreed on for a month"
    STOP = "stopped: too large a part of the cases was told"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A question is refused; it may be asked again after `retry_after` seconds, if at all."""

    reason: Reason
    retry_after: float = 0.0


@dataclass(frozen=True, slots=True)
class Ruling:
    """What may be told of the cases offered, and what is to be remembered. A refused question is told nothing."""

    told: tuple[int, ...]
    dealings: tuple[Dealing, ...]
    refusal: Refusal | None = None


@dataclass
class _Profile:
    """A profile that was asked about: when it was counted as a new one; its other questions are its `variants`."""

    digest: str
    sketch: str
    last: float
    counted: list[float] = field(default_factory=list)
    genes: dict[int, float] = field(default_factory=dict)
    variants: int = 0  # since it was counted last


@dataclass
class _Told:
    first: float  # within a month; before any, where it does not count any more
    last: float


class Account:
    """One organisation's. `last` is for whoever takes dealings in: the number of the last one."""

    def __init__(self) -> None:
        self.last = 0
        self._questions: dict[str, tuple[float, str]] = {}  # digest -> when last asked, and its profile
        self._profiles: dict[str, _Profile] = {}
        self._order: list[str] = []  # of the sketches
        self._sketches = np.zeros((64, ROWS), np.uint8)
        self._told: dict[int, _Told] = {}
        self._tidied = -math.inf
        self.alarmed_at = -math.inf
        self.stopped = False

    def take(self, dealing: Dealing) -> None:
        """Take a dealing in."""
        if dealing.kind is Event.ASKED:
            self._take_question(dealing)
        elif dealing.kind is Event.RELEASED:
            self.alarmed_at, self.stopped = -math.inf, False
            for told in self._told.values():
                told.first = -math.inf  # known, and no longer counted
        elif dealing.kind is Event.ALARMED:
            self.alarmed_at = dealing.at
        else:
            self.stopped = True

    def _take_question(self, dealing: Dealing) -> None:
        fresh_question = dealing.digest not in self._questions
        self._questions[dealing.digest] = (dealing.at, dealing.profile)
        profile = self._profiles.get(dealing.profile)
        if profile is None:
            profile = _Profile(dealing.profile, dealing.sketch, dealing.at)
            self._profiles[dealing.profile] = profile
            self._add_sketch(dealing.profile, dealing.sketch)
        profile.last = max(profile.last, dealing.at)
        if dealing.fresh:
            profile.counted.append(dealing.at)
            profile.variants = 0
        else:
            profile.variants += fresh_question
        for gene in dealing.genes:
            profile.genes[gene] = dealing.at
        self._take_cases(dealing)

    def _take_cases(self, dealing: Dealing) -> None:
        for case in dealing.cases:
            self._told[case] = _Told(dealing.at, dealing.at)
        for case in dealing.again:  # where its first time was forgotten, that is more than a month ago
            told = self._told.setdefault(case, _Told(-math.inf, dealing.at))
            told.last = max(told.last, dealing.at)

    def _add_sketch(self, digest: str, sketch: str) -> None:
        if len(self._order) == len(self._sketches):
            self._sketches = np.concatenate([self._sketches, np.zeros_like(self._sketches)])
        self._sketches[len(self._order)] = rows_of(sketch)
        self._order.append(digest)

    def tidy(self, now: float) -> None:
        """Forget what was neither asked nor told within a month."""
        if now - self._tidied < _TIDY_SECONDS:
            return
        self._tidied, since = now, now - SPAN_SECONDS
        self._questions = {digest: one for digest, one in self._questions.items() if one[0] > since}
        self._told = {case: told for case, told in self._told.items() if told.last > since}
        kept = [n for n, digest in enumerate(self._order) if self._profiles[digest].last > since][-_MOST_PROFILES:]
        if len(kept) < len(self._order):
            sketches = self._sketches[kept]
            self._order = [self._order[n] for n in kept]
            self._profiles = {digest: self._profiles[digest] for digest in self._order}
            self._questions = {digest: one for digest, one in self._questions.items() if one[1] in self._profiles}
            self._sketches = np.concatenate([sketches, np.zeros((64, ROWS), np.uint8)])

    def profiles_since(self, now: float) -> list[float]:
        """Return when profiles were counted as new ones within the last month, oldest first."""
        since = now - SPAN_SECONDS
        return sorted(at for one in self._profiles.values() for at in one.counted if at > since)

    def coverage(self, now: float) -> int:
        """Return how many cases were newly told within the last month."""
        return sum(told.first > now - SPAN_SECONDS for told in self._told.values())

    def judge(
        self, question: Question, offered: Sequence[int], agreement: Agreement, organisation: str, now: float
    ) -> Ruling:
        """Return what of the cases `offered`, best first, the organisation is told in answer to a question.

        Whether it is refused does not depend on the cases: a refusal tells nothing of them.
        """
        self.tidy(now)
        known = self._questions.get(question.digest)
        again = known is not None and known[0] > now - SPAN_SECONDS
        profile = self._profile_of(question, now)
        fresh = not again and (profile is None or profile.variants >= MOST_VARIANTS)
        refusal = None if again else self._refusal(question, profile, agreement, now, fresh=fresh)
        if refusal:
            return Ruling((), (), refusal)
        told = self._affordable(offered, agreement, now)
        before = tuple(case for case in told if self._knows(case, now))
        if again and known and now - known[0] < _REMEMBER_SECONDS and len(before) == len(told):
            return Ruling(told, ())
        dealing = Dealing(
            organisation, now, Event.ASKED, question.digest,
            profile.digest if profile else question.digest, profile.sketch if profile else question.sketch, fresh,
            tuple(sorted(question.genes)), tuple(case for case in told if case not in before), before,
        )  # fmt: skip
        return Ruling(told, (dealing, *self._warnings(dealing, agreement, now)))

    def _profile_of(self, question: Question, now: float) -> _Profile | None:
        """Return the profile that a question is near-identical to, if it was asked about within the last month."""
        known = self._questions.get(question.digest)
        if known and known[1] in self._profiles:
            found = self._profiles[known[1]]
            return found if found.last > now - SPAN_SECONDS else None
        if not question.sketch:
            found_bare = (one for one in self._profiles.values() if not one.sketch and one.last > now - SPAN_SECONDS)
            return next(found_bare, None)
        count = len(self._order)
        shares = alike(self._sketches[:count], rows_of(question.sketch))
        for place in np.argsort(-shares, kind="stable").tolist():
            if shares[place] < NEAR:
                break
            found = self._profiles[self._order[place]]
            if found.last > now - SPAN_SECONDS:
                return found
        return None

    def _refusal(
        self, question: Question, profile: _Profile | None, agreement: Agreement, now: float, *, fresh: bool
    ) -> Refusal | None:
        since = now - SPAN_SECONDS
        before = {gene for gene, at in profile.genes.items() if at > since} if profile else set()
        if question.gene_count > MOST_GENES or len(before | question.genes) > MOST_GENES:
            return Refusal(Reason.GENES)
        if self.stopped:
            return Refusal(Reason.STOP, 86_400.0)
        if fresh and agreement.per_month is not None:
            asked = self.profiles_since(now)
            if len(asked) >= agreement.per_month:
                oldest = asked[len(asked) - agreement.per_month] if agreement.per_month else now
                return Refusal(Reason.MONTH, oldest + SPAN_SECONDS - now)
        return None

    def _affordable(self, offered: Sequence[int], agreement: Agreement, now: float) -> tuple[int, ...]:
        """Return the cases that were told before, and as many others as may be."""
        left = agreement.stop
        if self.stopped:
            left = 0.0
        elif left < math.inf:
            left -= self.coverage(now)
        told: list[int] = []
        for case in offered:
            if not self._knows(case, now):
                left -= 1
                if left < 0:
                    continue
            told.append(case)
        return tuple(told)

    def _knows(self, case: int, now: float) -> bool:
        return case in self._told and self._told[case].last > now - SPAN_SECONDS

    def _warnings(self, dealing: Dealing, agreement: Agreement, now: float) -> list[Dealing]:
        if agreement.stop == math.inf or not dealing.cases:
            return []
        covered = self.coverage(now) + len(dealing.cases)
        warnings = []
        if covered >= agreement.alarm and self.alarmed_at <= now - SPAN_SECONDS:
            warnings.append(Dealing(dealing.organisation, now, Event.ALARMED))
        if covered >= agreement.stop and not self.stopped:
            warnings.append(Dealing(dealing.organisation, now, Event.STOPPED))
        return warnings
