"""backup, restore, store copy and data, run as people run them."""

import asyncio
import gzip
import secrets
from pathlib import Path

import pytest

from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.exchange.withdrawals import FILE_NAME as LOG_NAME
from matchmaker.exchange.withdrawals import Withdrawal, WithdrawalLog
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.store.sqlite.connecting import FILE_NAME
from tests.cli.test_commands import Run, one_line, run, written
from tests.samples import patient_json

__all__ = ["run"]  # a fixture


def load(run: Run, tmp_path: Path, *ids: str, data_dir: Path | None = None) -> None:
    file = written(tmp_path / f"cases-{secrets.token_hex(4)}.jsonl", *(patient_json(one) for one in ids))
    where = {"data_dir": data_dir} if data_dir else {}
    assert run("load", "--share", "all", file, **where).returncode == 0


def ids_in(folder: Path) -> list[str]:
    async def read() -> list[str]:
        store = open_sqlite(folder)
        found = [case.id for case in await store.cases_of("local", "", 100)]
        await store.close()
        return found

    return asyncio.run(read())


def test_a_backup_is_restored_into_an_empty_directory_and_never_over_another_store(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path, "a", "b")
    made = run("backup", tmp_path / "one.backup")
    assert made.returncode == 0, made.stderr
    assert "as of revision 2: 2 cases" in made.stdout
    assert "exists already" in one_line(run("backup", tmp_path / "one.backup"))
    again = run("restore", tmp_path / "one.backup", data_dir=tmp_path / "other")
    assert again.returncode == 0, again.stderr
    assert "restored, read back and compared: revision 2, 2 cases" in again.stdout
    assert ids_in(tmp_path / "other") == ["a", "b"]
    load(run, tmp_path, "c")
    assert "--replace" in one_line(run("restore", tmp_path / "one.backup"))
    assert ids_in(tmp_path / "data") == ["a", "b", "c"]
    replaced = run("restore", tmp_path / "one.backup", "--replace")
    assert replaced.returncode == 0, replaced.stderr
    assert ids_in(tmp_path / "data") == ["a", "b"]


def test_a_restore_applies_what_the_store_and_the_logs_know_of_withdrawals(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path, "a", "b", "c", "d")
    assert run("backup", tmp_path / "one.backup").returncode == 0

    async def withdraw(case_id: str) -> str:
        store = open_sqlite(tmp_path / "data")
        case = await store.withdraw("local", case_id, 5.0)
        await store.close()
        assert case
        return case.public_id

    public_id = asyncio.run(withdraw("a"))
    WithdrawalLog(tmp_path / "elsewhere.jsonl").append(Withdrawal("local", "c", "y", 7.0))
    done = run("restore", tmp_path / "one.backup", "--replace", "--withdrawals", tmp_path / "elsewhere.jsonl")
    assert done.returncode == 0, done.stderr
    assert "2 withdrawals made since the backup were applied" in done.stdout
    assert (tmp_path / "data" / LOG_NAME).read_text(encoding="utf-8").count("\n") == 2, "and are kept for the next time"
    assert ids_in(tmp_path / "data") == ["b", "d"]
    other = run("restore", tmp_path / "one.backup", "--withdrawals", tmp_path / "data", data_dir=tmp_path / "other")
    assert "2 withdrawals" in other.stdout, other.stderr
    assert public_id
    assert ids_in(tmp_path / "other") == ["b", "d"]


def test_a_damaged_store_is_set_aside_and_what_its_log_knows_is_applied(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path, "a", "b")
    assert run("backup", tmp_path / "one.backup").returncode == 0
    WithdrawalLog(tmp_path / "data" / LOG_NAME).append(Withdrawal("local", "a", "x", 6.0))
    (tmp_path / "data" / FILE_NAME).write_bytes(b"rubbish" * 1000)
    assert "restore it from a backup" in one_line(run("restore", tmp_path / "one.backup"))
    done = run("restore", tmp_path / "one.backup", "--replace")
    assert done.returncode == 0, done.stderr
    assert "set aside" in done.stderr
    assert len(list((tmp_path / "data").glob("*.damaged-*"))) >= 1
    assert ids_in(tmp_path / "data") == ["b"]


def test_what_is_no_backup_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"rubbish")
    for file in (tmp_path / "file", tmp_path / "missing", tmp_path):
        assert one_line(run("restore", file, data_dir=tmp_path / "other"))
    load(run, tmp_path, "a")
    assert "cannot be written" in one_line(run("backup", tmp_path / "no" / "such" / "folder"))


