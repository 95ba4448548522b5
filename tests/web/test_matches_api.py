"""Matches over HTTP: the inbox, one match whole, its follow-up, for the owners of its cases and nobody else."""

import json
from typing import Any

import pytest

from matchmaker.mme.media import media_type
from matchmaker.policy.names import name_for
from matchmaker.records.party import Role
from tests.conftest import RunningNode, StartNode
from tests.peers.misbehaving import answer as peer_answer
from tests.peers.misbehaving import fake_peer, says
from tests.samples import patient_json

FEATURES = [{"id": "HP:0000252"}, {"id": "HP:0001250"}, {"id": "HP:0001263"}]
SOLVED = {
    "status": "solved",
    "diagnosis": {"id": "MIM:614923", "label": "BCKDK deficiency"},
    "helped": [{"name": "branched-chain amino acids", "code": "ATC:V06DD"}],
}


async def call(node: RunningNode, method: str, path: str, headers: dict[str, str], body: Any = None) -> tuple[int, Any]:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json", **headers}
    async with node.session.request(method, node.url + path, data=data, headers=headers) as response:
        content = await response.read()
        return response.status, json.loads(content) if content else None


async def put(node: RunningNode, token: dict[str, str], case_id: str, **told: Any) -> Any:
    sharing = told.pop("sharing", {"with": "all"})
    deposit = {name: told.pop(name) for name in ("owner", "family") if name in told}
    patient = patient_json(case_id, features=told.pop("features", FEATURES), **told)
    status, view = await call(
        node, "PUT", f"/api/cases/{case_id}", token, {"patient": patient, "sharing": sharing, **deposit}
    )
    assert status in {200, 201}, view
    return view


async def ask(node: RunningNode, peer: dict[str, str], patient: dict[str, Any]) -> Any:
    spoken = media_type("1.0")
    status, found = await call(
        node, "POST", "/match", {**peer, "Content-Type": spoken, "Accept": spoken}, {"patient": patient}
    )
    assert status == 200
    return found


async def inbox(node: RunningNode, owner: dict[str, str], query: str = "") -> list[dict[str, Any]]:
    status, found = await call(node, "GET", f"/api/matches{query}", owner)
    assert status == 200, found
    matches: list[dict[str, Any]] = found["matches"]
    return matches


@pytest.fixture
async def owner(node: RunningNode) -> dict[str, str]:
    return await node.add_client("dublin", Role.DEPOSITOR, institution="Hospital of Dublin")


async def test_an_incoming_question_is_news_for_the_owner_of_the_case_it_found(
    node: RunningNode, owner: dict[str, str]
) -> None:
    spain = await node.add_client("spain", institution="Madrid")
    view = await put(node, owner, "martin")
    asked = patient_json("hijo", features=FEATURES[:2], contact={"name": "Dra García", "href": "mailto:g@es.example"})
    found = await ask(node, spain, asked)
    (match,) = await inbox(node, owner)
    assert (match["node"], match["case"], match["status"], match["directions"]) == (
        "spain", "martin", "new", ["we were asked"],
    )  # fmt: skip
    assert match["sharedGenes"][0]["symbol"] == "BCKDK"
    assert match["score"] == found["results"][0]["score"]["patient"]
    status, whole = await call(node, "GET", f"/api/matches/{match['id']}", owner)
    assert status == 200
    assert {term["id"] for term in whole["explanation"]["sharedTerms"]} == {"HP:0000252", "HP:0001250"}
    assert whole["other"] == {"id": "hijo", "node": "spain", "contact": asked["contact"]}, "its profile is not kept"
    assert whole["message"]["to"] == "g@es.example"
    assert name_for("spain", view["publicId"]) in whole["message"]["body"]
    assert view["publicId"] not in json.dumps(whole)
    status, told = await call(node, "GET", "/api/queries?case=martin", owner)
    (question,) = told["queries"]
    assert (question["who"], question["institution"], question["level"]) == ("spain", "Madrid", "standard")
    assert "genes" in question["shown"]


async def test_the_same_question_again_is_no_news_and_a_better_one_is(node: RunningNode, owner: dict[str, str]) -> None:
    spain = await node.add_client("spain")
    await put(node, owner, "martin")
    await ask(node, spain, patient_json("hijo", features=FEATURES[:1], genomicFeatures=[{"gene": {"id": "TTN"}}]))
    assert await inbox(node, owner) == [], "what shares no gene and is weak is not remembered"
    await ask(node, spain, patient_json("hijo", features=FEATURES[:2]))
    (first,) = await inbox(node, owner)
    await ask(node, spain, patient_json("hijo", features=FEATURES[:2]))
    assert await inbox(node, owner) == [first]
    many = [{"gene": {"id": gene}} for gene in ("BCKDK", "TTN", "USH2A")]
    await ask(node, spain, patient_json("hijo", features=FEATURES[:2], genomicFeatures=many))
    (weaker,) = await inbox(node, owner)
    assert weaker["score"] < first["score"]
    assert weaker["changedAt"] == first["changedAt"], "weaker is no news"


