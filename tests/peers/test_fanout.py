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


async def test_a_peer_that_hangs_keeps_nobody_from_the_others_and_what_was_not_asked_is_said_so() -> None:
    async def ask(peer: Peer) -> PeerAnswer | PeerFailure:
        if peer.name == "a":
            await asyncio.sleep(60)
        return PeerAnswer(())

    one = fanout(0.3, 2)
    rounds = await asyncio.gather(*(one.ask_all(PEERS[:2], ask) for _ in range(5)))
    hanging = [asked[0].outcome for asked in rounds]
    statuses = sorted(outcome.status for outcome in hanging if isinstance(outcome, PeerFailure))
    assert statuses == [Status.NOT_ASKED] * 3 + [Status.TIMEOUT] * 2
    assert all(isinstance(asked[1].outcome, PeerAnswer) and asked[1].elapsed_ms < 300 for asked in rounds)


async def test_a_bug_is_not_taken_for_a_peers_failure() -> None:
    async def ask(_peer: Peer) -> PeerAnswer | PeerFailure:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup):
        await fanout(1, 3).ask_all(PEERS, ask)
