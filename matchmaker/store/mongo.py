"""The store for many machines: MongoDB, a replica set. The one importer of motor, and of pymongo below it.

Motor is near its end: this file keeps to what its client shares with pymongo's AsyncMongoClient, whose types it is
written in. The day motor ends, `make_client` returns the other one, and `_settled` goes. The contract suite runs on
both.

Whatever belongs together is written in one transaction, with majority and journal. Each write of cases raises the one
counter of revisions within its transaction: two of them meet there, one waits and is done again, so that revisions are
gapless in the order of commits. Every value in a filter is a string or a number by its type; a patient is kept as text.
"""

import asyncio
import inspect
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar, cast

from bson import Binary, Int64
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import ASCENDING, AsyncMongoClient, InsertOne, ReturnDocument, UpdateOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import (
    ConfigurationError,
    DuplicateKeyError,
    InvalidURI,
    PyMongoError,
)
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from matchmaker.records.audit import Action, AuditLine
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.ledger import LedgerLine, LedgerTotals
from matchmaker.records.party import Client, Peer, Role
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.records.work import Work
from matchmaker.store.base import (
    SWEEP,
    Deposit,
    Draft,
    NameTaken,
    NameUnknown,
    Outcome,
    Revisions,
    StoreBusy,
    StoreUnusable,
)
from matchmaker.store.deciding import COUNTERS, FRESH_PARTIES, audited, check_copy, fill_mark, outcome_of, stored
from matchmaker.store.documents import ENTRY_FIELDS, case_fields, document_of, entry_of
from matchmaker.store.entries import Entry, EntryDamaged, case_of, kept_of
from matchmaker.store.gathering import Gathering
from matchmaker.store.mongo_errors import speaking

Document = dict[str, Any]
MongoClient = AsyncMongoClient[Document]
Result = TypeVar("Result")

DATABASE = "matchmaker"
_SCHEMA = 1
_BATCH = 2_000
_SHARDS = 16  # of the ledger's totals: workers that add to one document wait for each other
_SELECTION_MS, _CONNECT_MS, _SOCKET_MS = 20_000, 5_000, 60_000  # longer than a replica set takes to choose a primary
_DURABLE = WriteConcern(w="majority", j=True)
_FILLING = "this database is being filled by a copy or restore; wait until that is done"
_LOOKS, _LOOK_SECONDS = 200, 0.02
_FACTS, _COUNTERS = "facts", "counters"
_COLLECTIONS = {
    "case": "cases",
    "client": "clients",
    "peer": "peers",
    "audit": "audit",
    "line": "ledger",
    "gene": "matched_genes",
    "work": "work",
    "reference": "reference",
}
_ORDER = {
    "case": ["revision"],
    "client": ["_id"],
    "peer": ["_id"],
    "audit": ["_id"],
    "line": ["at", "asker", "results", "genes"],
    "gene": ["_id"],
    "work": ["kind", "subject"],
    "reference": ["_id"],
}


def make_client(uri: str) -> MongoClient:
    """Return a client for a connection string. The one place where it is said which kind of client."""
    return cast(MongoClient, AsyncIOMotorClient(uri, **SETTINGS))


SETTINGS: dict[str, Any] = {
    "appname": "matchmaker",
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "readPreference": "primary",
    "retryWrites": True,
    "serverSelectionTimeoutMS": _SELECTION_MS,
    "connectTimeoutMS": _CONNECT_MS,
    "socketTimeoutMS": _SOCKET_MS,
}


async def open_mongo(
    uri: str, *, to_fill: bool = False, client: Callable[[str], MongoClient] = make_client
) -> "MongoStore":
    """Open the store of a connection string's database, made empty where there is none.

    `to_fill`: also one whose filling was broken off. Errors: StoreUnusable, StoreBusy.
    """
    with speaking():
        try:
            connected = client(uri)
            name = connected.get_default_database(DATABASE).name
        except (InvalidURI, ConfigurationError, ValueError) as error:
            raise StoreUnusable(f"the connection string of MongoDB cannot be used: {error}") from None
    store = MongoStore(connected, name, asyncio.get_running_loop())
    try:
        await store.prepare(to_fill=to_fill)
    except BaseException:
        await store.close()
        raise
    return store


