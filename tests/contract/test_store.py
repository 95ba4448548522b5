"""What every Store does. Each adapter runs the same suite; acknowledged is durable, so each test may reopen."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.case import Sharing, key_of
from matchmaker.records.ledger import LedgerLine, LedgerTotals
from matchmaker.records.party import Client, Peer, Role
from matchmaker.store.base import Draft, NameTaken, NameUnknown, Outcome, PublicIdTaken, Store, StoreBusy, StoreUnusable
from matchmaker.store.sqlite import FILE_NAME, open_sqlite
from tests.samples import patient_json

Open = Callable[[], Store]


@pytest.fixture(params=["sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open the same store as often as one likes."""
    return {"sqlite": lambda: open_sqlite(tmp_path / "data")}[request.param]


@pytest.fixture
async def store(open_store: Open) -> AsyncIterator[Store]:
    opened = open_store()
    yield opened
    await opened.close()


def draft(case_id: str = "p1", owner: str = "dublin", sharing: str = "all", **changes: Any) -> Draft:
    patient = validate(Patient, patient_json(case_id, **changes))
    return Draft(owner, case_id, f"public-{owner}-{case_id}", Sharing(sharing), patient)


async def test_a_deposit_is_new_then_unchanged_then_changed(store: Store) -> None:
    (new,) = await store.deposit([draft()], 1.0)
    (same,) = await store.deposit([draft()], 2.0)
    (changed,) = await store.deposit([draft(sharing="none")], 3.0)
    assert [d.outcome for d in (new, same, changed)] == [Outcome.NEW, Outcome.UNCHANGED, Outcome.CHANGED]
    assert same.case == new.case, "nothing at all has changed, not even a time"
    assert (changed.case.created_at, changed.case.updated_at) == (1.0, 3.0)
    assert changed.case.public_id == new.case.public_id, "stable for ever"


async def test_every_write_has_a_revision_and_a_reread_none(store: Store) -> None:
    revisions = [await store.revision()]
    for write in (
        lambda: store.deposit([draft()], 1.0),
        lambda: store.add_client(Client("spain", Role.NODE, "digest")),
        lambda: store.add_peer(Peer("spain", "https://x", "ES", "file")),
        lambda: store.write_ledger(LedgerLine(1.0, "spain", 1, ())),
        lambda: store.revoke_client("spain", 2.0),
        lambda: store.remove_peer("spain"),
        lambda: store.withdraw("dublin", "p1", 2.0),
    ):
        await write()
        revisions.append(await store.revision())
    assert revisions == sorted(set(revisions))
    await store.deposit([draft("p2")], 3.0)
    before = await store.revision()
    await store.deposit([draft("p2")], 4.0)
    assert await store.revision() == before


async def test_a_withdrawal_of_nothing_changes_nothing_and_a_probe_finds_a_good_store(store: Store) -> None:
    before = await store.revision()
    assert await store.withdraw("dublin", "p1", 1.0) is None
    assert await store.revision() == before
    await store.probe()


async def test_ids_are_each_owners_own(store: Store) -> None:
    await store.deposit([draft(), draft(owner="cork", sharing="none")], 1.0)
    mine, other = await store.case("dublin", "p1"), await store.case("cork", "p1")
    assert mine
    assert other
    assert mine.public_id != other.public_id
    assert await store.case("galway", "p1") is None


async def test_a_withdrawn_case_leaves_only_its_ids_and_never_comes_back(store: Store) -> None:
    await store.deposit([draft()], 1.0)
    left = await store.withdraw("dublin", "p1", 2.0)
    assert left
    assert left.withdrawn
    (again,) = await store.deposit([draft()], 3.0)
    assert again.outcome is Outcome.WITHDRAWN
    assert await store.withdraw("dublin", "p1", 4.0) is None
    assert await store.cases_of("dublin", "", 10) == []
    assert await asyncio.to_thread(store.read_cases, [key_of("public-dublin-p1")]) == {}


async def test_cases_are_listed_a_page_at_a_time(store: Store) -> None:
    await store.deposit([draft(f"p{n}") for n in range(5)] + [draft("p9", owner="cork")], 1.0)
    first = await store.cases_of("dublin", "", 3)
    rest = await store.cases_of("dublin", first[-1].id, 3)
    assert [case.id for case in [*first, *rest]] == ["p0", "p1", "p2", "p3", "p4"]
    assert await store.count_cases() == 6


