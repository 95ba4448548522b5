"""Matches, inquiries and how peers stand, in the embedded store."""

import sqlite3
from collections.abc import Sequence

from matchmaker.policy.news import Sighting
from matchmaker.records.inquiry import Asked, Inquiry, PeerHealth
from matchmaker.records.match import Match
from matchmaker.records.work import Work
from matchmaker.store.deciding import TELLS, WAITS_FOR_ITS_TURN, WITHDRAWN, asked_of, without_answer
from matchmaker.store.kept_matches import ChangeHealth, ChangeMatch, TakeTurn, Wanted
from matchmaker.store.sqlite import cases
from matchmaker.store.sqlite.connecting import translated
from matchmaker.store.sqlite.noting import erase, find, inquiry_row, keep, record, wanted_sql, write_match
from matchmaker.store.sqlite.running import Running


def note(connection: sqlite3.Connection, inquiries: Sequence[Inquiry]) -> None:
    """Keep the last outcomes of asking nodes about cases that are live."""
    rows = [(*inquiry_row(one), one.case) for one in inquiries]
    there = "SELECT ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM cases WHERE public_id = ? AND patient IS NOT NULL)"
    connection.executemany(f"INSERT OR REPLACE INTO inquiries {there}", rows)


def _waiting(connection: sqlite3.Connection, node: str, case: str, known: Inquiry | None) -> tuple[int, int]:
    """Return how many other cases wait for their turn at a node, and how many of them before this one."""
    sql = "SELECT count(*) FROM inquiries WHERE node = ? AND status = ? AND case_id <> ?"
    others = (node, WAITS_FOR_ITS_TURN, case)
    (waiting,) = connection.execute(sql, others).fetchone()
    if known is None or known.status != WAITS_FOR_ITS_TURN:
        return waiting, waiting
    (before,) = connection.execute(f"{sql} AND (at, case_id) < (?, ?)", (*others, known.at, case)).fetchone()
    return waiting, before


class Matches(Running):
    """The part of a Store that keeps matches."""

    async def record(self, sightings: Sequence[Sighting]) -> list[Match]:
        """See Store."""
        return await self.write(lambda connection: record(connection, sightings)) if sightings else []

    async def match(self, match_id: str) -> Match | None:
        """See Store."""
        return await self.run(lambda connection: find(connection, match_id))

    def read_matches(self, ids: Sequence[str], *, told: bool = False) -> dict[str, Match]:
        """See Store."""
        telling = f" AND content LIKE '%{TELLS}%'" if told else ""
        sql = f"SELECT content FROM matches WHERE id IN ({', '.join('?' * len(ids))}){telling}"
        try:
            rows = self.reader().execute(sql, tuple(ids)).fetchall()
        except sqlite3.DatabaseError as error:
            raise translated(self.path, error) from None
        return {match.id: match for match in (Match.parse(content) for (content,) in rows)}

    async def matches(self, wanted: Wanted) -> list[Match]:
        """See Store."""
        sql, values = wanted_sql(wanted)
        return await self.run(lambda c: [Match.parse(content) for _, _, content in c.execute(sql, values)])

    async def change_match(self, match_id: str, change: ChangeMatch) -> Match | None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> Match | None:
            known = find(connection, match_id)
            if known is None:
                return None
            result = change(known)
            keep(connection, result)
            return result.match

        return await self.write(work)

    async def forget_answers(self, before: float) -> int:
        """See Store."""

        def work(connection: sqlite3.Connection) -> int:
            old = connection.execute("SELECT content FROM matches WHERE answered_at < ?", (before,)).fetchall()
            for (content,) in old:
                write_match(connection, without_answer(Match.parse(content)))
            return len(old)

        return await self.write(work)

    async def forget_unseen(self, before: float) -> int:
        """See Store."""

        def work(connection: sqlite3.Connection) -> int:
            ids = connection.execute("SELECT id FROM matches WHERE forgotten_from < ?", (before,)).fetchall()
            erase(connection, ids)
            return len(ids)

        return await self.write(work)

    async def note_inquiries(self, inquiries: Sequence[Inquiry]) -> None:
        """See Store."""
        await self.write(lambda connection: note(connection, inquiries))

    async def inquiries_of(self, case: str) -> list[Inquiry]:
        """See Store."""
        sql = "SELECT content FROM inquiries WHERE case_id = ? AND status <> ? ORDER BY node"
        return await self.run(lambda c: [Inquiry.parse(content) for (content,) in c.execute(sql, (case, WITHDRAWN))])

    async def take_turn(self, node: str, case: str, since: float, decide: TakeTurn) -> Asked:
        """See Store."""
        sql = "SELECT asked_at, case_id = ? FROM inquiries WHERE node = ? AND asked_at > ? ORDER BY asked_at"
        own = "SELECT content FROM inquiries WHERE node = ? AND case_id = ?"

        def work(connection: sqlite3.Connection) -> Asked:
            rows = connection.execute(sql, (case, node, since)).fetchall()
            row = connection.execute(own, (node, case)).fetchone()
            known = Inquiry.parse(row[0]) if row else None
            asked = asked_of(rows, *_waiting(connection, node, case, known))
            if wanted := decide(asked, known):
                note(connection, [wanted])
            return asked

        return await self.write(work)

    async def note_health(self, name: str, change: ChangeHealth) -> PeerHealth:
        """See Store."""

        def work(connection: sqlite3.Connection) -> PeerHealth:
            row = connection.execute("SELECT content FROM peer_health WHERE name = ?", (name,)).fetchone()
            known = PeerHealth.parse(row[0]) if row else PeerHealth(name=name)
            changed = change(known)
            if changed != known:
                row = (name, changed.to_text())
                connection.execute("INSERT OR REPLACE INTO peer_health VALUES (?, ?)", row)
            return changed

        return await self.write(work)

    async def healths(self) -> dict[str, PeerHealth]:
        """See Store."""
        sql = "SELECT name, content FROM peer_health ORDER BY name"
        return await self.run(lambda c: {name: PeerHealth.parse(content) for name, content in c.execute(sql)})

    async def queue_work(self, pieces: Sequence[Work]) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            for one in pieces:
                cases.queue(connection, one.kind, one.subject, one.revision, one.due)

        await self.write(work)

    async def postpone(self, work: Work, due: float) -> bool:
        """See Store."""
        held = (work.kind, work.subject, work.holder, work.leased_until)
        sql = (
            "UPDATE work SET holder = NULL, leased_until = 0, attempts = 0, due = iif(revision = ?, ?, due)"
            " WHERE kind = ? AND subject = ? AND holder = ? AND leased_until = ?"
        )
        return await self.write(lambda c: bool(c.execute(sql, (work.revision, due, *held)).rowcount))
