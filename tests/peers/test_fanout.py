"""All peers at once, one deadline; no outcome loses another."""

import asyncio

import pytest

from matchmaker.peers.fanout import Fanout
from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.records.party import Peer

PEERS = [Peer(name, "https://x", "ES", "f") for name in ("a", "b", "c", "d")]


def fanout(deadline: float, places: int) -> Fanout:
    return Fanout(deadline, places, asyncio.get_running_loop().time)


async def test_a_peer_that_hangs_costs_the_deadline_once_and_loses_nobody() -> None:
    async def ask(peer: Peer) -> PeerAnswer | PeerFailure:
        if peer.name in "bd":
            await asyncio.sleep(60)
        return PeerAnswer(())

    asked = await fanout(0.2, 10).ask_all(PEERS, ask)
    assert [one.peer.name for one in asked] == ["a", "b", "c", "d"]
    assert [isinstance(one.outcome, PeerAnswer) for one in asked] == [True, False, True, False]
    late = asked[1].outcome
    assert isinstance(late, PeerFailure)
    assert late.status is Status.TIMEOUT
    assert asked[1].elapsed_ms >= 200


async def test_no_more_than_the_allowed_number_is_under_way_to_one_peer_at_once() -> None:
    under_way, most = 0, 0

    async def ask(_peer: Peer) -> PeerAnswer | PeerFailure:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.01)
        under_way -= 1
        return PeerAnswer(())

    one = fanout(5, 3)
    await asyncio.gather(*(one.ask_all(PEERS[:1], ask) for _ in range(9)))
    assert most == 3


async def test_a_peer_whose_places_are_taken_is_said_not_to_be_asked_and_keeps_nobody_from_the_others() -> None:
    asked_names = []

    async def ask(peer: Peer) -> PeerAnswer | PeerFailure:
        asked_names.append(peer.name)
        return PeerAnswer(())

    one = fanout(0.3, 1)
    async with one._places["a"]:  # noqa: SLF001 - a question that hangs
        asked = await one.ask_all(PEERS, ask)
    first = asked[0].outcome
    assert isinstance(first, PeerFailure)
    assert first.status is Status.NOT_ASKED
    assert all(isinstance(other.outcome, PeerAnswer) for other in asked[1:])
    assert asked_names == ["b", "c", "d"]


async def test_a_bug_is_not_taken_for_a_peers_failure() -> None:
    async def ask(_peer: Peer) -> PeerAnswer | PeerFailure:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await fanout(1, 3).ask_all(PEERS, ask)
