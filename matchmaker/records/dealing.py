"""Dealings with an organisation: what of its questions is remembered for a while, so that agreements can be kept.

Of a question stay keyed fingerprints, by which it is known again, and the cases that were told: nothing of its content.
"""

from dataclasses import dataclass
from enum import StrEnum


class Event(StrEnum):
    """What happened."""

    ASKED = "asked"  # a question was answered
    ALARMED = "alarmed"  # so much of the node's cases was told that its operator should look
    STOPPED = "stopped"  # so much that nothing new is told until a named person releases it
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Dealing:
    """One dealing with an `organisation` at `at`, seconds since 1970.

    Of a question: its `digest`; the digest and `sketch` (hexadecimal, too) of the profile that it belongs to, and
    whether it is counted as a `fresh` one; `genes` as keyed numbers; the keys of cases told for the first time within a
    month, and of those told `again`.
    """

    organisation: str
    at: float
    kind: Event
    digest: str = ""
    profile: str = ""
    sketch: str = ""
    fresh: bool = False
    genes: tuple[int, ...] = ()
    cases: tuple[int, ...] = ()
    again: tuple[int, ...] = ()
