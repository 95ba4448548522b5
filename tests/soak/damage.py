"""Change or take out lines of a ledger at random, as somebody with the file in hand could: verify finds each."""

import random
import sqlite3
from pathlib import Path

from matchmaker.exchange.auditing import verify
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.store.sqlite.connecting import FILE_NAME

LINES, CHAINS = 300, 4
_COLUMNS = ("chain", "number", "at", "kind", "who", "case_id", "level", "purpose", "detail", "hash")


def _quiet(_done: int) -> None:
    pass


async def filled(folder: Path) -> None:
    """Make a ledger of several chains."""
    for chain in range(CHAINS):
        store = open_sqlite(folder)
        for number in range(0, LINES, 10):
            lines = [
                LedgerLine(
                    float(number + n), Happened.TOLD, f"peer{n}", f"case{chain}-{n}", "standard", "clinical", "d"
                )
                for n in range(10)
            ]
            await store.write_ledger(lines)
        await store.close()


def _damaged(file: sqlite3.Connection, chance: random.Random) -> str:
    """Do one kind of damage; return which."""
    rows = file.execute("SELECT chain, number FROM ledger ORDER BY chain, number").fetchall()
    chain, number = chance.choice(rows)
    kind = chance.choice(["edit", "edit", "edit", "remove", "last", "whole chain", "swap", "head", "insert", "count"])
    if kind == "edit":
        column = chance.choice(_COLUMNS[2:])
        value = chance.random() * 1e9 if column == "at" else chance.choice(["shown", "x", ""])
        (before,) = file.execute(
            f"SELECT {column} FROM ledger WHERE chain = ? AND number = ?", (chain, number)
        ).fetchone()
        value = "another" if value == before else value
        file.execute(f"UPDATE ledger SET {column} = ? WHERE chain = ? AND number = ?", (value, chain, number))
        return f"edit of {column}"
    if kind == "remove":
        file.execute("DELETE FROM ledger WHERE chain = ? AND number = ?", (chain, number))
    elif kind == "last":
        file.execute("DELETE FROM ledger WHERE chain = ? AND number >= ?", (chain, LINES - 1 - number % 5))
    elif kind == "whole chain":
        _remove_chain(file, chain, chance)
    elif kind == "swap":
        other = (number + 1) % LINES
        for one, place in ((number, -1), (other, number), (-1, other)):
            file.execute("UPDATE ledger SET number = ? WHERE chain = ? AND number = ?", (place, chain, one))
    elif kind == "head":
        file.execute("UPDATE chains SET head = base WHERE name = ?", (chain,))
    elif kind == "count":
        file.execute("UPDATE chains SET lines = lines - 1 WHERE name = ?", (chain,))
    else:
        row = [chain, LINES, 1.0, "told", "me", "case", "full", "clinical", "", "00"]
        file.execute(f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        file.execute("UPDATE chains SET lines = lines + 1 WHERE name = ?", (chain,))
    return kind


def _remove_chain(file: sqlite3.Connection, chain: str, chance: random.Random) -> None:
    if chance.random() < 0.5:
        file.execute("DELETE FROM ledger WHERE chain = ?", (chain,))
    else:
        file.execute("DELETE FROM chains WHERE name = ?", (chain,))


async def found_of(folder: Path, count: int, seed: int) -> tuple[int, list[str]]:
    """Damage a ledger so many times, each time from the whole one; return how many were found, and those missed."""
    await filled(folder)
    whole = (folder / FILE_NAME).read_bytes()
    chance = random.Random(seed)  # noqa: S311 - a draw to be repeated, not to be secret
    missed: list[str] = []
    for _ in range(count):
        for suffix in ("-wal", "-shm"):
            (folder / f"{FILE_NAME}{suffix}").unlink(missing_ok=True)
        (folder / FILE_NAME).write_bytes(whole)
        file = sqlite3.connect(folder / FILE_NAME)
        with file:
            kind = _damaged(file, chance)
        file.close()
        store = open_sqlite(folder)
        if not (await verify(store, _quiet)).faults:
            missed.append(kind)
        await store.close()
    return count - len(missed), missed
