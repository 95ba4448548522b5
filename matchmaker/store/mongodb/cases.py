"""Cases, with what is written beside them: revision, audit, work."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from bson import Int64
from pymongo import ASCENDING, InsertOne, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession

from matchmaker.records.audit import Action, AuditLine
from matchmaker.records.case import Case, KeptCase
from matchmaker.store.base import (
    NOTICE,
    NOTICE_AFTER_SECONDS,
    SWEEP,
    Deposit,
    Draft,
    Outcome,
    StoreBusy,
    StoreUnusable,
    notice_subject,
)
from matchmaker.store.deciding import audited, outcome_of, stored
from matchmaker.store.documents import case_fields, document_of, entry_of
from matchmaker.store.entries import EntryDamaged, case_of, kept_of
from matchmaker.store.mongodb.database import Document, number, settled, text
from matchmaker.store.mongodb.errors import speaking
from matchmaker.store.mongodb.matches import Matches

_BATCH = 2_000
_PATIENCE_SECONDS = 15.0


class Cases(Matches):
    """The part of a Store that keeps cases."""

    async def deposit(self, drafts: Sequence[Draft], now: float) -> list[Deposit]:
        """See Store."""

        async def work(session: AsyncClientSession) -> list[Deposit]:
            known = await self._known(drafts, session)
            deposits = _decided(drafts, known, now)
            changed = [n for n, one in enumerate(deposits) if one.outcome in {Outcome.NEW, Outcome.CHANGED}]
            if changed:
                before = await self.raise_counter("revision", len(changed), session) - len(changed)
                deposits = [_numbered(deposit, before) for deposit in deposits]
                await self._keep([(deposits[n], drafts[n]) for n in changed], now, session)
            return deposits

        return await self.transact_in_turn(work)

    async def _known(self, drafts: Sequence[Draft], session: AsyncClientSession) -> dict[tuple[str, str], Case]:
        known: dict[tuple[str, str], Case] = {}
        for owner in {draft.owner for draft in drafts}:
            ids = [text(draft.id) for draft in drafts if draft.owner == owner]
            async for document in self.of("cases").find({"owner": text(owner), "id": {"$in": ids}}, session=session):
                known[owner, document["id"]] = case_of_document(document)
        return known

    async def _keep(self, kept: list[tuple[Deposit, Draft]], now: float, session: AsyncClientSession) -> None:
        writes: list[InsertOne[Document] | UpdateOne] = []
        for deposit, _ in kept:
            fields = case_fields(deposit.case)
            if deposit.outcome is Outcome.NEW:
                writes.append(InsertOne({"_id": deposit.case.public_id, **fields}))
            else:
                writes.append(UpdateOne({"_id": text(deposit.case.public_id)}, {"$set": fields}))
        await self.of("cases").bulk_write(writes, session=session)
        lines = [audited(deposit.case, deposit.outcome) for deposit, _ in kept]
        await self.of("audit").insert_many([_audit_document(line) for line in lines], session=session)
        for deposit, draft in kept:
            for kind in draft.work:
                await self.queue(kind, deposit.case.public_id, deposit.case.revision, now, session)

    async def withdraw(self, owner: str, case_id: str, now: float) -> Case | None:
        """See Store."""

        async def work(session: AsyncClientSession) -> Case | None:
            cases = self.of("cases")
            document = await cases.find_one({"owner": text(owner), "id": text(case_id)}, session=session)
            if document is None or document["patient"] is None:
                return None
            revision = await self.raise_counter("revision", 1, session)
            erased = replace(case_of_document(document), patient=None, person=None, family=None)
            left = replace(erased, updated_at=float(now), revision=revision)
            await cases.update_one({"_id": text(left.public_id)}, {"$set": case_fields(left)}, session=session)
            line = AuditLine(revision, float(now), owner, Action.WITHDRAWN, left.public_id)
            await self.of("audit").insert_one(_audit_document(line), session=session)
            # Subjects of questions to peers begin with the case's id.
            begun = text(left.public_id)
            its = [{"subject": begun}, {"subject": {"$gt": f"{begun} ", "$lt": f"{begun}!"}}]
            await self.of("work").delete_many({"$or": its}, session=session)
            await self.forget_matches(left.public_id, session)
            await self.queue(SWEEP, left.public_id, revision, now, session)
            await self._queue_notices(left.public_id, revision, now, session)
            return left

        return await self.transact_in_turn(work)

    async def _queue_notices(self, public_id: str, revision: int, now: float, session: AsyncClientSession) -> None:
        told = {"case_id": text(public_id), "kind": {"$in": ["told", "asked", "not sent"]}}
        left: Counter[str] = Counter()
        async for row in self.of("ledger").find(told, {"who": 1, "kind": 1}, session=session):
            left[row["who"]] += -1 if row["kind"] == "not sent" else 1
        for who in sorted(name for name, count in left.items() if count > 0):
            due = now + NOTICE_AFTER_SECONDS
            await self.queue(NOTICE, notice_subject(public_id, who), revision, due, session)

    async def notify(self, case: Case, now: float) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self._queue_notices(case.public_id, case.revision, now, session)

        await self.transact(work)

    async def ids_of(self, owner: str) -> list[tuple[str, str]]:
        """See Store."""
        with speaking():
            found = self.of("cases").find({"owner": text(owner)}, {"id": 1}).sort("id", ASCENDING)
            return [(row["id"], row["_id"]) async for row in found]

    async def sweep(self) -> bool:
        """See Store. MongoDB overwrites its files and its oplog in its own time; nothing can hurry it."""
        return True

    async def case(self, owner: str, case_id: str) -> Case | None:
        """See Store."""
        with speaking():
            document = await self.of("cases").find_one({"owner": text(owner), "id": text(case_id)})
        return case_of_document(document) if document else None

    async def case_known(self, public_id: str) -> Case | None:
        """See Store."""
        with speaking():
            document = await self.of("cases").find_one({"_id": text(public_id)})
        return case_of_document(document) if document else None

    async def cases_of(self, owner: str, after: str, limit: int) -> list[Case]:
        """See Store."""
        asked = {"owner": text(owner), "id": {"$gt": text(after)}, "live": True}
        with speaking():
            found = self.of("cases").find(asked).sort("id", ASCENDING).limit(number(limit))
            return [case_of_document(document) async for document in found]

    def read_cases(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        """See Store."""
        reading = asyncio.run_coroutine_threadsafe(self._read(keys), self.loop)
        try:
            return reading.result(_PATIENCE_SECONDS)
        except TimeoutError:
            reading.cancel()
            raise StoreBusy("MongoDB does not answer; try again") from None

    async def _read(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        asked = {"key": {"$in": [Int64(number(key)) for key in keys]}, "live": True}
        with speaking():
            return {int(document["key"]): _kept(document) async for document in self.of("cases").find(asked)}

    async def checksum(self, revision: int) -> tuple[int, int]:
        """See Store."""
        some = {"$match": {"live": True, "revision": {"$lte": number(revision)}}}
        added = {"$group": {"_id": None, "count": {"$sum": 1}, "total": {"$sum": "$version"}}}
        with speaking():
            found = await settled(self.of("cases").aggregate([some, added]))
            rows = [row async for row in found]
        return (int(rows[0]["count"]), int(rows[0]["total"])) if rows else (0, 0)

    async def count_cases(self) -> int:
        """See Store."""
        with speaking():
            return int(await self.of("cases").count_documents({"live": True}))

    async def count_without_collection(self) -> int:
        """See Store."""
        kept_here = '^(none|institution)$|^\\{"with": "(none|institution)"|"collection": "'
        with speaking():
            asked = {"live": True, "sharing": {"$not": {"$regex": kept_here}}}
            return int(await self.of("cases").count_documents(asked))

    async def changes_since(self, revision: int) -> AsyncIterator[list[KeptCase]]:
        """See Store."""
        while True:
            with speaking():
                changed = self.of("cases").find({"revision": {"$gt": number(revision)}}).sort("revision", ASCENDING)
                batch = [_kept(document) async for document in changed.limit(_BATCH)]
            if not batch:
                return
            yield batch
            revision = batch[-1].revision

    async def audit(self, after: int, limit: int) -> list[AuditLine]:
        """See Store."""
        with speaking():
            found = self.of("audit").find({"_id": {"$gt": number(after)}}).sort("_id", ASCENDING)
            rows = [document async for document in found.limit(number(limit))]
        return [AuditLine(row["_id"], row["at"], row["actor"], Action(row["action"]), row["public_id"]) for row in rows]


def _decided(drafts: Sequence[Draft], known: dict[tuple[str, str], Case], now: float) -> list[Deposit]:
    """Return what becomes of drafts, in order. Revisions that are yet to be given are -1, -2, …"""
    deposits: list[Deposit] = []
    given = 0
    for draft in drafts:
        before = known.get((draft.owner, draft.id))
        outcome = outcome_of(before, draft)
        if before and outcome in {Outcome.UNCHANGED, Outcome.WITHDRAWN}:
            deposits.append(Deposit(outcome, before))
            continue
        given -= 1
        case = stored(before, draft, float(now), given)
        known[draft.owner, draft.id] = case
        deposits.append(Deposit(outcome, case, before.sharing if before else None))
    return deposits


def _numbered(deposit: Deposit, before: int) -> Deposit:
    """Return a deposit with its revision, the first one given being the next after `before`."""
    revision = deposit.case.revision
    return replace(deposit, case=replace(deposit.case, revision=before - revision)) if revision < 0 else deposit


def case_of_document(document: Document) -> Case:
    """Return the case of a document. Errors: StoreUnusable."""
    try:
        return case_of(entry_of("case", document)[1])
    except EntryDamaged as error:
        raise StoreUnusable(f"{error}; restore the database from a backup") from None


def _kept(document: Document) -> KeptCase:
    names = ("owner", "id", "_id", "sharing", "patient", "revision", "version", "person", "family")
    return kept_of(*(document[name] for name in names))


def _audit_document(line: AuditLine) -> Document:
    return document_of("audit", [line.revision, line.at, line.actor, line.action.value, line.public_id])