def test_a_store_is_copied_and_told_apart_from_its_copy(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path, "a", "b")
    data, other = tmp_path / "data", tmp_path / "other"
    for _ in range(2):
        done = run("store", "copy", "--from", data, "--to", other, data_dir=None)
        assert done.returncode == 0, done.stderr
        assert "is a copy of" in done.stdout
    assert ids_in(other) == ["a", "b"]
    assert "source itself" in one_line(run("store", "copy", "--from", data, "--to", data, data_dir=None))
    assert "there is no store" in one_line(run("store", "copy", "--from", tmp_path / "x", "--to", other, data_dir=None))
    assert not (tmp_path / "x").exists()


def test_a_password_stands_in_no_option_and_in_no_message(run: Run, tmp_path: Path) -> None:
    secret = "mongodb://node:hunter2@127.0.0.1:1/x"
    for arguments in (
        ("store", "copy", "--from", secret, "--to", tmp_path / "o"),
        ("store", "copy", "--from", tmp_path / "o", "--to", secret),
    ):
        refused = one_line(run(*arguments, data_dir=None))
        assert "hunter2" not in refused
        assert "@FILE" in refused or "there is no store" in refused
    refused = one_line(run("doctor", MATCHMAKER_STORAGE__MONGODB=secret))
    assert "hunter2" not in refused
    (tmp_path / "uri").write_text("mongodb://node:hunter2@[bad", encoding="utf-8")
    refused = one_line(run("doctor", MATCHMAKER_STORAGE__MONGODB_FILE=str(tmp_path / "uri")))
    assert "hunter2" not in refused


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgres://x", "expected mongodb://"),
        ("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=300", "cannot be reached"),
        ("mongodb://127.0.0.1:99999/x", "cannot be read"),
    ],
)
def test_a_database_that_cannot_be_used_is_one_line(run: Run, uri: str, said: str) -> None:
    assert said in one_line(run("doctor", MATCHMAKER_STORAGE__MONGODB=uri))


def test_reference_data_are_shown_asked_about_imported_and_forgotten(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path, "a")
    table = gzip.decompress((REFERENCE_DATA / "genes.tsv.gz").read_bytes()).decode()
    newer = tmp_path / "genes.tsv"
    newer.write_text(table.replace("\tBCKDK\t10295\t", "\tBCKDK\t10296\t"), encoding="utf-8")
    shown = run("data", "import", newer, "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert "cases: 1 of 1 have a term, gene or variant that is read otherwise" in shown.stdout
    assert "BCKDK: in 1 cases" in shown.stdout
    asked = run("data", "import", newer)
    assert asked.returncode == 1
    assert "--yes" in asked.stderr
    assert "nothing was imported" in run("data", "show").stdout
    assert "imported; a running node" in run("data", "import", newer, "--yes").stdout
    assert "genes.tsv" in run("data", "show").stdout
    assert run("data", "reset").returncode == 1
    assert run("data", "reset", "--yes").returncode == 0
    assert "nothing was imported" in run("data", "show").stdout
    twice = one_line(run("data", "import", newer, REFERENCE_DATA / "genes.tsv.gz", "--yes"))
    assert "both of kind genes" in twice


def test_a_withdrawal_that_was_refused_is_not_applied_by_a_restore(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path, "a", "b")
    assert run("backup", tmp_path / "one.backup").returncode == 0
    WithdrawalLog(tmp_path / "data" / LOG_NAME).append(Withdrawal("local", "a", "x", 6.0))  # and the store was full
    done = run("restore", tmp_path / "one.backup", "--replace")
    assert "0 withdrawals" in done.stdout, done.stderr
    assert ids_in(tmp_path / "data") == ["a", "b"]


def test_a_copy_is_never_copied_onto_itself_and_knows_what_was_withdrawn(run: Run, tmp_path: Path) -> None:
    load(run, tmp_path, "a", "b")

    async def withdraw() -> None:
        store = open_sqlite(tmp_path / "data")
        await store.withdraw("local", "b", 5.0)
        await store.close()

    asyncio.run(withdraw())
    other = tmp_path / "other"
    assert run("store", "copy", "--from", tmp_path / "data", "--to", other, data_dir=None).returncode == 0
    assert '"id": "b"' in (other / LOG_NAME).read_text(encoding="utf-8")
    (tmp_path / "link").symlink_to(other)
    for name in ("other", "link"):
        refused = run("store", "copy", "--from", other, "--to", tmp_path / name, data_dir=None)
        assert "the source itself" in one_line(refused)
    assert ids_in(other) == ["a"]


def test_a_mistyped_directory_is_not_taken_for_an_empty_node(run: Run, tmp_path: Path) -> None:
    typo = tmp_path / "nodde"
    for arguments in (("backup", tmp_path / "x"), ("data", "show"), ("data", "reset", "--yes")):
        assert "there is no store" in one_line(run(*arguments, data_dir=typo))
    assert not typo.exists()
