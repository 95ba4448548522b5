"""One database of a replica set: transactions, counters, indexes. What every part of the store stands on.

Each write of cases raises the one counter of revisions within its transaction: two of them meet there, one is done
again, so that revisions are gapless in the order of commits.
"""

import asyncio
import inspect
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pymongo import ASCENDING, AsyncMongoClient, IndexModel, ReturnDocument
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from matchmaker.policy.fingerprints import keyed
from matchmaker.records.party import DEFAULT_PER_MONTH
from matchmaker.store.base import Revisions, StoreBusy, StoreUnusable
from matchmaker.store.deciding import COUNTERS, FRESH_PARTIES
from matchmaker.store.mongodb.errors import speaking

Document = dict[str, Any]
MongoClient = AsyncMongoClient[Document]
Result = TypeVar("Result")

FACTS, COUNTERS_ID = "facts", "counters"
COLLECTIONS = {
    "case": "cases",
    "client": "clients",
    "peer": "peers",
    "collection": "collections",
    "audit": "audit",
    "line": "ledger",
    "chain": "chains",
    "dealing": "dealings",
    "gene": "matched_genes",
    "work": "work",
    "reference": "reference",
    "person": "people",
    "choices": "choices",
    "match": "matches",
    "alert": "alerts",
    "mail": "mails",
    "inquiry": "inquiries",
    "health": "peer_health",
    "credentials": "credentials",
}
UNCOPIED = ("totals", "sessions")  # what no copy takes along
# What is looked for in each collection, besides its `_id`; and which of it is there once only.
_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "cases": (
        ("owner", "id"),
        ("key",),
        ("revision",),
        ("live", "revision", "version"),
        ("owner", "live", "updated_at", "_id"),
        ("owner", "person", "updated_at", "_id"),
    ),
    "credentials": (("subject",), ("invitation",)),
    "sessions": (("email",),),
    "clients": (("token_sha256",),),
    "work": (("due",), ("kind", "due", "subject"), ("subject",)),
    "ledger": (("chain", "number"), ("case_id", "at"), ("kind", "at")),
    "dealings": (("organisation", "number"),),
    "matches": (
        ("sides.owner", "changed_at", "_id"),
        ("sides.case", "changed_at", "_id"),
        ("genes", "changed_at", "_id"),
        ("answered_at",),
        ("forgotten_from",),
    ),
    "alerts": (("match",), ("mail", "recipient", "due")),
    "mails": (("token",), ("recipient", "created_at"), ("state", "created_at")),
    "inquiries": (("case", "node"), ("node", "asked_at"), ("node", "status", "at")),
}
_UNIQUE = {
    "cases": (("owner", "id"), ("key",), ("revision",)),
    "clients": (("token_sha256",),),
    "dealings": (("organisation", "number"),),
}
DURABLE = WriteConcern(w="majority", j=True)
FILLING = "this database is being filled by a copy or restore; wait until that is done"
_SCHEMA = 4
_PATIENCE_SECONDS = 15.0  # with a transaction: longer than a replica set takes to choose a primary
_TRANSIENT, _UNKNOWN = "TransientTransactionError", "UnknownTransactionCommitResult"
_WAITS_MS = (2, 5, 10, 20, 50, *(100,) * 100)  # before a transaction is tried again, at least; twice that at most


