"""The figures of alerts and searches, scaled down; whole in `make soak`."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from matchmaker.matching.profile import Knowledge
from matchmaker.records.party import Role
from tests.conftest import RunningNode, StartNode
from tests.eventually import eventually
from tests.federation.test_two_nodes import introduce
from tests.soak.delivering import deliver
from tests.soak.flooding import flood
from tests.soak.many_peers import VICES, search_among
from tests.web.test_matches_api import inbox, put

NAMES = ("ireland", "spain", "france", "germany", "italy")


async def test_no_alert_is_lost_and_none_repeated_in_vain_though_node_and_mail_server_fail(tmp_path: Path) -> None:
    got = await deliver(tmp_path, 120, 2, 1, 2.0)
    assert (got.matches, got.alerts, got.lost, got.twice, got.other_ids) == (120, 120, 0, 0, 0)
    assert got.repeated <= 4, "two kills, two mails under way at each, and a dropped answer now and then"
    assert got.told == []


async def test_a_flood_is_one_digest_an_hour(tmp_path: Path, real_knowledge: Knowledge) -> None:
    made = await flood(tmp_path, 400, real_knowledge)
    assert (made.most_an_hour, made.told) == (1, made.matches)


async def test_a_search_among_peers_of_every_vice_ends_in_time_with_every_true_status(
    tmp_path: Path, real_knowledge: Knowledge
) -> None:
    searched = await search_among(tmp_path, len(VICES), 3, 2.0, real_knowledge)
    assert (searched.wrong, searched.answered, searched.tasks_left) == ([], 3, 0)
    assert searched.grown_mib < 64


@contextlib.asynccontextmanager
async def five(start_node: StartNode, pairs: list[tuple[int, int]]) -> AsyncIterator[list[RunningNode]]:
    """Run five nodes with alerts on, of which some ask others."""
    async with contextlib.AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(start_node(name, "IE", searches__on_deposit=True)) for name in NAMES]
        for asking, asked in pairs:
            await introduce(nodes[asking], nodes[asked], "IE")
        yield nodes


async def questions(nodes: list[RunningNode]) -> int:
    """How many questions all nodes have been asked."""
    return sum([(await node.read(lambda store: store.ledger_totals())).requests for node in nodes])


MESH = [(asking, asked) for asking in range(5) for asked in range(5) if asking != asked]
RING = [*((0, asked) for asked in range(1, 5)), *((asking, (asking + 1) % 5) for asking in range(1, 5))]


@pytest.mark.parametrize("pairs", [MESH, RING], ids=["mesh", "ring"])
async def test_one_search_makes_exactly_four_questions(start_node: StartNode, pairs: list[tuple[int, int]]) -> None:
    """In a mesh, and in a ring around which a question could be passed on for ever; every node holds a case like it."""
    async with five(start_node, pairs) as nodes:
        for name, node in zip(NAMES[1:], nodes[1:], strict=True):
            owner = await node.add_client(f"hospital-{name}", Role.DEPOSITOR)
            await put(node, owner, "other")

        async def at_rest() -> bool:
            work = [one for node in nodes for one in await node.read(lambda store: store.queued())]
            return not [one for one in work if one.kind == "ask" or (one.kind == "search" and one.due < time.time())]

        await eventually(at_rest)
        before = await questions(nodes)
        dublin = await nodes[0].add_client("dublin", Role.DEPOSITOR)
        await put(nodes[0], dublin, "martin")

        async def four() -> bool:
            return await questions(nodes) - before >= 4

        await eventually(four)
        await asyncio.sleep(1.0)
        assert await questions(nodes) - before == 4
        assert await at_rest()
        assert {one["node"] for one in await inbox(nodes[0], dublin)} == set(NAMES[1:])
