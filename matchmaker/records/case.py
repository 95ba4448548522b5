"""A case: a patient as kept by its own node, with its owner and with whom it is shared."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from matchmaker.mme.patient import Patient
from matchmaker.records.sharing import Audience, Sharing

_PUBLIC_ID = re.compile(r"[0-9a-f]{32}")
VERSIONS = 2**32
REVISION_FACTOR, TIME_FACTOR = 2_654_435_761, 40_503  # odd: no two revisions within 2^32 are alike


def key_of(public_id: str) -> int:
    """Return 63 bits of a public id, in the order of the ids, by which an index knows its case.

    The ids of a node are 32 hex digits made by chance; a store refuses two cases of one key as it does two of one id.
    Any other text has a key, too, which no case has but by a chance of 2^-63.
    """
    if _PUBLIC_ID.fullmatch(public_id):
        return int(public_id[:16], 16) >> 1
    return int.from_bytes(hashlib.blake2b(public_id.encode(), digest_size=8).digest(), "big") >> 1


def version_of(revision: int, updated_at: float) -> int:
    """Return 32 bits that tell one state of a case from another, over a store restored from a backup, too."""
    return (revision * REVISION_FACTOR + int(updated_at * 1000) * TIME_FACTOR) % VERSIONS


@dataclass(frozen=True, slots=True)
class Case:
    """A case as stored. `id` is the owner's own; `public_id` is the node's, from which every peer's own id is made.

    `created_at` and `updated_at` are seconds since 1970; `revision` is the store's at the last change. A withdrawn
    case keeps its ids, so that they are never used again, and loses its `patient`. `person` is the address of its owner
    among the people, `family` what its institution calls the family by; neither ever leaves the node.
    """

    owner: str
    id: str
    public_id: str
    sharing: Sharing
    patient: Patient | None
    created_at: float
    updated_at: float
    revision: int
    person: str | None = None
    family: str | None = None

    @property
    def withdrawn(self) -> bool:
        """Whether nothing but the ids is left."""
        return self.patient is None

    @property
    def kept(self) -> "KeptCase":
        """The case as a store has it."""
        content = self.patient.to_json() if self.patient else None
        version = version_of(self.revision, self.updated_at)
        told = (self.sharing, content, self.revision, version, self.person, self.family)
        return KeptCase(self.owner, self.id, self.public_id, *told)


@dataclass(frozen=True, slots=True)
class KeptCase:
    """A case as a store has it: the patient still in the exchange's JSON, as it was validated when it came in.

    For work on many cases, where making patients of them would cost more than all the rest. `content` is None once
    the case was withdrawn; it is never changed. `version` (version_of) tells this state of the case from every other.
    """

    owner: str
    id: str
    public_id: str
    sharing: Sharing
    content: Mapping[str, Any] | None
    revision: int
    version: int
    person: str | None = None
    family: str | None = None

    @property
    def withdrawn(self) -> bool:
        """Whether nothing but the ids is left."""
        return self.content is None

    @property
    def key(self) -> int:
        """By what an index knows the case."""
        return key_of(self.public_id)

    @property
    def audience(self) -> Audience:
        """The case's audience."""
        return Audience.of(self.owner, self.sharing, test=bool(self.content and self.content.get("test", False)))
