"""What is written of matches in the embedded store. Called within transactions."""

import sqlite3
from collections.abc import Iterable, Sequence

from matchmaker.policy.news import Noted, Sighting, noted
from matchmaker.records.alert import NOBODY, Alert
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Match
from matchmaker.store.deciding import of_withdrawn
from matchmaker.store.entries import alert_values, match_values, side_values
from matchmaker.store.kept_matches import Wanted
from matchmaker.store.sqlite.cases import written_to


def record(connection: sqlite3.Connection, sightings: Iterable[Sighting]) -> list[Match]:
    """Remember sightings, and queue the alerts of what is news; return what is news."""
    news: list[Match] = []
    for sighting in sightings:
        if not _are_there(connection, [side.case for side in sighting.match.sides]):
            continue
        known = find(connection, sighting.match.id)
        result = noted(known, sighting)
        if result.changed:
            keep(connection, result)
        if known is None or result.match.news > known.news:
            news.append(result.match)
    return news


def _are_there(connection: sqlite3.Connection, public_ids: Sequence[str]) -> bool:
    marks = ", ".join("?" * len(public_ids))
    sql = f"SELECT count(*) FROM cases WHERE patient IS NOT NULL AND public_id IN ({marks})"
    return bool(connection.execute(sql, public_ids).fetchone()[0] == len(public_ids))


def find(connection: sqlite3.Connection, match_id: str) -> Match | None:
    """Return a match."""
    row = connection.execute("SELECT content FROM matches WHERE id = ?", (match_id,)).fetchone()
    return Match.parse(row[0]) if row else None


def keep(connection: sqlite3.Connection, result: Noted) -> None:
    """Write a match as it now is, and queue its alerts."""
    write_match(connection, result.match)
    written_to(connection)
    addressed = [(one.match, NOBODY, one.case) for one in result.alerts if one.tells_ours]
    nobody = "match_id = ? AND recipient = ? AND content ->> 'case' = ?"
    connection.executemany(f"DELETE FROM alerts WHERE {nobody}", addressed)  # now there is somebody
    write_alerts(connection, result.alerts)


def write_match(connection: sqlite3.Connection, match: Match) -> None:
    """Write a match and where its sides are looked for."""
    row = (match.id, *match_values(match), match.to_text())
    connection.execute("INSERT OR REPLACE INTO matches VALUES (?, ?, ?, ?)", row)
    connection.execute("DELETE FROM match_genes WHERE match_id = ?", (match.id,))
    genes = [(gene.key, match.id) for gene in match.genes]
    connection.executemany("INSERT OR IGNORE INTO match_genes VALUES (?, ?)", genes)
    sides = [(match.id, *side_values(match, side), match.changed_at) for side in match.sides]
    connection.executemany("INSERT OR REPLACE INTO sides VALUES (?, ?, ?, ?, ?, ?, ?)", sides)


def write_alerts(connection: sqlite3.Connection, alerts: Iterable[Alert]) -> None:
    """Write alerts; one that is there stays as it is."""
    rows = [
        (one.match, one.recipient, one.number, one.at, one.due, one.score, one.mail, alert_values(one)[-1])
        for one in alerts
    ]
    connection.executemany("INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


def forget(connection: sqlite3.Connection, public_id: str) -> None:
    """Erase what is kept of a case's matches: the matches, their alerts, what came of asking, what its owner chose."""
    ids = connection.execute("SELECT match_id FROM sides WHERE case_id = ?", (public_id,)).fetchall()
    erase(connection, ids)
    asked = connection.execute("SELECT content FROM inquiries WHERE case_id = ?", (public_id,)).fetchall()
    connection.execute("DELETE FROM inquiries WHERE case_id = ?", (public_id,))
    for one in (of_withdrawn(Inquiry.parse(content)) for (content,) in asked):
        if one.asked_at is not None:
            connection.execute("INSERT INTO inquiries VALUES (?, ?, ?, ?, ?, ?)", inquiry_row(one))
    connection.execute("DELETE FROM choices WHERE subject = ?", (public_id,))


def erase(connection: sqlite3.Connection, ids: Sequence[tuple[str]]) -> None:
    """Erase matches, with all that stands beside them."""
    for table, column in (
        ("matches", "id"),
        ("sides", "match_id"),
        ("alerts", "match_id"),
        ("match_genes", "match_id"),
    ):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", ids)


def inquiry_row(inquiry: Inquiry) -> tuple[str, str, str, float, float | None, str]:
    """Return the row of an inquiry."""
    return inquiry.case, inquiry.node, inquiry.status, inquiry.at, inquiry.asked_at, inquiry.to_text()


def wanted_sql(wanted: Wanted) -> tuple[str, list[object]]:
    """Return the SQL and values that find the ids of wanted matches, in order."""
    conditions: list[tuple[str, object]] = [("sides.owner = ?", wanted.owner)]
    conditions += [("sides.case_id = ?", wanted.case)] if wanted.case is not None else []
    conditions += [("sides.status = ?", wanted.status.value)] if wanted.status is not None else []
    conditions += [("sides.node = ?", wanted.node)] if wanted.node is not None else []
    conditions += [("sides.score >= ?", wanted.min_score)] if wanted.min_score is not None else []
    conditions += [("sides.changed_at > ?", wanted.since)] if wanted.since is not None else []
    if wanted.gene is not None:
        among = "sides.match_id IN (SELECT match_id FROM match_genes WHERE gene = ?)"
        conditions.append((among, wanted.gene))
    sql = " AND ".join(condition for condition, _ in conditions)
    values = [value for _, value in conditions]
    if wanted.cases is not None:
        sql += f" AND sides.case_id IN ({', '.join('?' * len(wanted.cases))})"
        values += wanted.cases
    if wanted.before is not None:
        sql += " AND (sides.changed_at, sides.match_id) < (?, ?)"
        values += wanted.before
    order = "ORDER BY sides.changed_at DESC, sides.match_id DESC LIMIT ?"
    found = "SELECT DISTINCT sides.changed_at, sides.match_id, matches.content FROM sides"
    return f"{found} JOIN matches ON matches.id = sides.match_id WHERE {sql} {order}", [*values, wanted.limit]
