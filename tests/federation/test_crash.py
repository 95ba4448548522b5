"""An acknowledged write survives a kill -9; longer, and with its figures: make crash."""

import asyncio
from pathlib import Path

from tests.federation.test_processes import environment
from tests.soak.crash import crash

__all__ = ["environment"]  # a fixture


def test_what_was_acknowledged_survives_twenty_kills_under_writes(tmp_path: Path, environment: dict[str, str]) -> None:
    figures = asyncio.run(crash(20, tmp_path / "data", 0.2, 7, environment))
    assert figures.acknowledged > 20, "something was written in each life"
