"""Clients, peers, and imported reference data: what changes seldom, each change counted."""

from collections.abc import Sequence

from bson import Binary
from pymongo import ASCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import DuplicateKeyError

from matchmaker.records.choices import Choices
from matchmaker.records.collection import Collection
from matchmaker.records.party import Client, Peer
from matchmaker.records.person import Person
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.store.base import NameTaken, NameUnknown
from matchmaker.store.deciding import may_otherwise
from matchmaker.store.documents import ENTRY_FIELDS, document_of, entry_of
from matchmaker.store.entries import client_of, client_values, collection_text
from matchmaker.store.kept_matches import ChangePerson
from matchmaker.store.mongodb.database import Database, Document, text
from matchmaker.store.mongodb.errors import speaking


class Parties(Database):
    """The part of a Store that keeps who may speak with a node, and what it scores with."""

    async def add_client(self, client: Client) -> None:
        """See Store."""
        document = document_of("client", client_values(client))
        document["created_at"] = float(client.created_at)

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("parties", 1, session)
            revoked = {"_id": text(client.name), "revoked_at": {"$ne": None}}
            await self.of("clients").delete_many(revoked, session=session)
            await _insert_named(self.of("clients"), document, "revoke it first: matchmaker client revoke NAME", session)

        await self.transact(work)

    async def change_client(self, client: Client) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("parties", 1, session)
            valid = {"_id": text(client.name), "revoked_at": None}
            agreed = {"purpose": client.purpose.value, "per_month": client.per_month, "contact": client.contact}
            changed = await self.of("clients").update_one(valid, {"$set": agreed}, session=session)
            if not changed.matched_count:
                raise NameUnknown(f"there is no client {client.name!r} with a valid token")

        await self.transact(work)

    async def revoke_client(self, name: str, now: float) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("parties", 1, session)
            valid = {"_id": text(name), "revoked_at": None}
            change = {"$set": {"revoked_at": float(now)}}
            if not (await self.of("clients").update_one(valid, change, session=session)).matched_count:
                raise NameUnknown(f"there is no client {name!r} with a valid token")

        await self.transact(work)

    async def clients(self) -> list[Client]:
        """See Store."""
        with speaking():
            found = [row async for row in self.of("clients").find({}).sort("_id", ASCENDING)]
        return [client_of(entry_of("client", row)[1]) for row in found]

    async def add_peer(self, peer: Peer) -> None:
        """See Store."""
        names = ENTRY_FIELDS["peer"]
        told = (peer.name, peer.url, peer.country, peer.token_file, peer.version, peer.mitochondrion)
        document = dict(zip(names, (*told, peer.per_month, peer.notify), strict=True))

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("parties", 1, session)
            await _insert_named(self.of("peers"), document, "remove it first: matchmaker peer remove NAME", session)

        await self.transact(work)

    async def remove_peer(self, name: str) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("parties", 1, session)
            if not (await self.of("peers").delete_one({"_id": text(name)}, session=session)).deleted_count:
                raise NameUnknown(f"there is no peer {name!r}")

        await self.transact(work)

    async def peers(self) -> list[Peer]:
        """See Store."""
        with speaking():
            found = [row async for row in self.of("peers").find({}).sort("_id", ASCENDING)]
        return [Peer(*(row[name] for name in ENTRY_FIELDS["peer"])) for row in found]

    async def put_collection(self, collection: Collection) -> bool:
        """See Store."""
        document = document_of("collection", [collection.name, collection_text(collection)])

        async def work(session: AsyncClientSession) -> bool:
            await self.raise_counter("parties", 1, session)
            same = {"_id": text(collection.name)}
            done = await self.of("collections").replace_one(same, document, upsert=True, session=session)
            return bool(done.matched_count)

        return await self.transact(work)

    async def remove_collection(self, name: str) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("parties", 1, session)
            if not (await self.of("collections").delete_one({"_id": text(name)}, session=session)).deleted_count:
                raise NameUnknown(f"there is no collection {name!r}")

        await self.transact(work)

    async def collections(self) -> list[Collection]:
        """See Store."""
        with speaking():
            found = [row async for row in self.of("collections").find({}).sort("_id", ASCENDING)]
        return [Collection.model_validate_json(row["content"]) for row in found]

    async def put_person(self, person: Person) -> bool:
        """See Store."""
        return await self.transact(lambda session: self._put_person(person, session))

    async def _put_person(self, person: Person, session: AsyncClientSession) -> bool:
        await self.raise_counter("parties", 1, session)
        document, same = document_of("person", [person.email, person.to_text()]), {"_id": text(person.email)}
        known = await self.of("people").find_one_and_replace(same, document, upsert=True, session=session)
        if known and may_otherwise(Person.parse(known["content"]), person):
            await self.of("sessions").delete_many({"email": text(person.email)}, session=session)
        return known is not None

    async def change_person(self, email: str, change: ChangePerson) -> Person | None:
        """See Store."""

        async def work(session: AsyncClientSession) -> Person | None:
            known = await self.of("people").find_one({"_id": text(email)}, session=session)
            if known is None:
                return None
            changed = change(Person.parse(known["content"]))
            await self._put_person(changed, session)
            return changed

        return await self.transact(work)

    async def people(self) -> list[Person]:
        """See Store."""
        with speaking():
            return [Person.parse(row["content"]) async for row in self.of("people").find({}).sort("_id", ASCENDING)]

    async def put_choices(self, subject: str, choices: Choices) -> None:
        """See Store."""
        document = document_of("choices", [subject, choices.to_text()])

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("parties", 1, session)
            await self.of("choices").replace_one({"_id": text(subject)}, document, upsert=True, session=session)

        await self.transact(work)

    async def choices(self) -> dict[str, Choices]:
        """See Store."""
        with speaking():
            found = self.of("choices").find({}).sort("_id", ASCENDING)
            return {row["_id"]: Choices.parse(row["content"]) async for row in found}

    async def reference(self) -> list[ReferenceFile]:
        """See Store."""
        with speaking():
            found = [row async for row in self.of("reference").find({}).sort("_id", ASCENDING)]
        names = ENTRY_FIELDS["reference"][1:]
        return [ReferenceFile(Kind(row["_id"]), *(row[name] for name in names)) for row in found]

    async def set_reference(self, files: Sequence[ReferenceFile]) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("reference", 1, session)
            for file in files:
                values = (file.kind.value, file.name, file.version, file.sha256, file.imported_at, Binary(file.content))
                document = dict(zip(ENTRY_FIELDS["reference"], values, strict=True))
                same = {"_id": text(file.kind.value)}
                await self.of("reference").replace_one(same, document, upsert=True, session=session)

        await self.transact(work)

    async def clear_reference(self) -> None:
        """See Store."""

        async def work(session: AsyncClientSession) -> None:
            await self.raise_counter("reference", 1, session)
            await self.of("reference").delete_many({}, session=session)

        await self.transact(work)


async def _insert_named(
    collection: AsyncCollection[Document], document: Document, freeing: str, session: AsyncClientSession
) -> None:
    try:
        await collection.insert_one(document, session=session)
    except DuplicateKeyError:
        raise NameTaken(f"the name {document['_id']!r} is taken in {collection.name}; {freeing}") from None