async def test_changes_are_told_once_in_order_withdrawals_included(store: Store) -> None:
    await store.deposit([draft("a"), draft("b")], 1.0)
    seen = await store.revision()
    await store.deposit([draft("a", sharing="none"), draft("c")], 2.0)
    await store.withdraw("dublin", "b", 3.0)
    changes = [case async for batch in store.changes_since(seen) for case in batch]
    assert [(case.id, case.withdrawn) for case in changes] == [("a", False), ("c", False), ("b", True)]
    everything = [case async for batch in store.changes_since(0) for case in batch if not case.withdrawn]
    for revision in range(await store.revision() + 1):
        versions = [case.version for case in everything if case.revision <= revision]
        assert await store.checksum(revision) == (len(versions), sum(versions))
    assert await asyncio.to_thread(store.read_cases, [case.key for case in everything]) == {
        case.key: case for case in everything
    }
    assert [case async for batch in store.changes_since(await store.revision()) for case in batch] == []


async def test_a_name_is_taken_until_its_token_is_revoked(store: Store) -> None:
    await store.add_client(Client("spain", Role.NODE, "one", "Hospital", "ES", 1.0))
    with pytest.raises(NameTaken):
        await store.add_client(Client("spain", Role.NODE, "two"))
    await store.revoke_client("spain", 2.0)
    with pytest.raises(NameUnknown):
        await store.revoke_client("spain", 3.0)
    await store.add_client(Client("spain", Role.DEPOSITOR, "two"))
    assert [(c.role, c.token_sha256, c.revoked_at) for c in await store.clients()] == [(Role.DEPOSITOR, "two", None)]


async def test_peers_come_and_go(store: Store) -> None:
    peer = Peer("spain", "https://es.example", "ES", "/run/token", "1.1", "M")
    await store.add_peer(peer)
    with pytest.raises(NameTaken):
        await store.add_peer(peer)
    assert await store.peers() == [peer]
    await store.remove_peer("spain")
    with pytest.raises(NameUnknown):
        await store.remove_peer("spain")


async def test_the_ledger_adds_up(store: Store) -> None:
    await store.write_ledger(LedgerLine(1.0, "spain", 3, ("A", "B")))
    await store.write_ledger(LedgerLine(2.0, "france", 0, ("B",)))
    assert await store.ledger_totals() == LedgerTotals(requests=2, results=3, unique_genes=2)


async def test_what_was_acknowledged_is_there_when_opened_again(open_store: Open) -> None:
    first = open_store()
    (deposit,) = await first.deposit([draft()], 1.0)
    await first.close()
    again = open_store()
    assert await again.case("dublin", "p1") == deposit.case
    await again.close()


async def test_a_transaction_is_kept_whole_or_not_at_all(store: Store) -> None:
    clash = Draft("cork", "p2", "public-dublin-p1", Sharing.ALL, draft("p2").patient)  # a public id that is taken
    with pytest.raises(PublicIdTaken):
        await store.deposit([draft(), clash], 1.0)
    assert await store.count_cases() == 0


async def test_two_openings_write_the_same_store(open_store: Open) -> None:
    one, other = open_store(), open_store()
    await asyncio.gather(*(s.deposit([draft(f"{n}-{i}")], 1.0) for i, s in enumerate([one, other]) for n in range(50)))
    assert await one.count_cases() == await other.count_cases() == 100
    await one.close()
    await other.close()


@pytest.mark.parametrize("content", [b"rubbish" * 1000, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_damaged_file_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StoreUnusable, match="restore it from a backup"):
        open_sqlite(tmp_path)


def test_another_programs_database_and_a_newer_version_are_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreUnusable, match="another program"):
        open_sqlite(tmp_path)
    asyncio.run(open_sqlite(tmp_path / "new").close())
    with sqlite3.connect(tmp_path / "new" / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreUnusable, match="newer version"):
        open_sqlite(tmp_path / "new")


def test_a_file_in_the_way_of_the_data_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(StoreUnusable, match="choose another"):
        open_sqlite(tmp_path / "file")


