"""Cases in the embedded store, with what is written beside them: revision, audit, work. Called within transactions."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from matchmaker.records.audit import Action, AuditLine
from matchmaker.records.case import REVISION_FACTOR, TIME_FACTOR, VERSIONS, Case, key_of
from matchmaker.records.work import Work
from matchmaker.store.base import NOTICE, NOTICE_AFTER_SECONDS, SWEEP, Deposit, Draft, Outcome, notice_subject
from matchmaker.store.deciding import audited, outcome_of, stored
from matchmaker.store.entries import EntryDamaged, case_of, case_values

CASE = "owner, id, public_id, sharing, patient, created_at, updated_at, revision, person, family"
_MARKS = ", ".join("?" * 11)
WORK = "kind, subject, revision, due, attempts, holder, leased_until"
# records.case.version_of, which is slower by far to call for a million rows
VERSION = f"(revision * {REVISION_FACTOR} + CAST(updated_at * 1000 AS INTEGER) * {TIME_FACTOR}) % {VERSIONS}"


def read_case(row: tuple[Any, ...]) -> Case:
    """Return the case of a row of CASE. Errors: sqlite3.DatabaseError, when it is damaged."""
    try:
        return case_of(row)
    except EntryDamaged as error:
        raise sqlite3.DatabaseError(str(error)) from None


def find(connection: sqlite3.Connection, owner: str, case_id: str) -> Case | None:
    """Return a case by its owner's id."""
    row = connection.execute(f"SELECT {CASE} FROM cases WHERE owner = ? AND id = ?", (owner, case_id)).fetchone()
    return read_case(row) if row else None


def deposit(connection: sqlite3.Connection, drafts: Sequence[Draft], now: float) -> list[Deposit]:
    """Store those drafts that change anything, each with a revision and a line of the audit."""
    revision = before = raise_counter(connection, "revision", 0)
    deposits: list[Deposit] = []
    lines: list[AuditLine] = []
    for draft in drafts:
        known = find(connection, draft.owner, draft.id)
        outcome = outcome_of(known, draft)
        if known and outcome in {Outcome.UNCHANGED, Outcome.WITHDRAWN}:
            deposits.append(Deposit(outcome, known))
            continue
        revision += 1
        case = stored(known, draft, now, revision)
        _keep(connection, case)
        for kind in draft.work:
            queue(connection, kind, case.public_id, revision, now)
        lines.append(audited(case, outcome))
        deposits.append(Deposit(outcome, case, known.sharing if known else None))
    write_audit(connection, lines)
    raise_counter(connection, "revision", revision - before)
    return deposits


def _keep(connection: sqlite3.Connection, case: Case) -> None:
    connection.execute(
        f"INSERT INTO cases (key, {CASE}) VALUES ({_MARKS})"
        " ON CONFLICT (owner, id) DO UPDATE SET sharing = excluded.sharing, patient = excluded.patient,"
        " updated_at = excluded.updated_at, revision = excluded.revision, person = excluded.person,"
        " family = excluded.family",
        (key_of(case.public_id), *case_values(case)),
    )


def withdraw(connection: sqlite3.Connection, owner: str, case_id: str, now: float) -> Case | None:
    """Erase a case but for its ids."""
    case = find(connection, owner, case_id)
    if case is None or case.withdrawn:
        return None
    revision = raise_counter(connection, "revision")
    erased = "UPDATE cases SET patient = NULL, person = NULL, family = NULL, updated_at = ?, revision = ?"
    row = connection.execute(
        f"{erased} WHERE owner = ? AND id = ? RETURNING {CASE}", (now, revision, owner, case_id)
    ).fetchone()
    write_audit(connection, [AuditLine(revision, now, owner, Action.WITHDRAWN, case.public_id)])
    # What waited for it goes with it; the subjects of questions to peers begin with its id.
    for some in ("subject = ?", "subject > ? || ' ' AND subject < ? || '!'"):
        connection.execute(f"DELETE FROM work WHERE {some}", (case.public_id,) * some.count("?"))
    queue(connection, SWEEP, case.public_id, revision, now)
    notify(connection, case.public_id, revision, now)
    return read_case(row)


