"""The embedded store: SQLite in one thread of its own.

One connection, one thread: no two of our writes meet, and no reader of ours sees half of one. Other processes (other
workers, the command line beside a running node) write the same file under SQLite's own locks.
"""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import from_json

from matchmaker.records.audit import Action, AuditLine
from matchmaker.records.case import Case, KeptCase, Sharing
from matchmaker.records.ledger import LedgerLine, LedgerTotals
from matchmaker.records.party import Client, Peer, Role
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.records.work import Work
from matchmaker.store.base import Check, Deposit, Draft, NameTaken, NameUnknown, Revisions, StoreError, StoreUnusable
from matchmaker.store.deciding import COUNTERS
from matchmaker.store.entries import Entry, EntryDamaged, kept_of
from matchmaker.store.gathering import Gathering
from matchmaker.store.sqlite import cases, whole
from matchmaker.store.sqlite.cases import CASE, VERSION, WORK, raise_counter
from matchmaker.store.sqlite.connecting import (
    FILE_NAME,
    check_writable,
    connect,
    connect_to_read,
    empty_log,
    transaction,
    translated,
)
from matchmaker.store.sqlite.migrating import bring_up_to_date

Result = TypeVar("Result")

_FREEING = {"clients": "revoke it first: matchmaker client revoke", "peers": "remove it first: matchmaker peer remove"}
_BATCH = 2_000
_SHARING = {sharing.value: sharing for sharing in Sharing}
_KEPT = f"owner, id, public_id, sharing, json(patient), revision, {VERSION}"
_KEPT_TEXT = f"owner, id, public_id, sharing, patient, revision, {VERSION}"


