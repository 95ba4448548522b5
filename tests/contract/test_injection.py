"""No string from outside is ever an operator of a query: each is answered as any unknown string is, by every store."""

import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest

from matchmaker.records.party import Role
from matchmaker.store.base import NameUnknown, Store
from tests.conftest import RunningNode, StartNode
from tests.contract.test_store import draft
from tests.samples import patient_json

HOSTILE = [
    "$gt", "$ne", "$where", "$regex", '{"$gt": ""}', '{"$ne": null}', '{"$where": "sleep(1000)"}', "[$ne]=x", "owner.$gt",
    "a.b.c", "patient.id", "_id", "' OR '1'='1", "'; DROP TABLE cases; --", '" OR ""="', "%", "_", "*", "x' UNION SELECT",
    "\\", "`id`", "${jndi:x}", "$$ROOT", "$owner", "__proto__", "constructor", "null", "true", "0", "-1", "1e9",
]  # fmt: skip
UNKNOWN = "no-such-case-as-this"
MME = "application/vnd.ga4gh.matchmaker.v1.1+json"


@pytest.fixture(params=["sqlite", "mongodb"])
async def node(request: pytest.FixtureRequest, start_node: StartNode) -> AsyncIterator[RunningNode]:
    """A node over each kind of store."""
    settings: dict[str, Any] = {}
    if request.param == "mongodb":
        settings["storage__mongodb"] = request.getfixturevalue("mongodb").format(f"test_{secrets.token_hex(8)}")
    async with start_node(**settings) as running:
        yield running


async def told(node: RunningNode, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, str]:
    """Return status and body, the strings that were asked for left out."""
    url = node.url + path
    async with node.session.request(method, url, json=body, headers=headers) as response:
        return response.status, await response.text()


async def test_a_hostile_id_in_a_path_is_answered_as_an_unknown_one(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    body = {"patient": patient_json("p1"), "sharing": {"with": "all"}}
    assert (await told(node, "PUT", "/api/cases/p1", owner, body))[0] == 201
    for method, after in (("GET", ""), ("DELETE", ""), ("POST", "/search")):
        expected = (await told(node, method, f"/api/cases/{UNKNOWN}{after}", owner))[0]
        for text in HOSTILE:
            answer = await told(node, method, f"/api/cases/{quote(text, safe='')}{after}", owner)
            assert answer[0] == expected, (method, text, answer)
    status, listed = await told(node, "GET", "/api/cases", owner)
    assert (status, [case["id"] for case in json.loads(listed)["cases"]]) == (200, ["p1"]), "nothing was taken"


async def test_a_hostile_page_or_filter_is_compared_as_text(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    for case_id in ("A", "zz"):
        body = {"patient": patient_json(case_id), "sharing": {"with": "all"}}
        await told(node, "PUT", f"/api/cases/{case_id}", owner, body)
    for text in HOSTILE:
        _, answer = await told(node, "GET", f"/api/cases?after={quote(text, safe='')}", owner)
        assert [c["id"] for c in json.loads(answer)["cases"]] == [c for c in ("A", "zz") if c > text], text
    for query in ("after[$gt]=", "after[$ne]=x", "after.$gt=", "$where=1"):
        status, answer = await told(node, "GET", f"/api/cases?{query}", owner)
        assert (status, "is unknown" in json.loads(answer)["message"]) == (422, True)


async def test_a_hostile_token_is_no_token(node: RunningNode) -> None:
    await node.add_client("dublin", Role.DEPOSITOR)
    for text in HOSTILE:
        assert (await told(node, "GET", "/api/cases", {"X-Auth-Token": text}))[0] == 401


async def test_hostile_strings_in_every_field_are_kept_and_given_back_as_they_are(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    for number, text in enumerate(HOSTILE):
        patient = patient_json(
            f"p{number}",
            label=text,
            contact={"name": text, "href": "mailto:a@b.example", "institution": text},
            features=[{"id": "HP:0000252", "label": text}],
            genomicFeatures=[{"gene": {"id": text}}],
            disorders=[{"id": text, "label": text}],
        )
        body = {"patient": patient, "sharing": {"with": "all"}}
        status, answer = await told(node, "PUT", f"/api/cases/p{number}", owner, body)
        if status == 422:  # refused at the door for what it is, not for what a store makes of it
            continue
        assert status == 201, (text, answer)
        kept = json.loads((await told(node, "GET", f"/api/cases/p{number}", owner))[1])["patient"]
        assert kept["label"] == text
        assert kept["contact"]["name"] == text
        assert kept["genomicFeatures"][0]["gene"]["id"] == text
        assert (await told(node, "POST", f"/api/cases/p{number}/search", owner))[0] == 200


async def test_a_document_in_place_of_a_string_is_refused(node: RunningNode) -> None:
    owner, spain = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("spain")
    for operator in ({"$gt": ""}, {"$ne": None}, {"$where": "1"}, ["$gt"], {"$regex": ".*"}, True, 1, None):
        for patient in (
            {**patient_json("p1"), "id": operator},
            patient_json("p1", genomicFeatures=[{"gene": {"id": operator}}]),
            patient_json("p1", features=[{"id": operator}]),
            patient_json("p1", disorders=[{"id": operator}]),
        ):
            body = {"patient": patient, "sharing": {"with": "all"}}
            assert (await told(node, "PUT", "/api/cases/p1", owner, body))[0] == 422, patient
            assert (await told(node, "POST", "/match", {**spain, "Content-Type": MME}, {"patient": patient}))[0] == 422
        body = {"patient": patient_json("p1"), "sharing": {"with": operator}}
        assert (await told(node, "PUT", "/api/cases/p1", owner, body))[0] == 422
        if operator is not None:  # null means all nodes
            asked = {"nodes": [operator]}
            await told(node, "PUT", "/api/cases/p2", owner, {"patient": patient_json("p2"), "sharing": {"with": "all"}})
            assert (await told(node, "POST", "/api/cases/p2/search", owner, asked))[0] == 422


async def test_hostile_ids_are_each_a_case_of_its_own(store: Store) -> None:
    for text in HOSTILE:
        await store.deposit([draft(text), draft(text, owner=text)], 1.0)
    for text in HOSTILE:
        for owner in ("dublin", text):
            case = await store.case(owner, text)
            assert case
            assert (case.owner, case.id) == (owner, text)
    assert await store.count_cases() == 2 * len(HOSTILE)
    assert await store.withdraw("$ne", "dublin", 2.0) is None
    for text in HOSTILE:
        assert await store.withdraw("dublin", text, 2.0)
        with pytest.raises(NameUnknown):
            await store.revoke_client(text, 1.0)
        with pytest.raises(NameUnknown):
            await store.remove_peer(text)
    assert await store.count_cases() == len(HOSTILE)


async def test_a_document_never_reaches_a_filter(store: Store) -> None:
    await store.deposit([draft()], 1.0)
    operator: Any = {"$gt": ""}
    questions: list[Callable[[], Awaitable[Any]]] = [
        lambda: store.case(operator, "p1"),
        lambda: store.case("dublin", operator),
        lambda: store.cases_of("dublin", operator, 10),
        lambda: store.withdraw("dublin", operator, 1.0),
        lambda: store.revoke_client(operator, 1.0),
        lambda: store.remove_peer(operator),
        lambda: store.claim([operator], "x", 1.0, 2.0),
        lambda: store.checksum(operator),
    ]
    for question in questions:
        with pytest.raises(Exception, match=r"filter|not supported|type|Error"):
            await question()
    assert await store.count_cases() == 1