async def test_a_withdrawn_patient_leaves_nothing_in_the_files(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    named = {"name": "Unmistakable Name", "href": "mailto:a@b.example"}
    await store.deposit([draft(contact=named)], 1.0)
    many = [{"gene": {"id": f"Unmistakable{number}"}} for number in range(900)]  # over many pages of the file
    await store.deposit([draft(contact=named, sex="MALE", genomicFeatures=many)], 2.0)
    assert any(b"Unmistakable" in path.read_bytes() for path in tmp_path.iterdir())
    await store.withdraw("dublin", "p1", 3.0)
    assert all(b"Unmistakable" not in path.read_bytes() for path in tmp_path.iterdir()), "while it is still open"
    await store.close()


async def test_a_withdrawn_patient_is_swept_out_of_the_log_once_nobody_reads_it(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    await store.deposit([draft(contact={"name": "Unmistakable Name", "href": "mailto:a@b.example"})], 1.0)
    reader = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM cases").fetchone()
    await store.withdraw("dublin", "p1", 2.0)
    assert await store.sweep() is False
    reader.close()
    assert await store.sweep() is True
    assert all(b"Unmistakable" not in path.read_bytes() for path in tmp_path.iterdir())
    await store.close()


async def test_a_store_held_by_another_process_is_not_told_as_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("matchmaker.store.sqlite._BUSY_MS", 50)
    store = open_sqlite(tmp_path)
    holder = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusy, match="another process"):
        await store.deposit([draft()], 1.0)
    holder.close()
    assert (await store.deposit([draft()], 1.0))[0].outcome is Outcome.NEW
    await store.close()


async def test_a_case_damaged_in_the_file_is_named_without_a_word_of_it(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    await store.deposit([draft()], 1.0)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute('UPDATE cases SET patient = \'{"id": "Martin"}\'')
    with pytest.raises(StoreUnusable, match="case public-dublin-p1 is damaged") as raised:
        await store.case("dublin", "p1")
    assert "Martin" not in str(raised.value)
    await store.close()


async def test_damage_met_later_is_named_with_what_to_do(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("DROP TABLE peers")
    with pytest.raises(StoreUnusable, match="restore it from a backup"):
        await store.peers()
    await store.close()


async def test_lines_written_at_once_are_all_there_each_with_a_revision_of_its_own(open_store: Open) -> None:
    store = open_store()
    await asyncio.gather(*(store.write_ledger(LedgerLine(float(n), "spain", n, (f"G{n % 7}",))) for n in range(100)))
    assert await store.ledger_totals() == LedgerTotals(requests=100, results=sum(range(100)), unique_genes=7)
    assert await store.revision() == 100
    await store.close()
    again = open_store()
    assert (await again.ledger_totals()).requests == 100
    await again.close()


async def test_a_store_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    store = open_sqlite(tmp_path)
    (deposit,) = await store.deposit([draft()], 1.0)
    await store.deposit([draft("p2")], 2.0)
    await store.withdraw("dublin", "p2", 3.0)
    revision = await store.revision()
    await store.close()
    with sqlite3.connect(tmp_path / FILE_NAME) as file:  # as version 1 had it
        file.execute("DROP INDEX live_cases")
        file.execute("DROP INDEX cases_by_revision")
        file.execute("ALTER TABLE cases RENAME TO newer")
        columns = "owner, id, public_id, sharing, patient, created_at, updated_at, revision"
        file.execute(
            "CREATE TABLE cases (owner TEXT NOT NULL, id TEXT NOT NULL, public_id TEXT NOT NULL UNIQUE, sharing TEXT NOT NULL,"
            " patient TEXT, created_at REAL NOT NULL, updated_at REAL NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (owner, id))"
        )
        file.execute(f"INSERT INTO cases ({columns}) SELECT {columns} FROM newer")
        file.execute("DROP TABLE newer")
        file.execute("CREATE INDEX cases_by_revision ON cases (revision)")
        file.execute("PRAGMA user_version = 1")
    file.close()
    store = open_sqlite(tmp_path)
    assert await store.case("dublin", "p1") == deposit.case
    assert (await store.case("dublin", "p2")) is not None
    assert await store.revision() == revision
    key = key_of(deposit.case.public_id)
    assert await asyncio.to_thread(store.read_cases, [key]) == {key: deposit.case.kept}
    (again,) = await store.deposit([draft("p3")], 4.0)
    assert again.outcome is Outcome.NEW
    await store.close()
