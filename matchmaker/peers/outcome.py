"""What became of one question to one peer: an answer or a failure, both values."""

from dataclasses import dataclass
from enum import StrEnum

from matchmaker.mme.messages import MatchResult


class Status(StrEnum):
    """How a node answered, as users are shown it."""

    ANSWERED = "answered"
    TIMEOUT = "timeout"  # no answer within the deadline
    UNREACHABLE = "unreachable"  # no connection, or it broke before the answer
    REFUSED = "refused"  # 401, 403, 406, 415, 429
    ERROR = "error"  # 5xx
    INVALID = "invalid"  # an answer that is none
    NOT_ASKED = "not asked"  # by the asker's wish, the case's sharing, or for want of a token


@dataclass(frozen=True, slots=True)
class PeerAnswer:
    """A peer's results, each valid by itself; `dropped` says how many were not."""

    results: tuple[MatchResult, ...]
    dropped: int = 0
    disclaimer: str | None = None
    terms: str | None = None


@dataclass(frozen=True, slots=True)
class PeerFailure:
    """Why there is no answer. `reason` is for people and holds nothing of the patient."""

    status: Status
    reason: str
