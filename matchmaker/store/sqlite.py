"""The embedded store: SQLite in one thread of its own, WAL, synchronous=FULL.

One connection, one thread: no two of our writes meet, and no reader of ours sees half of one. Other processes (the
command line beside a running node) write the same file under SQLite's own locks.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from matchmaker.mme.patient import Patient
from matchmaker.records.case import REVISION_FACTOR, TIME_FACTOR, VERSIONS, Case, KeptCase, Sharing, key_of
from matchmaker.records.ledger import LedgerLine, LedgerTotals
from matchmaker.records.party import Client, Peer, Role
from matchmaker.store.base import (
    Deposit,
    Draft,
    NameTaken,
    NameUnknown,
    Outcome,
    PublicIdTaken,
    StoreBusy,
    StoreError,
    StoreUnusable,
)

Result = TypeVar("Result")

FILE_NAME = "matchmaker.sqlite3"
_SCHEMA_VERSION = 2
_APPLICATION_ID = 0x4D4D4558  # "MMEX": tells our files from other SQLite files
_BUSY_MS = 30_000  # how long a write waits for another process's write
_FREEING = {"clients": "revoke it first: matchmaker client revoke", "peers": "remove it first: matchmaker peer remove"}
_SWEEP_MS = 100
_MAPPED = 2_000_000_000  # bytes, nearly the most that SQLite allows
_PRIMARY = 0xFF  # the low byte of a result code
_BATCH = 2_000
_SHARING = {sharing.value: sharing for sharing in Sharing}
_CASE = "owner, id, public_id, sharing, patient, created_at, updated_at, revision"
# records.case.version_of, which is slower by far to call for a million rows
_VERSION = f"(revision * {REVISION_FACTOR} + CAST(updated_at * 1000 AS INTEGER) * {TIME_FACTOR}) % {VERSIONS}"
_KEPT = f"owner, id, public_id, sharing, json(patient), revision, {_VERSION}"


class SqliteStore:
    """A Store in one SQLite file. Open it with `open_sqlite`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._swept = False
        self._lines: list[tuple[LedgerLine, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store")
        try:
            self._connection = self._thread.submit(_connect, path).result()
        except BaseException:
            self._thread.shutdown()
            raise

    def _reader(self) -> sqlite3.Connection:
        if not hasattr(self._own, "reader"):
            self._own.reader = _connect_to_read(self._path)
            self._readers.append(self._own.reader)
        reader: sqlite3.Connection = self._own.reader
        return reader

    async def _run(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._connection)
        except sqlite3.DatabaseError as error:
            raise _translated(self._path, error) from None

    async def close(self) -> None:
        """See Store."""
        for reader in self._readers:
            reader.close()
        await self._run(sqlite3.Connection.close)
        self._thread.shutdown()

    async def revision(self) -> int:
        """See Store."""
        return await self._run(_revision)

    async def deposit(self, drafts: Sequence[Draft], now: float) -> list[Deposit]:
        """See Store."""

        def work(connection: sqlite3.Connection) -> list[Deposit]:
            with _transaction(connection):
                return [_deposit(connection, draft, now) for draft in drafts]

        return await self._run(work)

    async def withdraw(self, owner: str, case_id: str, now: float) -> Case | None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> Case | None:
            with _transaction(connection):
                case = _find(connection, owner, case_id)
                if case is None or case.withdrawn:
                    return None
                row = connection.execute(
                    f"UPDATE cases SET patient = NULL, updated_at = ?, revision = ?"
                    f" WHERE owner = ? AND id = ? RETURNING {_CASE}",
                    (now, _next_revision(connection), owner, case_id),
                ).fetchone()
                return _case(row)

        try:
            left = await self._run(work)
        finally:
            self._swept = False  # also where nobody waits for it any more: the log may hold what was erased
        if left:
            await self.sweep()
        return left

    async def sweep(self) -> bool:
        """See Store."""
        self._swept = self._swept or await self._run(_empty_log)
        return self._swept

    async def case(self, owner: str, case_id: str) -> Case | None:
        """See Store."""
        return await self._run(lambda connection: _find(connection, owner, case_id))

    async def cases_of(self, owner: str, after: str, limit: int) -> list[Case]:
        """See Store."""
        sql = f"SELECT {_CASE} FROM cases WHERE owner = ? AND id > ? AND patient IS NOT NULL ORDER BY id LIMIT ?"
        return await self._run(lambda c: [_case(row) for row in c.execute(sql, (owner, after, limit))])

    def read_cases(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        """See Store. Each thread has a connection of its own, which only reads: it waits for no writer."""
        wanted = tuple(keys)
        some = f"FROM cases WHERE patient IS NOT NULL AND key IN ({', '.join('?' * len(wanted))})"
        sql = f"SELECT json_group_array(json_array(key, {_KEPT})) {some}"  # one row: each may wait for other threads
        try:
            ((text,),) = self._reader().execute(sql, wanted).fetchall()
        except sqlite3.DatabaseError as error:
            raise _translated(self._path, error) from None
        return {
            key: KeptCase(owner, case_id, public_id, _SHARING[sharing], content, revision, version)
            for key, owner, case_id, public_id, sharing, content, revision, version in from_json(text)
        }

    async def checksum(self, revision: int) -> tuple[int, int]:
        """See Store."""
        sql = f"SELECT count(*), coalesce(sum({_VERSION}), 0) FROM cases WHERE patient IS NOT NULL AND revision <= ?"
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
        sql = f"SELECT {_KEPT.replace('json(patient)', 'patient')} FROM {some}"
        while True:
            batch = await self._run(lambda c, since=revision: [_kept(row) for row in c.execute(sql, (since,))])  # type: ignore[misc]  # mypy cannot infer a lambda's default
            if not batch:
                return
            yield batch
            revision = batch[-1].revision

    async def add_client(self, client: Client) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                connection.execute("DELETE FROM clients WHERE name = ? AND revoked_at IS NOT NULL", (client.name,))
                _insert_named(
                    connection,
                    "clients",
                    (
                        client.name,
                        client.role.value,
                        client.token_sha256,
                        client.institution,
                        client.country,
                        client.created_at,
                        client.revoked_at,
                    ),
                )

        await self._run(work)

    async def revoke_client(self, name: str, now: float) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                sql = "UPDATE clients SET revoked_at = ?, revision = ? WHERE name = ? AND revoked_at IS NULL"
                if not connection.execute(sql, (now, _next_revision(connection), name)).rowcount:
                    raise NameUnknown(f"there is no client {name!r} with a valid token")

        await self._run(work)

    async def clients(self) -> list[Client]:
        """See Store."""
        sql = "SELECT name, role, token_sha256, institution, country, created_at, revoked_at FROM clients ORDER BY name"
        return await self._run(lambda c: [Client(row[0], Role(row[1]), *row[2:]) for row in c.execute(sql)])

    async def add_peer(self, peer: Peer) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                row = (peer.name, peer.url, peer.country, peer.token_file, peer.version, peer.mitochondrion)
                _insert_named(connection, "peers", row)

        await self._run(work)

    async def remove_peer(self, name: str) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                _next_revision(connection)
                if not connection.execute("DELETE FROM peers WHERE name = ?", (name,)).rowcount:
                    raise NameUnknown(f"there is no peer {name!r}")

        await self._run(work)

    async def peers(self) -> list[Peer]:
        """See Store."""
        sql = "SELECT name, url, country, token_file, version, mitochondrion FROM peers ORDER BY name"
        return await self._run(lambda connection: [Peer(*row) for row in connection.execute(sql)])

    async def write_ledger(self, line: LedgerLine) -> None:
        """See Store."""
        written = asyncio.get_running_loop().create_future()
        self._lines.append((line, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_lines())
        await written

    async def _write_lines(self) -> None:
        """Write all lines that wait, then those that came meanwhile: a transaction each, durable at its end."""
        while self._lines:
            batch, self._lines = self._lines, []
            try:
                await self._run(lambda connection, batch=batch: _append_lines(connection, [line for line, _ in batch]))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told to everyone who waits for the line
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)

    async def probe(self) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            with _transaction(connection):
                _next_revision(connection)
            for table in ("cases", "clients", "peers", "ledger", "matched_genes"):
                connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()

        await self._run(work)

    async def ledger_totals(self) -> LedgerTotals:
        """See Store."""

        def work(connection: sqlite3.Connection) -> LedgerTotals:
            counters = dict(connection.execute("SELECT name, value FROM counter"))
            genes = connection.execute("SELECT count(*) FROM matched_genes").fetchone()[0]
            return LedgerTotals(counters["requests"], counters["results"], genes)

        return await self._run(work)


def open_sqlite(directory: Path) -> SqliteStore:
    """Open the store of a data directory, made empty where there is none. Errors: StoreUnusable."""
    path = directory / FILE_NAME
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        return SqliteStore(path)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise StoreUnusable(f"the data directory {directory} cannot be used: {reason}; choose another") from None
    except sqlite3.DatabaseError as error:
        raise _translated(path, error) from None


def _translated(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """Return what an error of SQLite means (its result codes: sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    if isinstance(error, sqlite3.IntegrityError):
        return PublicIdTaken("the public id of a new case is taken; try again")
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return StoreBusy(f"{path} is held by another process; try again, or end that process")
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}:
        return StoreBusy(f"{path} cannot be written ({error}); make room on its disk, or mend its permissions")
    return StoreUnusable(f"{path} cannot be read ({error}); restore it from a backup, or choose another --data-dir")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=True)
    try:
        path.chmod(0o600)  # health data: for the node's own account only
        connection.create_function("key_of", 1, key_of, deterministic=True)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # a withdrawn case leaves nothing behind in free pages
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False)
    connection.execute("PRAGMA query_only = ON")
    connection.execute(f"PRAGMA mmap_size = {_MAPPED}")  # an answer reads twenty cases from anywhere in the file
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in an empty file; refuse another program's file and a newer version's."""
    with _transaction(connection):
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not tables:
            for statement in _schema():
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif application != _APPLICATION_ID:
            raise StoreUnusable(f"{path} is another program's database; choose another --data-dir")
        elif version == 1:
            _add_keys(connection)
        elif version != _SCHEMA_VERSION:
            raise StoreUnusable(f"{path} was written by a newer version of matchmaker; update this one")


def _add_keys(connection: sqlite3.Connection) -> None:
    """From version 1 to 2: every case has a key. SQLite adds no column that is unique or not null to a table."""
    connection.execute("ALTER TABLE cases RENAME TO cases_1")
    connection.execute("DROP INDEX cases_by_revision")
    for statement in _schema():
        if "cases" in statement:
            connection.execute(statement)
    connection.execute(f"INSERT INTO cases (key, {_CASE}) SELECT key_of(public_id), {_CASE} FROM cases_1")
    connection.execute("DROP TABLE cases_1")
    connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")


def _empty_log(connection: sqlite3.Connection) -> bool:
    """Move the log of changes, which still holds what was erased, into the file; False when somebody reads it."""
    connection.execute(f"PRAGMA busy_timeout = {_SWEEP_MS}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
    return not busy


def _schema() -> Iterator[str]:
    text = (resources.files("matchmaker.store") / "schema.sql").read_text(encoding="utf-8")
    uncommented = "\n".join(line.split("--", 1)[0] for line in text.splitlines())
    return (statement for statement in uncommented.split(";") if statement.strip())


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _revision(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT value FROM counter WHERE name = 'revision'").fetchone()[0])


def _next_revision(connection: sqlite3.Connection) -> int:
    sql = "UPDATE counter SET value = value + 1 WHERE name = 'revision' RETURNING value"
    return int(connection.execute(sql).fetchall()[0][0])


def _append_lines(connection: sqlite3.Connection, lines: Sequence[LedgerLine]) -> None:
    with _transaction(connection):
        sql = "UPDATE counter SET value = value + ? WHERE name = 'revision' RETURNING value"
        last = int(connection.execute(sql, (len(lines),)).fetchall()[0][0])
        rows = [
            (last - len(lines) + number, line.at, line.asker, line.results, json.dumps(line.genes))
            for number, line in enumerate(lines, 1)
        ]
        connection.executemany("INSERT INTO ledger VALUES (?, ?, ?, ?, ?)", rows)
        add = "UPDATE counter SET value = value + ? WHERE name = ?"
        connection.executemany(add, [(len(lines), "requests"), (sum(line.results for line in lines), "results")])
        genes = sorted({gene for line in lines for gene in line.genes})
        connection.executemany("INSERT OR IGNORE INTO matched_genes VALUES (?)", [(gene,) for gene in genes])


def _find(connection: sqlite3.Connection, owner: str, case_id: str) -> Case | None:
    row = connection.execute(f"SELECT {_CASE} FROM cases WHERE owner = ? AND id = ?", (owner, case_id)).fetchone()
    return _case(row) if row else None


def _deposit(connection: sqlite3.Connection, draft: Draft, now: float) -> Deposit:
    known = _find(connection, draft.owner, draft.id)
    if known and known.withdrawn:
        return Deposit(Outcome.WITHDRAWN, known)
    if known and (known.sharing, known.patient) == (draft.sharing, draft.patient):
        return Deposit(Outcome.UNCHANGED, known)
    public_id, created_at = (known.public_id, known.created_at) if known else (draft.public_id, now)
    stored = Case(
        draft.owner,
        draft.id,
        public_id,
        draft.sharing,
        draft.patient,
        created_at,
        now,
        _next_revision(connection),
    )
    connection.execute(
        f"INSERT INTO cases (key, {_CASE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (owner, id) DO UPDATE SET sharing = excluded.sharing, patient = excluded.patient,"
        " updated_at = excluded.updated_at, revision = excluded.revision",
        (
            key_of(stored.public_id),
            stored.owner,
            stored.id,
            stored.public_id,
            stored.sharing.value,
            json.dumps(draft.patient.to_json(), ensure_ascii=False),
            stored.created_at,
            stored.updated_at,
            stored.revision,
        ),
    )
    return Deposit(Outcome.CHANGED if known else Outcome.NEW, stored)


def _insert_named(connection: sqlite3.Connection, table: str, row: tuple[Any, ...]) -> None:
    values = (*row, _next_revision(connection))
    try:
        connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    except sqlite3.IntegrityError:
        raise NameTaken(f"the name {row[0]!r} is taken in {table}; {_FREEING[table]}") from None


def _case(row: tuple[Any, ...]) -> Case:
    owner, case_id, public_id, sharing, patient, created_at, updated_at, revision = row
    try:
        kept = Patient.model_validate_json(patient) if patient is not None else None
    except ValidationError:
        raise sqlite3.DatabaseError(f"case {public_id} is damaged") from None
    return Case(owner, case_id, public_id, Sharing(sharing), kept, created_at, updated_at, revision)


def _kept(row: tuple[Any, ...]) -> KeptCase:
    owner, case_id, public_id, sharing, patient, revision, version = row
    try:
        content = from_json(patient, cache_strings="keys") if patient is not None else None
    except ValueError:
        raise sqlite3.DatabaseError(f"case {public_id} is damaged") from None
    if not (content is None or isinstance(content, dict)):
        raise sqlite3.DatabaseError(f"case {public_id} is damaged")
    return KeptCase(owner, case_id, public_id, Sharing(sharing), content, revision, version)
