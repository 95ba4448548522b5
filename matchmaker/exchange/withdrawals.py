"""The log of withdrawals, beside the store: what a backup restored later must not bring back.

A line of JSON for each, on disk before the store erases the case: none is ever missing. If the store then fails, the
line stands for a withdrawal that was asked for and not acknowledged, and a restore applies it, too. It holds what a
withdrawn case leaves in the store: its owner and its two ids.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from matchmaker.ontology.files import sync_directory
from matchmaker.store.base import StoreBusy, StoreFull

FILE_NAME = "withdrawals.jsonl"
_LONGEST = 1 << 20  # bytes, more than a line ever has


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """An owner withdrew a case at `at`, seconds since 1970."""

    owner: str
    id: str
    public_id: str
    at: float


class WithdrawalsUnreadable(Exception):
    """The file is no log of withdrawals. The message names the line."""


class WithdrawalLog:
    """Appends to one file. May be used by several threads and processes at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, *withdrawals: Withdrawal) -> None:
        """Write lines, whole or not at all; they are on disk when this returns. Errors: StoreFull, StoreBusy."""
        told = (json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in withdrawals)
        lines = "".join(told).encode("utf-8", "surrogatepass")
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                _append(handle, lines)
            finally:
                os.close(handle)
            sync_directory(self._path.parent)
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
            raise (StoreFull if full else StoreBusy)(f"{self._path} cannot be written: {error.strerror}") from None


def _append(handle: int, lines: bytes) -> None:
    before = _whole_lines(handle)
    try:
        if os.write(handle, lines) != len(lines):
            raise OSError(errno.ENOSPC, "it took only a part of a line")
        os.fsync(handle)
    except OSError:
        os.ftruncate(handle, before)
        raise


def _whole_lines(handle: int) -> int:
    """Cut off a last line that has no end, as a loss of power leaves it: the next would be glued to it."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        tail = os.pread(handle, _LONGEST, max(0, size - _LONGEST))
        size -= len(tail) - (tail.rfind(b"\n") + 1)
        os.ftruncate(handle, size)
    return size


def read_withdrawals(path: Path) -> Iterator[Withdrawal]:
    """Yield the withdrawals of a log; none where there is no file. Errors: WithdrawalsUnreadable.

    A last line without its end was never acknowledged, and is passed over.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    except OSError as error:
        raise WithdrawalsUnreadable(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines[:-1], 1):
        try:
            yield Withdrawal(**json.loads(line))
        except (ValueError, TypeError):
            raise WithdrawalsUnreadable(f"{path}, line {number}: is no withdrawal; mend or remove that line") from None
