"""Matching without a running node: cases from files against the store, no thresholds, no sharing, no limits."""

from collections import defaultdict
from dataclasses import dataclass

from matchmaker.matching.index import CaseIndex, Hit
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.mme.patient import Patient
from matchmaker.records.case import Case
from matchmaker.store.base import Store

_SEPARATOR = "\x00"  # stands in no id; sorts before every character of one


@dataclass(frozen=True, slots=True)
class Found:
    """A case of the store, by its owner's id, and how it matches."""

    id: str
    owner: str
    hit: Hit


class OfflineMatcher:
    """Holds every case of a store, as of its opening."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._index = CaseIndex(knowledge.information)
        self._keys: defaultdict[str, set[str]] = defaultdict(set)

    def __len__(self) -> int:
        """Return the count of cases."""
        return len(self._index)

    def take_in(self, case: Case) -> None:
        """Add a case; a withdrawn one is left out."""
        if case.patient is not None:
            key = f"{case.id}{_SEPARATOR}{case.owner}"
            self._keys[case.id].add(key)
            self._index.add(key, self._knowledge.profile(case.patient), None)

    def match(self, patient: Patient, top: int) -> tuple[Profile, list[Found]]:
        """Return the patient's profile and its best `top` cases; cases of the patient's own id are left out."""
        profile = self._knowledge.profile(patient)
        itself = frozenset(self._keys.get(patient.id, ()))
        return profile, [_found(hit) for hit in self._index.search(profile, top, leave_out=itself)]


def _found(hit: Hit) -> Found:
    case_id, _, owner = hit.key.partition(_SEPARATOR)
    return Found(case_id, owner, hit)


async def open_offline(store: Store, knowledge: Knowledge) -> OfflineMatcher:
    """Return a matcher over every case of the store."""
    matcher = OfflineMatcher(knowledge)
    async for cases in store.changes_since(0):
        for case in cases:
            matcher.take_in(case)
    return matcher
