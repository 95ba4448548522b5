"""The embedded store: SQLite in one thread of its own (running.py)."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from collections.abc import Collection as Collection_
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from matchmaker.records.audit import Action, AuditLine
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.records.sharing import Sharing
from matchmaker.records.work import Work
from matchmaker.store.base import (
    NOTICE,
    SEARCH,
    Check,
    Deposit,
    Draft,
    Revisions,
    StoreError,
    StoreUnusable,
    notice_subject,
)
from matchmaker.store.deciding import COUNTERS
from matchmaker.store.entries import Entry, EntryDamaged, kept_of
from matchmaker.store.sqlite import cases, noting, whole
from matchmaker.store.sqlite.accounts import Accounts
from matchmaker.store.sqlite.cases import CASE, VERSION, WORK, raise_counter
from matchmaker.store.sqlite.connecting import (
    FILE_NAME,
    check_writable,
    connect_to_read,
    empty_log,
    translated,
)
from matchmaker.store.sqlite.mails import Mails
from matchmaker.store.sqlite.matches import Matches
from matchmaker.store.sqlite.overviews import Overviews
from matchmaker.store.sqlite.parties import Parties
from matchmaker.store.sqlite.telling import Ledger

_BATCH = 2_000
_KEPT = f"owner, id, public_id, sharing, json(patient), revision, {VERSION}, person, family"
_KEPT_TEXT = f"owner, id, public_id, sharing, patient, revision, {VERSION}, person, family"


class SqliteStore(Parties, Accounts, Overviews, Ledger, Matches, Mails):
    """A Store in one SQLite file. Open it with `open_sqlite`."""

    async def revisions(self) -> Revisions:
        """See Store."""
        counters, facts = await self.run(whole.facts)
        cases, parties, reference = (counters[name] for name in COUNTERS[:3])
        return Revisions(cases, parties, reference, facts["identity"], facts["epoch"])

    async def deposit(self, drafts: Sequence[Draft], now: float) -> list[Deposit]:
        """See Store."""
        return await self.write(lambda connection: cases.deposit(connection, drafts, now))

    async def withdraw(self, owner: str, case_id: str, now: float) -> Case | None:
        """See Store."""
        left = await self.write(lambda connection: _withdrawn(connection, owner, case_id, now))
        if left:
            with contextlib.suppress(StoreError):  # it is withdrawn all the same; the work that is queued tries again
                await self.sweep()
        return left

    async def notify(self, case: Case, now: float) -> None:
        """See Store."""
        await self.write(lambda connection: cases.notify(connection, case.public_id, case.revision, now))

    async def sweep(self) -> bool:
        """See Store."""
        return await self.run(empty_log)

    async def case(self, owner: str, case_id: str) -> Case | None:
        """See Store."""
        return await self.run(lambda connection: cases.find(connection, owner, case_id))

    async def case_known(self, public_id: str) -> Case | None:
        """See Store."""
        sql = f"SELECT {CASE} FROM cases WHERE public_id = ?"
        rows = await self.run(lambda c: [cases.read_case(row) for row in c.execute(sql, (public_id,))])
        return rows[0] if rows else None

    async def cases_of(self, owner: str, after: str, limit: int) -> list[Case]:
        """See Store."""
        sql = f"SELECT {CASE} FROM cases WHERE owner = ? AND id > ? AND patient IS NOT NULL ORDER BY id LIMIT ?"
        return await self.run(lambda c: [cases.read_case(row) for row in c.execute(sql, (owner, after, limit))])

    def read_cases(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        """See Store. Each thread has a connection of its own, which only reads: it waits for no writer."""
        wanted = tuple(keys)
        some = f"FROM cases WHERE patient IS NOT NULL AND key IN ({', '.join('?' * len(wanted))})"
        sql = f"SELECT json_group_array(json_array(key, {_KEPT})) {some}"  # one row: each may wait for other threads
        try:
            ((text,),) = self.reader().execute(sql, wanted).fetchall()
        except sqlite3.DatabaseError as error:
            raise translated(self.path, error) from None
        return {
            key: KeptCase(owner, case_id, public_id, Sharing.parse(sharing), *rest)
            for key, owner, case_id, public_id, sharing, *rest in from_json(text)
        }

    async def checksum(self, revision: int) -> tuple[int, int]:
        """See Store."""
        sql = f"SELECT count(*), coalesce(sum({VERSION}), 0) FROM cases WHERE patient IS NOT NULL AND revision <= ?"
        count, total = await self.run(lambda connection: connection.execute(sql, (revision,)).fetchone())
        return int(count), int(total)

    async def count_cases(self) -> int:
        """See Store."""
        sql = "SELECT count(*) FROM cases WHERE patient IS NOT NULL"
        return await self.run(lambda connection: int(connection.execute(sql).fetchone()[0]))

    async def count_without_collection(self) -> int:
        """See Store."""
        kept_here = "sharing IN ('none', 'institution') OR sharing LIKE '{\"with\": \"none\"%'"
        kept_here += ' OR sharing LIKE \'{"with": "institution"%\' OR sharing LIKE \'%"collection": "%\''
        sql = f"SELECT count(*) FROM cases WHERE patient IS NOT NULL AND NOT ({kept_here})"
        return await self.run(lambda connection: int(connection.execute(sql).fetchone()[0]))

    async def changes_since(self, revision: int) -> AsyncIterator[list[KeptCase]]:
        """See Store."""
        # Two cases never share a revision, so that a batch ends between them.
        some = f"(SELECT * FROM cases WHERE revision > ? ORDER BY revision LIMIT {_BATCH})"
        sql = f"SELECT {_KEPT_TEXT} FROM {some}"
        while True:
            batch = await self.run(lambda c, since=revision: [_kept(row) for row in c.execute(sql, (since,))])  # type: ignore[misc]  # mypy cannot infer a lambda's default
            if not batch:
                return
            yield batch
            revision = batch[-1].revision

    async def audit(self, after: int, limit: int) -> list[AuditLine]:
        """See Store."""
        sql = "SELECT revision, at, actor, action, public_id FROM audit WHERE revision > ? ORDER BY revision LIMIT ?"
        rows = await self.run(lambda connection: connection.execute(sql, (after, limit)).fetchall())
        return [AuditLine(revision, at, actor, Action(action), case) for revision, at, actor, action, case in rows]

    async def secret(self) -> str:
        """See Store."""
        sql = "SELECT value FROM facts WHERE name = 'secret'"
        return await self.run(lambda connection: str(connection.execute(sql).fetchone()[0]))

    async def ids_of(self, owner: str) -> list[tuple[str, str]]:
        """See Store."""
        sql = "SELECT id, public_id FROM cases WHERE owner = ? ORDER BY id"
        return await self.run(lambda connection: connection.execute(sql, (owner,)).fetchall())

    async def claim(self, kinds: Collection_[str], holder: str, now: float, until: float) -> Work | None:
        """See Store."""
        sql = f"SELECT 1 FROM work WHERE due <= ? AND leased_until <= ? AND kind IN ({', '.join('?' * len(kinds))})"
        wanted = sorted(kinds)
        if not await self.run(lambda c: c.execute(f"{sql} LIMIT 1", (now, now, *wanted)).fetchone()):
            return None  # nothing is written where nothing is due
        return await self.write(lambda connection: cases.claim(connection, wanted, holder, now, until))

    async def finish(self, work: Work) -> bool:
        """See Store."""
        return await self.write(lambda connection: cases.finish(connection, work))

    async def release(self, work: Work, due: float) -> bool:
        """See Store."""
        return await self.write(lambda connection: cases.release(connection, work, due))

    async def notices_of(self, public_id: str) -> list[str]:
        """See Store."""
        sql = "SELECT subject FROM work WHERE kind = ? AND subject > ? AND subject < ? ORDER BY subject"
        begun = notice_subject(public_id, "")
        found = (NOTICE, begun, f"{public_id}!")  # the character behind the blank
        return await self.run(lambda c: [subject.removeprefix(begun) for (subject,) in c.execute(sql, found)])

    async def queue_searches(self, now: float, within: float) -> int:
        """See Store."""
        missing = "patient IS NOT NULL AND NOT EXISTS (SELECT 1 FROM work WHERE kind = ? AND subject = public_id)"
        spread = "? + ? * (abs(random() % 1000000) / 1000000.0)"
        sql = f"INSERT INTO work SELECT ?, public_id, revision, {spread}, 0, NULL, 0 FROM cases WHERE {missing}"
        return await self.write(lambda c: c.execute(sql, (SEARCH, now, within, SEARCH)).rowcount)

    async def queued(self) -> list[Work]:
        """See Store."""
        sql = f"SELECT {WORK} FROM work ORDER BY kind, subject"
        return await self.run(lambda connection: [Work(*row) for row in connection.execute(sql)])

    async def reference(self) -> list[ReferenceFile]:
        """See Store."""
        sql = "SELECT kind, name, version, sha256, imported_at, content FROM reference ORDER BY kind"
        rows = await self.run(lambda connection: connection.execute(sql).fetchall())
        return [ReferenceFile(Kind(kind), *rest) for kind, *rest in rows]

    async def set_reference(self, files: Sequence[ReferenceFile]) -> None:
        """See Store."""
        rows = [(f.kind.value, f.name, f.version, f.sha256, f.imported_at, f.content) for f in files]

        def work(connection: sqlite3.Connection) -> None:
            raise_counter(connection, "reference")
            connection.executemany("INSERT OR REPLACE INTO reference VALUES (?, ?, ?, ?, ?, ?)", rows)

        await self.write(work)

    async def clear_reference(self) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            raise_counter(connection, "reference")
            connection.execute("DELETE FROM reference")

        await self.write(work)

    async def export(self) -> AsyncGenerator[list[Entry]]:
        """See Store. Reads in a transaction of its own: writers go on, and it sees nothing of them."""
        reader = await asyncio.to_thread(connect_to_read, self.path)
        try:
            reader.execute("BEGIN")
            batches = whole.entries(reader)
            while batch := await asyncio.to_thread(_following, batches):
                yield batch
        except sqlite3.DatabaseError as error:
            raise translated(self.path, error) from None
        finally:
            reader.close()

    async def fill(self, entries: AsyncGenerator[list[Entry]], check: Check, *, replace: bool = False) -> None:
        """See Store. One transaction, however long: a node that runs beside sees the old, then the new."""
        check_writable(self.path)
        await self.run(lambda connection: connection.execute("BEGIN IMMEDIATE"))
        try:
            first = await anext(entries)
            (kind, facts) = first[0]
            if kind != "facts":
                raise ValueError("what a store is filled with begins with its facts")
            await self.run(lambda connection: whole.empty(connection, facts[0], replace=replace))
            await self.run(lambda connection: whole.write(connection, first))
            async for batch in entries:
                await self.run(lambda connection, batch=batch: whole.write(connection, batch))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            await check(self._read_back())
            await self.run(lambda connection: connection.execute("COMMIT"))
        except BaseException:
            await self.run(_roll_back)
            raise
        with contextlib.suppress(StoreError):  # where it cannot be done now, a withdrawal's sweep does it
            await self.sweep()

    async def _read_back(self) -> AsyncGenerator[list[Entry]]:
        """Yield everything as it is within the transaction that we are in."""
        batches = await self.run(whole.entries)
        while batch := await self.run(lambda _: next(batches, [])):
            yield batch

    async def probe(self) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE counter SET value = value WHERE name = 'revision'")
            for table in whole.TABLES:
                connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()

        await self.write(work)


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


def _withdrawn(connection: sqlite3.Connection, owner: str, case_id: str, now: float) -> Case | None:
    left = cases.withdraw(connection, owner, case_id, now)
    if left:
        noting.forget(connection, left.public_id)
    return left


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