async def test_of_two_owners_here_each_sees_its_side_and_the_others_status(
    node: RunningNode, owner: dict[str, str]
) -> None:
    cork = await node.add_client("cork", Role.DEPOSITOR, institution="Hospital of Cork")
    martin, other = await put(node, owner, "martin"), await put(node, cork, "other")
    await call(node, "POST", "/api/cases/martin/search", owner)
    (mine,), (theirs,) = await inbox(node, owner), await inbox(node, cork)
    assert mine["id"] == theirs["id"], "one match is a pair of cases"
    assert (mine["case"], theirs["case"], mine["directions"]) == ("martin", "other", ["both cases are here"])
    path = f"/api/matches/{mine['id']}"
    status, _ = await call(node, "PATCH", path, cork, {"status": "in discussion", "note": "called them"})
    assert status == 200
    _, whole = await call(node, "GET", path, owner)
    assert (whole["status"], whole["other"]["status"]) == ("new", "in discussion")
    assert whole["history"] == [], "the other side's notes are its own"
    assert whole["other"]["patient"]["id"] == name_for("dublin", other["publicId"])
    for secret in (other["publicId"], martin["publicId"], "called them"):
        assert secret not in json.dumps(whole)
    for one in await inbox(node, owner, "?status=new"), await inbox(node, cork, "?status=in%20discussion"):
        assert len(one) == 1


async def test_who_searches_with_a_private_case_stays_unknown_to_whom_he_finds(
    node: RunningNode, owner: dict[str, str]
) -> None:
    cork = await node.add_client("cork", Role.DEPOSITOR)
    await put(node, owner, "private", sharing={"with": "none"})
    await put(node, cork, "shared")
    await call(node, "POST", "/api/cases/private/search", owner)
    (match,) = await inbox(node, owner)
    assert await inbox(node, cork) == []
    assert (await call(node, "GET", f"/api/matches/{match['id']}", cork))[0] == 404
    await put(node, owner, "private")
    await call(node, "POST", "/api/cases/private/search", owner)
    assert [one["id"] for one in await inbox(node, cork)] == [match["id"]], "shared now, it is news for the other"


async def test_another_owners_match_answers_as_a_missing_one(node: RunningNode, owner: dict[str, str]) -> None:
    spain, cork = await node.add_client("spain"), await node.add_client("cork", Role.DEPOSITOR)
    await put(node, owner, "martin")
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    (match,) = await inbox(node, owner)
    there, nowhere = f"/api/matches/{match['id']}", f"/api/matches/{'0' * 32}"
    for method, body in (("GET", None), ("PATCH", {"status": "contacted"})):
        denied, missing = await call(node, method, there, cork, body), await call(node, method, nowhere, cork, body)
        assert denied[0] == missing[0] == 404
        assert denied[1]["message"].replace(match["id"], "") == missing[1]["message"].replace("0" * 32, "")
    assert (await call(node, "GET", "/api/matches", spain))[0] == 401


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"status": "not a match"}, "reason"),
        ({"status": "contacted", "reason": "x"}, "reason"),
        ({"status": "solved"}, "diagnosis"),
        ({"status": "solved", "diagnosis": {}}, "diagnosis"),
        ({"status": "solved", "diagnosis": {"id": "MIM:1"}, "helped": [{}]}, "helped[0]"),
        ({"diagnosis": {"id": "MIM:1"}}, "diagnosis"),
        ({"tell": True}, "tell"),
        ({"by": "nobody@dublin.example"}, "by"),
        ({"status": "matched"}, "status"),
        ({"stat": "new"}, "stat"),
        ({"note": ""}, "note"),
        ({"case": "other"}, None),
    ],
)
async def test_a_change_that_says_too_little_is_refused_by_its_field(
    node: RunningNode, owner: dict[str, str], change: dict[str, Any], path: str | None
) -> None:
    spain = await node.add_client("spain")
    await put(node, owner, "martin")
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    (match,) = await inbox(node, owner)
    status, answer = await call(node, "PATCH", f"/api/matches/{match['id']}", owner, change)
    assert status == (422 if path else 404)
    if path:
        assert answer["errors"][0]["path"] == path
    assert await inbox(node, owner) == [match]


