"""The store for many machines: MongoDB, a replica set. The one importer of motor.

Motor is near its end: all of mongodb/ keeps to what its client shares with pymongo's AsyncMongoClient, whose types it
is written in. The day motor ends, `make_client` returns the other one, and `settled` goes. The contract suite runs on
both.

Whatever belongs together is written in one transaction, with majority and journal. Every value in a filter is a string
or a number by its type; a patient is kept as text.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from motor.motor_asyncio import AsyncIOMotorClient
from pymongo.errors import ConfigurationError, InvalidURI

from matchmaker.store.base import StoreBusy, StoreUnusable
from matchmaker.store.mongodb.accounts import Accounts
from matchmaker.store.mongodb.database import MongoClient
from matchmaker.store.mongodb.errors import speaking
from matchmaker.store.mongodb.mails import Mails
from matchmaker.store.mongodb.parties import Parties
from matchmaker.store.mongodb.whole import Whole

DATABASE = "matchmaker"
# Longer than a replica set takes to choose a primary: ten seconds until it is missed, and one for the election.
_SELECTION_MS, _CONNECT_MS, _SOCKET_MS = 14_000, 5_000, 60_000
_TIMEOUTS = {
    "serverSelectionTimeoutMS": _SELECTION_MS,
    "connectTimeoutMS": _CONNECT_MS,
    "socketTimeoutMS": _SOCKET_MS,
}
_DURABLE = {
    "w": "majority",
    "journal": True,
    "readConcernLevel": "majority",
    "readPreference": "primary",
    "retryWrites": True,
}


class MongoStore(Accounts, Mails, Parties, Whole):
    """A Store in one database of a replica set. Open it with `open_mongo`."""


def settings_for(uri: str) -> dict[str, Any]:
    """Return the options of a client: times may be others in a connection string, what makes writes durable may not."""
    stated = uri.partition("?")[2].lower()
    times = {name: value for name, value in _TIMEOUTS.items() if f"{name.lower()}=" not in stated}
    return {"appname": "matchmaker", **times, **_DURABLE}


def make_client(uri: str) -> MongoClient:
    """Return a client for a connection string. The one place where it is said which kind of client."""
    return cast(MongoClient, AsyncIOMotorClient(uri, **settings_for(uri)))


async def open_mongo(
    uri: str, *, to_fill: bool = False, client: Callable[[str], MongoClient] = make_client
) -> MongoStore:
    """Open the store of a connection string's database, made empty where there is none.

    `to_fill`: also one whose filling was broken off. Errors: StoreUnusable, StoreBusy.
    """
    with speaking():
        try:
            connected = client(uri)
            name = connected.get_default_database(DATABASE).name
        except (InvalidURI, ConfigurationError, ValueError) as error:
            # Without the error's own words, which may hold the password.
            raise StoreUnusable(
                f"the connection string of MongoDB cannot be read ({type(error).__name__}): expected"
                " mongodb://USER:PASSWORD@HOST,HOST/DATABASE?replicaSet=NAME, with %40 for @ in a password"
            ) from None
    store = MongoStore(connected, name, asyncio.get_running_loop())
    try:
        await store.prepare(to_fill=to_fill)
    except StoreBusy as error:
        await store.close()
        asked = "is mongod running there, was rs.initiate() run once, and is replicaSet= the set's name?"
        raise StoreBusy(f"{error}: {asked}") from None
    except BaseException:
        await store.close()
        raise
    return store
