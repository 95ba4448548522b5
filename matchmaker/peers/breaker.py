"""A peer's breaker: after failures in a row, background questions wait. States and times; pure.

closed ── failures in a row ──> open ── its time is over ──> one question is let through
  ^                              ^                               │          │
  └────────── it answers ────────┼───────────────────────────────┘          │
                                 └──────────── longer each time ─── it fails┘
"""

from datetime import UTC, datetime

from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.records.inquiry import PeerHealth

MOST_FAILURES = 3  # in a row, after which it opens
_OPEN_SECONDS = (60.0, 300.0, 900.0, 3_600.0)  # the first time, the second, …
_PROBED_SECONDS = 330.0  # longer than any deadline: a question that is lost lets another one through then
_SOON_SECONDS = 1.0  # between the word that a question may go and its going
_NOTED_SECONDS = 60.0  # a peer that answers all the time is written down once a minute


def after(health: PeerHealth, outcome: PeerAnswer | PeerFailure, elapsed_ms: int, now: float) -> PeerHealth:
    """Return how a peer stands after a question. One that was not asked stands as before. `now`: seconds since 1970."""
    if isinstance(outcome, PeerAnswer):
        noted = not health.failures and now - (health.last_success_at or 0.0) < _NOTED_SECONDS
        return health if noted else PeerHealth(name=health.name, last_success_at=now, elapsed_ms=elapsed_ms)
    if outcome.status is Status.NOT_ASKED or _was_sent_before(health, now - elapsed_ms / 1000, now):
        return health
    failures = health.failures + 1
    opened = failures - MOST_FAILURES
    waits = _OPEN_SECONDS[min(opened, len(_OPEN_SECONDS) - 1)] if opened >= 0 else None
    failed = {
        "failures": failures,
        "failing_since": health.failing_since or now,
        "status": outcome.status.value,
        "reason": outcome.reason,
        "last_failure_at": now,
        "elapsed_ms": elapsed_ms,
        "open_until": now + waits if waits else None,
        "probed_at": None,
    }
    return health.model_copy(update=failed)


def _was_sent_before(health: PeerHealth, sent_at: float, now: float) -> bool:
    """Tell whether a question was under way when the breaker opened, or goes past it: its failing says nothing new."""
    if health.open_until is None:
        return False
    if health.probed_at is None:
        return is_open(health, now) or sent_at < (health.last_failure_at or 0.0)
    return sent_at < health.probed_at - _SOON_SECONDS


def probing(health: PeerHealth, now: float) -> PeerHealth:
    """Return how a peer stands while the one question that was let through is under way."""
    return health.model_copy(update={"open_until": now + _PROBED_SECONDS, "probed_at": now})


def is_open(health: PeerHealth | None, now: float) -> bool:
    """Tell whether no background question may go to a peer now."""
    return health is not None and health.open_until is not None and now < health.open_until


def state_of(health: PeerHealth | None, now: float) -> str:
    """Return the breaker's state in a word: closed, open, or half open when one question is let through."""
    if health is None or health.open_until is None:
        return "closed"
    return "open" if is_open(health, now) else "half open"


def described(health: PeerHealth) -> str:
    """Return why a peer with an open breaker is not asked, in words."""
    since, until = (_clock(at) for at in (health.failing_since, health.open_until))
    return (
        f"its breaker is open: it has failed {health.failures} times in a row since {since}"
        f" (the last: {health.status}, {health.reason}); it is asked again from {until}, or when it is named"
    )


def _clock(at: float | None) -> str:
    return datetime.fromtimestamp(at or 0.0, UTC).strftime("%Y-%m-%d %H:%M UTC")
