"""Alerts and the mails that carry them."""

from collections.abc import AsyncIterator, Sequence
from collections.abc import Collection as Collection_

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession

from matchmaker.records.alert import NOBODY, Alert, Mail, MailState, Waiting
from matchmaker.records.work import Work
from matchmaker.store.documents import document_of
from matchmaker.store.kept_matches import MAIL
from matchmaker.store.mongodb.database import Document, number, settled, text
from matchmaker.store.mongodb.errors import speaking
from matchmaker.store.mongodb.work import Queue, held


class Mails(Queue):
    """The part of a Store that keeps alerts and mails."""

    async def alerts_of(self, matches: Collection_[str]) -> list[Alert]:
        """See Store."""
        some = {"match": {"$in": [text(one) for one in sorted(matches)]}}
        order = [("match", ASCENDING), ("number", ASCENDING), ("recipient", ASCENDING)]
        with speaking():
            return [_alert(row) async for row in self.of("alerts").find(some).sort(order)]

    async def waiting(self, now: float, since: float) -> list[Waiting]:
        """See Store."""
        due = {"mail": None, "recipient": {"$gt": NOBODY}, "due": {"$lte": float(now)}}
        group = {"_id": "$recipient", "alerts": {"$sum": 1}, "oldest": {"$min": "$due"}}
        order = {"oldest": ASCENDING, "_id": ASCENDING}
        with speaking():
            found = await settled(self.of("alerts").aggregate([{"$match": due}, {"$group": group}, {"$sort": order}]))
            rows = [row async for row in found]
            return [
                Waiting(
                    recipient=row["_id"],
                    alerts=row["alerts"],
                    oldest=row["oldest"],
                    recent=tuple([one async for one in self._recent(row["_id"], since)]),
                )
                for row in rows
            ]

    async def _recent(self, recipient: str, since: float) -> AsyncIterator[tuple[float, int]]:
        made = {"recipient": text(recipient), "created_at": {"$gt": float(since)}, "alerts": {"$gt": 0}}
        async for row in self.of("mails").find(made).sort("created_at", DESCENDING):
            yield row["created_at"], row["alerts"]

    async def unaddressed(self) -> int:
        """See Store."""
        with speaking():
            return int(await self.of("alerts").count_documents({"mail": None, "recipient": NOBODY}))

    async def gather(self, mails: Sequence[Mail], now: float) -> int:
        """See Store."""

        async def work(session: AsyncClientSession) -> int:
            await self.check_ours(session)
            made = 0
            for mail in mails:
                waits = {"mail": None, "recipient": text(mail.recipient), "due": {"$lte": float(now)}}
                change = {"$set": {"mail": text(mail.id)}}
                carried = (await self.of("alerts").update_many(waits, change, session=session)).modified_count
                if carried:
                    await self._queue(mail.model_copy(update={"alerts": carried}), session)
                    made += 1
            return made

        return await self.transact(work)

    async def _queue(self, mail: Mail, session: AsyncClientSession) -> None:
        await self._write_mail(mail, session)
        await self.queue(MAIL, mail.id, 0, mail.due, session)

    async def _write_mail(self, mail: Mail, session: AsyncClientSession) -> None:
        document = document_of("mail", [mail.id, mail.to_text()])
        await self.of("mails").replace_one({"_id": text(mail.id)}, document, upsert=True, session=session)

    async def put_mail(self, mail: Mail, done: Work) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.check_ours(session)
            finished = {**held(done), "revision": number(done.revision)}
            if (await self.of("work").delete_one(finished, session=session)).deleted_count:
                await self._queue(mail, session)

        await self.transact(work)

    async def mail(self, mail_id: str) -> Mail | None:
        """See Store."""
        with speaking():
            found = await self.of("mails").find_one({"_id": text(mail_id)})
        return Mail.parse(found["content"]) if found else None

    async def carried(self, mail_id: str, limit: int) -> list[Alert]:
        """See Store."""
        order = [("score", DESCENDING), ("match", ASCENDING)]
        with speaking():
            found = self.of("alerts").find({"mail": text(mail_id)}).sort(order).limit(number(limit))
            return [_alert(row) async for row in found]

    async def settle_mail(self, mail: Mail, work: Work) -> bool:
        """See Store."""

        async def settled_within(session: AsyncClientSession) -> bool:
            await self.check_ours(session)
            queue = self.of("work")
            if mail.state is MailState.WAITING:
                freed = {"$set": {"holder": None, "leased_until": 0.0, "due": float(mail.due)}}
                ours = bool((await queue.update_one(held(work), freed, session=session)).matched_count)
            else:
                ours = bool((await queue.delete_one(held(work), session=session)).deleted_count)
            if ours or mail.state is MailState.SENT:  # what was sent was sent, whoever holds it now
                await self._write_mail(mail, session)
            return ours

        return await self.transact(settled_within)

    async def mails(self, states: Collection_[MailState], limit: int) -> list[Mail]:
        """See Store."""
        some = {"state": {"$in": sorted(state.value for state in states)}}
        order = [("created_at", DESCENDING), ("_id", ASCENDING)]
        with speaking():
            found = self.of("mails").find(some).sort(order).limit(number(limit))
            return [Mail.parse(row["content"]) async for row in found]

    async def count_mails(self) -> dict[MailState, int]:
        """See Store."""
        group = {"$group": {"_id": "$state", "count": {"$sum": 1}}}
        with speaking():
            found = await settled(self.of("mails").aggregate([group]))
            return {MailState(row["_id"]): int(row["count"]) async for row in found}

    async def retry_mail(self, mail_id: str, now: float) -> bool:
        """See Store."""

        async def work(session: AsyncClientSession) -> bool:
            await self.check_ours(session)
            given_up = {"_id": text(mail_id), "state": MailState.GIVEN_UP.value}
            found = await self.of("mails").find_one(given_up, session=session)
            if found:
                await self._queue(Mail.parse(found["content"]).again(now), session)
            return found is not None

        return await self.transact(work)

    async def recipient(self, token: str) -> str | None:
        """See Store."""
        with speaking():
            found = await self.of("mails").find_one({"token": text(token)}, {"recipient": 1})
        return str(found["recipient"]) if found else None

    async def forget_mails(self, before: float) -> int:
        """See Store."""
        old = {
            "created_at": {"$lt": float(before)},
            "state": {"$nin": [MailState.WAITING.value, MailState.GIVEN_UP.value]},
        }
        with speaking():
            await self.check_ours(None)
            return int((await self.of("mails").delete_many(old)).deleted_count)


def _alert(row: Document) -> Alert:
    return Alert.parse(row["content"]).model_copy(update={"mail": row["mail"]})
