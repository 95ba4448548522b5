"""Writing what many ask for at once in one transaction: who asks waits until his own is durable."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """Hands waiting items to `write`, all at once; those that come meanwhile wait for the next time.

    `write` gives a result for each item, or the error that is its alone.
    """

    def __init__(self, write: Callable[[list[Item]], Awaitable[Sequence[Result | Exception]]]) -> None:
        self._write = write
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Return the item's result when it is written. Errors: those of `write`, and the item's own."""
        written: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await written

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                results = await self._write([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told to everyone who waits for it
                results = [error] * len(batch)
            for (_, written), result in zip(batch, results, strict=True):
                if written.done():
                    continue
                if isinstance(result, Exception):
                    written.set_exception(result)
                else:
                    written.set_result(result)