def notify(connection: sqlite3.Connection, public_id: str, revision: int, now: float) -> None:
    """Queue a notice to each node that was told of a case, or asked about it."""
    for who in told_nodes(connection, public_id):
        queue(connection, NOTICE, notice_subject(public_id, who), revision, now + NOTICE_AFTER_SECONDS)


def told_nodes(connection: sqlite3.Connection, public_id: str) -> Iterator[str]:
    """Yield who was told of a case, or was asked about it by a question that left."""
    some = "case_id = ? AND case_id <> '' AND kind IN ('told', 'asked', 'not sent')"
    left = "HAVING sum(kind <> 'not sent') > sum(kind = 'not sent')"
    sql = f"SELECT who FROM ledger WHERE {some} GROUP BY who {left} ORDER BY who"
    for (who,) in connection.execute(sql, (public_id,)).fetchall():
        yield who


def write_audit(connection: sqlite3.Connection, lines: Iterable[AuditLine]) -> None:
    """Write lines of the audit."""
    rows = [(line.revision, line.at, line.actor, line.action.value, line.public_id) for line in lines]
    connection.executemany("INSERT INTO audit VALUES (?, ?, ?, ?, ?)", rows)


def queue(connection: sqlite3.Connection, kind: str, subject: str, revision: int, due: float) -> None:
    """Queue a piece of work. One that waits already stays one; one that is being done will be done again."""
    connection.execute(
        f"INSERT INTO work ({WORK}) VALUES (?, ?, ?, ?, 0, NULL, 0) ON CONFLICT (kind, subject)"
        " DO UPDATE SET revision = excluded.revision, due = min(due, excluded.due), attempts = 0",
        (kind, subject, revision, due),
    )


def claim(connection: sqlite3.Connection, kinds: list[str], holder: str, now: float, until: float) -> Work | None:
    """Lease the piece that has been due longest."""
    marks = ", ".join("?" * len(kinds))
    row = connection.execute(
        "UPDATE work SET holder = ?, leased_until = ?, attempts = attempts + 1 WHERE (kind, subject) IN (SELECT kind,"
        f" subject FROM work WHERE kind IN ({marks}) AND due <= ? AND leased_until <= ? ORDER BY due, kind, subject"
        f" LIMIT 1) RETURNING {WORK}",
        (holder, until, *kinds, now, now),
    ).fetchall()
    return Work(*row[0]) if row else None


def finish(connection: sqlite3.Connection, work: Work) -> bool:
    """Delete a piece that is still held as it was claimed; let go of one that was queued anew meanwhile."""
    held = (work.kind, work.subject, work.holder, work.leased_until)
    same = "kind = ? AND subject = ? AND holder = ? AND leased_until = ?"
    if connection.execute(f"DELETE FROM work WHERE {same} AND revision = ?", (*held, work.revision)).rowcount:
        return True
    connection.execute(f"UPDATE work SET holder = NULL, leased_until = 0 WHERE {same}", held)
    return False


def release(connection: sqlite3.Connection, work: Work, due: float) -> bool:
    """Give back a piece that is still held as it was claimed."""
    held = (due, work.kind, work.subject, work.holder, work.leased_until)
    sql = "UPDATE work SET holder = NULL, leased_until = 0, due = ?"
    return bool(
        connection.execute(f"{sql} WHERE kind = ? AND subject = ? AND holder = ? AND leased_until = ?", held).rowcount
    )


def written_to(connection: sqlite3.Connection) -> None:
    """Let a copy be known as one that was written to since it was filled, where no counter tells."""
    connection.execute("UPDATE facts SET value = '' WHERE name = 'filled' AND value <> ''")


def raise_counter(connection: sqlite3.Connection, name: str, by: int = 1) -> int:
    """Add to a counter and return its new value."""
    sql = "UPDATE counter SET value = value + ? WHERE name = ? RETURNING value"
    return int(connection.execute(sql, (by, name)).fetchall()[0][0])