async def test_a_solved_match_is_told_to_the_other_node_when_the_owner_agrees(
    start_node: StartNode,
) -> None:
    async with start_node("ireland", "IE") as ireland, start_node("spain", "ES") as spain:
        dublin = await ireland.add_client("dublin", Role.DEPOSITOR)
        madrid = await spain.add_client("madrid", Role.DEPOSITOR, institution="Madrid")
        await spain.add_person("garcia@madrid.example", "Madrid")
        headers = await ireland.add_client("spain")
        await spain.add_peer("ireland", ireland.url, "IE", headers["X-Auth-Token"])
        await put(ireland, dublin, "martin")
        await put(spain, madrid, "hijo", features=FEATURES[:2], owner="garcia@madrid.example")
        await call(spain, "POST", "/api/cases/hijo/search", madrid)
        (seen,), (asked,) = await inbox(ireland, dublin), await inbox(spain, madrid)
        path = f"/api/matches/{seen['id']}"
        assert (await call(ireland, "PATCH", path, dublin, SOLVED))[0] == 200
        await call(spain, "POST", "/api/cases/hijo/search", madrid)
        (quiet,) = await inbox(spain, madrid)
        asked["lastSeen"] = quiet["lastSeen"]  # it was seen again just now
        assert quiet == asked, "nothing is told without the owner's agreement"
        status, changed = await call(ireland, "PATCH", path, dublin, {"tell": True})
        assert (status, changed["toldToOtherSide"]) == (200, True)
        await call(spain, "POST", "/api/cases/hijo/search", madrid)
        (told,) = await inbox(spain, madrid)
        assert told["other"]["solved"] == {name: SOLVED[name] for name in ("diagnosis", "helped")}
        assert told["status"] == "new"
        _, whole = await call(spain, "GET", f"/api/matches/{told['id']}", madrid)
        assert {one["news"] for one in whole["alerts"]} == {"found", "solved"}
        assert [entry["what"] for entry in changed["history"]] == [
            "status: new -> solved", "what it came to", "told to the other side",
        ]  # fmt: skip


async def test_a_peers_answer_is_scored_again_and_kept_with_its_disclaimer(
    node: RunningNode, owner: dict[str, str]
) -> None:
    child = patient_json("theirs", features=FEATURES[:2])
    said = {"score": {"patient": 0.31}, "patient": child, "_secret": "x"}
    async with fake_peer(says(peer_answer(said, disclaimer="Careful."))) as spain:
        await node.add_peer("spain", spain.url)
        await put(node, owner, "martin")
        await call(node, "POST", "/api/cases/martin/search", owner)
    (match,) = await inbox(node, owner)
    assert (match["peerScore"], match["directions"]) == (0.31, ["we asked"])
    assert match["score"] > 0.9, "by our own scale it is nearly sure"
    _, whole = await call(node, "GET", f"/api/matches/{match['id']}", owner)
    assert (whole["disclaimer"], whole["other"]["patient"]["id"]) == ("Careful.", "theirs")
    assert whole["parts"]["genotype"] > 0
    _, nodes = await call(node, "GET", "/api/cases/martin/nodes", owner)
    assert {one["node"]: (one["status"], one["results"]) for one in nodes["nodes"]} == {"spain": ("answered", 1)}


async def test_the_inbox_is_filtered_and_paged_without_gap(node: RunningNode, owner: dict[str, str]) -> None:
    for name in ("spain", "france"):
        asker = await node.add_client(name)
        for n in range(3):
            await put(node, owner, f"{name}-{n}", genomicFeatures=[{"gene": {"id": f"GENE{name}{n}"}}])
            genes = [{"gene": {"id": f"GENE{name}{n}"}}]
            await ask(node, asker, patient_json(f"q{n}", features=FEATURES[:2], genomicFeatures=genes))
    every = await inbox(node, owner)
    assert len(every) == 6
    assert len(await inbox(node, owner, "?node=spain")) == 3
    assert [one["case"] for one in await inbox(node, owner, "?gene=GENEspain1")] == ["spain-1"]
    assert [one["case"] for one in await inbox(node, owner, "?case=france-2")] == ["france-2"]
    assert await inbox(node, owner, "?min_score=1.0") == []
    assert await inbox(node, owner, "?since=2999-01-01") == []
    assert len(await inbox(node, owner, "?since=2020-01-01T00:00:00%2B00:00")) == 6
    paged: list[dict[str, Any]] = []
    following = ""
    while True:
        _, page = await call(node, "GET", f"/api/matches?limit=2{following}", owner)
        paged += page["matches"]
        if "next" not in page:
            break
        following = f"&after={page['next']}"
    assert paged == every


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("status=matched", "status"),
        ("min_score=2", "min_score"),
        ("min_score=nan", "min_score"),
        ("since=yesterday", "since"),
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("foo=1", "foo"),
    ],
)
async def test_a_filter_that_cannot_be_is_named(
    node: RunningNode, owner: dict[str, str], query: str, path: str
) -> None:
    status, answer = await call(node, "GET", f"/api/matches?{query}", owner)
    assert (status, answer["errors"][0]["path"]) == (422, path)


