"""Background work, claimed by lease."""

import secrets
from collections.abc import Collection

from pymongo import ASCENDING, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession

from matchmaker.records.work import Work
from matchmaker.store.base import NOTICE, SEARCH, notice_subject
from matchmaker.store.documents import document_of
from matchmaker.store.mongodb.database import Database, Document, number, text
from matchmaker.store.mongodb.errors import speaking


class Queue(Database):
    """The part of a Store that queues work."""

    async def queue(self, kind: str, subject: str, revision: int, due: float, session: AsyncClientSession) -> None:
        """Queue a piece within a transaction. One that waits already stays one; one being done will be done again."""
        fresh = {"kind": kind, "subject": subject, "holder": None, "leased_until": 0.0}
        change = {"$set": {"revision": revision, "attempts": 0}, "$min": {"due": float(due)}, "$setOnInsert": fresh}
        await self.of("work").update_one({"_id": f"{kind}:{subject}"}, change, upsert=True, session=session)

    async def claim(self, kinds: Collection[str], holder: str, now: float, until: float) -> Work | None:
        """See Store."""
        with speaking():
            await self.check_ours(None)
        free = {
            "kind": {"$in": [text(kind) for kind in sorted(kinds)]},
            "due": {"$lte": float(now)},
            "leased_until": {"$lte": float(now)},
        }
        change = {"$set": {"holder": text(holder), "leased_until": float(until)}, "$inc": {"attempts": 1}}
        order = [("due", ASCENDING), ("kind", ASCENDING), ("subject", ASCENDING)]
        with speaking():
            found = await self.of("work").find_one_and_update(
                free, change, sort=order, return_document=ReturnDocument.AFTER
            )
        return work_of(found) if found else None

    async def finish(self, work: Work) -> bool:
        """See Store."""
        with speaking():
            done = await self.of("work").delete_one({**held(work), "revision": number(work.revision)})
            if not done.deleted_count:
                await self.of("work").update_one(held(work), {"$set": {"holder": None, "leased_until": 0.0}})
        return bool(done.deleted_count)

    async def release(self, work: Work, due: float) -> bool:
        """See Store."""
        change = {"$set": {"holder": None, "leased_until": 0.0, "due": float(due)}}
        with speaking():
            return bool((await self.of("work").update_one(held(work), change)).matched_count)

    async def notices_of(self, public_id: str) -> list[str]:
        """See Store."""
        begun = notice_subject(text(public_id), "")
        some = {"kind": NOTICE, "subject": {"$gt": begun, "$lt": f"{public_id}!"}}
        with speaking():
            found = self.of("work").find(some, {"subject": 1}).sort("subject", ASCENDING)
            return [row["subject"].removeprefix(begun) async for row in found]

    async def queue_searches(self, now: float, within: float) -> int:
        """See Store."""
        queued = 0
        with speaking():
            await self.check_ours(None)
            async for row in self.of("cases").find({"live": True}, {"_id": 1, "revision": 1}):
                due = now + within * secrets.randbelow(1_000_000) / 1_000_000
                piece = document_of("work", [SEARCH, row["_id"], row["revision"], due, 0])
                done = await self.of("work").update_one({"_id": piece["_id"]}, {"$setOnInsert": piece}, upsert=True)
                queued += done.upserted_id is not None
        return queued

    async def queued(self) -> list[Work]:
        """See Store."""
        with speaking():
            found = self.of("work").find({}).sort([("kind", ASCENDING), ("subject", ASCENDING)])
            return [work_of(document) async for document in found]


def work_of(document: Document) -> Work:
    """Return the work of a document."""
    names = ("kind", "subject", "revision", "due", "attempts", "holder", "leased_until")
    return Work(*(document[name] for name in names))


def held(work: Work) -> Document:
    """Return the filter for a piece that is still held as it was claimed."""
    same = {"_id": f"{text(work.kind)}:{text(work.subject)}", "holder": text(work.holder or "")}
    return {**same, "leased_until": float(work.leased_until)}
