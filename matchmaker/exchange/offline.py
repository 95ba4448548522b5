"""Matching without a running node: cases from files against the store, no thresholds, no sharing, no limits."""

from collections import defaultdict
from dataclasses import dataclass

from matchmaker.matching.finding import Hit
from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.mme.patient import Patient
from matchmaker.store.base import Store


@dataclass(frozen=True, slots=True)
class Found:
    """A case of the store, by its owner's id, and how it matches."""

    id: str
    owner: str
    hit: Hit
    profile: Profile


class OfflineMatcher:
    """Holds every case of a store, as of its opening, given as (id, owner, profile). Ties go by id, then owner."""

    def __init__(self, knowledge: Knowledge, cases: list[tuple[str, str, Profile]]) -> None:
        self._knowledge = knowledge
        self._cases = sorted(cases, key=lambda case: case[:2])
        self._index = CaseIndex(knowledge.information, knowledge.calibration)
        self._index.fill((key, profile, None, 0) for key, (_, _, profile) in enumerate(self._cases))
        self._keys: defaultdict[str, list[int]] = defaultdict(list)
        for key, (case_id, _, _) in enumerate(self._cases):
            self._keys[case_id].append(key)

    def __len__(self) -> int:
        """Return the count of cases."""
        return len(self._index)

    def match(self, patient: Patient, top: int) -> tuple[Profile, list[Found]]:
        """Return the patient's profile and its best `top` cases; cases of the patient's own id are left out."""
        profile = self._knowledge.profile(patient)
        hits = self._index.search(profile, top, leave_out=self._keys.get(patient.id, ()))
        return profile, [self._found(hit) for hit in hits]

    def _found(self, hit: Hit) -> Found:
        case_id, owner, profile = self._cases[hit.key]
        return Found(case_id, owner, hit, profile)


async def open_offline(store: Store, knowledge: Knowledge) -> OfflineMatcher:
    """Return a matcher over every case of the store."""
    held: list[tuple[str, str, Profile]] = []
    async for cases in store.changes_since(0):
        held += [(case.id, case.owner, knowledge.profile_of_content(case.content)) for case in cases if case.content]
    return OfflineMatcher(knowledge, held)
