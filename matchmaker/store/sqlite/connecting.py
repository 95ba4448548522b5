"""Connections to the embedded store's file, its transactions, and what SQLite's errors mean."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from matchmaker.records.case import key_of
from matchmaker.store.base import PublicIdTaken, StoreBusy, StoreError, StoreFull, StoreUnusable

FILE_NAME = "matchmaker.sqlite3"
BUSY_MS = 30_000  # how long a write waits for another process's write
_SWEEP_MS = 100
_MAPPED = 2_000_000_000  # bytes, nearly the most that SQLite allows
_PRIMARY = 0xFF  # the low byte of a result code
_WRITE_FAILED = {sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMSIZE}


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that writes. Each of its transactions is on disk when it ends."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=True)
    try:
        path.chmod(0o600)  # health data: for the node's own account only
        connection.create_function("key_of", 1, key_of, deterministic=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # a withdrawn case leaves nothing behind in free pages
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads, for one thread at a time: it waits for no writer."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA mmap_size = {_MAPPED}")  # an answer reads twenty cases from anywhere in the file
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do what is within at once, or not at all."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a COMMIT that failed for want of room has left it open
            with contextlib.suppress(sqlite3.DatabaseError):
                connection.execute("ROLLBACK")
        raise


def check_writable(path: Path) -> None:
    """Raise StoreBusy where file or directory were made read-only while the store is open, which SQLite never sees."""
    if not os.access(path, os.W_OK):
        raise StoreBusy(f"{path} is read-only; make it writable for this account")
    if not os.access(path.parent, os.W_OK):
        raise StoreBusy(f"{path.parent} is read-only; make it writable for this account")


def empty_log(connection: sqlite3.Connection) -> bool:
    """Move the log of changes, which still holds what was erased, into the file; False when somebody reads it."""
    connection.execute(f"PRAGMA busy_timeout = {_SWEEP_MS}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return not busy


def translated(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """Return what an error of SQLite means (its result codes: sqlite.org/rescode.html)."""
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & _PRIMARY
    if isinstance(error, sqlite3.IntegrityError):
        return PublicIdTaken("the public id of a new case is taken; try again")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(f"{path} is held by another process; try again, or end that process")
    if code == sqlite3.SQLITE_FULL or extended in _WRITE_FAILED:
        return StoreFull(f"{path} cannot grow ({error}); make room on its disk")
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}:
        return StoreBusy(f"{path} cannot be written ({error}); mend its disk or its permissions")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreUnusable(f"{path} cannot be opened ({error}); mend the permissions of it and of its directory")
    return StoreUnusable(f"{path} cannot be read ({error}); restore it from a backup, or choose another --data-dir")
