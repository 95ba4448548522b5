"""Matches are found without being asked: by work that a deposit queues, at peers within what was agreed, again later."""

import asyncio
from typing import Any

from matchmaker.records.inquiry import Inquiry
from matchmaker.records.party import Role
from matchmaker.records.work import Work
from tests.clock import DAY, Clock
from tests.conftest import RunningNode, StartNode
from tests.eventually import eventually
from tests.peers.misbehaving import answer, fake_peer, http, result, says
from tests.samples import patient_json
from tests.web.test_matches_api import FEATURES, ask, call, inbox, put


async def queued(node: RunningNode, kind: str) -> list[Work]:
    return [one for one in await node.read(lambda store: store.queued()) if one.kind == kind]


async def inquiries(node: RunningNode, public_id: str) -> dict[str, Inquiry]:
    return {one.node: one for one in await node.read(lambda store: store.inquiries_of(public_id))}


async def until(node: RunningNode, public_id: str, name: str, status: str) -> Inquiry:
    async def reached() -> Inquiry | None:
        found = (await inquiries(node, public_id)).get(name)
        return found if found and found.status == status else None

    return await eventually(reached)


async def test_a_deposit_is_searched_with_here_and_at_every_peer_without_being_asked(start_node: StartNode) -> None:
    clock = Clock()
    async with (
        start_node(world=clock.world, searches__on_deposit=True) as node,
        fake_peer(says(answer(result(0.9)))) as spain,
    ):
        await node.add_peer("spain", spain.url)
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        cork = await node.add_client("cork", Role.DEPOSITOR)
        await put(node, cork, "other")
        view = await put(node, owner, "martin")
        await until(node, view["publicId"], "spain", "answered")

        async def found() -> bool:
            return {one["node"] for one in await inbox(node, owner)} == {"ireland", "spain"}

        await eventually(found)
        assert [one["node"] for one in await inbox(node, cork) if one["directions"] == ["both cases are here"]]
        asked = len(spain.questions)
        assert asked == 2, "one for each case"
        searches = await queued(node, "search")
        assert len(searches) == 2
        assert all(6 * DAY < one.due - clock.now < 8 * DAY for one in searches), "again in about a week"
        assert len({one.due for one in searches}) == 2, "spread out"
        clock.now += 3 * DAY
        await asyncio.sleep(0.5)
        assert len(spain.questions) == asked, "not before"
        clock.now += 5.5 * DAY

        async def again() -> bool:
            clock.now += 600  # the week's questions are spread over hours
            # More, where a clock that runs so fast lets the lease of a question end that is under way.
            return len(spain.questions) >= 4

        await eventually(again)
        assert len(await inbox(node, owner)) == 2, "seen again unchanged is no news"


async def test_a_change_is_searched_with_again_at_once(start_node: StartNode) -> None:
    async with start_node(searches__on_deposit=True) as node, fake_peer(says(answer())) as spain:
        await node.add_peer("spain", spain.url)
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        view = await put(node, owner, "martin")
        await until(node, view["publicId"], "spain", "answered")
        await put(node, owner, "martin", features=FEATURES[:2])

        async def again() -> bool:
            return len(spain.questions) == 2

        await eventually(again)


async def test_who_may_not_be_asked_is_not_and_why_is_shown(start_node: StartNode) -> None:
    async with start_node(searches__on_deposit=True) as node, fake_peer(says(answer())) as spain:
        await node.add_peer("spain", spain.url)
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        view = await put(node, owner, "martin", sharing={"with": "country"})
        left = await until(node, view["publicId"], "spain", "not asked")
        assert left.reason == "the case is shared with its own country only"
        assert spain.questions == []


