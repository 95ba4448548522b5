"""The audit of changes: one line for every write of a case, at its revision. No health data."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What was done with a case."""

    DEPOSITED = "deposited"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class AuditLine:
    """`actor` did this at `at` (seconds since 1970) with the case that others know as `public_id`."""

    revision: int
    at: float
    actor: str
    action: Action
    public_id: str
