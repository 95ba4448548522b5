"""What a raw value has meant on published cases: the share of pairs of that raw value that had the same causal gene.

Fitted by isotonic regression; the table is shipped with the package, and says which command made it.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

CEILING = 0.5  # different genes can look alike: a phenotype alone promises no more than this
FILE_NAME = "calibration.json"
_LEAST_KNOTS = 2


class CalibrationUnreadable(Exception):
    """The table of calibration is none. The message says what is wrong with it."""


@dataclass(frozen=True)
class Calibration:
    """Knots of a strictly increasing line: at `raw[n]`, `share[n]` of pairs had the same gene. Both begin with 0.

    Above the last knot the share goes on to rise towards CEILING and never reaches it. Errors: CalibrationUnreadable.
    """

    version: str
    raw: tuple[float, ...]
    share: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check that the line rises."""
        for name, values in (("raw", self.raw), ("share", self.share)):
            rising = all(one < other for one, other in pairwise(values))
            if len(values) < _LEAST_KNOTS or values[0] != 0 or not rising:
                raise CalibrationUnreadable(f"{name}: expected numbers that begin with 0 and rise")
        if len(self.raw) != len(self.share) or self.share[-1] >= CEILING:
            raise CalibrationUnreadable(f"share: expected one number below {CEILING} for each of raw")

    @cached_property
    def knots(self) -> NDArray[np.float64]:
        """`raw` as an array."""
        return np.array(self.raw)

    @cached_property
    def shares_at_knots(self) -> NDArray[np.float64]:
        """`share` as an array."""
        return np.array(self.share)

    def shares(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of each raw value, strictly increasing, in [0, CEILING)."""
        last, highest = self.raw[-1], self.share[-1]
        above = CEILING - (CEILING - highest) * (last / np.maximum(raw, last))
        return np.where(raw > last, above, np.interp(raw, self.knots, self.shares_at_knots))

    def share_of(self, raw: float) -> float:
        """Return `shares` of one raw value: the same figure to the last bit."""
        return float(self.shares(np.array([raw]))[0])

    def raw_at(self, share: float) -> float:
        """Return a raw value, nearly the greatest, below which every share is below `share`."""
        if share >= self.share[-1]:
            return self.raw[-1]
        return float(np.interp(share, self.shares_at_knots, self.knots)) * (1 - 1e-9)


def parse_calibration(text: str) -> Calibration:
    """Read the table. Errors: CalibrationUnreadable."""
    try:
        table = json.loads(text)
        return Calibration(str(table["version"]), tuple(map(float, table["raw"])), tuple(map(float, table["share"])))
    except (ValueError, TypeError, KeyError) as error:
        raise CalibrationUnreadable(f"{FILE_NAME} is no table of calibration: {error}") from None
