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

    Of a question: its `digest`; that of the profile that it belongs to, and that profile's `sketch` when it is new
    (both hexadecimal); `genes` and `cases` told, as 63-bit numbers.
    """

    organisation: str
    at: float
    kind: Event
    digest: str = ""
    profile: str = ""
    sketch: str = ""
    genes: tuple[int, ...] = ()
    cases: tuple[int, ...] = ()
