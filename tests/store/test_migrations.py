"""A new version opens an old store. Each migration is killed after each of its statements: the store is old or new."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from matchmaker.exchange.auditing import verify
from matchmaker.records.case import key_of
from matchmaker.records.ledger import LedgerTotals
from matchmaker.records.party import Client, Peer, Role
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.store.base import Outcome, Store
from matchmaker.store.sqlite import migrating
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.store.sqlite.connecting import FILE_NAME
from tests.contract.test_store import draft
from tests.samples import answered

MIGRATIONS = dict(migrating._migrations())  # noqa: SLF001 - an old store is made with the old migrations
NEWEST = max(MIGRATIONS)
# Opens the store of a folder, and kills itself before the statement of this number.
DYING = """
import os, signal, sqlite3, sys
from pathlib import Path
from matchmaker.store.sqlite import connecting
from matchmaker.store.sqlite.adapter import open_sqlite
class Dying(sqlite3.Connection):
    left = int(sys.argv[2])
    def execute(self, sql, *values):
        Dying.left -= 1
        if Dying.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, *values)
real = sqlite3.connect
connecting.sqlite3.connect = lambda *args, **named: real(*args, factory=Dying, **named)
open_sqlite(Path(sys.argv[1]))
os._exit(0)
"""


def old_store(folder: Path, version: int) -> None:
    """A store as version `version` left it: two cases, one of them withdrawn, a client, a peer, two lines."""
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / FILE_NAME) as file:
        file.create_function("key_of", 1, key_of, deterministic=True)
        for number in range(1, version + 1):
            for statement in migrating._statements(MIGRATIONS[number]):  # noqa: SLF001 - as above
                file.execute(statement)
        names = "owner, id, public_id, sharing, patient, created_at, updated_at, revision"
        cases: list[tuple[Any, ...]] = [
            ("dublin", "p1", "public-dublin-p1", "all", json.dumps(draft("p1").patient.to_json()), 1.0, 1.0, 1),
            ("dublin", "p2", "public-dublin-p2", "all", None, 2.0, 3.0, 3),
        ]
        key = ", key" if version > 1 else ""
        for case in cases:
            row = (*case, key_of(case[2])) if version > 1 else case
            file.execute(f"INSERT INTO cases ({names}{key}) VALUES ({', '.join('?' * len(row))})", row)
        client, peer = (
            "'spain', 'node', 'digest', NULL, 'ES', 1.0, NULL",
            "'spain', 'https://x', 'ES', 'file', '1.0', 'MT'",
        )
        revisions = (", 4", ", 5") if version < 3 else ("", "")
        file.execute(f"INSERT INTO clients VALUES ({client}{revisions[0]})")
        file.execute(f"INSERT INTO peers VALUES ({peer}{revisions[1]})")
        file.execute("INSERT INTO ledger VALUES (6, 1.0, 'spain', 2, '[\"A\"]'), (7, 2.0, 'spain', 0, '[]')")
        file.execute("INSERT INTO matched_genes VALUES ('A')")
        counters = {"revision": 7, "requests": 2, "results": 2}
        file.executemany("UPDATE counter SET value = ? WHERE name = ?", [(v, name) for name, v in counters.items()])
        file.execute(f"PRAGMA application_id = {migrating._APPLICATION_ID}")  # noqa: SLF001 - as above
        file.execute(f"PRAGMA user_version = {version}")
    file.close()


def version_and_tables(folder: Path) -> tuple[int, list[str]]:
    with sqlite3.connect(folder / FILE_NAME) as file:
        version = file.execute("PRAGMA user_version").fetchone()[0]
        tables = [row[0] for row in file.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name, sql")]
        assert file.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    file.close()
    return version, [" ".join(sql.replace('"', "").split()) for sql in tables]


async def check_everything_is_there(store: Store) -> None:
    case = await store.case("dublin", "p1")
    assert case
    assert case.patient == draft("p1").patient
    left = await store.case("dublin", "p2")
    assert left
    assert left.withdrawn
    assert store.read_cases([case.kept.key]) == {case.kept.key: case.kept}
    assert await store.clients() == [Client("spain", Role.NODE, "digest", None, "ES", 1.0)]
    assert await store.peers() == [Peer("spain", "https://x", "ES", "file")]
    assert await store.ledger_totals() == LedgerTotals(requests=2, results=2, unique_genes=1)
    (chain,) = await store.chains()
    (lines,) = [batch async for batch in store.chain_lines(chain.name)]
    assert [(one.line.at, one.line.who, one.line.detail) for one in lines] == [
        (1.0, "spain", "2 cases"),
        (2.0, "spain", "0 cases"),
    ]
    assert (await verify(store, lambda _done: None)).faults == ()
    assert case.sharing == Sharing(Circle.ALL)
    assert (await store.revisions()).cases == 7
    (fresh,) = await store.deposit([draft("p3")], 4.0)
    assert (fresh.outcome, fresh.case.revision) == (Outcome.NEW, 8)
    await store.settle(answered("spain", 1, ("B",), 3.0))
    assert await store.ledger_totals() == LedgerTotals(requests=3, results=3, unique_genes=2)


@pytest.mark.parametrize("version", range(1, NEWEST))
async def test_an_old_store_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path, version: int) -> None:
    old_store(tmp_path / "old", version)
    store = open_sqlite(tmp_path / "old")
    await check_everything_is_there(store)
    await store.close()
    await open_sqlite(tmp_path / "new").close()
    assert version_and_tables(tmp_path / "old") == version_and_tables(tmp_path / "new")


def opened_and_killed(folder: Path, statement: int) -> int:
    return subprocess.run([sys.executable, "-c", DYING, str(folder), str(statement)], check=False).returncode  # noqa: S603 - our own program


@pytest.mark.parametrize("version", range(NEWEST))
async def test_a_migration_killed_at_any_statement_leaves_the_old_or_the_new(tmp_path: Path, version: int) -> None:
    """Also making a store: from version 0, of which nothing is there."""
    known = set[tuple[int, tuple[str, ...]]]()
    for older in range(NEWEST + 1):
        reference = tmp_path / f"v{older}"
        if older:
            old_store(reference, older) if older < NEWEST else await open_sqlite(reference).close()
            number, tables = version_and_tables(reference)
            known.add((number, tuple(tables)))
    known.add((0, ()))
    met = set[int]()
    for statement in range(200):
        folder = tmp_path / f"killed-{statement}"
        if version:
            old_store(folder, version)
        else:
            folder.mkdir()
        ended = await asyncio.to_thread(opened_and_killed, folder, statement)
        if (folder / FILE_NAME).exists() and (folder / FILE_NAME).stat().st_size:
            number, tables = version_and_tables(folder)
            assert (number, tuple(tables)) in known, f"a half migration, killed at statement {statement}"
            met.add(number)
        store = open_sqlite(folder)
        if version:
            await check_everything_is_there(store)
        await store.close()
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
    else:
        pytest.fail("it was never done")
    assert {version, NEWEST} - {0} <= met, "killed before, and after"
