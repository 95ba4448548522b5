"""Every background loop of a node. Each is three lines over a step, so that the step can be tested."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

logger = logging.getLogger(__name__)


async def forever(step: Callable[[], Awaitable[object]], every_seconds: float) -> None:
    """Take `step`, at once and again and again, until cancelled. A failing step is logged, without data."""
    while True:
        try:
            await step()
        except Exception as error:  # noqa: BLE001 - a background loop outlives whatever one step may raise
            logger.error("a background step failed: %s", type(error).__name__)
        await asyncio.sleep(every_seconds)