async def test_a_peer_that_fails_is_asked_again_later_and_is_never_taken_for_no_match(start_node: StartNode) -> None:
    clock = Clock()
    async with (
        start_node(world=clock.world, searches__on_deposit=True) as node,
        fake_peer(says(http("500 Internal Server Error"))) as spain,
    ):
        await node.add_peer("spain", spain.url)
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        view = await put(node, owner, "martin")
        failures = []
        for number in (1, 2, 3):

            async def failed(number: int = number) -> Any:
                one = (await inquiries(node, view["publicId"])).get("spain")
                return one if one and one.failures == number else None

            failures.append(await eventually(failed))
            assert len(spain.questions) == number

            async def given_back() -> Any:
                return [one for one in await queued(node, "ask") if one.holder is None and one.due > clock.now]

            (piece,) = await eventually(given_back)
            clock.now = piece.due + 1
        assert [one.status for one in failures] == ["error"] * 3

        async def rests() -> Any:
            _, told = await call(node, "GET", "/api/cases/martin/nodes", owner)
            return [one for one in told["nodes"] if one["node"] == "spain" and one["failures"] >= 3]

        (shown,) = await eventually(rests)
        assert "answeredAt" not in shown
        health = (await node.read(lambda store: store.healths()))["spain"]
        assert health.failures >= 3
        assert health.open_until is not None
        _, searched = await call(node, "POST", "/api/cases/martin/search", owner)
        report = next(one for one in searched["nodes"] if one["node"] == "spain")
        assert report["status"] in {"not asked", "error"}
        _, named = await call(node, "POST", "/api/cases/martin/search", owner, {"nodes": ["spain"]})
        report = next(one for one in named["nodes"] if one["node"] == "spain")
        assert report["status"] == "error", "who is named is asked"


async def test_while_a_breaker_is_open_a_search_says_so(node: RunningNode) -> None:
    async with fake_peer(says(http("500 Internal Server Error"))) as spain:
        await node.add_peer("spain", spain.url)
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await put(node, owner, "martin")
        statuses = []
        for _ in range(5):
            _, found = await call(node, "POST", "/api/cases/martin/search", owner)
            (report,) = (one for one in found["nodes"] if one["node"] == "spain")
            statuses.append(report["status"])
    assert statuses == ["error", "error", "error", "not asked", "not asked"]
    assert "its breaker is open: it has failed 3 times" in report["reason"]
    assert len(spain.questions) == 3


async def test_a_peer_is_asked_about_no_more_cases_a_month_than_agreed(start_node: StartNode) -> None:
    clock = Clock()
    async with (
        start_node(world=clock.world, searches__on_deposit=True) as node,
        fake_peer(says(answer())) as spain,
    ):
        await node.add_peer("spain", spain.url, per_month=2)
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        views = []
        for n in range(3):
            views.append(await put(node, owner, f"case{n}"))
            status = "answered" if n < 2 else "waiting"
            await until(node, views[-1]["publicId"], "spain", status)
        assert len(spain.questions) == 2
        waits = (await inquiries(node, views[2]["publicId"]))["spain"]
        assert waits.reason
        assert "as agreed" in waits.reason
        clock.now += 31 * DAY
        await until(node, views[2]["publicId"], "spain", "answered")


async def test_a_withdrawn_case_is_asked_about_no_more(start_node: StartNode) -> None:
    clock = Clock()
    async with (
        start_node(world=clock.world, searches__on_deposit=True) as node,
        fake_peer(says(answer())) as spain,
    ):
        await node.add_peer("spain", spain.url)
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        view = await put(node, owner, "martin")
        await until(node, view["publicId"], "spain", "answered")
        assert (await call(node, "DELETE", "/api/cases/martin", owner))[0] == 204
        clock.now += 30 * DAY
        await asyncio.sleep(0.5)
        assert len(spain.questions) == 1
        assert await queued(node, "search") == []
        assert await inquiries(node, view["publicId"]) == {}


async def test_a_search_never_records_a_test_as_news_to_anybody(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    owner = await node.add_client("dublin", Role.DEPOSITOR, contact="mailbox@dublin.example")
    await put(node, owner, "martin", test=True)
    await ask(node, spain, patient_json("hijo", features=FEATURES, test=True))
    (match,) = await inbox(node, owner)
    assert (match["test"], match["quiet"]) == (True, "one of the patients is a test")
    assert await node.read(lambda store: store.alerts_of([match["id"]])) == []
