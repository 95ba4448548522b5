"""A case: a patient as kept by its own node, with its owner and with whom it is shared."""

from dataclasses import dataclass
from enum import StrEnum

from matchmaker.mme.patient import Patient


class Sharing(StrEnum):
    """With whom a case may be matched, besides its owner."""

    NONE = "none"
    COUNTRY = "country"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Audience:
    """What decides who may learn of a case: all cases with equal audiences are treated alike."""

    owner: str
    sharing: Sharing
    test: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A case as stored. `id` is the owner's own; `public_id` is what others see, for ever.

    `created_at` and `updated_at` are seconds since 1970; `revision` is the store's at the last change. A withdrawn
    case keeps its ids, so that they are never used again, and loses its `patient`.
    """

    owner: str
    id: str
    public_id: str
    sharing: Sharing
    patient: Patient | None
    created_at: float
    updated_at: float
    revision: int

    @property
    def withdrawn(self) -> bool:
        """Whether nothing but the ids is left."""
        return self.patient is None

    @property
    def audience(self) -> Audience:
        """The case's audience."""
        return Audience(self.owner, self.sharing, bool(self.patient and self.patient.test))
