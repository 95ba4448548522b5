"""An acknowledged write survives a kill -9; longer, and with its figures: make crash."""

import asyncio
import secrets
from pathlib import Path

from tests.federation.test_processes import environment
from tests.soak.crash import crash

__all__ = ["environment"]  # a fixture


def test_what_was_acknowledged_survives_kills_under_writes(tmp_path: Path, environment: dict[str, str]) -> None:
    figures = asyncio.run(crash(6, tmp_path / "data", 0.4, 7, environment))
    assert figures.acknowledged > 20, "a good deal was written"


def test_what_was_acknowledged_over_a_database_survives_kills_too(
    tmp_path: Path, environment: dict[str, str], mongodb: str
) -> None:
    uri = mongodb.format(f"test_{secrets.token_hex(8)}")  # not dropped: that waits for what a killed node had begun
    over = {**environment, "MATCHMAKER_STORAGE__MONGODB": uri}
    figures = asyncio.run(crash(2, tmp_path / "data", 0.4, 7, over))
    assert figures.acknowledged > 4