class SqliteStore:
    """A Store in one SQLite file. Open it with `open_sqlite`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._lines = Gathering(self._append_lines)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            self._connection = self._thread.submit(_opened, path).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def _reader(self) -> sqlite3.Connection:
        if not hasattr(self._own, "reader"):
            self._own.reader = connect_to_read(self._path)
            self._readers.append(self._own.reader)
        reader: sqlite3.Connection = self._own.reader
        return reader

    async def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._connection)
        except sqlite3.DatabaseError as error:
            raise translated(self._path, error) from None

    async def _write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do work in one transaction, which is on disk when this returns."""

        def within(connection: sqlite3.Connection) -> Result:
            check_writable(self._path)
            with transaction(connection):
                return work(connection)

        return await self._run(within)

    async def close(self) -> None:
        """See Store."""
        for reader in self._readers:
            reader.close()
        await self._run(sqlite3.Connection.close)
        self._thread.shutdown()

    async def revisions(self) -> Revisions:
        """See Store."""
        counters, facts = await self._run(whole.facts)
        cases, parties, reference = (counters[name] for name in COUNTERS[:3])
        return Revisions(cases, parties, reference, facts["identity"], facts["epoch"])

    async def deposit(self, drafts: Sequence[Draft], now: float) -> list[Deposit]:
        """See Store."""
        return await self._write(lambda connection: cases.deposit(connection, drafts, now))

    async def withdraw(self, owner: str, case_id: str, now: float) -> Case | None:
        """See Store."""
        left = await self._write(lambda connection: cases.withdraw(connection, owner, case_id, now))
        if left:
            with contextlib.suppress(StoreError):  # it is withdrawn all the same; the work that is queued tries again
                await self.sweep()
        return left

    async def sweep(self) -> bool:
        """See Store."""
        return await self._run(empty_log)

    async def case(self, owner: str, case_id: str) -> Case | None:
        """See Store."""
        return await self._run(lambda connection: cases.find(connection, owner, case_id))

    async def cases_of(self, owner: str, after: str, limit: int) -> list[Case]:
        """See Store."""
        sql = f"SELECT {CASE} FROM cases WHERE owner = ? AND id > ? AND patient IS NOT NULL ORDER BY id LIMIT ?"
        return await self._run(lambda c: [cases.read_case(row) for row in c.execute(sql, (owner, after, limit))])

    def read_cases(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        """See Store. Each thread has a connection of its own, which only reads: it waits for no writer."""
        wanted = tuple(keys)
        some = f"FROM cases WHERE patient IS NOT NULL AND key IN ({', '.join('?' * len(wanted))})"
        sql = f"SELECT json_group_array(json_array(key, {_KEPT})) {some}"  # one row: each may wait for other threads
        try:
            ((text,),) = self._reader().execute(sql, wanted).fetchall()
        except sqlite3.DatabaseError as error:
            raise translated(self._path, error) from None
        return {
            key: KeptCase(owner, case_id, public_id, _SHARING[sharing], content, revision, version)
            for key, owner, case_id, public_id, sharing, content, revision, version in from_json(text)
        }

    async def checksum(self, revision: int) -> tuple[int, int]:
        """See Store."""
        sql = f"SELECT count(*), coalesce(sum({VERSION}), 0) FROM cases WHERE patient IS NOT NULL AND revision <= ?"
        count, total = await self._run(lambda connection: connection.execute(sql, (revision,)).fetchone())
        return int(count), int(total)

    async def count_cases(self) -> int:
        """See Store."""
        sql = "SELECT count(*) FROM cases WHERE patient IS NOT NULL"
        return await self._run(lambda connection: int(connection.execute(sql).fetchone()[0]))

    async def changes_since(self, revision: int) -> AsyncIterator[list[KeptCase]]:
        """See Store."""
        # Two cases never share a revision, so that a batch ends between them.
        some = f"(SELECT * FROM cases WHERE revision > ? ORDER BY revision LIMIT {_BATCH})"
        sql = f"SELECT {_KEPT_TEXT} FROM {some}"
        while True:
            batch = await self._run(lambda c, since=revision: [_kept(row) for row in c.execute(sql, (since,))])  # type: ignore[misc]  # mypy cannot infer a lambda's default
            if not batch:
                return
            yield batch
            revision = batch[-1].revision

    async def audit(self, after: int, limit: int) -> list[AuditLine]:
        """See Store."""
        sql = "SELECT revision, at, actor, action, public_id FROM audit WHERE revision > ? ORDER BY revision LIMIT ?"
        rows = await self._run(lambda connection: connection.execute(sql, (after, limit)).fetchall())
        return [AuditLine(revision, at, actor, Action(action), case) for revision, at, actor, action, case in rows]

    async def add_client(self, client: Client) -> None:
        """See Store."""
        row = (
            client.name,
            client.role.value,
            client.token_sha256,
            client.institution,
            client.country,
            client.created_at,
            client.revoked_at,
        )

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM clients WHERE name = ? AND revoked_at IS NOT NULL", (client.name,))
            _insert_named(connection, "clients", row)

        await self._write(work)

    async def revoke_client(self, name: str, now: float) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            raise_counter(connection, "parties")
            sql = "UPDATE clients SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"
            if not connection.execute(sql, (now, name)).rowcount:
                raise NameUnknown(f"there is no client {name!r} with a valid token")

        await self._write(work)

    async def clients(self) -> list[Client]:
        """See Store."""
        sql = "SELECT name, role, token_sha256, institution, country, created_at, revoked_at FROM clients ORDER BY name"
        return await self._run(lambda c: [Client(row[0], Role(row[1]), *row[2:]) for row in c.execute(sql)])

    async def add_peer(self, peer: Peer) -> None:
        """See Store."""
        row = (peer.name, peer.url, peer.country, peer.token_file, peer.version, peer.mitochondrion)
        await self._write(lambda connection: _insert_named(connection, "peers", row))

    async def remove_peer(self, name: str) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            raise_counter(connection, "parties")
            if not connection.execute("DELETE FROM peers WHERE name = ?", (name,)).rowcount:
                raise NameUnknown(f"there is no peer {name!r}")

        await self._write(work)

    async def peers(self) -> list[Peer]:
        """See Store."""
        sql = "SELECT name, url, country, token_file, version, mitochondrion FROM peers ORDER BY name"
        return await self._run(lambda connection: [Peer(*row) for row in connection.execute(sql)])

    async def write_ledger(self, line: LedgerLine) -> None:
        """See Store."""
        await self._lines.put(line)

    async def _append_lines(self, lines: list[LedgerLine]) -> None:
        rows = [(line.at, line.asker, line.results, line.genes) for line in lines]
        await self._write(lambda connection: whole.append_lines(connection, rows))

    async def ledger_totals(self) -> LedgerTotals:
        """See Store."""

        def work(connection: sqlite3.Connection) -> LedgerTotals:
            counters, _ = whole.facts(connection)
            genes = connection.execute("SELECT count(*) FROM matched_genes").fetchone()[0]
            return LedgerTotals(counters["requests"], counters["results"], genes)

        return await self._run(work)

    async def claim(self, kinds: Collection[str], holder: str, now: float, until: float) -> Work | None:
        """See Store."""
        sql = f"SELECT 1 FROM work WHERE due <= ? AND leased_until <= ? AND kind IN ({', '.join('?' * len(kinds))})"
        wanted = sorted(kinds)
        if not await self._run(lambda c: c.execute(f"{sql} LIMIT 1", (now, now, *wanted)).fetchone()):
            return None  # nothing is written where nothing is due
        return await self._write(lambda connection: cases.claim(connection, wanted, holder, now, until))

    async def finish(self, work: Work) -> bool:
        """See Store."""
        return await self._write(lambda connection: cases.finish(connection, work))

    async def release(self, work: Work, due: float) -> bool:
        """See Store."""
        return await self._write(lambda connection: cases.release(connection, work, due))

    async def queued(self) -> list[Work]:
        """See Store."""
        sql = f"SELECT {WORK} FROM work ORDER BY kind, subject"
        return await self._run(lambda connection: [Work(*row) for row in connection.execute(sql)])

    async def reference(self) -> list[ReferenceFile]:
        """See Store."""
        sql = "SELECT kind, name, version, sha256, imported_at, content FROM reference ORDER BY kind"
        rows = await self._run(lambda connection: connection.execute(sql).fetchall())
        return [ReferenceFile(Kind(kind), *rest) for kind, *rest in rows]

    async def set_reference(self, files: Sequence[ReferenceFile]) -> None:
        """See Store."""
        rows = [(f.kind.value, f.name, f.version, f.sha256, f.imported_at, f.content) for f in files]

        def work(connection: sqlite3.Connection) -> None:
            raise_counter(connection, "reference")
            connection.executemany("INSERT OR REPLACE INTO reference VALUES (?, ?, ?, ?, ?, ?)", rows)

        await self._write(work)

    async def clear_reference(self) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            raise_counter(connection, "reference")
            connection.execute("DELETE FROM reference")

        await self._write(work)

    async def export(self) -> AsyncGenerator[list[Entry]]:
        """See Store. Reads in a transaction of its own: writers go on, and it sees nothing of them."""
        reader = await asyncio.to_thread(connect_to_read, self._path)
        try:
            reader.execute("BEGIN")
            batches = whole.entries(reader)
            while batch := await asyncio.to_thread(_following, batches):
                yield batch
        except sqlite3.DatabaseError as error:
            raise translated(self._path, error) from None
        finally:
            reader.close()

    async def fill(self, entries: AsyncGenerator[list[Entry]], check: Check, *, replace: bool = False) -> None:
        """See Store. One transaction, however long: a node that runs beside sees the old, then the new."""
        check_writable(self._path)
        await self._run(lambda connection: connection.execute("BEGIN IMMEDIATE"))
        try:
            first = await anext(entries)
            (kind, facts) = first[0]
            if kind != "facts":
                raise ValueError("what a store is filled with begins with its facts")
            await self._run(lambda connection: whole.empty(connection, facts[0], replace=replace))
            await self._run(lambda connection: whole.write(connection, first))
            async for batch in entries:
                await self._run(lambda connection, batch=batch: whole.write(connection, batch))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            await check(self._read_back())
            await self._run(lambda connection: connection.execute("COMMIT"))
        except BaseException:
            await self._run(_roll_back)
            raise
        with contextlib.suppress(StoreError):  # where it cannot be done now, a withdrawal's sweep does it
            await self.sweep()

    async def _read_back(self) -> AsyncGenerator[list[Entry]]:
        """Yield everything as it is within the transaction that we are in."""
        batches = await self._run(whole.entries)
        while batch := await self._run(lambda _: next(batches, [])):
            yield batch

    async def probe(self) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE counter SET value = value WHERE name = 'revision'")
            for table in ("cases", "clients", "peers", "ledger", "matched_genes", "audit", "work", "reference"):
                connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()

        await self._write(work)


def open_sqlite(directory: Path) -> SqliteStore:
    """Open the store of a data directory, made empty where there is none. Errors: StoreUnusable, StoreBusy."""
    path = directory / FILE_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return SqliteStore(path)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StoreUnusable(f"the data directory {directory} cannot be used: {reason}; choose another") from None
    except sqlite3.DatabaseError as error:
        raise translated(path, error) from None


def _opened(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        check_writable(path)  # SQLite itself opens a store that a killed process left behind in a read-only directory
        bring_up_to_date(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _insert_named(connection: sqlite3.Connection, table: str, row: tuple[Any, ...]) -> None:
    raise_counter(connection, "parties")
    try:
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
    except sqlite3.IntegrityError:
        raise NameTaken(f"the name {row[0]!r} is taken in {table}; {_FREEING[table]}") from None


def _kept(row: tuple[Any, ...]) -> KeptCase:
    try:
        return kept_of(*row)
    except EntryDamaged as error:
        raise sqlite3.DatabaseError(str(error)) from None


def _following(batches: Iterator[list[Entry]]) -> list[Entry]:
    return next(batches, [])


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")
