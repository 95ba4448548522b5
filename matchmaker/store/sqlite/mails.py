"""Alerts and the mails that carry them, in the embedded store."""

import sqlite3
from collections.abc import Collection as Collection_
from collections.abc import Sequence

from matchmaker.records.alert import NOBODY, Alert, Mail, MailState, Waiting
from matchmaker.records.work import Work
from matchmaker.store.kept_matches import MAIL
from matchmaker.store.sqlite import cases
from matchmaker.store.sqlite.running import Running


def write_mail(connection: sqlite3.Connection, mail: Mail) -> None:
    """Write a mail as it now is."""
    row = (mail.id, mail.recipient, mail.state.value, mail.created_at, mail.alerts, mail.token, mail.to_text())
    connection.execute("INSERT OR REPLACE INTO mails VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def find_mail(connection: sqlite3.Connection, mail_id: str) -> Mail | None:
    """Return a mail."""
    row = connection.execute("SELECT content FROM mails WHERE id = ?", (mail_id,)).fetchone()
    return Mail.parse(row[0]) if row else None


def _gather_one(connection: sqlite3.Connection, mail: Mail, now: float) -> bool:
    carried = connection.execute(
        "UPDATE alerts SET mail = ? WHERE recipient = ? AND mail IS NULL AND due <= ?", (mail.id, mail.recipient, now)
    ).rowcount
    if carried:
        write_mail(connection, mail.model_copy(update={"alerts": carried}))
        cases.queue(connection, MAIL, mail.id, 0, mail.due)
    return bool(carried)


class Mails(Running):
    """The part of a Store that keeps alerts and mails."""

    async def alerts_of(self, matches: Collection_[str]) -> list[Alert]:
        """See Store."""
        wanted = sorted(matches)
        some = f"match_id IN ({', '.join('?' * len(wanted))}) ORDER BY match_id, number, recipient"
        sql = f"SELECT content, mail FROM alerts WHERE {some}"
        return await self.run(lambda c: [_alert(*row) for row in c.execute(sql, wanted)])

    async def waiting(self, now: float, since: float) -> list[Waiting]:
        """See Store."""
        sql = (
            "SELECT recipient, count(*), min(due) FROM alerts WHERE mail IS NULL AND recipient > ? AND due <= ?"
            " GROUP BY recipient ORDER BY min(due), recipient"
        )
        made = (
            "SELECT created_at, alerts FROM mails WHERE recipient = ? AND created_at > ? AND alerts > 0"
            " ORDER BY created_at DESC"
        )

        def work(connection: sqlite3.Connection) -> list[Waiting]:
            return [
                Waiting(
                    recipient=recipient,
                    alerts=count,
                    oldest=oldest,
                    recent=tuple(connection.execute(made, (recipient, since)).fetchall()),
                )
                for recipient, count, oldest in connection.execute(sql, (NOBODY, now)).fetchall()
            ]

        return await self.run(work)

    async def unaddressed(self) -> int:
        """See Store."""
        sql = "SELECT count(*) FROM alerts WHERE mail IS NULL AND recipient = ?"
        return await self.run(lambda connection: int(connection.execute(sql, (NOBODY,)).fetchone()[0]))

    async def gather(self, mails: Sequence[Mail], now: float) -> int:
        """See Store."""
        return await self.write(lambda connection: sum(_gather_one(connection, mail, now) for mail in mails))

    async def put_mail(self, mail: Mail, done: Work) -> None:
        """See Store."""

        def work(connection: sqlite3.Connection) -> None:
            if cases.finish(connection, done):
                write_mail(connection, mail)
                cases.queue(connection, MAIL, mail.id, 0, mail.due)

        await self.write(work)

    async def mail(self, mail_id: str) -> Mail | None:
        """See Store."""
        return await self.run(lambda connection: find_mail(connection, mail_id))

    async def carried(self, mail_id: str, limit: int) -> list[Alert]:
        """See Store."""
        sql = "SELECT content, mail FROM alerts WHERE mail = ? ORDER BY score DESC, match_id LIMIT ?"
        return await self.run(lambda c: [_alert(*row) for row in c.execute(sql, (mail_id, limit))])

    async def settle_mail(self, mail: Mail, work: Work) -> bool:
        """See Store."""

        def settled(connection: sqlite3.Connection) -> bool:
            waits = mail.state is MailState.WAITING
            held = cases.release(connection, work, mail.due) if waits else cases.finish(connection, work)
            if held or mail.state is MailState.SENT:  # what was sent was sent, whoever holds it now
                write_mail(connection, mail)
            return held

        return await self.write(settled)

    async def mails(self, states: Collection_[MailState], limit: int) -> list[Mail]:
        """See Store."""
        wanted = sorted(state.value for state in states)
        some = f"state IN ({', '.join('?' * len(wanted))}) ORDER BY created_at DESC, id LIMIT ?"
        sql = f"SELECT content FROM mails WHERE {some}"
        return await self.run(lambda c: [Mail.parse(content) for (content,) in c.execute(sql, (*wanted, limit))])

    async def count_mails(self) -> dict[MailState, int]:
        """See Store."""
        sql = "SELECT state, count(*) FROM mails GROUP BY state"
        return await self.run(lambda c: {MailState(state): count for state, count in c.execute(sql)})

    async def retry_mail(self, mail_id: str, now: float) -> bool:
        """See Store."""

        def work(connection: sqlite3.Connection) -> bool:
            mail = find_mail(connection, mail_id)
            if mail is None or mail.state is not MailState.GIVEN_UP:
                return False
            write_mail(connection, mail.again(now))
            cases.queue(connection, MAIL, mail.id, 0, now)
            return True

        return await self.write(work)

    async def recipient(self, token: str) -> str | None:
        """See Store."""
        sql = "SELECT recipient FROM mails WHERE token = ? LIMIT 1"
        row = await self.run(lambda connection: connection.execute(sql, (token,)).fetchone())
        return str(row[0]) if row else None

    async def forget_mails(self, before: float) -> int:
        """See Store."""
        sql = "DELETE FROM mails WHERE created_at < ? AND state NOT IN (?, ?)"
        kept = (MailState.WAITING.value, MailState.GIVEN_UP.value)
        return await self.write(lambda c: c.execute(sql, (before, *kept)).rowcount)


def _alert(content: str, mail: str | None) -> Alert:
    return Alert.parse(content).model_copy(update={"mail": mail})
