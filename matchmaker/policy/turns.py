"""Turns: when a case may be asked about at a peer, within what was agreed with it, and when next. Pure.

A peer has agreed to be asked about so many cases within thirty days. A case that was asked about within them may be
asked about again, as the same question costs nothing; those that were never asked wait in the order in which they came,
and others give way to them.
"""

import hashlib
from enum import Enum

from matchmaker.policy.agreement import SPAN_SECONDS
from matchmaker.records.inquiry import Asked

_DAY_SECONDS = 86_400.0
_SPREAD = 0.1  # of the time between two searches, each way
_RETRIES = (300.0, 1_200.0, 4_800.0, 19_200.0, 86_400.0)  # seconds after the first failure, the second, …


class Turn(Enum):
    """What a case may do at a peer now."""

    COMES = "comes"
    WAITS = "waits"
    GIVES_WAY = "gives way"


def turn(asked: Asked, per_month: int | None, *, failed: bool) -> Turn:
    """Return whether it is a case's turn. One whose last question `failed` asks again, and gives way to nobody."""
    if not failed and gives_way(asked, per_month):
        return Turn.GIVES_WAY
    return Turn.COMES if may_ask(asked, per_month) else Turn.WAITS


def may_ask(asked: Asked, per_month: int | None) -> bool:
    """Tell whether it is a case's turn at a peer. None: as many cases as there are."""
    if per_month is None or asked.among:
        return True
    return asked.before < per_month - len(asked.times)


def gives_way(asked: Asked, per_month: int | None) -> bool:
    """Tell whether a case that was asked about lately leaves its place to one that waits."""
    return per_month is not None and asked.among and asked.waiting > 0 and len(asked.times) >= per_month


def turn_at(asked: Asked, per_month: int, now: float) -> float:
    """Return when the turn of a case that waits comes, in seconds since 1970: as places become free, first come first.

    With as many before it as there are places, it waits thirty days longer.
    """
    if not asked.times:
        return now + _DAY_SECONDS
    places = asked.times[-max(1, per_month) :]
    rounds, place = divmod(max(0, asked.before - (per_month - len(places))), len(places))
    return max(now, places[place] + SPAN_SECONDS * (1 + rounds))


def search_at(public_id: str, every_days: float, now: float) -> float:
    """Return when a case is searched with again: spread out, so that not all are at once."""
    return now + every_days * _DAY_SECONDS * (1 + _SPREAD * (2 * share(public_id, now) - 1))


def retry_at(failures: int, chance: float, now: float) -> float:
    """Return when a peer is asked again about a case after so many failures in a row; `chance` in [0, 1) jitters."""
    wait = _RETRIES[min(max(failures, 1), len(_RETRIES)) - 1]
    return now + wait * (0.75 + chance / 2)


def share(subject: str, now: float) -> float:
    """Return a number in [0, 1) that looks made by chance, of a subject and the day."""
    day = int(now // _DAY_SECONDS)
    digest = hashlib.blake2b(f"{subject} {day}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
