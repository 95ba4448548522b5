"""The store as a whole: everything read within a snapshot, everything replaced."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from pymongo import ASCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import OperationFailure

from matchmaker.store.base import Check, StoreBusy
from matchmaker.store.deciding import COUNTERS, check_copy, fill_mark
from matchmaker.store.documents import document_of, entry_of
from matchmaker.store.entries import Entry
from matchmaker.store.mongodb.database import COLLECTIONS, COUNTERS_ID, FACTS, UNCOPIED, Document
from matchmaker.store.mongodb.errors import speaking
from matchmaker.store.mongodb.ledger import Ledger

_BATCH = 2_000
_PATIENCE_SECONDS, _LOOK_SECONDS = 20.0, 0.02  # with a snapshot that lags: by time, as a busy machine looks seldom
_SNAPSHOT_UNAVAILABLE = 246
_ORDER = {
    "case": ["revision"],
    "client": ["_id"],
    "peer": ["_id"],
    "audit": ["_id"],
    "collection": ["_id"],
    "line": ["chain", "number"],
    "chain": ["_id"],
    "dealing": ["organisation", "number"],
    "gene": ["_id"],
    "work": ["kind", "subject"],
    "reference": ["_id"],
    "person": ["_id"],
    "choices": ["_id"],
    "match": ["_id"],
    "alert": ["match", "recipient", "number"],
    "mail": ["_id"],
    "inquiry": ["case", "node"],
    "health": ["_id"],
    "credentials": ["_id"],
}


class Whole(Ledger):
    """The part of a Store that is copied, backed up and restored."""

    async def export(self) -> AsyncGenerator[list[Entry]]:
        """See Store. Within a snapshot, which the server keeps for five minutes unless it is told to keep it longer."""
        with speaking():
            seen = await self._marks(None)
            until = self.loop.time() + _PATIENCE_SECONDS
            while True:
                async with self.session(snapshot=True) as session:
                    if await self._is_as_new_as(seen, session):
                        async for batch in self._entries(session):
                            yield batch
                        return
                if self.loop.time() > until:
                    raise StoreBusy("MongoDB gives no snapshot that is as new as what it has acknowledged; try again")
                await asyncio.sleep(_LOOK_SECONDS)

    async def _is_as_new_as(self, seen: Document, session: AsyncClientSession) -> bool:
        """Tell whether a snapshot shows all that was seen: it may lag behind what was acknowledged.

        It may be older than a collection or an index that was just made, too, and then cannot be read.
        """
        bare = self.client.get_database(self.database.name)
        try:
            if not _reaches(await self._marks(session), seen):
                return False
            for collection in COLLECTIONS.values():
                await bare.get_collection(collection).find_one({}, session=session)
        except OperationFailure as error:
            if error.code != _SNAPSHOT_UNAVAILABLE:
                raise
            return False
        return True

    async def _marks(self, session: AsyncClientSession | None) -> Document:
        """Return what tells how far the database is: facts, counters, and the ledger's totals.

        Nothing, in a snapshot from before the database was made.
        """
        bare = self.client.get_database(self.database.name)  # a snapshot has a read concern of its own
        meta = {row["_id"]: row async for row in bare.get_collection("meta").find({}, session=session)}
        totals = [row async for row in bare.get_collection("totals").find({}, session=session)]
        sums = {name: sum(row[name] for row in totals) for name in COUNTERS[3:]}
        if not {FACTS, COUNTERS_ID} <= meta.keys():
            return {}
        return {**meta[FACTS], **{name: int(meta[COUNTERS_ID][name]) for name in COUNTERS[:3]}, **sums}

    async def _entries(self, session: AsyncClientSession) -> AsyncIterator[list[Entry]]:
        bare = self.client.get_database(self.database.name)
        marks = await self._marks(session)
        yield [("facts", [marks["identity"], *(marks[name] for name in COUNTERS), marks["secret"]])]
        for kind, collection in COLLECTIONS.items():
            order = [(name, ASCENDING) for name in _ORDER[kind]]
            found = bare.get_collection(collection).find({}, session=session).sort(order).allow_disk_use(True)
            batch: list[Entry] = []
            async for document in found:
                batch.append(entry_of(kind, document))
                if len(batch) >= _BATCH:
                    yield batch
                    batch = []
            if batch:
                yield batch

    async def fill(self, entries: AsyncGenerator[list[Entry]], check: Check, *, replace: bool = False) -> None:
        """See Store. Marked as being filled until it is done: nobody else may write, or open it."""
        with speaking():
            first = await self._begun(entries, replace=replace)
            (_, (identity, *numbers, secret)) = first[0]
            counters = dict(zip(COUNTERS, numbers, strict=True))
            for name in (*COLLECTIONS.values(), *UNCOPIED):
                await self.database.drop_collection(name)  # at once, however much was in it
            await self._make_indexes()
            await self._write(first[1:])
            async for batch in entries:
                await self._write(batch)
            meta = self.of("meta")
            await self.of("totals").insert_one({"_id": 0, **{name: counters[name] for name in COUNTERS[3:]}})
            done = {
                "identity": identity,
                "epoch": secrets.token_hex(16),
                "filled": fill_mark(counters),
                "secret": secret,
            }
            await meta.update_one({"_id": FACTS}, {"$set": done})
            raised = {name: counters[name] for name in COUNTERS[:3]}
            await meta.update_one({"_id": COUNTERS_ID}, {"$set": raised})
            await check(self.export())
            await self._mark(filling=False)

    async def _begun(self, entries: AsyncGenerator[list[Entry]], *, replace: bool) -> list[Entry]:
        """Let nobody else write; return the first entries, if they may be written. Nothing is touched if not."""
        before = bool((await self.meta())[COUNTERS_ID].get("filling"))
        await self._mark(filling=True)
        try:
            first = await anext(entries)
            if first[0][0] != "facts":
                raise ValueError("what a store is filled with begins with its facts")
            if not (replace or before):
                await self._check_copy(first[0][1][0])
        except BaseException:
            await self._mark(filling=before)
            raise
        return first

    async def _mark(self, *, filling: bool) -> None:
        await self.of("meta").update_one({"_id": COUNTERS_ID}, {"$set": {"filling": filling}})

    async def _write(self, batch: Sequence[Entry]) -> None:
        for kind in dict.fromkeys(kind for kind, _ in batch):
            documents = [document_of(kind, values) for other, values in batch if other == kind]
            await self.of(COLLECTIONS[kind]).insert_many(documents)

    async def _check_copy(self, identity: str) -> None:
        meta, totals = await self.meta(), await self.ledger_totals()
        counters: Document = {**meta[COUNTERS_ID], "requests": totals.requests, "results": totals.results}
        check_copy(identity, meta[FACTS]["identity"], meta[FACTS]["filled"], counters)


def _reaches(marks: Document, seen: Document) -> bool:
    """Tell whether one state of the database is no older than another."""
    return bool(marks) and marks["epoch"] == seen["epoch"] and all(marks[name] >= seen[name] for name in COUNTERS)
