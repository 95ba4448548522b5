"""Deposits and searches of a node's own users."""

import asyncio
import json
import logging
from typing import Any
from urllib.parse import quote

import pytest

from matchmaker.peers.client import PeerClient
from matchmaker.policy.names import name_for
from matchmaker.records.party import Role
from matchmaker.store.base import StoreBusy
from tests.conftest import RunningNode, StartNode
from tests.peers.misbehaving import answer as peer_answer
from tests.peers.misbehaving import drips, fake_peers, hangs, http, result, says
from tests.samples import patient_json

JSON = {"Content-Type": "application/json"}


async def call(node: RunningNode, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    async with node.session.request(method, node.url + path, data=data, headers={**JSON, **headers}) as response:
        content = await response.read()
        return response.status, json.loads(content) if content else None


def body(case_id: str = "p1", sharing: str = "all", **changes: Any) -> dict[str, Any]:
    return {"patient": patient_json(case_id, **changes), "sharing": {"with": sharing}}


@pytest.fixture
async def owner(node: RunningNode) -> dict[str, str]:
    return await node.add_client("dublin", Role.DEPOSITOR)


async def test_a_case_lives_from_deposit_to_withdrawal(node: RunningNode, owner: dict[str, str]) -> None:
    status, new = await call(node, "PUT", "/api/cases/p1", owner, body())
    assert (status, new["id"], new["sharing"]) == (
        201,
        "p1",
        {"with": "all", "level": "standard", "contact": "institution"},
    )
    assert new["publicId"] not in {"", "p1"}
    status, same = await call(node, "PUT", "/api/cases/p1", owner, body())
    assert (status, same) == (200, new), "the same content again changes nothing"
    status, changed = await call(node, "PUT", "/api/cases/p1", owner, body(sharing="none"))
    assert (status, changed["publicId"]) == (200, new["publicId"])
    assert changed["revision"] > new["revision"]
    status, read = await call(node, "GET", "/api/cases/p1", owner)
    assert (status, read["patient"]["id"], read["sharing"]) == (
        200,
        "p1",
        {"with": "none", "level": "standard", "contact": "institution"},
    )
    assert (await call(node, "DELETE", "/api/cases/p1", owner))[0] == 204
    assert (await call(node, "GET", "/api/cases/p1", owner))[0] == 404
    assert (await call(node, "DELETE", "/api/cases/p1", owner))[0] == 404
    assert (await call(node, "PUT", "/api/cases/p1", owner, body()))[0] == 410


async def test_anothers_case_answers_exactly_as_a_missing_one(node: RunningNode, owner: dict[str, str]) -> None:
    other = await node.add_client("cork", Role.DEPOSITOR)
    await call(node, "PUT", "/api/cases/p1", owner, body())
    for method, path in (("GET", "/api/cases/{}"), ("DELETE", "/api/cases/{}"), ("POST", "/api/cases/{}/search")):
        there = await call(node, method, path.format("p1"), other)
        missing = await call(node, method, path.format("p2"), other)
        assert there[0] == missing[0] == 404
        assert json.dumps(there).replace("p1", "p2") == json.dumps(missing)
    assert (await call(node, "GET", "/api/cases", other))[1] == {"cases": []}
    assert (await call(node, "PUT", "/api/cases/p1", other, body()))[0] == 201, "ids are each owner's own"
    assert (await call(node, "DELETE", "/api/cases/p1", other))[0] == 204
    assert (await call(node, "GET", "/api/cases/p1", owner))[0] == 200


@pytest.mark.parametrize("case_id", ["a/b", "ü ñ", "a?b#c", "%2F", "x" * 255, "with space"])
async def test_any_id_of_the_standard_is_a_path(node: RunningNode, owner: dict[str, str], case_id: str) -> None:
    path = f"/api/cases/{quote(case_id, safe='')}"
    assert (await call(node, "PUT", path, owner, body(case_id)))[0] == 201
    assert (await call(node, "GET", path, owner))[1]["id"] == case_id


@pytest.mark.parametrize(
    ("sent", "status", "path"),
    [
        (body("other"), 422, "patient.id"),
        ({"patient": patient_json("p1")}, 422, "sharing"),
        (body(sharing="world"), 422, "sharing.with"),
        ({**body(), "sharing": "all"}, 422, "sharing"),
        ({**body(), "sharing": {"with": {"$gt": ""}}}, 422, "sharing.with"),
        (body(features=[{"id": "x"}]), 422, "patient.features[0].id"),
        ({}, 422, "patient"),
        (b"{", 400, ""),
    ],
)
async def test_a_bad_deposit_is_named_by_its_path_and_nothing_is_stored(
    node: RunningNode, owner: dict[str, str], sent: Any, status: int, path: str
) -> None:
    found, answer = await call(node, "PUT", "/api/cases/p1", owner, sent)
    assert (found, answer["errors"][0]["path"]) == (status, path)
    assert (await call(node, "GET", "/api/cases", owner))[1] == {"cases": []}


async def test_without_a_depositors_token_there_is_nothing(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    for headers in ({}, spain, {"X-Auth-Token": "x"}):
        assert (await call(node, "PUT", "/api/cases/p1", headers, body()))[0] == 401
        assert (await call(node, "GET", "/api/cases", headers))[0] == 401


async def test_cases_are_listed_a_page_at_a_time(node: RunningNode, owner: dict[str, str]) -> None:
    for number in range(5):
        await call(node, "PUT", f"/api/cases/p{number}", owner, body(f"p{number}"))
    _, first = await call(node, "GET", "/api/cases?limit=3", owner)
    _, rest = await call(node, "GET", f"/api/cases?limit=3&after={first['next']}", owner)
    assert [case["id"] for case in first["cases"] + rest["cases"]] == ["p0", "p1", "p2", "p3", "p4"]
    assert "next" not in rest
    for bad in ("0", "-1", "x", "1001", "١"):
        assert (await call(node, "GET", f"/api/cases?limit={bad}", owner))[0] == 422


async def test_what_takes_no_part_in_a_score_is_noted(node: RunningNode, owner: dict[str, str]) -> None:
    _, view = await call(node, "PUT", "/api/cases/p1", owner, body(features=[{"id": "HP:9999999"}]))
    assert view["notes"] == ["HP:9999999 is no term of HPO 2025-05-06; left out of the score"]
    assert (await call(node, "GET", "/api/cases/p1", owner))[1]["patient"]["features"][0]["id"] == "HP:9999999"


async def test_a_node_without_a_country_says_that_it_shares_with_none(start_node: StartNode) -> None:
    async with start_node(country=None) as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        _, view = await call(node, "PUT", "/api/cases/p1", owner, body(sharing="country"))
    assert "no country" in view["notes"][0]


async def test_a_search_asks_every_node_and_shows_how_each_answered(
    start_node: StartNode,
) -> None:
    vices = {
        "answers": says(peer_answer(result(0.999, id="b"), result(0.3, id="a"), "rubbish", disclaimer="Careful.")),
        "breaks": says(http("503 X")),
        "hangs": hangs,
        "drips": drips,
        "refuses": says(http("401 X")),
        "rubbish": says(b"rubbish"),
    }
    async with start_node(peers__deadline_seconds=2) as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await call(node, "PUT", "/api/cases/p1", owner, body())
        await call(node, "PUT", "/api/cases/p2", owner, body("p2"))
        async with fake_peers(vices) as fakes:
            for name, fake in fakes.items():
                await node.add_peer(name, fake.url)
            await node.add_peer("gone", "http://127.0.0.1:1")
            started = asyncio.get_running_loop().time()
            status, found = await call(node, "POST", "/api/cases/p1/search", owner, {})
            elapsed = asyncio.get_running_loop().time() - started
            assert status == 200
            statuses = {report["node"]: report["status"] for report in found["nodes"]}
            assert statuses == {
                "ireland": "answered", "answers": "answered", "breaks": "error", "hangs": "timeout", "drips": "timeout",
                "refuses": "refused", "rubbish": "invalid", "gone": "unreachable",
            }  # fmt: skip
            assert all(isinstance(report["elapsed_ms"], int) for report in found["nodes"])
            assert elapsed < 4, "two peers hang for two seconds each: at once, not one after the other"
            assert all(len(fake.questions) == 1 for fake in fakes.values()), "at most one question each"
    reports = {report["node"]: report for report in found["nodes"]}
    assert reports["answers"]["results"] == 2
    assert reports["answers"]["disclaimer"] == "Careful."
    assert "1 of its results" in reports["answers"]["reason"]
    assert [(r["node"], r["patient"]["id"]) for r in found["results"]] == [
        ("answers", "b"), ("ireland", "p2"), ("answers", "a"),
    ]  # fmt: skip
    sent = json.loads(fakes["answers"].questions[0].partition(b"\r\n\r\n")[2])["patient"]
    assert sent["id"] != "p1"
    assert sent["genomicFeatures"][0]["gene"] == {"id": "ENSG00000103507", "_geneName": "BCKDK"}


async def test_a_bug_while_peers_are_asked_is_logged_where_it_happened(
    node: RunningNode, owner: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    await call(node, "PUT", "/api/cases/p1", owner, body())
    await node.add_peer("spain", "http://127.0.0.1:1")
    monkeypatch.setattr(PeerClient, "ask", broken)
    assert (await call(node, "POST", "/api/cases/p1/search", owner))[0] == 500
    assert "ZeroDivisionError in POST /api/cases/{id}/search" in caplog.text
    assert "broken" in caplog.text


async def test_a_store_that_is_busy_is_told_as_busy(
    node: RunningNode, owner: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise StoreBusy("held")

    monkeypatch.setattr(node.exchange, "deposit", busy)
    assert (await call(node, "PUT", "/api/cases/p1", owner, body()))[0] == 503


@pytest.mark.parametrize(
    ("sharing", "asked"), [("all", {"spain", "galway"}), ("country", {"galway"}), ("none", set())]
)  # fmt: skip
async def test_a_case_is_sent_only_to_whom_it_is_shared_with(
    node: RunningNode, owner: dict[str, str], sharing: str, asked: set[str]
) -> None:
    await call(node, "PUT", "/api/cases/p1", owner, body(sharing=sharing))
    async with fake_peers({"spain": says(peer_answer()), "galway": says(peer_answer())}) as fakes:
        await node.add_peer("spain", fakes["spain"].url, "ES")
        await node.add_peer("galway", fakes["galway"].url, "IE")
        _, found = await call(node, "POST", "/api/cases/p1/search", owner)
        assert {name for name, fake in fakes.items() if fake.questions} == asked
    not_asked = {report["node"] for report in found["nodes"] if report["status"] == "not asked"}
    assert not_asked == {"spain", "galway"} - asked


async def test_a_peers_echo_of_the_case_and_repeats_are_left_out_and_counted(
    node: RunningNode, owner: dict[str, str]
) -> None:
    _, view = await call(node, "PUT", "/api/cases/p1", owner, body())
    echo, twice = result(1.0, id=name_for("spain", view["publicId"])), result(0.9, id="a")
    async with fake_peers({"spain": says(peer_answer(echo, twice, twice, result(0.2, id="b")))}) as fakes:
        await node.add_peer("spain", fakes["spain"].url)
        _, found = await call(node, "POST", "/api/cases/p1/search", owner)
    assert [(r["patient"]["id"], r["score"]["patient"]) for r in found["results"]] == [("a", 0.9), ("b", 0.2)]
    report = next(report for report in found["nodes"] if report["node"] == "spain")
    assert report["results"] == 2
    assert report["reason"].startswith("2 of its results are left out")


async def test_only_the_nodes_named_are_asked(node: RunningNode, owner: dict[str, str]) -> None:
    await call(node, "PUT", "/api/cases/p1", owner, body())
    async with fake_peers({"spain": says(peer_answer()), "france": says(peer_answer())}) as fakes:
        for name, fake in fakes.items():
            await node.add_peer(name, fake.url)
        _, found = await call(node, "POST", "/api/cases/p1/search", owner, {"nodes": ["spain"]})
        assert {r["node"]: r["status"] for r in found["nodes"]} == {
            "ireland": "not asked", "france": "not asked", "spain": "answered",
        }  # fmt: skip
        assert not fakes["france"].questions
        status, answer = await call(node, "POST", "/api/cases/p1/search", owner, {"nodes": ["spain", "atlantis"]})
        assert (status, answer["errors"][0]["path"]) == (422, "nodes[1]")
        rubbish: list[Any] = [{"nodes": "spain"}, {"nodes": [{"$gt": ""}]}, []]
        for bad in rubbish:
            assert (await call(node, "POST", "/api/cases/p1/search", owner, bad))[0] == 422


async def test_a_case_never_matches_itself_and_others_of_its_owner_keep_their_ids(
    node: RunningNode, owner: dict[str, str]
) -> None:
    other = await node.add_client("cork", Role.DEPOSITOR)
    for case_id in ("p1", "p2"):
        await call(node, "PUT", f"/api/cases/{case_id}", owner, body(case_id))
    await call(node, "PUT", "/api/cases/p1", other, body("p1"))
    _, found = await call(node, "POST", "/api/cases/p1/search", owner)
    ids = [result["patient"]["id"] for result in found["results"]]
    assert len(ids) == 2
    assert "p2" in ids
    assert "p1" not in ids


async def test_a_withdrawn_case_is_found_no_more(node: RunningNode, owner: dict[str, str]) -> None:
    for case_id in ("p1", "p2"):
        await call(node, "PUT", f"/api/cases/{case_id}", owner, body(case_id))
    await call(node, "DELETE", "/api/cases/p2", owner)
    assert (await call(node, "POST", "/api/cases/p1/search", owner))[1]["results"] == []


async def test_many_deposits_and_searches_at_once_lose_nothing(node: RunningNode, owner: dict[str, str]) -> None:
    await call(node, "PUT", "/api/cases/q", owner, body("q"))
    puts = [call(node, "PUT", f"/api/cases/p{n}", owner, body(f"p{n}")) for n in range(60)]
    searches = [call(node, "POST", "/api/cases/q/search", owner) for _ in range(30)]
    answers = await asyncio.gather(*puts, *searches)
    assert {status for status, _ in answers[:60]} == {201}
    assert {status for status, _ in answers[60:]} == {200}
    assert len((await call(node, "GET", "/api/cases?limit=1000", owner))[1]["cases"]) == 61


async def test_a_bug_is_a_500_with_an_id_and_its_log_names_no_patient(
    node: RunningNode, owner: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("Martin from Dublin, HP:0000252")

    monkeypatch.setattr(node.exchange, "deposit", broken)
    with caplog.at_level(logging.DEBUG):
        status, answer = await call(node, "PUT", "/api/cases/secret-id", owner, body("secret-id"))
    assert status == 500
    assert answer["id"] in caplog.text
    assert "RuntimeError in PUT /api/cases/{id}" in caplog.text
    assert "test_case_api" in caplog.text, "it names the place in the code"
    for word in ("Martin", "HP:0000252", "secret-id", owner["X-Auth-Token"]):
        assert word not in caplog.text
        assert word not in str(answer)