class Database:
    """A database, reached by a client whose calls are those that motor and pymongo share."""

    def __init__(self, client: MongoClient, name: str, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self.loop = loop
        self.database: AsyncDatabase[Document] = client.get_database(
            name, read_concern=ReadConcern("majority"), write_concern=DURABLE
        )
        self.turn = asyncio.Lock()  # our own writes of cases wait here rather than for a conflict
        self.epoch = ""  # as last seen

    def of(self, name: str) -> AsyncCollection[Document]:
        """Return a collection."""
        return self.database.get_collection(name)

    async def prepare(self, *, to_fill: bool) -> None:
        """Check that the server is a replica set and the database ours; make what is missing. Errors: StoreUnusable."""
        with speaking():
            hello = await self.client.admin.command("hello")
            if not hello.get("setName"):
                raise StoreUnusable(
                    "this MongoDB is no replica set, which transactions need: start mongod with --replSet rs0 and run"
                    " rs.initiate() once; one member is enough"
                )
            meta = await self.meta()
            if FACTS not in meta:
                await self._begin()
            elif meta[FACTS]["schema"] > _SCHEMA:
                raise StoreUnusable("this database was written by a newer version of matchmaker; update this one")
            elif meta[COUNTERS_ID].get("filling") and not to_fill:
                raise StoreUnusable("this database is a copy that was broken off; do the copy or restore again")
            await self._make_indexes()

    async def meta(self) -> dict[str, Document]:
        """Return counters and facts, read together."""
        found = self.of("meta").find({"_id": {"$in": [COUNTERS_ID, FACTS]}})
        return {document["_id"]: document async for document in found}

    async def _begin(self) -> None:
        if others := set(await self.database.list_collection_names()) - {"meta", *COLLECTIONS.values(), *UNCOPIED}:
            raise StoreUnusable(
                f"this database holds other things ({min(others)}); name another in the connection string"
            )
        counters = {**dict.fromkeys(COUNTERS[:3], 0), "parties": FRESH_PARTIES}
        meta = self.of("meta")
        await meta.update_one({"_id": COUNTERS_ID}, {"$setOnInsert": counters}, upsert=True)
        facts = {
            "schema": 0,
            "secret": secrets.token_hex(32),
            "identity": secrets.token_hex(16),
            "epoch": secrets.token_hex(16),
            "filled": "",
        }
        await meta.update_one({"_id": FACTS}, {"$setOnInsert": facts}, upsert=True)

    async def _make_indexes(self) -> None:
        """To version 4. Each may be made again, so that it does not matter where an earlier start was broken off."""
        # A transaction makes no collection while another one does.
        missing = {*COLLECTIONS.values(), *UNCOPIED} - {*await self.database.list_collection_names()}
        for name in sorted(missing):
            await self._create(name)
        for name, keys in _INDEXES.items():
            unique = _UNIQUE.get(name, ())
            models = [IndexModel([(key, ASCENDING) for key in one], unique=one in unique) for one in keys]
            await self.of(name).create_indexes(models)
        if (await self.meta())[FACTS]["schema"] < _SCHEMA:
            await self._bring_up_to_date()
            await self.of("meta").update_one({"_id": FACTS, "schema": {"$lt": _SCHEMA}}, {"$set": {"schema": _SCHEMA}})

    async def _bring_up_to_date(self) -> None:
        """Change what older versions wrote."""
        without = {"_id": FACTS, "secret": {"$exists": False}}
        await self.of("meta").update_one(without, {"$set": {"secret": secrets.token_hex(32)}})
        agreed = {"purpose": "clinical", "per_month": DEFAULT_PER_MONTH, "contact": None}
        await self.of("clients").update_many({"purpose": {"$exists": False}}, {"$set": agreed})
        kept = {"person": None, "family": None}
        await self.of("cases").update_many({"person": {"$exists": False}}, {"$set": kept})
        asked = {"per_month": DEFAULT_PER_MONTH, "notify": False}
        await self.of("peers").update_many({"notify": {"$exists": False}}, {"$set": asked})
        await self.chain_former_lines()
        if (await self.meta())[FACTS]["schema"] == 1:  # it kept the genes themselves
            secret = (await self.meta())[FACTS]["secret"]
            async for row in self.of("matched_genes").find({}):
                if len(row["_id"]) != len(keyed("", "")):  # not yet done, where this was broken off
                    digest = {"_id": keyed(secret, row["_id"])}
                    await self.of("matched_genes").update_one(digest, {"$set": {"matched": True}}, upsert=True)
                    await self.of("matched_genes").delete_one({"_id": row["_id"]})

    async def chain_former_lines(self) -> None:
        """Put the ledger's lines of version 1 into a chain: see Ledger."""

    async def secret(self) -> str:
        """See Store."""
        with speaking():
            return str((await self.meta())[FACTS]["secret"])

    async def _create(self, name: str) -> None:
        try:
            await self.database.create_collection(name)
        except PyMongoError as error:
            if name not in await self.database.list_collection_names():  # else another worker was first
                raise error from None

    @asynccontextmanager
    async def session(self, **options: Any) -> AsyncIterator[AsyncClientSession]:
        """Open a session of the driver."""
        async with await settled(self.client.start_session(**options)) as session:
            yield session

    async def transact(self, work: Callable[[AsyncClientSession], Awaitable[Result]]) -> Result:
        """Do work in one transaction, again where another one came between; durable when this returns.

        Motor does not try a commit again that met another transaction, nor one whose fate it cannot tell: we do.
        """
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await self._transacted(work)
        except TimeoutError:
            raise StoreBusy("MongoDB has no primary, or does not answer; try again") from None

    async def transact_in_turn(self, work: Callable[[AsyncClientSession], Awaitable[Result]]) -> Result:
        """Do work that raises the revision of cases, one after another."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self.turn:
                return await self._transacted(work)
        except TimeoutError:
            raise StoreBusy("MongoDB has no primary, or does not answer; try again") from None

    async def _transacted(self, work: Callable[[AsyncClientSession], Awaitable[Result]]) -> Result:
        results: list[Result] = []

        async def within(session: AsyncClientSession) -> None:
            results.append(await work(session))

        with speaking():
            async with self.session() as session:
                for wait_ms in _WAITS_MS:
                    try:
                        await session.with_transaction(within, ReadConcern("snapshot"), DURABLE)
                    except PyMongoError as error:
                        if not await _is_committed_after_all(error, session):
                            await asyncio.sleep((wait_ms + secrets.randbelow(wait_ms)) / 1000)
                            continue
                    return results[-1]
        raise StoreBusy("MongoDB's transactions met others again and again; try again")

    async def raise_counter(self, counter: str, by: int, session: AsyncClientSession) -> int:
        """Add to a counter and return its new value. Errors: StoreBusy, while the database is being filled."""
        ours = {"_id": COUNTERS_ID, "filling": {"$ne": True}}
        found = await self.of("meta").find_one_and_update(
            ours, {"$inc": {counter: by}}, return_document=ReturnDocument.AFTER, session=session
        )
        if found is None:
            raise StoreBusy(FILLING)
        return int(found[counter])

    async def written_to(self, session: AsyncClientSession) -> None:
        """Let a copy be known as one that was written to since it was filled, where no counter tells."""
        filled = {"_id": FACTS, "filled": {"$gt": ""}}
        await self.of("meta").update_one(filled, {"$set": {"filled": ""}}, session=session)

    async def check_ours(self, session: AsyncClientSession | None) -> None:
        """Raise StoreBusy while the database is being filled."""
        if await self.of("meta").find_one({"_id": COUNTERS_ID, "filling": True}, session=session):
            raise StoreBusy(FILLING)

    async def revisions(self) -> Revisions:
        """See Store."""
        with speaking():
            meta = await self.meta()
        counters, facts = meta[COUNTERS_ID], meta[FACTS]
        if counters.get("filling"):
            raise StoreBusy(FILLING)
        self.epoch = facts["epoch"]
        cases, parties, reference = (int(counters[name]) for name in COUNTERS[:3])
        return Revisions(cases, parties, reference, facts["identity"], facts["epoch"])

    async def probe(self) -> None:
        """See Store."""
        with speaking():
            await self.of("meta").update_one({"_id": "probe"}, {"$set": {"seen": True}}, upsert=True)
            for name in COLLECTIONS.values():
                await self.of(name).find_one({})

    async def close(self) -> None:
        """See Store."""
        await settled(self.client.close())


async def _is_committed_after_all(error: PyMongoError, session: AsyncClientSession) -> bool:
    """Try the commit again of a transaction that failed, where nobody can tell whether it was committed.

    Returns False when it is to be begun anew. Errors: the driver's, when neither helps.
    """
    for wait_ms in _WAITS_MS:
        if not error.has_error_label(_UNKNOWN):
            break
        await asyncio.sleep(wait_ms / 1000)
        try:
            await session.commit_transaction()
        except PyMongoError as again:
            error = again
        else:
            return True
    if error.has_error_label(_TRANSIENT):
        return False
    raise error


async def settled(value: Any) -> Any:
    """Return what a call gives, where motor has a coroutine and pymongo none, or the other way round."""
    return await value if inspect.isawaitable(value) else value


def text(value: str) -> str:
    """Return a value for a filter, which must be text: never a document that came from outside."""
    if not isinstance(value, str):
        raise TypeError(f"a filter takes text here, not {type(value).__name__}")
    return str(value)


def number(value: int) -> int:
    """Return a value for a filter, which must be a whole number."""
    if not isinstance(value, int):
        raise TypeError(f"a filter takes a whole number here, not {type(value).__name__}")
    return int(value)
