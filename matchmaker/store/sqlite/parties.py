"""Clients, peers and collections in the embedded store: what changes seldom, each change counted."""

import sqlite3
from dataclasses import replace
from typing import Any

from matchmaker.records.choices import Choices
from matchmaker.records.collection import Collection
from matchmaker.records.party import Client, Peer
from matchmaker.records.person import Person
from matchmaker.store.base import NameTaken, NameUnknown
from matchmaker.store.deciding import may_otherwise
from matchmaker.store.entries import client_of, client_values, collection_text
from matchmaker.store.kept_matches import ChangePerson
from matchmaker.store.sqlite.accounts import end_sessions
from matchmaker.store.sqlite.cases import raise_counter
from matchmaker.store.sqlite.running import Running

CLIENT = "name, role, token_sha256, institution, country, created_at, revoked_at, purpose, per_month, contact"
PEER = "name, url, country, token_file, version, mitochondrion, per_month, notify"
_FREEING = {
    "clients": "revoke it first: matchmaker client revoke NAME",
    "peers": "remove it first: matchmaker peer remove NAME",
}


def add_client(connection: sqlite3.Connection, client: Client) -> None:
    """Add a client, in place of a revoked one of its name."""
    connection.execute("DELETE FROM clients WHERE name = ? AND revoked_at IS NOT NULL", (client.name,))
    _insert_named(connection, "clients", f"clients ({CLIENT})", tuple(client_values(client)))


def change_client(connection: sqlite3.Connection, client: Client) -> None:
    """Keep what was agreed with a client anew."""
    raise_counter(connection, "parties")
    sql = "UPDATE clients SET purpose = ?, per_month = ?, contact = ? WHERE name = ? AND revoked_at IS NULL"
    agreed = (client.purpose.value, client.per_month, client.contact, client.name)
    if not connection.execute(sql, agreed).rowcount:
        raise NameUnknown(f"there is no client {client.name!r} with a valid token")


def revoke_client(connection: sqlite3.Connection, name: str, now: float) -> None:
    """Revoke a client's token."""
    raise_counter(connection, "parties")
    sql = "UPDATE clients SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"
    if not connection.execute(sql, (now, name)).rowcount:
        raise NameUnknown(f"there is no client {name!r} with a valid token")


def clients(connection: sqlite3.Connection) -> list[Client]:
    """Return all clients by name."""
    rows = connection.execute(f"SELECT {CLIENT} FROM clients ORDER BY name")
    return [client_of(row) for row in rows]


def add_peer(connection: sqlite3.Connection, peer: Peer) -> None:
    """Add a peer."""
    told = (peer.name, peer.url, peer.country, peer.token_file, peer.version, peer.mitochondrion)
    _insert_named(connection, "peers", f"peers ({PEER})", (*told, peer.per_month, int(peer.notify)))


def remove_peer(connection: sqlite3.Connection, name: str) -> None:
    """Forget a peer."""
    raise_counter(connection, "parties")
    if not connection.execute("DELETE FROM peers WHERE name = ?", (name,)).rowcount:
        raise NameUnknown(f"there is no peer {name!r}")


def peers(connection: sqlite3.Connection) -> list[Peer]:
    """Return all peers by name."""
    rows = connection.execute(f"SELECT {PEER} FROM peers ORDER BY name")
    return [replace(Peer(*told), notify=bool(notify)) for *told, notify in rows]


def put_collection(connection: sqlite3.Connection, collection: Collection) -> bool:
    """Keep a collection; return whether there was one of its name."""
    raise_counter(connection, "parties")
    known = connection.execute("SELECT 1 FROM collections WHERE name = ?", (collection.name,)).fetchone()
    row = (collection.name, collection_text(collection))
    connection.execute("INSERT OR REPLACE INTO collections VALUES (?, ?)", row)
    return known is not None


def remove_collection(connection: sqlite3.Connection, name: str) -> None:
    """Forget a collection."""
    raise_counter(connection, "parties")
    if not connection.execute("DELETE FROM collections WHERE name = ?", (name,)).rowcount:
        raise NameUnknown(f"there is no collection {name!r}")


