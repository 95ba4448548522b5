"""The log of withdrawals, beside the store: what a backup restored later must not bring back.

A line of JSON for each, on disk before the withdrawal is acknowledged. It holds what a withdrawn case leaves in the
store, too: its owner and its two ids.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "withdrawals.jsonl"


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
    """Appends to one file. May be used by several threads and processes at once: each line is one write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def append(self, withdrawal: Withdrawal) -> None:
        """Write a line; it is on disk when this returns. Errors: OSError."""
        line = json.dumps(asdict(withdrawal), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(handle, line) != len(line):
                raise OSError(f"{self._path} took only a part of a line")
            os.fsync(handle)
        finally:
            os.close(handle)


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
