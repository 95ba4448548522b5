"""Waiting for what happens in the background, far longer than it takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Found = TypeVar("Found")
PATIENCE_SECONDS = 60.0


async def eventually(look: Callable[[], Awaitable[Found | None]]) -> Found:
    """Return the first thing found that is not empty, false or None."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        if found := await look():
            return found
        assert time.monotonic() < deadline, "it never came"
        await asyncio.sleep(0.02)
