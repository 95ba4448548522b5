"""Time and chance, handed in."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """`now` in seconds since 1970, `clock` in seconds that only grow, `new_id` never the same twice.

    `chance` gives so many bytes that nobody can guess.
    """

    now: Callable[[], float]
    clock: Callable[[], float]
    new_id: Callable[[], str]
    chance: Callable[[int], bytes] = secrets.token_bytes
