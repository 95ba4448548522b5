"""Account: what is remembered of the dealings with one organisation, and what it may therefore still be told.

Made by taking in its dealings one after the other; whoever has taken in the same ones answers alike. Time is handed in.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from matchmaker.policy.agreement import MOST_GENES, SPAN_SECONDS, Agreement
from matchmaker.policy.fingerprints import NEAR, WIDTH, Question, numbers_of
from matchmaker.records.dealing import Dealing, Event

_REMEMBER_SECONDS = 86_400.0  # a repeated question is noted once a day
_TIDY_SECONDS = 3_600.0


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
    digest: str
    first: float
    last: float
    genes: dict[int, float] = field(default_factory=dict)


@dataclass
class _Told:
    first: float
    last: float


class Account:
    """One organisation's. `last` is for whoever takes dealings in: the number of the last one."""

    def __init__(self) -> None:
        self.last = 0
        self._questions: dict[str, tuple[float, str]] = {}  # digest -> when last asked, and its profile
        self._profiles: dict[str, _Profile] = {}
        self._order: list[str] = []  # of the rows of the sketches
        self._sketches = np.zeros((64, WIDTH), np.uint16)
        self._told: dict[int, _Told] = {}
        self._tidied = -math.inf
        self.alarmed_at = -math.inf
        self.stopped = False

    def take(self, entry: Dealing) -> None:
        """Take a dealing in."""
        if entry.kind is Event.ASKED:
            self._take_question(entry)
        elif entry.kind is Event.RELEASED:
            self.alarmed_at, self.stopped = -math.inf, False
            for told in self._told.values():
                told.first = -math.inf  # known, and no longer counted
        elif entry.kind is Event.ALARMED:
            self.alarmed_at = entry.at
        else:
            self.stopped = True

    def _take_question(self, entry: Dealing) -> None:
        self._questions[entry.digest] = (entry.at, entry.profile)
        profile = self._profiles.get(entry.profile)
        if profile is None:
            self._add_sketch(entry.profile, entry.sketch)
        if profile is None or profile.last <= entry.at - SPAN_SECONDS:  # forgotten meanwhile, and new again
            profile = self._profiles[entry.profile] = _Profile(entry.profile, entry.at, entry.at)
        profile.last = max(profile.last, entry.at)
        for gene in entry.genes:
            profile.genes[gene] = entry.at
        for case in entry.cases:
            told = self._told.get(case)
            if told is None or told.last <= entry.at - SPAN_SECONDS:
                told = self._told[case] = _Told(entry.at, entry.at)
            told.last = max(told.last, entry.at)

    def _add_sketch(self, digest: str, sketch: str) -> None:
        if len(self._order) == len(self._sketches):
            self._sketches = np.concatenate([self._sketches, np.zeros_like(self._sketches)])
        self._sketches[len(self._order)] = numbers_of(sketch)
        self._order.append(digest)

    def tidy(self, now: float) -> None:
        """Forget what was neither asked nor told within a month."""
        if now - self._tidied < _TIDY_SECONDS:
            return
        self._tidied, since = now, now - SPAN_SECONDS
        self._questions = {digest: one for digest, one in self._questions.items() if one[0] > since}
        self._told = {case: told for case, told in self._told.items() if told.last > since}
        kept = [n for n, digest in enumerate(self._order) if self._profiles[digest].last > since]
        if len(kept) < len(self._order):
            sketches = self._sketches[kept]
            self._order = [self._order[n] for n in kept]
            self._profiles = {digest: self._profiles[digest] for digest in self._order}
            self._sketches = np.concatenate([sketches, np.zeros((64, WIDTH), np.uint16)])

    def profiles_since(self, now: float) -> list[float]:
        """Return when the profiles that are new within the last month were first asked about, oldest first."""
        return sorted(one.first for one in self._profiles.values() if one.first > now - SPAN_SECONDS)

    def coverage(self, now: float) -> int:
        """Return how many cases were newly told within the last month."""
        return sum(told.first > now - SPAN_SECONDS for told in self._told.values())

    def judge(
        self, question: Question, offered: Sequence[int], agreement: Agreement, organisation: str, now: float
    ) -> Ruling:
        """Return what of the cases `offered`, best first, the organisation is told in answer to a question.

        Whatever is ruled out is ruled out before anything of the cases themselves is looked at: a refusal tells
        nothing of them.
        """
        self.tidy(now)
        known = self._questions.get(question.digest)
        again = known is not None and known[0] > now - SPAN_SECONDS
        profile = self._profile_of(question, now)
        refusal = None if again else self._refusal(question, profile, agreement, now)
        if refusal:
            return Ruling((), (), refusal)
        told = self._affordable(offered, agreement, now)
        entry = Dealing(
            organisation, now, Event.ASKED, question.digest,
            profile.digest if profile else question.digest, "" if profile else question.sketch,
            tuple(sorted(question.genes)), told,
        )  # fmt: skip
        if again and known and now - known[0] < _REMEMBER_SECONDS and self._knows(told, now):
            return Ruling(told, ())
        return Ruling(told, (entry, *self._warnings(entry, agreement, now)))

    def _profile_of(self, question: Question, now: float) -> _Profile | None:
        """Return the profile that a question is near-identical to, if it was asked about within the last month."""
        count = len(self._order)
        if not count:
            return None
        known = self._questions.get(question.digest)
        if known and known[1] in self._profiles:
            found = self._profiles[known[1]]
        else:
            equal = (self._sketches[:count] == numbers_of(question.sketch)).mean(axis=1)
            best = int(equal.argmax())
            if equal[best] < NEAR:
                return None
            found = self._profiles[self._order[best]]
        return found if found.last > now - SPAN_SECONDS else None

    def _refusal(
        self, question: Question, profile: _Profile | None, agreement: Agreement, now: float
    ) -> Refusal | None:
        since = now - SPAN_SECONDS
        before = {gene for gene, at in profile.genes.items() if at > since} if profile else set()
        if len(before | question.genes) > MOST_GENES:
            return Refusal(Reason.GENES)
        if self.stopped:
            return Refusal(Reason.STOP, 86_400.0)
        if profile is None and agreement.per_month is not None:
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
            if not self._knows((case,), now):
                left -= 1
                if left < 0:
                    continue
            told.append(case)
        return tuple(told)

    def _knows(self, cases: Iterable[int], now: float) -> bool:
        since = now - SPAN_SECONDS
        return all(case in self._told and self._told[case].last > since for case in cases)

    def _warnings(self, entry: Dealing, agreement: Agreement, now: float) -> list[Dealing]:
        if agreement.stop == math.inf:
            return []
        fresh = [case for case in entry.cases if not self._knows((case,), now)]
        covered = self.coverage(now) + len(fresh)
        bare = replace(entry, digest="", profile="", sketch="", genes=(), cases=())
        warnings = []
        if covered >= agreement.alarm and self.alarmed_at <= now - SPAN_SECONDS and fresh:
            warnings.append(replace(bare, kind=Event.ALARMED))
        if covered >= agreement.stop and not self.stopped:
            warnings.append(replace(bare, kind=Event.STOPPED))
        return warnings
