"""How much one asker may ask: a bucket that fills evenly. Pure; time is handed in."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is left of an asker's budget: `left` questions at the time `at`, in seconds."""

    left: float
    at: float


@dataclass(frozen=True, slots=True)
class Budget:
    """`per_minute` questions a minute, all at once if wished. 0 means: as many as one likes."""

    per_minute: int

    def spend(self, bucket: Bucket | None, now: float) -> tuple[Bucket, int]:
        """Return the bucket after one question, and 0; or unspent, and the seconds to wait before asking again."""
        if not self.per_minute:
            return Bucket(0.0, now), 0
        a_second = self.per_minute / 60
        left = float(self.per_minute)
        if bucket is not None:
            left = min(left, bucket.left + max(0.0, now - bucket.at) * a_second)
        if left >= 1:
            return Bucket(left - 1, now), 0
        return Bucket(left, now), max(1, math.ceil((1 - left) / a_second))
