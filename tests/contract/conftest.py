"""Every store that there is: SQLite; MongoDB through motor, and through the client that will take motor's place."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from pymongo import AsyncMongoClient

from matchmaker.store import mongo
from matchmaker.store.base import Store
from matchmaker.store.sqlite.adapter import open_sqlite
from tests.mongod import drop, empty

OpenStore = Callable[[], Awaitable[Store]]
CLIENTS = {"motor": mongo.make_client, "pymongo": lambda uri: AsyncMongoClient(uri, **mongo.settings_for(uri))}


@pytest.fixture(scope="session")
def contract_database(mongodb: str) -> Iterator[str]:
    """One database for all tests, emptied after each: making one takes longer than what most tests do."""
    uri = mongodb.format(f"contract_{secrets.token_hex(8)}")
    yield uri
    drop(uri)


@pytest.fixture(params=["sqlite", "motor", "pymongo"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenStore]:
    """Open the same store as often as one likes."""
    if request.param == "sqlite":

        async def opened() -> Store:
            return open_sqlite(tmp_path / "data")

        yield opened
    else:
        uri = request.getfixturevalue("contract_database")

        async def opened() -> Store:
            return await mongo.open_mongo(uri, client=CLIENTS[request.param])

        yield opened
        empty(uri)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[Store]:
    opened = await open_store()
    yield opened
    await opened.close()
