"""A clock that stands still until a test moves it."""

import secrets
import time
from dataclasses import dataclass

from matchmaker.exchange.world import World

DAY, HOUR = 86_400.0, 3_600.0


@dataclass
class Clock:
    """Seconds since 1970, as the test says."""

    now: float = 1_800_000_000.0

    @property
    def world(self) -> World:
        """The world by this clock; what only grows, and chance, are real."""
        return World(now=lambda: self.now, clock=time.monotonic, new_id=lambda: secrets.token_hex(16))
