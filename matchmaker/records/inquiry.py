"""Inquiries: what came of asking a node about a case, the last time; and how each node has answered lately."""

from matchmaker.records.kept import Record


class Inquiry(Record):
    """The last outcome of asking `node` about `case` (its public id) at `at`, seconds since 1970.

    `status` and `reason` are those that a search shows, or `waiting`, where the agreement with the node is used up and
    the case waits for its turn since `at`. `version` is the case's that was asked with; `asked_at` is
    when a question last left, `answered_at` when one was last answered, `failures` how many have failed since.
    """

    case: str
    node: str
    at: float
    status: str
    reason: str | None = None
    results: int = 0
    elapsed_ms: int = 0
    version: int = 0
    asked_at: float | None = None
    answered_at: float | None = None
    failures: int = 0


class PeerHealth(Record):
    """How a peer has answered lately. Times in seconds since 1970.

    After several `failures` in a row its breaker is open until `open_until`: background work waits, and one question
    is let through then, at `probed_at`.
    """

    name: str
    failures: int = 0
    failing_since: float | None = None
    status: str | None = None
    reason: str | None = None
    last_failure_at: float | None = None
    last_success_at: float | None = None
    elapsed_ms: int = 0
    open_until: float | None = None
    probed_at: float | None = None


class Asked(Record):
    """How much a node was asked within a span: when about each case, last; and the place of a given case among others.

    `among`: it is one of those cases. `waiting` counts other cases that wait for their turn, `before` those that have
    waited longer.
    """

    times: tuple[float, ...] = ()
    among: bool = False
    waiting: int = 0
    before: int = 0
