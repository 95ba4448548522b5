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
from matchmaker.policy.fingerprints import keyed
from matchmaker.records.case import key_of
from matchmaker.records.ledger import LedgerTotals
from matchmaker.records.party import Client, Peer, Purpose, Role
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.records.work import Work
from matchmaker.store.base import SEARCH, Outcome, Store
from matchmaker.store.entries import former_line
from matchmaker.store.sqlite import migrating
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.store.sqlite.connecting import FILE_NAME
from matchmaker.store.sqlite.ledger import after_004, append
from tests.contract.test_store import draft
from tests.samples import answered

MIGRATIONS = dict(migrating._migrations())  # noqa: SLF001 - an old store is made with the old migrations
NEWEST = max(MIGRATIONS)
# Opens copies of a folder's store, one after the other, each in a process of its own that kills itself before the
# statement of its copy's number; until one is done. Tells how each ended.
DYING = """
import os, shutil, signal, sqlite3, sys
from pathlib import Path
from matchmaker.store.sqlite import connecting
from matchmaker.store.sqlite.adapter import open_sqlite
class Dying(sqlite3.Connection):
    left = 0
    def execute(self, sql, *values):
        Dying.left -= 1
        if Dying.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(sql, *values)
real = sqlite3.connect
connecting.sqlite3.connect = lambda *args, **named: real(*args, factory=Dying, **named)
old, copies = Path(sys.argv[1]), Path(sys.argv[2])
ended = None
for statement in range(300):
    copy = copies / str(statement)
    shutil.copytree(old, copy)
    process = os.fork()
    if not process:
        Dying.left = statement
        open_sqlite(copy)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    print(ended)
    if ended != -signal.SIGKILL:
        break
"""


def old_store(folder: Path, version: int) -> None:
    """A store as version `version` left it: three cases, one of them withdrawn, a client, a peer, two lines.

    From version 3 on, one of the cases waits to be searched with.
    """
    folder.mkdir(parents=True)
    with sqlite3.connect(folder / FILE_NAME) as file:
        file.create_function("key_of", 1, key_of, deterministic=True)
        for number in range(1, version + 1):
            for statement in migrating._statements(MIGRATIONS[number]):  # noqa: SLF001 - as above
                file.execute(statement)
            if number == 4:
                after_004(file)
        names = "owner, id, public_id, sharing, patient, created_at, updated_at, revision"
        cases: list[tuple[Any, ...]] = [
            ("dublin", "p1", "public-dublin-p1", "all", json.dumps(draft("p1").patient.to_json()), 1.0, 1.0, 1),
            ("dublin", "p2", "public-dublin-p2", "all", None, 2.0, 3.0, 3),
            ("dublin", "p4", "public-dublin-p4", "none", json.dumps(draft("p4").patient.to_json()), 2.5, 2.5, 2),
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
        agreed = ", 'research', 7, 'a@b.example'" if version > 3 else ""
        file.execute(f"INSERT INTO clients VALUES ({client}{revisions[0]}{agreed})")
        asked = ", 100, 0" if version > 4 else ""
        file.execute(f"INSERT INTO peers VALUES ({peer}{revisions[1]}{asked})")
        if version > 2:
            file.execute("INSERT INTO work VALUES ('search', 'public-dublin-p4', 2, 5.0, 1, NULL, 0)")
        if version > 3:
            append(file, "worker", [former_line(1.0, "spain", 2), former_line(2.0, "spain", 0)])
            (secret,) = file.execute("SELECT value FROM facts WHERE name = 'secret'").fetchone()
            file.execute("INSERT INTO matched_genes VALUES (?)", (keyed(secret, "A"),))
        else:
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


async def check_everything_is_there(store: Store, version: int) -> None:
    case = await store.case("dublin", "p1")
    assert case
    assert case.patient == draft("p1").patient
    assert (case.person, case.family) == (None, None)
    left = await store.case("dublin", "p2")
    assert left
    assert left.withdrawn
    assert store.read_cases([case.kept.key]) == {case.kept.key: case.kept}
    agreed = (Purpose.RESEARCH, 7, "a@b.example") if version > 3 else (Purpose.CLINICAL, 100, None)
    assert await store.clients() == [Client("spain", Role.NODE, "digest", None, "ES", 1.0, None, *agreed)]
    assert await store.peers() == [Peer("spain", "https://x", "ES", "file", per_month=100, notify=False)]
    assert await store.queued() == ([Work(SEARCH, "public-dublin-p4", 2, 5.0, 1)] if version > 2 else [])
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
    assert await store.queue_searches(5.0, 0.0) == (2 if version > 2 else 3), "each live case is searched with"
    await store.settle(answered("spain", 1, ("B",), 3.0))
    assert await store.ledger_totals() == LedgerTotals(requests=3, results=3, unique_genes=2)


@pytest.mark.parametrize("version", range(1, NEWEST))
async def test_an_old_store_is_brought_up_to_date_with_all_that_is_in_it(tmp_path: Path, version: int) -> None:
    old_store(tmp_path / "old", version)
    store = open_sqlite(tmp_path / "old")
    await check_everything_is_there(store, version)
    await store.close()
    await open_sqlite(tmp_path / "new").close()
    assert version_and_tables(tmp_path / "old") == version_and_tables(tmp_path / "new")


def opened_and_killed(old: Path, copies: Path) -> list[int]:
    """Return how each process ended."""
    command = [sys.executable, "-c", DYING, str(old), str(copies)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own program
    return [int(one) for one in ended.stdout.split()]


# From 1 on every migration is done, from the last but one only the newest; those between are stops on that way.
@pytest.mark.parametrize("version", [0, 1, NEWEST - 1])
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
    old, copies = tmp_path / "old", tmp_path / "copies"
    old_store(old, version) if version else old.mkdir()
    ended = await asyncio.to_thread(opened_and_killed, old, copies)
    assert ended == [-signal.SIGKILL] * (len(ended) - 1) + [0], "each was killed but the last, which was done"
    for statement in range(len(ended)):
        folder = copies / str(statement)
        if (folder / FILE_NAME).exists() and (folder / FILE_NAME).stat().st_size:
            number, tables = version_and_tables(folder)
            assert (number, tuple(tables)) in known, f"a half migration, killed at statement {statement}"
            met.add(number)
        store = open_sqlite(folder)
        if version:
            await check_everything_is_there(store, version)
        await store.close()
    assert {version, NEWEST} - {0} <= met, "killed before, and after"