async def test_a_withdrawn_case_takes_its_matches_with_it(node: RunningNode, owner: dict[str, str]) -> None:
    spain, cork = await node.add_client("spain"), await node.add_client("cork", Role.DEPOSITOR)
    await put(node, owner, "martin")
    await put(node, cork, "other")
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    await call(node, "POST", "/api/cases/martin/search", owner)
    assert (len(await inbox(node, owner)), len(await inbox(node, cork))) == (2, 2)
    await call(node, "DELETE", "/api/cases/martin", owner)
    assert await inbox(node, owner) == []
    assert [one["node"] for one in await inbox(node, cork)] == ["spain"]


async def test_one_family_and_one_patient_at_two_nodes_are_flagged(node: RunningNode, owner: dict[str, str]) -> None:
    cork, spain = await node.add_client("cork", Role.DEPOSITOR), await node.add_client("spain")
    more = [*FEATURES, {"id": "HP:0000505"}, {"id": "HP:0001344"}, {"id": "HP:0001252", "observed": "no"}]
    await put(node, owner, "martin", features=more)
    await put(node, owner, "brother", features=more[:4])
    await put(node, cork, "stranger", features=more[:5])
    await call(node, "POST", "/api/cases/martin/search", owner)
    flags = {(one["case"], one.get("flag")) for one in await inbox(node, cork)}
    assert flags == {("stranger", None)}
    _, pairs = await call(node, "GET", "/api/matches?case=brother", owner)
    assert [(one["flag"], one["quiet"]) for one in pairs["matches"]] == [("perhaps one family", "perhaps one family")]
    await ask(node, spain, patient_json("again", features=more))
    (same,) = await inbox(node, owner, "?case=martin&node=spain")
    assert same["flag"] == "perhaps one person"


async def test_what_to_be_alerted_of_is_chosen_for_each_case_and_person(
    node: RunningNode, owner: dict[str, str]
) -> None:
    await node.add_person("ana@dublin.example", "Hospital of Dublin")
    await put(node, owner, "martin", owner="Ana@Dublin.example")
    wanted = {"minScore": 0.5, "muted": True, "mutedGenes": ["TTN"], "snoozedUntil": "2999-01-31"}
    status, kept = await call(node, "PUT", "/api/cases/martin/alerts", owner, wanted)
    assert (status, kept["snoozedUntil"], kept["muted"]) == (200, "2999-01-31T00:00:00+00:00", True)
    assert (await call(node, "GET", "/api/cases/martin/alerts", owner))[1] == kept
    path = "/api/people/ana@dublin.example/alerts"
    status, kept = await call(node, "PUT", path, owner, {"frequency": "daily", "onlyNew": True})
    assert (status, kept["frequency"], kept["onlyNew"]) == (200, "daily", True)
    assert (await call(node, "GET", path, owner))[1] == kept
    cork = await node.add_client("cork", Role.DEPOSITOR, institution="Cork")
    assert (await call(node, "GET", path, cork))[0] == 404
    assert (await call(node, "GET", "/api/cases/martin/alerts", cork))[0] == 404
    for bad in ({"minScore": 2}, {"snoozedUntil": "soon"}, {"mute": True}):
        assert (await call(node, "PUT", "/api/cases/martin/alerts", owner, bad))[0] == 422


async def test_a_cases_owner_is_somebody_of_the_institution(node: RunningNode, owner: dict[str, str]) -> None:
    await node.add_person("ana@dublin.example", "Hospital of Dublin")
    await node.add_person("eva@cork.example", "Hospital of Cork")
    body = {"patient": patient_json("martin"), "sharing": {"with": "all"}}
    for wrong in ("eva@cork.example", "nobody@dublin.example", "no address"):
        status, answer = await call(node, "PUT", "/api/cases/martin", owner, {**body, "owner": wrong})
        assert (status, answer["errors"][0]["path"]) == (422, "owner")
    status, view = await call(
        node, "PUT", "/api/cases/martin", owner, {**body, "owner": "ANA@dublin.example", "family": "F12"}
    )
    assert (status, view["owner"], view["family"]) == (201, "ana@dublin.example", "F12")
