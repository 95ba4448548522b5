"""Matches, inquiries and how peers stand."""

import asyncio
from collections.abc import Iterable, Sequence, Set

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession

from matchmaker.policy.news import Noted, Sighting, noted
from matchmaker.records.alert import NOBODY, Alert
from matchmaker.records.inquiry import Asked, Inquiry, PeerHealth
from matchmaker.records.match import Match
from matchmaker.records.work import Work
from matchmaker.store.base import StoreBusy
from matchmaker.store.deciding import TELLS, WAITS_FOR_ITS_TURN, WITHDRAWN, asked_of, of_withdrawn, without_answer
from matchmaker.store.documents import document_of
from matchmaker.store.entries import alert_values
from matchmaker.store.kept_matches import ChangeHealth, ChangeMatch, TakeTurn, Wanted
from matchmaker.store.mongodb.database import Document, number, text
from matchmaker.store.mongodb.errors import speaking
from matchmaker.store.mongodb.work import Queue, held

_PATIENCE_SECONDS = 15.0
_AT_ONCE = 500  # of old answers that are forgotten in one transaction


def match_of(document: Document) -> Match:
    """Return the match of a document."""
    return Match.parse(document["content"])


class Matches(Queue):
    """The part of a Store that keeps matches."""

    async def record(self, sightings: Sequence[Sighting]) -> list[Match]:
        """See Store."""
        if not sightings:
            return []

        async def work(session: AsyncClientSession) -> list[Match]:
            await self.check_ours(session)
            return await self.record_within(sightings, session)

        return await self.transact(work)

    async def record_within(self, sightings: Iterable[Sighting], session: AsyncClientSession) -> list[Match]:
        """Remember sightings within a transaction; return what is news."""
        news: list[Match] = []
        for sighting in sightings:
            cases = {side.case for side in sighting.match.sides}
            if await self._held(cases, session) < cases:
                continue
            known = await self._find(sighting.match.id, session)
            result = noted(known, sighting)
            if result.changed:
                await self._keep_noted(result, session)
            if known is None or result.match.news > known.news:
                news.append(result.match)
        return news

    async def _held(self, cases: Set[str], session: AsyncClientSession) -> set[str]:
        """Return which cases are live; a transaction that withdraws one of them meanwhile meets with this one."""
        cases_ = self.of("cases")
        held = set()
        for one in sorted(cases):
            live = {"_id": text(one), "live": True}
            if (await cases_.update_one(live, {"$inc": {"held": 1}}, session=session)).matched_count:
                held.add(one)
        return held

    async def _find(self, match_id: str, session: AsyncClientSession | None) -> Match | None:
        found = await self.of("matches").find_one({"_id": text(match_id)}, session=session)
        return match_of(found) if found else None

    async def _keep_noted(self, result: Noted, session: AsyncClientSession) -> None:
        await self._write_match(result.match, session)
        await self.written_to(session)
        await self._write_alerts(result.alerts, session)

    async def _write_match(self, match: Match, session: AsyncClientSession) -> None:
        document = document_of("match", [match.id, match.to_text()])
        await self.of("matches").replace_one({"_id": text(match.id)}, document, upsert=True, session=session)

    async def _write_alerts(self, alerts: Iterable[Alert], session: AsyncClientSession) -> None:
        for one in alerts:
            if one.tells_ours:  # now there is somebody
                nobody = {"match": text(one.match), "recipient": NOBODY, "case": text(one.case)}
                await self.of("alerts").delete_many(nobody, session=session)
            document = document_of("alert", alert_values(one))
            same = {"_id": document.pop("_id")}
            await self.of("alerts").update_one(same, {"$setOnInsert": document}, upsert=True, session=session)

    async def forget_matches(self, public_id: str, session: AsyncClientSession) -> None:
        """Erase what is kept of a case's matches, within the transaction of its withdrawal."""
        of_case = {"sides.case": text(public_id)}
        ids = [row["_id"] async for row in self.of("matches").find(of_case, {"_id": 1}, session=session)]
        await self.of("matches").delete_many({"_id": {"$in": ids}}, session=session)
        await self.of("alerts").delete_many({"match": {"$in": ids}}, session=session)
        of_case = {"case": text(public_id)}
        asked = [Inquiry.parse(row["content"]) async for row in self.of("inquiries").find(of_case, session=session)]
        await self.of("inquiries").delete_many(of_case, session=session)
        for one in map(of_withdrawn, asked):
            if one.asked_at is not None:
                await self._write_inquiry(one, session)
        await self.of("choices").delete_many({"_id": text(public_id)}, session=session)

    async def match(self, match_id: str) -> Match | None:
        """See Store."""
        with speaking():
            return await self._find(match_id, None)

    def read_matches(self, ids: Sequence[str], *, told: bool = False) -> dict[str, Match]:
        """See Store."""
        reading = asyncio.run_coroutine_threadsafe(self._read_matches(ids, told=told), self.loop)
        try:
            return reading.result(_PATIENCE_SECONDS)
        except TimeoutError:
            reading.cancel()
            raise StoreBusy("MongoDB does not answer; try again") from None

    async def _read_matches(self, ids: Sequence[str], *, told: bool) -> dict[str, Match]:
        telling: Document = {"content": {"$regex": TELLS}} if told else {}
        with speaking():
            found = self.of("matches").find({"_id": {"$in": [text(one) for one in ids]}, **telling})
            return {row["_id"]: match_of(row) async for row in found}

    async def matches(self, wanted: Wanted) -> list[Match]:
        """See Store."""
        order = [("changed_at", DESCENDING), ("_id", DESCENDING)]
        with speaking():
            found = self.of("matches").find(_filter(wanted)).sort(order).limit(number(wanted.limit))
            return [match_of(row) async for row in found]

    async def change_match(self, match_id: str, change: ChangeMatch) -> Match | None:
        """See Store."""

        async def work(session: AsyncClientSession) -> Match | None:
            await self.check_ours(session)
            known = await self._find(match_id, session)
            if known is None:
                return None
            result = change(known)
            await self._keep_noted(result, session)
            return result.match

        return await self.transact(work)

    async def forget_answers(self, before: float) -> int:
        """See Store."""

        async def work(session: AsyncClientSession) -> int:
            await self.check_ours(session)
            some = self.of("matches").find({"answered_at": {"$lt": float(before)}}, session=session).limit(_AT_ONCE)
            old = [match_of(row) async for row in some]
            for match in old:
                await self._write_match(without_answer(match), session)
            return len(old)

        forgotten = 0
        while done := await self.transact(work):
            forgotten += done
        return forgotten

    async def forget_unseen(self, before: float) -> int:
        """See Store."""

        async def work(session: AsyncClientSession) -> int:
            await self.check_ours(session)
            some = self.of("matches").find({"forgotten_from": {"$lt": float(before)}}, {"_id": 1}, session=session)
            ids = [row["_id"] async for row in some.limit(_AT_ONCE)]
            await self.of("matches").delete_many({"_id": {"$in": ids}}, session=session)
            await self.of("alerts").delete_many({"match": {"$in": ids}}, session=session)
            return len(ids)

        forgotten = 0
        while done := await self.transact(work):
            forgotten += done
        return forgotten

    async def note_inquiries(self, inquiries: Sequence[Inquiry]) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.check_ours(session)
            await self._note(inquiries, session)

        await self.transact(work)

    async def _note(self, inquiries: Sequence[Inquiry], session: AsyncClientSession) -> None:
        live = await self._held({one.case for one in inquiries}, session)
        for one in inquiries:
            if one.case in live:
                await self._write_inquiry(one, session)

    async def _write_inquiry(self, inquiry: Inquiry, session: AsyncClientSession) -> None:
        document = document_of("inquiry", [inquiry.case, inquiry.node, inquiry.to_text()])
        await self.of("inquiries").replace_one({"_id": document["_id"]}, document, upsert=True, session=session)

    async def inquiries_of(self, case: str) -> list[Inquiry]:
        """See Store."""
        with speaking():
            some = {"case": text(case), "status": {"$ne": WITHDRAWN}}
            found = self.of("inquiries").find(some).sort("node", ASCENDING)
            return [Inquiry.parse(row["content"]) async for row in found]

    async def take_turn(self, node: str, case: str, since: float, decide: TakeTurn) -> Asked:
        """See Store."""
        lately = {"node": text(node), "asked_at": {"$gt": float(since)}}
        waits: Document = {"node": text(node), "status": WAITS_FOR_ITS_TURN, "case": {"$ne": text(case)}}
        turn = {"_id": f"turn:{text(node)}"}

        async def work(session: AsyncClientSession) -> Asked:
            await self.check_ours(session)
            # Two that take a turn at one node meet here, and one of them is done again.
            await self.of("meta").update_one(turn, {"$inc": {"taken": 1}}, upsert=True, session=session)
            inquiries = self.of("inquiries")
            found = inquiries.find(lately, {"asked_at": 1, "case": 1}, session=session).sort("asked_at", ASCENDING)
            rows = [(row["asked_at"], row["case"] == case) async for row in found]
            own = await inquiries.find_one({"node": text(node), "case": text(case)}, session=session)
            known = Inquiry.parse(own["content"]) if own else None
            waiting = before = int(await inquiries.count_documents(waits, session=session))
            if known is not None and known.status == WAITS_FOR_ITS_TURN:
                sooner = [{"at": {"$lt": known.at}}, {"at": known.at, "case": {"$lt": text(case)}}]
                before = int(await inquiries.count_documents({**waits, "$or": sooner}, session=session))
            asked = asked_of(rows, waiting, before)
            if wanted := decide(asked, known):
                await self._note([wanted], session)
            return asked

        return await self.transact(work)

    async def note_health(self, name: str, change: ChangeHealth) -> PeerHealth:
        """See Store."""

        async def work(session: AsyncClientSession) -> PeerHealth:
            await self.check_ours(session)
            row = await self.of("peer_health").find_one({"_id": text(name)}, session=session)
            known = PeerHealth.parse(row["content"]) if row else PeerHealth(name=name)
            changed = change(known)
            if changed != known:
                document = document_of("health", [name, changed.to_text()])
                await self.of("peer_health").replace_one({"_id": text(name)}, document, upsert=True, session=session)
            return changed

        return await self.transact(work)

    async def healths(self) -> dict[str, PeerHealth]:
        """See Store."""
        with speaking():
            found = self.of("peer_health").find({}).sort("_id", ASCENDING)
            return {row["_id"]: PeerHealth.parse(row["content"]) async for row in found}

    async def queue_work(self, pieces: Sequence[Work]) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.check_ours(session)
            for one in pieces:
                await self.queue(text(one.kind), text(one.subject), one.revision, one.due, session)

        await self.transact(work)

    async def postpone(self, work: Work, due: float) -> bool:
        """See Store."""
        same = {"$eq": ["$revision", number(work.revision)]}
        freed = {"holder": None, "leased_until": 0.0, "attempts": 0, "due": {"$cond": [same, float(due), "$due"]}}
        with speaking():
            return bool((await self.of("work").update_one(held(work), [{"$set": freed}])).matched_count)


def _filter(wanted: Wanted) -> Document:
    side: Document = {"owner": text(wanted.owner)}
    side.update({"case": text(wanted.case)} if wanted.case is not None else {})
    if wanted.cases is not None:
        side["$and"] = [{"case": {"$in": [text(case) for case in wanted.cases]}}]
    side.update({"status": wanted.status.value} if wanted.status is not None else {})
    side.update({"score": {"$gte": float(wanted.min_score)}} if wanted.min_score is not None else {})
    found: Document = {"sides": {"$elemMatch": side}}
    found.update({"node": text(wanted.node)} if wanted.node is not None else {})
    found.update({"genes": text(wanted.gene)} if wanted.gene is not None else {})
    found.update({"changed_at": {"$gt": float(wanted.since)}} if wanted.since is not None else {})
    if wanted.before is None:
        return found
    changed_at, match_id = float(wanted.before[0]), text(wanted.before[1])
    behind = [{"changed_at": {"$lt": changed_at}}, {"changed_at": changed_at, "_id": {"$lt": match_id}}]
    return {"$and": [found, {"$or": behind}]}