def collections(connection: sqlite3.Connection) -> list[Collection]:
    """Return all collections by name."""
    rows = connection.execute("SELECT content FROM collections ORDER BY name")
    return [Collection.model_validate_json(content) for (content,) in rows]


def _insert_named(connection: sqlite3.Connection, table: str, into: str, row: tuple[Any, ...]) -> None:
    raise_counter(connection, "parties")
    try:
        connection.execute(f"INSERT INTO {into} VALUES ({', '.join('?' * len(row))})", row)
    except sqlite3.IntegrityError:
        raise NameTaken(f"the name {row[0]!r} is taken in {table}; {_FREEING[table]}") from None


def put_person(connection: sqlite3.Connection, person: Person) -> bool:
    """Keep a person; return whether there was one of that address."""
    raise_counter(connection, "parties")
    row = connection.execute("SELECT content FROM people WHERE email = ?", (person.email,)).fetchone()
    connection.execute("INSERT OR REPLACE INTO people VALUES (?, ?)", (person.email, person.to_text()))
    if row and may_otherwise(Person.parse(row[0]), person):
        end_sessions(connection, person.email)
    return row is not None


def change_person(connection: sqlite3.Connection, email: str, change: ChangePerson) -> Person | None:
    """Keep a changed person; return it."""
    row = connection.execute("SELECT content FROM people WHERE email = ?", (email,)).fetchone()
    if row is None:
        return None
    changed = change(Person.parse(row[0]))
    put_person(connection, changed)
    return changed


def put_choices(connection: sqlite3.Connection, subject: str, choices: Choices) -> None:
    """Keep what an address, or a case's owner, has chosen."""
    raise_counter(connection, "parties")
    connection.execute("INSERT OR REPLACE INTO choices VALUES (?, ?)", (subject, choices.to_text()))


class Parties(Running):
    """The part of a Store that keeps who may speak with a node, who works with it, and the collections."""

    async def put_person(self, person: Person) -> bool:
        """See Store."""
        return await self.write(lambda connection: put_person(connection, person))

    async def change_person(self, email: str, change: ChangePerson) -> Person | None:
        """See Store."""
        return await self.write(lambda connection: change_person(connection, email, change))

    async def people(self) -> list[Person]:
        """See Store."""
        sql = "SELECT content FROM people ORDER BY email"
        return await self.run(lambda c: [Person.parse(content) for (content,) in c.execute(sql)])

    async def put_choices(self, subject: str, choices: Choices) -> None:
        """See Store."""
        await self.write(lambda connection: put_choices(connection, subject, choices))

    async def choices(self) -> dict[str, Choices]:
        """See Store."""
        sql = "SELECT subject, content FROM choices ORDER BY subject"
        return await self.run(lambda c: {subject: Choices.parse(content) for subject, content in c.execute(sql)})

    async def add_client(self, client: Client) -> None:
        """See Store."""
        await self.write(lambda connection: add_client(connection, client))

    async def change_client(self, client: Client) -> None:
        """See Store."""
        await self.write(lambda connection: change_client(connection, client))

    async def revoke_client(self, name: str, now: float) -> None:
        """See Store."""
        await self.write(lambda connection: revoke_client(connection, name, now))

    async def clients(self) -> list[Client]:
        """See Store."""
        return await self.run(clients)

    async def add_peer(self, peer: Peer) -> None:
        """See Store."""
        await self.write(lambda connection: add_peer(connection, peer))

    async def remove_peer(self, name: str) -> None:
        """See Store."""
        await self.write(lambda connection: remove_peer(connection, name))

    async def peers(self) -> list[Peer]:
        """See Store."""
        return await self.run(peers)

    async def put_collection(self, collection: Collection) -> bool:
        """See Store."""
        return await self.write(lambda connection: put_collection(connection, collection))

    async def remove_collection(self, name: str) -> None:
        """See Store."""
        await self.write(lambda connection: remove_collection(connection, name))

    async def collections(self) -> list[Collection]:
        """See Store."""
        return await self.run(collections)
