"""Saying each figure as it is measured: what is promised, what was found, and whether it holds."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

Say = Callable[[str, str, bool], None]


@dataclass
class Said:
    """Prints figures; `failed` are the promises that do not hold."""

    failed: list[str] = field(default_factory=list)

    def __call__(self, promise: str, found: str, holds: bool) -> None:
        """Print one figure at once, as the next one may take minutes."""
        sys.stdout.write(f"{'holds' if holds else 'FAILS'}  {promise}: {found}\n")
        sys.stdout.flush()
        if not holds:
            self.failed.append(promise)
