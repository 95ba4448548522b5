"""The log of withdrawals: whole lines only, none missing, read back as written."""

import errno
import os
import threading
from pathlib import Path

import pytest

from matchmaker.exchange.withdrawals import (
    FILE_NAME,
    Withdrawal,
    WithdrawalLog,
    WithdrawalsUnreadable,
    read_withdrawals,
)
from matchmaker.records.party import Role
from matchmaker.store.base import StoreBusy, StoreFull
from tests.conftest import RunningNode
from tests.samples import patient_json

ONE = Withdrawal("dublin", 'p"1\n', "public-1", 1.5)


def test_what_is_appended_is_read_back_by_many_at_once(tmp_path: Path) -> None:
    log = WithdrawalLog(tmp_path / "log")

    def append(name: int) -> None:
        for number in range(20):
            log.append(Withdrawal("o", f"{name}-{number}", "p", 1.0))

    threads = [threading.Thread(target=append, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.id for one in read_withdrawals(tmp_path / "log")} == {f"{n}-{i}" for n in range(4) for i in range(20)}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    assert list(read_withdrawals(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("number", "error"), [(errno.ENOSPC, StoreFull), (errno.EFBIG, StoreFull), (errno.EIO, StoreBusy)]
)
def test_a_line_that_cannot_be_synced_leaves_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    log = WithdrawalLog(tmp_path / "log")
    log.append(ONE)

    def failing(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(error):
        log.append(Withdrawal("dublin", "p2", "public-2", 2.0))
    monkeypatch.undo()
    log.append(Withdrawal("dublin", "p3", "public-3", 3.0))
    assert [one.id for one in read_withdrawals(tmp_path / "log")] == [ONE.id, "p3"]


def test_a_line_without_its_end_is_passed_over_and_another_kind_of_file_is_named(tmp_path: Path) -> None:
    WithdrawalLog(tmp_path / "log").append(ONE)
    with (tmp_path / "log").open("ab") as file:
        file.write(b'{"owner": "dub')
    assert list(read_withdrawals(tmp_path / "log")) == [ONE]
    (tmp_path / "other").write_text("[]\nrubbish\n", encoding="utf-8")
    with pytest.raises(WithdrawalsUnreadable, match="line 1"):
        list(read_withdrawals(tmp_path / "other"))


async def test_a_withdrawal_that_cannot_be_logged_changes_nothing(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    body = {"patient": patient_json("p1"), "sharing": {"with": "all"}}
    url = f"{node.url}/api/cases/p1"
    async with node.session.put(url, json=body, headers=owner) as response:
        assert response.status == 201
    log = node.config.storage.data_dir / FILE_NAME
    log.mkdir()
    async with node.session.delete(url, headers=owner) as response:
        assert response.status == 503
    async with node.session.get(url, headers=owner) as response:
        assert response.status == 200, "it is all there"
    log.rmdir()
    async with node.session.delete(url, headers=owner) as response:
        assert response.status == 204
    assert [one.id for one in read_withdrawals(log)] == ["p1"]
