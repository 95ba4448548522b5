"""Bringing a file's tables up to date: numbered migrations, each of them a transaction of its own.

A store is always of one version: a migration that was killed half-way has not happened. Before each one that changes a
store with cases in it, nothing is needed but this program; an older program refuses a newer store.
"""

import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from matchmaker.store.base import StoreUnusable
from matchmaker.store.sqlite.connecting import transaction
from matchmaker.store.sqlite.ledger import after_004

_AFTERWARDS = {4: after_004}  # what SQL cannot do: hashes
_APPLICATION_ID = 0x4D4D4558  # "MMEX": tells our files from other SQLite files


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in an empty file, or those of newer versions. Errors: StoreUnusable: another program's file."""
    while _step(connection, path):
        pass


def _step(connection: sqlite3.Connection, path: Path) -> bool:
    """Do one migration; return whether there was one to do."""
    migrations = dict(_migrations())
    with transaction(connection):  # read within: another process may be at it, too
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != _APPLICATION_ID:
            raise StoreUnusable(f"{path} is another program's database; choose another --data-dir")
        if version > max(migrations):
            raise StoreUnusable(f"{path} was written by a newer version of matchmaker; update this one")
        if version == max(migrations):
            return False
        for statement in _statements(migrations[version + 1]):
            connection.execute(statement)
        if version + 1 in _AFTERWARDS:
            _AFTERWARDS[version + 1](connection)
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version + 1}")
    return True


def _migrations() -> Iterator[tuple[int, str]]:
    folder = resources.files("matchmaker.store.sqlite") / "migrations"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql"):
            yield int(file.name.split("_", 1)[0]), file.read_text(encoding="utf-8")


def _statements(text: str) -> list[str]:
    uncommented = "\n".join(line.split("--", 1)[0] for line in text.splitlines())
    return [statement for statement in uncommented.split(";") if statement.strip()]
