"""What people sign in with, who is signed in, and what pages ask of many cases at once."""

from collections import defaultdict
from collections.abc import Collection as Collection_
from collections.abc import Mapping, Sequence

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession

from matchmaker.records.account import Credentials, Session
from matchmaker.records.case import Case
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Status
from matchmaker.records.person import Person
from matchmaker.records.work import Work
from matchmaker.store.deciding import WITHDRAWN
from matchmaker.store.documents import document_of
from matchmaker.store.kept_accounts import ChangeCredentials, Told, Whose
from matchmaker.store.mongodb.cases import Cases, case_of_document
from matchmaker.store.mongodb.database import Document, number, settled, text
from matchmaker.store.mongodb.errors import speaking
from matchmaker.store.mongodb.work import work_of


class Accounts(Cases):
    """The part of a Store that keeps accounts, and that pages ask."""

    async def change_credentials(self, email: str, change: ChangeCredentials) -> Credentials:
        """See Store."""
        same = {"_id": text(email)}

        async def work(session: AsyncClientSession) -> Credentials:
            await self.check_ours(session)
            row = await self.of("credentials").find_one(same, session=session)
            known = Credentials.parse(row["content"]) if row else Credentials(email=email)
            changed = change(known)
            if changed != known:
                document = document_of("credentials", [email, changed.to_text()])
                await self.of("credentials").replace_one(same, document, upsert=True, session=session)
                await self.written_to(session)
            return changed

        return await self.transact(work)

    async def credentials(self, email: str) -> Credentials | None:
        """See Store."""
        return await self._credentials({"_id": text(email)})

    async def credentials_of_subject(self, subject: str) -> Credentials | None:
        """See Store."""
        return await self._credentials({"subject": text(subject)})

    async def credentials_of_invitation(self, digest: str) -> Credentials | None:
        """See Store."""
        return await self._credentials({"invitation": text(digest)})

    async def _credentials(self, wanted: Document) -> Credentials | None:
        with speaking():
            row = await self.of("credentials").find_one(wanted)
        return Credentials.parse(row["content"]) if row else None

    async def put_session(self, session: Session) -> None:
        """See Store."""
        with speaking():
            await self.of("sessions").replace_one({"_id": text(session.digest)}, _document(session), upsert=True)

    async def touch_session(self, session: Session) -> None:
        """See Store."""
        with speaking():
            await self.of("sessions").replace_one({"_id": text(session.digest)}, _document(session))

    async def signed_in(self, digest: str) -> tuple[Session, Person | None] | None:
        """See Store."""
        with speaking():
            row = await self.of("sessions").find_one({"_id": text(digest)})
            person = await self.of("people").find_one({"_id": text(row["email"])}) if row else None
        return (Session.parse(row["content"]), Person.parse(person["content"]) if person else None) if row else None

    async def end_session(self, digest: str) -> None:
        """See Store."""
        with speaking():
            await self.of("sessions").delete_one({"_id": text(digest)})

    async def end_sessions(self, email: str, but: str = "") -> int:
        """See Store."""
        with speaking():
            its = {"email": text(email), "_id": {"$ne": text(but)}}
            return int((await self.of("sessions").delete_many(its)).deleted_count)

    async def forget_sessions(self, created_before: float, seen_before: float) -> int:
        """See Store."""
        over = [{"created_at": {"$lt": float(created_before)}}, {"seen_at": {"$lt": float(seen_before)}}]
        with speaking():
            return int((await self.of("sessions").delete_many({"$or": over})).deleted_count)

    async def latest_cases(self, whose: Whose, before: tuple[float, str] | None, limit: int) -> list[Case]:
        """See Store."""
        some = _live(whose)
        if before:
            at, public_id = float(before[0]), text(before[1])
            some["$or"] = [{"updated_at": {"$lt": at}}, {"updated_at": at, "_id": {"$lt": public_id}}]
        order = [("updated_at", DESCENDING), ("_id", DESCENDING)]
        with speaking():
            found = self.of("cases").find(some).sort(order).limit(number(limit))
            return [case_of_document(document) async for document in found]

    async def count_cases_of(self, whose: Whose) -> int:
        """See Store."""
        with speaking():
            return int(await self.of("cases").count_documents(_live(whose)))

    async def public_ids_of(self, whose: Whose) -> list[str]:
        """See Store."""
        with speaking():
            found = self.of("cases").find(_live(whose), {"_id": 1}).sort("_id", ASCENDING)
            return [row["_id"] async for row in found]

    async def count_matches(self, cases: Collection_[str]) -> Mapping[str, Mapping[Status, int]]:
        """See Store."""
        wanted = {"$in": [text(case) for case in sorted(cases)]}
        steps: list[Document] = [
            {"$match": {"sides.case": wanted}},
            {"$unwind": "$sides"},
            {"$match": {"sides.case": wanted, "sides.owner": {"$ne": ""}}},
            {"$group": {"_id": {"case": "$sides.case", "status": "$sides.status"}, "count": {"$sum": 1}}},
        ]
        counts: dict[str, dict[Status, int]] = defaultdict(dict)
        with speaking():
            async for row in await settled(self.of("matches").aggregate(steps)):
                counts[row["_id"]["case"]][Status(row["_id"]["status"])] = int(row["count"])
        return dict(counts)

    async def told_of(self, cases: Collection_[str]) -> Mapping[str, Sequence[Told]]:
        """See Store. A question that never left takes away the line that said it would."""
        wanted = {"$in": [text(case) for case in sorted(cases)]}
        counted = {"$cond": [{"$eq": ["$kind", "not sent"]}, -1, 1]}
        each = {"_id": {"case": "$case_id", "who": "$who"}, "times": {"$sum": counted}, "last": {"$max": "$at"}}
        steps: list[Document] = [
            {"$match": {"case_id": wanted, "kind": {"$in": ["told", "shown", "asked", "not sent"]}}},
            {"$group": each},
            {"$sort": {"_id.case": 1, "_id.who": 1}},
        ]
        found: dict[str, list[Told]] = defaultdict(list)
        with speaking():
            async for row in await settled(self.of("ledger").aggregate(steps)):
                if row["times"] > 0:
                    found[row["_id"]["case"]].append(Told(row["_id"]["who"], int(row["times"]), float(row["last"])))
        return dict(found)

    async def work_about(self, case: str) -> list[Work]:
        """See Store."""
        begun = text(case)
        its = {"$or": [{"subject": begun}, {"subject": {"$gt": f"{begun} ", "$lt": f"{begun}!"}}]}
        with speaking():
            found = self.of("work").find(its).sort([("kind", ASCENDING), ("subject", ASCENDING)])
            return [work_of(document) async for document in found]

    async def inquiries_about(self, cases: Collection_[str]) -> Mapping[str, list[Inquiry]]:
        """See Store."""
        some = {"case": {"$in": [text(case) for case in sorted(cases)]}, "status": {"$ne": WITHDRAWN}}
        found: dict[str, list[Inquiry]] = defaultdict(list)
        with speaking():
            async for row in self.of("inquiries").find(some).sort([("case", ASCENDING), ("node", ASCENDING)]):
                found[row["case"]].append(Inquiry.parse(row["content"]))
        return dict(found)


def _document(session: Session) -> Document:
    return {
        "_id": text(session.digest),
        "email": text(session.email),
        "created_at": float(session.created_at),
        "seen_at": float(session.seen_at),
        "content": session.to_text(),
    }


def _live(whose: Whose) -> Document:
    of_person = {"person": text(whose.person)} if whose.person is not None else {}
    return {"owner": text(whose.owner), **of_person, "live": True}