class MongoStore:
    """A Store in one database of a replica set. Open it with `open_mongo`."""

    def __init__(self, client: MongoClient, database: str, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._database: AsyncDatabase[Document] = client.get_database(
            database, read_concern=ReadConcern("majority"), write_concern=_DURABLE
        )
        self._turn = asyncio.Lock()  # our own writes of cases wait here rather than for a conflict
        self._lines = Gathering(self._append_lines)
        self._shard = secrets.randbelow(_SHARDS)
        self._known_genes: set[str] = set()

    def _of(self, name: str) -> AsyncCollection[Document]:
        return self._database.get_collection(name)

    async def prepare(self, *, to_fill: bool) -> None:
        """Check that the server is a replica set and the database ours; make what is missing. Errors: StoreUnusable."""
        with speaking():
            hello = await self._client.admin.command("hello")
            if not hello.get("setName"):
                raise StoreUnusable(
                    "this MongoDB is no replica set, which transactions need: start mongod with --replSet rs0 and run"
                    " rs.initiate() once; one member is enough"
                )
            meta = await self._meta()
            if _FACTS not in meta:
                await self._begin()
            elif meta[_FACTS]["schema"] > _SCHEMA:
                raise StoreUnusable("this database was written by a newer version of matchmaker; update this one")
            elif meta[_COUNTERS].get("filling") and not to_fill:
                raise StoreUnusable("this database is a copy that was broken off; do the copy or restore again")
            await self._make_indexes()

    async def _meta(self) -> dict[str, Document]:
        """Return counters and facts, read together."""
        found = self._of("meta").find({"_id": {"$in": [_COUNTERS, _FACTS]}})
        return {document["_id"]: document async for document in found}

    async def _begin(self) -> None:
        if others := set(await self._database.list_collection_names()) - {"meta", *_COLLECTIONS.values(), "totals"}:
            raise StoreUnusable(
                f"this database holds other things ({min(others)}); name another in the connection string"
            )
        counters = {**dict.fromkeys(COUNTERS[:3], 0), "parties": FRESH_PARTIES}
        meta = self._of("meta")
        await meta.update_one({"_id": _COUNTERS}, {"$setOnInsert": counters}, upsert=True)
        facts = {"schema": 0, "identity": secrets.token_hex(16), "epoch": secrets.token_hex(16), "filled": ""}
        await meta.update_one({"_id": _FACTS}, {"$setOnInsert": facts}, upsert=True)

    async def _make_indexes(self) -> None:
        """To version 1. Each may be made again, so that it does not matter where an earlier start was broken off."""
        cases = self._of("cases")
        await cases.create_index([("owner", ASCENDING), ("id", ASCENDING)], unique=True)
        await cases.create_index([("key", ASCENDING)], unique=True)
        await cases.create_index([("revision", ASCENDING)], unique=True)
        await cases.create_index([("live", ASCENDING), ("revision", ASCENDING), ("version", ASCENDING)])
        await self._of("clients").create_index([("token_sha256", ASCENDING)], unique=True)
        await self._of("work").create_index([("due", ASCENDING)])
        for name in _COLLECTIONS.values():  # a transaction makes no collection while another one does
            if name not in await self._database.list_collection_names():
                await self._create(name)
        await self._of("meta").update_one({"_id": _FACTS, "schema": {"$lt": _SCHEMA}}, {"$set": {"schema": _SCHEMA}})

    async def _create(self, name: str) -> None:
        try:
            await self._database.create_collection(name)
        except PyMongoError as error:
            if name not in await self._database.list_collection_names():  # else another worker was first
                raise error from None

    @asynccontextmanager
    async def _session(self, **options: Any) -> AsyncIterator[AsyncClientSession]:
        async with await _settled(self._client.start_session(**options)) as session:
            yield session

    async def _transact(self, work: Callable[[AsyncClientSession], Awaitable[Result]]) -> Result:
        """Do work in one transaction, again where another one came between; durable when this returns."""

        async def within(session: AsyncClientSession) -> Result:
            return await work(session)

        with speaking():
            async with self._session() as session:
                return await session.with_transaction(
                    within, read_concern=ReadConcern("snapshot"), write_concern=_DURABLE
                )

    async def close(self) -> None:
        """See Store."""
        await _settled(self._client.close())

    async def revisions(self) -> Revisions:
        """See Store."""
        with speaking():
            meta = await self._meta()
        counters, facts = meta[_COUNTERS], meta[_FACTS]
        if counters.get("filling"):
            raise StoreBusy(_FILLING)
        cases, parties, reference = (int(counters[name]) for name in COUNTERS[:3])
        return Revisions(cases, parties, reference, facts["identity"], facts["epoch"])

    async def _raise(self, counter: str, by: int, session: AsyncClientSession) -> int:
        change = {"$inc": {counter: by}}
        found = await self._of("meta").find_one_and_update(
            {"_id": _COUNTERS, "filling": {"$ne": True}}, change, return_document=ReturnDocument.AFTER, session=session
        )
        if found is None:
            raise StoreBusy(_FILLING)
        return int(found[counter])

    async def deposit(self, drafts: Sequence[Draft], now: float) -> list[Deposit]:
        """See Store."""

        async def work(session: AsyncClientSession) -> list[Deposit]:
            known = await self._known(drafts, session)
            deposits = _decided(drafts, known, now)
            changed = [n for n, one in enumerate(deposits) if one.outcome in {Outcome.NEW, Outcome.CHANGED}]
            if changed:
                before = await self._raise("revision", len(changed), session) - len(changed)
                deposits = [_numbered(deposit, before) for deposit in deposits]
                await self._keep([(deposits[n], drafts[n]) for n in changed], now, session)
            return deposits

        async with self._turn:
            return await self._transact(work)

    async def _known(self, drafts: Sequence[Draft], session: AsyncClientSession) -> dict[tuple[str, str], Case]:
        known: dict[tuple[str, str], Case] = {}
        for owner in {draft.owner for draft in drafts}:
            ids = [_text(draft.id) for draft in drafts if draft.owner == owner]
            async for document in self._of("cases").find({"owner": _text(owner), "id": {"$in": ids}}, session=session):
                known[owner, document["id"]] = _case(document)
        return known

    async def _keep(self, kept: list[tuple[Deposit, Draft]], now: float, session: AsyncClientSession) -> None:
        writes: list[InsertOne[Document] | UpdateOne] = []
        for deposit, _ in kept:
            fields = case_fields(deposit.case)
            if deposit.outcome is Outcome.NEW:
                writes.append(InsertOne({"_id": deposit.case.public_id, **fields}))
            else:
                writes.append(UpdateOne({"_id": _text(deposit.case.public_id)}, {"$set": fields}))
        await self._of("cases").bulk_write(writes, session=session)
        lines = [audited(deposit.case, deposit.outcome) for deposit, _ in kept]
        await self._of("audit").insert_many([_audit_document(line) for line in lines], session=session)
        for deposit, draft in kept:
            for kind in draft.work:
                await self._queue(kind, deposit.case.public_id, deposit.case.revision, now, session)

    async def _queue(self, kind: str, subject: str, revision: int, due: float, session: AsyncClientSession) -> None:
        fresh = {"kind": kind, "subject": subject, "holder": None, "leased_until": 0.0}
        change = {"$set": {"revision": revision, "attempts": 0}, "$min": {"due": float(due)}, "$setOnInsert": fresh}
        await self._of("work").update_one({"_id": f"{kind}:{subject}"}, change, upsert=True, session=session)

    async def withdraw(self, owner: str, case_id: str, now: float) -> Case | None:
        """See Store."""

        async def work(session: AsyncClientSession) -> Case | None:
            cases = self._of("cases")
            document = await cases.find_one({"owner": _text(owner), "id": _text(case_id)}, session=session)
            if document is None or document["patient"] is None:
                return None
            revision = await self._raise("revision", 1, session)
            left = replace(_case(document), patient=None, updated_at=float(now), revision=revision)
            await cases.update_one({"_id": _text(left.public_id)}, {"$set": case_fields(left)}, session=session)
            line = AuditLine(revision, float(now), owner, Action.WITHDRAWN, left.public_id)
            await self._of("audit").insert_one(_audit_document(line), session=session)
            await self._of("work").delete_many({"subject": _text(left.public_id)}, session=session)
            await self._queue(SWEEP, left.public_id, revision, now, session)
            return left

        async with self._turn:
            return await self._transact(work)

    async def sweep(self) -> bool:
        """See Store. MongoDB overwrites its files and its oplog in its own time; nothing can hurry it."""
        return True

    async def case(self, owner: str, case_id: str) -> Case | None:
        """See Store."""
        with speaking():
            document = await self._of("cases").find_one({"owner": _text(owner), "id": _text(case_id)})
        return _case(document) if document else None

    async def cases_of(self, owner: str, after: str, limit: int) -> list[Case]:
        """See Store."""
        asked = {"owner": _text(owner), "id": {"$gt": _text(after)}, "live": True}
        with speaking():
            found = self._of("cases").find(asked).sort("id", ASCENDING).limit(_number(limit))
            return [_case(document) async for document in found]

    def read_cases(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        """See Store."""
        return asyncio.run_coroutine_threadsafe(self._read(keys), self._loop).result()

    async def _read(self, keys: Sequence[int]) -> dict[int, KeptCase]:
        asked = {"key": {"$in": [Int64(_number(key)) for key in keys]}, "live": True}
        with speaking():
            return {int(document["key"]): _kept(document) async for document in self._of("cases").find(asked)}

    async def checksum(self, revision: int) -> tuple[int, int]:
        """See Store."""
        some = {"$match": {"live": True, "revision": {"$lte": _number(revision)}}}
        added = {"$group": {"_id": None, "count": {"$sum": 1}, "total": {"$sum": "$version"}}}
        with speaking():
            found = await _settled(self._of("cases").aggregate([some, added]))
            rows = [row async for row in found]
        return (int(rows[0]["count"]), int(rows[0]["total"])) if rows else (0, 0)

    async def count_cases(self) -> int:
        """See Store."""
        with speaking():
            return int(await self._of("cases").count_documents({"live": True}))

    async def changes_since(self, revision: int) -> AsyncIterator[list[KeptCase]]:
        """See Store."""
        while True:
            with speaking():
                changed = self._of("cases").find({"revision": {"$gt": _number(revision)}}).sort("revision", ASCENDING)
                batch = [_kept(document) async for document in changed.limit(_BATCH)]
            if not batch:
                return
            yield batch
            revision = batch[-1].revision

    async def audit(self, after: int, limit: int) -> list[AuditLine]:
        """See Store."""
        with speaking():
            found = self._of("audit").find({"_id": {"$gt": _number(after)}}).sort("_id", ASCENDING)
            rows = [document async for document in found.limit(_number(limit))]
        return [AuditLine(row["_id"], row["at"], row["actor"], Action(row["action"]), row["public_id"]) for row in rows]

    async def add_client(self, client: Client) -> None:
        """See Store."""
        document = {
            "_id": client.name,
            "role": client.role.value,
            "token_sha256": client.token_sha256,
            "institution": client.institution,
            "country": client.country,
            "created_at": float(client.created_at),
            "revoked_at": client.revoked_at,
        }

        async def work(session: AsyncClientSession) -> None:
            await self._raise("parties", 1, session)
            revoked = {"_id": _text(client.name), "revoked_at": {"$ne": None}}
            await self._of("clients").delete_many(revoked, session=session)
            await _insert_named(self._of("clients"), document, "revoke it first: matchmaker client revoke", session)

        await self._transact(work)

    async def revoke_client(self, name: str, now: float) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self._raise("parties", 1, session)
            valid = {"_id": _text(name), "revoked_at": None}
            change = {"$set": {"revoked_at": float(now)}}
            if not (await self._of("clients").update_one(valid, change, session=session)).matched_count:
                raise NameUnknown(f"there is no client {name!r} with a valid token")

        await self._transact(work)

    async def clients(self) -> list[Client]:
        """See Store."""
        with speaking():
            found = [row async for row in self._of("clients").find({}).sort("_id", ASCENDING)]
        rest = ("token_sha256", "institution", "country", "created_at", "revoked_at")
        return [Client(row["_id"], Role(row["role"]), *(row[name] for name in rest)) for row in found]

    async def add_peer(self, peer: Peer) -> None:
        """See Store."""
        names = ENTRY_FIELDS["peer"]
        values = (peer.name, peer.url, peer.country, peer.token_file, peer.version, peer.mitochondrion)
        document = dict(zip(names, values, strict=True))

        async def work(session: AsyncClientSession) -> None:
            await self._raise("parties", 1, session)
            await _insert_named(self._of("peers"), document, "remove it first: matchmaker peer remove", session)

        await self._transact(work)

    async def remove_peer(self, name: str) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self._raise("parties", 1, session)
            if not (await self._of("peers").delete_one({"_id": _text(name)}, session=session)).deleted_count:
                raise NameUnknown(f"there is no peer {name!r}")

        await self._transact(work)

    async def peers(self) -> list[Peer]:
        """See Store."""
        with speaking():
            found = [row async for row in self._of("peers").find({}).sort("_id", ASCENDING)]
        return [Peer(*(row[name] for name in ENTRY_FIELDS["peer"])) for row in found]

    async def write_ledger(self, line: LedgerLine) -> None:
        """See Store."""
        await self._lines.put(line)

    async def _append_lines(self, lines: list[LedgerLine]) -> None:
        await self._add_genes({gene for line in lines for gene in line.genes})
        documents = [document_of("line", [line.at, line.asker, line.results, json.dumps(line.genes)]) for line in lines]
        added = {"requests": len(lines), "results": sum(line.results for line in lines)}

        async def work(session: AsyncClientSession) -> None:
            # Copies: what is written is given an id, and a transaction may be done again.
            await self._of("ledger").insert_many([dict(document) for document in documents], session=session)
            await self._of("totals").update_one({"_id": self._shard}, {"$inc": added}, upsert=True, session=session)

        await self._transact(work)

    async def _add_genes(self, genes: set[str]) -> None:
        if fresh := sorted(genes - self._known_genes):
            writes = [UpdateOne({"_id": _text(gene)}, {"$setOnInsert": {"_id": gene}}, upsert=True) for gene in fresh]
            with speaking():
                await self._of("matched_genes").bulk_write(writes, ordered=False)
            self._known_genes.update(fresh)

    async def ledger_totals(self) -> LedgerTotals:
        """See Store."""
        with speaking():
            totals = [row async for row in self._of("totals").find({})]
            genes = await self._of("matched_genes").count_documents({})
        return LedgerTotals(sum(row["requests"] for row in totals), sum(row["results"] for row in totals), int(genes))

    async def claim(self, kinds: Collection[str], holder: str, now: float, until: float) -> Work | None:
        """See Store."""
        free = {
            "kind": {"$in": [_text(kind) for kind in sorted(kinds)]},
            "due": {"$lte": float(now)},
            "leased_until": {"$lte": float(now)},
        }
        change = {"$set": {"holder": _text(holder), "leased_until": float(until)}, "$inc": {"attempts": 1}}
        order = [("due", ASCENDING), ("kind", ASCENDING), ("subject", ASCENDING)]
        with speaking():
            found = await self._of("work").find_one_and_update(
                free, change, sort=order, return_document=ReturnDocument.AFTER
            )
        return _work(found) if found else None

    async def finish(self, work: Work) -> bool:
        """See Store."""
        with speaking():
            done = await self._of("work").delete_one({**_held(work), "revision": _number(work.revision)})
            if not done.deleted_count:
                await self._of("work").update_one(_held(work), {"$set": {"holder": None, "leased_until": 0.0}})
        return bool(done.deleted_count)

    async def release(self, work: Work, due: float) -> bool:
        """See Store."""
        change = {"$set": {"holder": None, "leased_until": 0.0, "due": float(due)}}
        with speaking():
            return bool((await self._of("work").update_one(_held(work), change)).matched_count)

    async def queued(self) -> list[Work]:
        """See Store."""
        with speaking():
            found = self._of("work").find({}).sort([("kind", ASCENDING), ("subject", ASCENDING)])
            return [_work(document) async for document in found]

    async def reference(self) -> list[ReferenceFile]:
        """See Store."""
        with speaking():
            found = [row async for row in self._of("reference").find({}).sort("_id", ASCENDING)]
        names = ENTRY_FIELDS["reference"][1:]
        return [ReferenceFile(Kind(row["_id"]), *(row[name] for name in names)) for row in found]

    async def set_reference(self, files: Sequence[ReferenceFile]) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self._raise("reference", 1, session)
            for file in files:
                values = (file.kind.value, file.name, file.version, file.sha256, file.imported_at, Binary(file.content))
                document = dict(zip(ENTRY_FIELDS["reference"], values, strict=True))
                same = {"_id": _text(file.kind.value)}
                await self._of("reference").replace_one(same, document, upsert=True, session=session)

        await self._transact(work)

    async def clear_reference(self) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self._raise("reference", 1, session)
            await self._of("reference").delete_many({}, session=session)

        await self._transact(work)

    async def export(self) -> AsyncIterator[list[Entry]]:
        """See Store. Within a snapshot, which the server keeps for five minutes unless it is told to keep it longer."""
        with speaking():
            seen = await self._marks(None)
            for _ in range(_LOOKS):
                async with self._session(snapshot=True) as session:
                    if not _reaches(await self._marks(session), seen):
                        await asyncio.sleep(_LOOK_SECONDS)  # a snapshot may lag behind what was acknowledged
                        continue
                    async for batch in self._entries(session):
                        yield batch
                    return
            raise StoreBusy("MongoDB gives no snapshot that is as new as what it has acknowledged; try again")

    async def _marks(self, session: AsyncClientSession | None) -> Document:
        """Return what tells how far the database is: facts, counters, and the ledger's totals."""
        bare = self._client.get_database(self._database.name)  # a snapshot has a read concern of its own
        meta = {row["_id"]: row async for row in bare.get_collection("meta").find({}, session=session)}
        totals = [row async for row in bare.get_collection("totals").find({}, session=session)]
        sums = {name: sum(row[name] for row in totals) for name in COUNTERS[3:]}
        return {**meta[_FACTS], **{name: int(meta[_COUNTERS][name]) for name in COUNTERS[:3]}, **sums}

    async def _entries(self, session: AsyncClientSession) -> AsyncIterator[list[Entry]]:
        bare = self._client.get_database(self._database.name)
        marks = await self._marks(session)
        yield [("facts", [marks["identity"], *(marks[name] for name in COUNTERS)])]
        for kind, collection in _COLLECTIONS.items():
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

    async def fill(self, entries: AsyncIterator[list[Entry]], *, replace: bool = False) -> None:
        """See Store. Marked as being filled until it is done."""
        first = await anext(entries)
        (kind, (identity, *numbers)) = first[0]
        if kind != "facts":
            raise ValueError("what a store is filled with begins with its facts")
        counters = dict(zip(COUNTERS, numbers, strict=True))
        with speaking():
            meta = self._of("meta")
            if not replace:
                await self._check_copy(identity)
            await meta.update_one({"_id": _COUNTERS}, {"$set": {"filling": True}})
            for name in (*_COLLECTIONS.values(), "totals"):
                await self._of(name).delete_many({})
            await meta.update_one({"_id": _COUNTERS}, {"$set": dict.fromkeys(COUNTERS[:3], 0)})
            await self._write(first[1:])
            async for batch in entries:
                await self._write(batch)
            totals = {name: counters[name] for name in COUNTERS[3:]}
            await self._of("totals").insert_one({"_id": 0, **totals})
            done = {"identity": identity, "epoch": secrets.token_hex(16), "filled": fill_mark(counters)}
            await meta.update_one({"_id": _FACTS}, {"$set": done})
            raised = {name: counters[name] for name in COUNTERS[:3]}
            await meta.update_one({"_id": _COUNTERS}, {"$set": {**raised, "filling": False}})
        self._known_genes.clear()

    async def _write(self, batch: Sequence[Entry]) -> None:
        for kind in dict.fromkeys(kind for kind, _ in batch):
            documents = [document_of(kind, values) for other, values in batch if other == kind]
            await self._of(_COLLECTIONS[kind]).insert_many(documents)

    async def _check_copy(self, identity: str) -> None:
        meta, totals = await self._meta(), await self.ledger_totals()
        counters: Document = {**meta[_COUNTERS], "requests": totals.requests, "results": totals.results}
        if not counters.get("filling"):
            check_copy(identity, meta[_FACTS]["identity"], meta[_FACTS]["filled"], counters)

    async def probe(self) -> None:
        """See Store."""
        with speaking():
            await self._of("meta").update_one({"_id": "probe"}, {"$set": {"seen": True}}, upsert=True)
            for name in _COLLECTIONS.values():
                await self._of(name).find_one({})


async def _settled(value: Any) -> Any:
    """Return what a call gives, where motor has a coroutine and pymongo none, or the other way round."""
    return await value if inspect.isawaitable(value) else value


async def _insert_named(
    collection: AsyncCollection[Document], document: Document, freeing: str, session: AsyncClientSession
) -> None:
    try:
        await collection.insert_one(document, session=session)
    except DuplicateKeyError:
        raise NameTaken(f"the name {document['_id']!r} is taken in {collection.name}; {freeing}") from None


def _reaches(marks: Document, seen: Document) -> bool:
    """Tell whether one state of the database is no older than another."""
    return marks["epoch"] == seen["epoch"] and all(marks[name] >= seen[name] for name in COUNTERS)


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
        deposits.append(Deposit(outcome, case))
    return deposits


def _numbered(deposit: Deposit, before: int) -> Deposit:
    """Return a deposit with its revision, the first one given being the next after `before`."""
    revision = deposit.case.revision
    return replace(deposit, case=replace(deposit.case, revision=before - revision)) if revision < 0 else deposit


def _case(document: Document) -> Case:
    try:
        return case_of(entry_of("case", document)[1])
    except EntryDamaged as error:
        raise StoreUnusable(f"{error}; restore the database from a backup") from None


def _kept(document: Document) -> KeptCase:
    names = ("owner", "id", "_id", "sharing", "patient", "revision", "version")
    return kept_of(*(document[name] for name in names))


def _audit_document(line: AuditLine) -> Document:
    return document_of("audit", [line.revision, line.at, line.actor, line.action.value, line.public_id])


def _work(document: Document) -> Work:
    names = ("kind", "subject", "revision", "due", "attempts", "holder", "leased_until")
    return Work(*(document[name] for name in names))


def _held(work: Work) -> Document:
    same = {"_id": f"{_text(work.kind)}:{_text(work.subject)}", "holder": _text(work.holder or "")}
    return {**same, "leased_until": float(work.leased_until)}


def _text(value: str) -> str:
    """Return a value for a filter, which must be text: never a document that came from outside."""
    if not isinstance(value, str):
        raise TypeError(f"a filter takes text here, not {type(value).__name__}")
    return str(value)


def _number(value: int) -> int:
    """Return a value for a filter, which must be a whole number."""
    if not isinstance(value, int):
        raise TypeError(f"a filter takes a whole number here, not {type(value).__name__}")
    return int(value)
