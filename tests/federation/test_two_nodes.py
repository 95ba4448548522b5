"""Two nodes, each with its store and its socket, know each other; Martin is in one, the second child in the other."""

import json
from typing import Any

from matchmaker.mme.media import media_type
from matchmaker.policy.names import name_for
from matchmaker.records.party import Role
from tests.conftest import RunningNode, StartNode
from tests.peers.misbehaving import answer, fake_peer, says
from tests.samples import patient_json, variant_json

MARTIN = patient_json("martin", genomicFeatures=[{"gene": {"id": "TTN"}}, {"gene": {"id": "BCKDK"}}])
CHILD = patient_json("hijo", genomicFeatures=[{"gene": {"id": "ENSG00000103507.4"}, "variant": variant_json()}])


async def call(node: RunningNode, method: str, path: str, headers: dict[str, str], body: Any = None) -> Any:
    data = json.dumps(body) if body is not None else None
    headers = {"Content-Type": "application/json", **headers}
    async with node.session.request(method, node.url + path, data=data, headers=headers) as response:
        assert response.status in {200, 201}
        return await response.json(content_type=None)


async def introduce(asking: RunningNode, asked: RunningNode, country: str) -> None:
    """Let `asking` ask `asked`: a client there, a peer here, under one name each."""
    headers = await asked.add_client(asking.config.node.name)
    await asking.add_peer(asked.config.node.name, asked.url, country, headers["X-Auth-Token"])


async def test_a_case_is_found_across_the_border_and_nobody_asks_further(start_node: StartNode) -> None:
    async with (
        start_node("ireland", "IE") as ireland,
        start_node("spain", "ES", node__disclaimer="Careful.") as spain,
        fake_peer(says(answer())) as bystander,
    ):
        await introduce(ireland, spain, "ES")
        await introduce(spain, ireland, "IE")
        await spain.add_peer("bystander", bystander.url)
        dublin = await ireland.add_client("dublin", Role.DEPOSITOR)
        madrid = await spain.add_client("madrid", Role.DEPOSITOR)
        await call(ireland, "PUT", "/api/cases/martin", dublin, {"patient": MARTIN, "sharing": {"with": "all"}})
        await call(spain, "PUT", "/api/cases/hijo", madrid, {"patient": CHILD, "sharing": {"with": "all"}})
        found = await call(ireland, "POST", "/api/cases/martin/search", dublin)
        assert not bystander.questions, "an incoming query never causes an outgoing one"
        counted = await call(spain, "GET", "/metrics", {"X-Auth-Token": "token-of-ireland"})

    (result,) = found["results"]
    assert (result["node"], result["_explanation"]["sharedGenes"][0]["symbol"]) == ("spain", "BCKDK")
    assert result["patient"]["contact"] == CHILD["contact"]
    assert "hijo" not in json.dumps(found)
    reports = {report["node"]: report for report in found["nodes"]}
    assert {name: report["status"] for name, report in reports.items()} == {"ireland": "answered", "spain": "answered"}
    assert (reports["spain"]["results"], reports["spain"]["disclaimer"]) == (1, "Careful.")
    assert counted["metrics"]["numberOfRequestsReceived"] == 1
    assert counted["metrics"]["numberOfUniqueGenesMatched"] == 1


async def test_a_case_that_comes_back_under_the_id_that_a_peer_knows_does_not_match_itself(
    start_node: StartNode,
) -> None:
    async with start_node("ireland", "IE") as ireland:
        dublin, spain = await ireland.add_client("dublin", Role.DEPOSITOR), await ireland.add_client("spain")
        for case_id in ("martin", "other"):
            body = {"patient": {**MARTIN, "id": case_id}, "sharing": {"with": "all"}}
            view = await call(ireland, "PUT", f"/api/cases/{case_id}", dublin, body)
        known = name_for("spain", view["publicId"])
        mme = {**spain, "Content-Type": media_type("1.0"), "Accept": media_type("1.0")}
        found = await call(ireland, "POST", "/match", mme, {"patient": {**MARTIN, "id": known}})
    assert len(found["results"]) == 1
    assert found["results"][0]["patient"]["id"] not in {known, view["publicId"]}


async def test_the_query_says_no_more_than_a_match_would(start_node: StartNode) -> None:
    async with start_node("ireland", "IE") as ireland, fake_peer(says(answer())) as spain:
        await ireland.add_peer("spain", spain.url)
        dublin = await ireland.add_client("dublin", Role.DEPOSITOR)
        labelled = {**MARTIN, "label": "Martin M.", "_ward": "ward nine"}
        view = await call(
            ireland, "PUT", "/api/cases/martin", dublin, {"patient": labelled, "sharing": {"with": "all"}}
        )
        await call(ireland, "POST", "/api/cases/martin/search", dublin)
    head, _, body = spain.questions[0].partition(b"\r\n\r\n")
    assert json.loads(body)["patient"]["id"] == name_for("spain", view["publicId"])
    for secret in (view["publicId"].encode(), b"martin", b"Martin", b"ward nine", b"dublin"):
        assert secret not in head + body
