"""The embedded store as a whole: everything read as of one revision, everything replaced in one transaction."""

import base64
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from matchmaker.records.account import Credentials
from matchmaker.records.alert import Alert, Mail
from matchmaker.records.case import key_of
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Match
from matchmaker.store.deciding import COUNTERS, check_copy, fill_mark
from matchmaker.store.entries import Entry
from matchmaker.store.sqlite.accounts import write_credentials
from matchmaker.store.sqlite.cases import CASE
from matchmaker.store.sqlite.ledger import KEPT_LINE
from matchmaker.store.sqlite.mails import write_mail
from matchmaker.store.sqlite.noting import write_alerts, write_match
from matchmaker.store.sqlite.parties import CLIENT, PEER

_BATCH = 2_000
TABLES = (
    "cases", "clients", "peers", "collections", "audit", "ledger", "chains", "dealings", "matched_genes", "work",
    "reference", "people", "choices", "matches", "sides", "match_genes", "alerts", "mails", "inquiries", "peer_health",
    "credentials", "sessions",
)  # fmt: skip
_READ = {
    "case": f"SELECT {CASE} FROM cases ORDER BY revision",
    "client": f"SELECT {CLIENT} FROM clients ORDER BY name",
    "peer": f"SELECT {PEER} FROM peers ORDER BY name",
    "collection": "SELECT name, content FROM collections ORDER BY name",
    "audit": "SELECT revision, at, actor, action, public_id FROM audit ORDER BY revision",
    "line": f"SELECT {KEPT_LINE} FROM ledger ORDER BY chain, number",
    "chain": "SELECT name, first, base, lines, head FROM chains ORDER BY name",
    "dealing": "SELECT organisation, number, at, content FROM dealings ORDER BY organisation, number",
    "gene": "SELECT gene FROM matched_genes ORDER BY gene",
    "work": "SELECT kind, subject, revision, due, attempts FROM work ORDER BY kind, subject",
    "reference": "SELECT kind, name, version, sha256, imported_at, content FROM reference ORDER BY kind",
    "person": "SELECT email, content FROM people ORDER BY email",
    "choices": "SELECT subject, content FROM choices ORDER BY subject",
    "match": "SELECT id, content FROM matches ORDER BY id",
    "alert": "SELECT match_id, recipient, number, mail, content FROM alerts ORDER BY match_id, recipient, number",
    "mail": "SELECT id, content FROM mails ORDER BY id",
    "inquiry": "SELECT case_id, node, content FROM inquiries ORDER BY case_id, node",
    "health": "SELECT name, content FROM peer_health ORDER BY name",
    "credentials": "SELECT email, content FROM credentials ORDER BY email",
}
_WRITE = {
    "case": f"INSERT INTO cases ({CASE}, key) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "client": f"INSERT INTO clients ({CLIENT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "peer": f"INSERT INTO peers ({PEER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "collection": "INSERT INTO collections VALUES (?, ?)",
    "audit": "INSERT INTO audit VALUES (?, ?, ?, ?, ?)",
    "line": f"INSERT INTO ledger ({KEPT_LINE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    "chain": "INSERT INTO chains VALUES (?, ?, ?, ?, ?)",
    "dealing": "INSERT INTO dealings VALUES (?, ?, ?, ?)",
    "gene": "INSERT INTO matched_genes VALUES (?)",
    "work": "INSERT INTO work VALUES (?, ?, ?, ?, ?, NULL, 0)",
    "reference": "INSERT INTO reference VALUES (?, ?, ?, ?, ?, ?)",
    "person": "INSERT INTO people VALUES (?, ?)",
    "choices": "INSERT INTO choices VALUES (?, ?)",
    "inquiry": "INSERT INTO inquiries (case_id, node, content, status, at, asked_at) VALUES (?, ?, ?, ?, ?, ?)",
    "health": "INSERT INTO peer_health VALUES (?, ?)",
}
_WRITERS: dict[str, Callable[[sqlite3.Connection, list[Any]], None]] = {
    "match": lambda connection, values: write_match(connection, Match.parse(values[1])),
    "alert": lambda connection, values: write_alerts(
        connection, [Alert.parse(values[4]).model_copy(update={"mail": values[3]})]
    ),
    "mail": lambda connection, values: write_mail(connection, Mail.parse(values[1])),
    "credentials": lambda connection, values: write_credentials(connection, Credentials.parse(values[1])),
}
_SHOWN: dict[str, Callable[[tuple[Any, ...]], list[Any]]] = {
    "peer": lambda row: [*row[:-1], bool(row[-1])],
    "reference": lambda row: [*row[:-1], base64.b64encode(row[-1]).decode("ascii")],
}
_KEPT: dict[str, Callable[[list[Any]], list[Any]]] = {
    "case": lambda values: [*values, key_of(values[2])],
    "peer": lambda values: [*values[:-1], int(values[-1])],
    "reference": lambda values: [*values[:-1], base64.b64decode(values[-1])],
    "inquiry": lambda values: [*values, *_columns(Inquiry.parse(values[2]))],
}


def _columns(inquiry: Inquiry) -> tuple[str, float, float | None]:
    return inquiry.status, inquiry.at, inquiry.asked_at


def facts(connection: sqlite3.Connection) -> tuple[dict[str, int], dict[str, str]]:
    """Return the counters and the facts."""
    return (
        dict(connection.execute("SELECT name, value FROM counter")),
        dict(connection.execute("SELECT name, value FROM facts")),
    )


def entries(connection: sqlite3.Connection) -> Iterator[list[Entry]]:
    """Yield everything in batches, within the transaction that the connection is in."""
    counters, told = facts(connection)
    yield [("facts", [told["identity"], *(counters[name] for name in COUNTERS), told["secret"]])]
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
    for table in TABLES:
        connection.execute(f"DELETE FROM {table}")


def write(connection: sqlite3.Connection, batch: list[Entry]) -> None:
    """Write entries of an export."""
    kinds = dict.fromkeys(kind for kind, _ in batch)
    for kind in kinds:
        values = [values for other, values in batch if other == kind]
        if kind == "facts":
            _write_facts(connection, values[0])
        elif kind in _WRITERS:
            for one in values:
                _WRITERS[kind](connection, one)
        else:
            kept = _KEPT.get(kind, list)
            connection.executemany(_WRITE[kind], map(kept, values))


def _write_facts(connection: sqlite3.Connection, values: list[Any]) -> None:
    identity, *numbers, secret = values
    counters = dict(zip(COUNTERS, numbers, strict=True))
    connection.executemany("UPDATE counter SET value = ? WHERE name = ?", [(v, name) for name, v in counters.items()])
    told = {"identity": identity, "epoch": secrets.token_hex(16), "filled": fill_mark(counters), "secret": secret}
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(told.items()))
