"""Background work: a piece is queued with the change that asks for it, claimed by lease, and done once."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Work:
    """One piece: `kind` of work on a `subject`, such as a case's public id. Queued again, it is still one piece.

    `revision` is the store's at the change that queued it last; `due` in seconds since 1970. Whoever claims it is the
    `holder` until `leased_until`; then it may be claimed anew. `attempts` counts claims.
    """

    kind: str
    subject: str
    revision: int
    due: float
    attempts: int = 0
    holder: str | None = None
    leased_until: float = 0.0
