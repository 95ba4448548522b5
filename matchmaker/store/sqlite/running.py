"""One connection in one thread, and what every part of the embedded store does with it.

No two of our writes meet, and no reader of ours sees half of one. Other processes (other workers, the command line
beside a running node) write the same file under SQLite's own locks.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from matchmaker.store.sqlite.connecting import check_writable, connect, connect_to_read, transaction, translated
from matchmaker.store.sqlite.migrating import bring_up_to_date

Result = TypeVar("Result")


class Running:
    """An open file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            self._connection = self._thread.submit(_opened, path).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def reader(self) -> sqlite3.Connection:
        """Return this thread's own connection, which only reads."""
        if not hasattr(self._own, "reader"):
            self._own.reader = connect_to_read(self.path)
            self._readers.append(self._own.reader)
        reader: sqlite3.Connection = self._own.reader
        return reader

    async def run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do work in the store's thread. Errors: those of the store."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._connection)
        except sqlite3.DatabaseError as error:
            raise translated(self.path, error) from None

    async def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do work in one transaction, which is on disk when this returns."""

        def within(connection: sqlite3.Connection) -> Result:
            check_writable(self.path)
            with transaction(connection):
                return work(connection)

        return await self.run(within)

    async def close(self) -> None:
        """See Store."""
        for reader in self._readers:
            reader.close()
        await self.run(sqlite3.Connection.close)
        self._thread.shutdown()


def _opened(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        check_writable(path)  # SQLite itself opens a store that a killed process left behind in a read-only directory
        bring_up_to_date(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection
