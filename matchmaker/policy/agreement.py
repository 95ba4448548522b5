"""What was agreed with an organisation: how many new profiles a month, and how much of the node's cases at most."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from matchmaker.records.party import Client

SPAN_SECONDS = 30 * 86_400.0  # a month
MOST_GENES = 10  # of one profile, within a month
MOST_VARIANTS = 20  # of a profile that are asked at no cost; then it counts as a new one again


@dataclass(frozen=True, slots=True)
class Limits:
    """The operator's figures, for an agreement of `per_month` new profiles a month; larger ones scale the shares."""

    per_month: int = 100
    alarm_share: float = 0.05
    stop_share: float = 0.10
    least_stop: int = 25


@dataclass(frozen=True, slots=True)
class Agreement:
    """New profiles a month, None: as many as wanted; and how many cases newly told in a month alarm, or stop."""

    per_month: int | None
    alarm: float
    stop: float

    @classmethod
    def of(cls, per_month: int | None, shareable: int, limits: Limits) -> "Agreement":
        """Return the agreement of an organisation that may learn of `shareable` cases."""
        if per_month is None:
            return cls(None, math.inf, math.inf)
        scale = per_month / limits.per_month
        share = limits.alarm_share / limits.stop_share if limits.stop_share else 0.0
        stop = max(limits.least_stop, math.floor(limits.stop_share * scale * shareable))
        return cls(per_month, stop * share, stop)


def shared_per_month(clients: Iterable[Client]) -> int | None:
    """Return what the nodes of one organisation may ask together: as the largest of their agreements has it."""
    most: int | None = 0
    for client in clients:
        if client.per_month is None:
            return None
        most = max(most or 0, client.per_month)
    return most
