"""A running node notices what others write into its store."""

import asyncio
from pathlib import Path

import pytest

from matchmaker.exchange.assembly import open_store
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.party import Client, Peer, Role, token_digest
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.store.base import Draft, Store
from matchmaker.store.sqlite.connecting import FILE_NAME
from tests.conftest import RunningNode, StartNode
from tests.samples import answered, patient_json

NOTICED_SECONDS = 2.0  # promised; waiting longer than that is the failure, not slowness of the test


async def heartbeat(node: RunningNode) -> int:
    async with node.session.get(f"{node.url}/heartbeat", headers={"X-Auth-Token": "their-token"}) as response:
        return response.status


async def noticed(node: RunningNode, status: int) -> bool:
    async with asyncio.timeout(NOTICED_SECONDS):
        while await heartbeat(node) != status:
            await asyncio.sleep(0.05)
    return True


async def beside(node: RunningNode) -> Store:
    """The store, opened once more, as the command line does beside a running node."""
    return await open_store(node.config)


async def test_a_new_client_is_let_in_and_a_revoked_one_locked_out(node: RunningNode) -> None:
    store = await beside(node)
    assert await heartbeat(node) == 401
    await store.add_client(Client("spain", Role.NODE, token_digest("their-token")))
    assert await noticed(node, 200)
    await store.revoke_client("spain", 1.0)
    assert await noticed(node, 401)
    await store.close()


async def test_a_new_peer_and_a_loaded_case_take_part_in_the_next_search(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    body = {"patient": patient_json("p1"), "sharing": {"with": "all"}}
    async with node.session.put(f"{node.url}/api/cases/p1", json=body, headers=owner) as response:
        assert response.status == 201
    store = await beside(node)
    await store.add_peer(Peer("spain", "http://127.0.0.1:1", "ES", "nowhere"))
    draft = Draft("local", "x", "public-x", Sharing(Circle.ALL), validate(Patient, patient_json("x")))
    await store.deposit([draft], 1.0)
    await store.close()
    async with asyncio.timeout(NOTICED_SECONDS):
        while True:
            async with node.session.post(f"{node.url}/api/cases/p1/search", headers=owner) as response:
                answer = await response.json()
            if len(answer["nodes"]) == 2 and answer["results"]:
                return
            await asyncio.sleep(0.05)


async def test_a_client_revoked_while_changes_are_taken_in_is_locked_out_at_the_next_look(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await beside(node)
    await store.add_client(Client("spain", Role.NODE, token_digest("their-token")))
    assert await noticed(node, 200)
    following = node.exchange._following  # noqa: SLF001 - where the change comes between
    read = following._read_directory  # noqa: SLF001 - as above

    async def read_then_revoke() -> None:
        await read()
        monkeypatch.undo()
        await store.revoke_client("spain", 1.0)

    monkeypatch.setattr(following, "_read_directory", read_then_revoke)
    await store.add_client(Client("france", Role.NODE, token_digest("another")))
    await following.catch_up()
    await following.catch_up()
    assert await heartbeat(node) == 401
    await store.close()


async def test_a_store_older_than_the_snapshot_is_followed_from_its_own_revision(
    start_node: StartNode, tmp_path: Path
) -> None:
    data = tmp_path / "ireland"
    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        body = {"patient": patient_json("p1"), "sharing": {"with": "all"}}
        async with node.session.put(f"{node.url}/api/cases/p1", json=body, headers=owner) as response:
            assert response.status == 201
    backup = (data / FILE_NAME).read_bytes()
    async with start_node() as node:
        for _ in range(5):  # the ledger counts revisions, too
            async with node.session.post(f"{node.url}/api/cases/p1/search", headers=owner) as response:
                assert response.status == 200
        store = await beside(node)
        for number in range(5):
            await store.settle(answered("spain", number, (), 1.0))
        await store.close()
        await node.exchange._following.catch_up()  # noqa: SLF001 - what the background loop does
        node.exchange._following._unsaved = 5_000  # noqa: SLF001 - so that it is saved
    (data / FILE_NAME).write_bytes(backup)
    async with start_node() as node:
        store = await beside(node)
        draft = Draft("local", "x", "public-x", Sharing(Circle.ALL), validate(Patient, patient_json("x")))
        await store.deposit([draft], 1.0)
        await store.close()
        await node.exchange._following.catch_up()  # noqa: SLF001 - as above
        async with node.session.post(f"{node.url}/api/cases/p1/search", headers=owner) as response:
            assert len((await response.json())["results"]) == 1
