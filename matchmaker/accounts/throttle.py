"""How long to wait after wrong passwords. Pure: the caller keeps one Tries per account and one per address.

While one must wait, a password is neither checked nor counted: so whoever locks another out must come back every hour.
"""

from dataclasses import dataclass

FREE_TRIES = 5
_FIRST_SECONDS = 60.0
_MOST_SECONDS = 3_600.0
_MOST_DOUBLINGS = 6
_FORGOTTEN_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Tries:
    """So many wrong ones in a row, `since` being when the last was, in seconds since 1970. A right one ends it."""

    count: int
    since: float


def wait_of(tries: Tries | None, now: float, free: int = FREE_TRIES) -> float:
    """Return for how many seconds no password is checked: 0 before the fifth wrong one; 60 then, doubling to an hour.

    `free` may be more for a network address, which a whole hospital can share.
    """
    if tries is None or tries.count < free or _is_forgotten(tries, now):
        return 0.0
    whole = min(_MOST_SECONDS, _FIRST_SECONDS * 2.0 ** min(tries.count - free, _MOST_DOUBLINGS))
    return min(whole, max(0.0, tries.since + whole - now))


def after_wrong(tries: Tries | None, now: float) -> Tries:
    """Return the tries with one more wrong one."""
    return Tries(1 if tries is None or _is_forgotten(tries, now) else tries.count + 1, now)


def _is_forgotten(tries: Tries, now: float) -> bool:
    # By the distance: a clock set back by a year must not lock people out for one.
    return abs(now - tries.since) >= _FORGOTTEN_SECONDS
