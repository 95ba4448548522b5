"""The embedded store as a whole: everything read as of one revision, everything replaced in one transaction."""

import base64
import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from matchmaker.records.case import key_of
from matchmaker.store.deciding import COUNTERS, check_copy, fill_mark
from matchmaker.store.entries import Entry
from matchmaker.store.sqlite.cases import CASE

_BATCH = 2_000
_TABLES = ("cases", "clients", "peers", "audit", "ledger", "matched_genes", "work", "reference")
_CLIENT = "name, role, token_sha256, institution, country, created_at, revoked_at"
_READ = {
    "case": f"SELECT {CASE} FROM cases ORDER BY revision",
    "client": f"SELECT {_CLIENT} FROM clients ORDER BY name",
    "peer": "SELECT name, url, country, token_file, version, mitochondrion FROM peers ORDER BY name",
    "audit": "SELECT revision, at, actor, action, public_id FROM audit ORDER BY revision",
    "line": "SELECT at, asker, results, genes FROM ledger ORDER BY at, asker, results, genes",
    "gene": "SELECT gene FROM matched_genes ORDER BY gene",
    "work": "SELECT kind, subject, revision, due, attempts FROM work ORDER BY kind, subject",
    "reference": "SELECT kind, name, version, sha256, imported_at, content FROM reference ORDER BY kind",
}
_WRITE = {
    "case": f"INSERT INTO cases ({CASE}, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "client": "INSERT INTO clients VALUES (?, ?, ?, ?, ?, ?, ?)",
    "peer": "INSERT INTO peers VALUES (?, ?, ?, ?, ?, ?)",
    "audit": "INSERT INTO audit VALUES (?, ?, ?, ?, ?)",
    "line": "INSERT INTO ledger (at, asker, results, genes) VALUES (?, ?, ?, ?)",
    "gene": "INSERT INTO matched_genes VALUES (?)",
    "work": "INSERT INTO work VALUES (?, ?, ?, ?, ?, NULL, 0)",
    "reference": "INSERT INTO reference VALUES (?, ?, ?, ?, ?, ?)",
}
_SHOWN: dict[str, Callable[[tuple[Any, ...]], list[Any]]] = {
    "reference": lambda row: [*row[:-1], base64.b64encode(row[-1]).decode("ascii")],
}
_KEPT: dict[str, Callable[[list[Any]], list[Any]]] = {
    "case": lambda values: [*values, key_of(values[2])],
    "reference": lambda values: [*values[:-1], base64.b64decode(values[-1])],
}


def facts(connection: sqlite3.Connection) -> tuple[dict[str, int], dict[str, str]]:
    """Return the counters and the facts."""
    return (
        dict(connection.execute("SELECT name, value FROM counter")),
        dict(connection.execute("SELECT name, value FROM facts")),
    )


def entries(connection: sqlite3.Connection) -> Iterator[list[Entry]]:
    """Yield everything in batches, within the transaction that the connection is in."""
    counters, told = facts(connection)
    yield [("facts", [told["identity"], *(counters[name] for name in COUNTERS)])]
    for kind, sql in _READ.items():
        cursor = connection.execute(sql)
        shown = _SHOWN.get(kind, list)
        while rows := cursor.fetchmany(_BATCH):
            yield [(kind, shown(row)) for row in rows]


def empty(connection: sqlite3.Connection, identity: str, *, replace: bool) -> None:
    """Erase everything, to be filled anew. Errors: StoreHasOthers, unless it may be replaced."""
    counters, told = facts(connection)
    if not replace:
        check_copy(identity, told.get("identity", ""), told.get("filled", ""), counters)
    for table in _TABLES:
        connection.execute(f"DELETE FROM {table}")


def write(connection: sqlite3.Connection, batch: list[Entry]) -> None:
    """Write entries of an export."""
    kinds = dict.fromkeys(kind for kind, _ in batch)
    for kind in kinds:
        values = [values for other, values in batch if other == kind]
        if kind == "facts":
            _write_facts(connection, values[0])
        else:
            kept = _KEPT.get(kind, list)
            connection.executemany(_WRITE[kind], map(kept, values))


def _write_facts(connection: sqlite3.Connection, values: list[Any]) -> None:
    identity, *numbers = values
    counters = dict(zip(COUNTERS, numbers, strict=True))
    connection.executemany("UPDATE counter SET value = ? WHERE name = ?", [(v, name) for name, v in counters.items()])
    told = {"identity": identity, "epoch": secrets.token_hex(16), "filled": fill_mark(counters)}
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(told.items()))


def append_lines(connection: sqlite3.Connection, lines: list[tuple[float, str, int, tuple[str, ...]]]) -> None:
    """Write lines of the ledger, and what they add up to."""
    connection.executemany(_WRITE["line"], [(at, asker, count, json.dumps(genes)) for at, asker, count, genes in lines])
    add = "UPDATE counter SET value = value + ? WHERE name = ?"
    connection.executemany(add, [(len(lines), "requests"), (sum(line[2] for line in lines), "results")])
    genes = sorted({gene for line in lines for gene in line[3]})
    connection.executemany("INSERT OR IGNORE INTO matched_genes VALUES (?)", [(gene,) for gene in genes])
