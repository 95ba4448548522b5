"""A running node notices what others write into its store."""

import asyncio

from matchmaker.exchange.assembly import open_store
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.case import Sharing
from matchmaker.records.party import Client, Peer, Role, token_digest
from matchmaker.store.base import Draft, Store
from tests.conftest import RunningNode
from tests.samples import patient_json

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
    return open_store(node.config)


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
    draft = Draft("local", "x", "public-x", Sharing.ALL, validate(Patient, patient_json("x")))
    await store.deposit([draft], 1.0)
    await store.close()
    async with asyncio.timeout(NOTICED_SECONDS):
        while True:
            async with node.session.post(f"{node.url}/api/cases/p1/search", headers=owner) as response:
                answer = await response.json()
            if len(answer["nodes"]) == 2 and answer["results"]:
                return
            await asyncio.sleep(0.05)
