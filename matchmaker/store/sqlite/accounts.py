"""What people sign in with, and who is signed in, in the embedded store."""

import sqlite3

from matchmaker.records.account import Credentials, Session
from matchmaker.records.person import Person
from matchmaker.store.kept_accounts import ChangeCredentials
from matchmaker.store.sqlite.cases import written_to
from matchmaker.store.sqlite.running import Running


def write_credentials(connection: sqlite3.Connection, kept: Credentials) -> None:
    """Write a person's credentials as they now are."""
    row = (kept.email, kept.subject, kept.invitation, kept.to_text())
    connection.execute("INSERT OR REPLACE INTO credentials VALUES (?, ?, ?, ?)", row)


def end_sessions(connection: sqlite3.Connection, email: str, but: str = "") -> int:
    """Forget a person's sessions."""
    return connection.execute("DELETE FROM sessions WHERE email = ? AND digest <> ?", (email, but)).rowcount


class Accounts(Running):
    """The part of a Store that keeps accounts."""

    async def change_credentials(self, email: str, change: ChangeCredentials) -> Credentials:
        """See Store."""

        def work(connection: sqlite3.Connection) -> Credentials:
            known = _found(connection, "email = ?", email) or Credentials(email=email)
            changed = change(known)
            if changed != known:
                write_credentials(connection, changed)
                written_to(connection)
            return changed

        return await self.write(work)

    async def credentials(self, email: str) -> Credentials | None:
        """See Store."""
        return await self.run(lambda connection: _found(connection, "email = ?", email))

    async def credentials_of_subject(self, subject: str) -> Credentials | None:
        """See Store."""
        return await self.run(lambda connection: _found(connection, "subject = ?", subject))

    async def credentials_of_invitation(self, digest: str) -> Credentials | None:
        """See Store."""
        return await self.run(lambda connection: _found(connection, "invitation = ?", digest))

    async def put_session(self, session: Session) -> None:
        """See Store."""
        row = (session.digest, session.email, session.created_at, session.seen_at, session.to_text())
        await self.write(lambda c: c.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", row))

    async def touch_session(self, session: Session) -> None:
        """See Store."""
        row = (session.seen_at, session.to_text(), session.digest)
        await self.write(lambda c: c.execute("UPDATE sessions SET seen_at = ?, content = ? WHERE digest = ?", row))

    async def signed_in(self, digest: str) -> tuple[Session, Person | None] | None:
        """See Store."""
        sql = "SELECT s.content, p.content FROM sessions s LEFT JOIN people p ON p.email = s.email WHERE s.digest = ?"
        row = await self.run(lambda connection: connection.execute(sql, (digest,)).fetchone())
        return (Session.parse(row[0]), Person.parse(row[1]) if row[1] else None) if row else None

    async def end_session(self, digest: str) -> None:
        """See Store."""
        await self.write(lambda connection: connection.execute("DELETE FROM sessions WHERE digest = ?", (digest,)))

    async def end_sessions(self, email: str, but: str = "") -> int:
        """See Store."""
        return await self.write(lambda connection: end_sessions(connection, email, but))

    async def forget_sessions(self, created_before: float, seen_before: float) -> int:
        """See Store."""
        sql = "DELETE FROM sessions WHERE created_at < ? OR seen_at < ?"
        return await self.write(lambda c: c.execute(sql, (created_before, seen_before)).rowcount)


def _found(connection: sqlite3.Connection, condition: str, value: str) -> Credentials | None:
    row = connection.execute(f"SELECT content FROM credentials WHERE {condition}", (value,)).fetchone()
    return Credentials.parse(row[0]) if row else None
