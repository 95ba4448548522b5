"""What SQLite alone does: files, their damage, other processes' locks, and what stays of a withdrawn case."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from matchmaker.store.base import Outcome, StoreBusy, StoreUnusable
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.store.sqlite.connecting import FILE_NAME
from tests.contract.test_store import draft


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
    monkeypatch.setattr("matchmaker.store.sqlite.connecting.BUSY_MS", 50)
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
