"""POST /match, /heartbeat and /metrics, over real sockets, to the letter of search-api and its siblings."""

import asyncio
import gzip
import json
import logging
from typing import Any

import pytest

from matchmaker.exchange.assembly import open_store
from matchmaker.mme.media import media_type
from matchmaker.records.party import Role
from tests.conftest import RunningNode, StartNode
from tests.samples import official_patients, patient_json, variant_json

V10, V11 = media_type("1.0"), media_type("1.1")
MME = {"Content-Type": V10, "Accept": V10}


async def post(
    node: RunningNode, body: Any, headers: dict[str, str], path: str = "/match", method: str = "POST"
) -> tuple[int, dict[str, Any], dict[str, str]]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with node.session.request(method, node.url + path, data=data, headers=headers) as response:
        assert response.content_type.endswith("json"), "every answer, errors too, is JSON"
        return response.status, await response.json(content_type=None), dict(response.headers)


THREE = [{"id": "HP:0000252"}, {"id": "HP:0001250"}, {"id": "HP:0001263"}]


async def deposit(
    node: RunningNode, owner: dict[str, str], patient: dict[str, Any], sharing: str = "all", level: str = "full"
) -> None:
    path = f"/api/cases/{patient['id']}"
    body = {"patient": patient, "sharing": {"with": sharing, "level": level}}
    status, answer, _ = await post(node, body, {**owner, "Content-Type": "application/json"}, path, "PUT")
    assert status in {200, 201}, answer


async def test_the_best_cases_come_first_and_show_nothing_of_the_owners_own(node: RunningNode) -> None:
    spain, owner = await node.add_client("spain"), await node.add_client("dublin", Role.DEPOSITOR)
    same_variant = [{"gene": {"id": "BCKDK"}, "variant": variant_json()}]
    await deposit(node, owner, patient_json("MRN-1", label="local name", features=THREE), level="standard")
    await deposit(node, owner, patient_json("MRN-2", genomicFeatures=same_variant, features=THREE))
    await deposit(node, owner, patient_json("MRN-3", genomicFeatures=[{"gene": {"id": "TTN"}}], features=THREE))
    query = {"patient": patient_json("theirs", genomicFeatures=same_variant, features=THREE)}
    status, answer, headers = await post(node, query, {**spain, **MME})
    assert (status, headers["Content-Type"]) == (200, V10)
    assert [r["patient"]["genomicFeatures"][0]["gene"]["_geneName"] for r in answer["results"]] == [
        "BCKDK",
        "BCKDK",
        "TTN",
    ]
    scores = [result["score"]["patient"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.95
    assert all(0 <= score <= 1 for score in scores)
    assert "MRN" not in json.dumps(answer)
    assert "local name" not in json.dumps(answer)
    best = answer["results"][0]
    assert best["patient"]["genomicFeatures"][0]["gene"]["id"] == "ENSG00000103507"
    assert (best["_score"]["measure"], best["_score"]["data"]["hpo"]) == ("LSX", "2025-05-06")
    assert best["_explanation"]["sharedGenes"] == [{"id": "ENSG00000103507", "symbol": "BCKDK", "sameVariant": True}]
    assert {term["id"] for term in best["_explanation"]["sharedTerms"]} == {term["id"] for term in THREE}


async def test_the_public_id_is_stable_for_ever(start_node: StartNode) -> None:
    ids = []
    for round_ in range(2):
        async with start_node() as node:
            if round_ == 0:
                owner = await node.add_client("dublin", Role.DEPOSITOR)
                spain = await node.add_client("spain")
            for features in ([{"id": "HP:0000252"}], [{"id": "HP:0000252"}, {"id": "HP:0001250"}]):
                await deposit(node, owner, patient_json("p", features=features))
                _, answer, _ = await post(node, {"patient": patient_json("q")}, {**spain, **MME})
                ids += [result["patient"]["id"] for result in answer["results"]]
    assert len(ids) == 4
    assert len(set(ids)) == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"method": "GET", "Content-Type": "text/plain", "X-Auth-Token": "bad"}, 405),
        ({"Content-Type": "text/plain", "Accept": media_type("2.0"), "X-Auth-Token": "bad"}, 415),
        ({"Content-Type": "application/json", "Accept": media_type("2.0"), "X-Auth-Token": "bad"}, 406),
        ({"X-Auth-Token": "bad"}, 401),
        ({}, 400),
    ],
)
async def test_checks_are_made_in_the_order_that_satisfies_every_client(
    node: RunningNode, changes: dict[str, str], status: int
) -> None:
    method = changes.pop("method", "POST")
    headers = {**MME, **await node.add_client("spain"), **changes}
    found, answer, answered = await post(node, b"not json", headers, method=method)
    assert found == status
    assert answer["message"]
    assert answered["Content-Type"] in {V10, V11}
    if status == 405:
        assert answered["Allow"] == "POST"
    if status == 406:
        assert answer["supportedVersions"] == ["1.0", "1.1"]
        assert answered["Content-Type"] == V11


async def test_every_bad_token_has_the_same_answer(node: RunningNode) -> None:
    depositor = (await node.add_client("dublin", Role.DEPOSITOR))["X-Auth-Token"]
    answers = set()
    for token in (None, "", "unknown", "x" * 255, "x" * 5_000, "x" * 20_000, "ü", depositor):
        headers = {**MME, **({"X-Auth-Token": token} if token is not None else {})}
        status, answer, _ = await post(node, {}, headers)
        answers.add((status, json.dumps(answer)))
    assert len(answers) == 1
    assert answers.pop()[0] == 401


async def test_the_answer_is_in_a_version_of_ours(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    for content_type, accept, expected in [(V10, V10, V10), (V11, V11, V11), ("application/json", V10, V10),
                                           (media_type("1.9"), "*/*", V11)]:  # fmt: skip
        headers = {**spain, "Content-Type": content_type, "Accept": accept}
        status, _, answered = await post(node, {"patient": patient_json()}, headers)
        assert (status, answered["Content-Type"]) == (200, expected)


BIG = 256 * 1024


@pytest.mark.parametrize(
    ("body", "status", "path"),
    [
        (b" " * (BIG + 1), 413, None),
        (b"[" * 100_000, 422, "[0]" * 16),
        (b'{"patient": ' * 17 + b"1" + b"}" * 17, 422, "patient.patient.patient"),
        (b'{"patient": {"id": "a", "id": "b"}}', 422, "patient.id"),
        (b'{"patient": {"id": NaN}}', 400, "patient.id"),
        (b'{"patient": {"id": "\\ud800"}}', 422, "patient.id"),
        ("{}".encode("utf-16"), 400, ""),
        (b'{"patient": {"id": 1e999}}', 422, "patient.id"),
        (b'{"patient": {"id": {"$gt": ""}}}', 422, "patient.id"),
        (json.dumps({"patient": patient_json(features=[{"id": "HP:0000252"}] * 10_000)}).encode(), 422, "patient.features"),
        (json.dumps({"patient": patient_json(features=[{"id": {"$ne": None}}])}).encode(), 422, "patient.features[0].id"),
        (b"{}", 422, "patient"),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        (b"", 400, ""),
    ],
    ids=lambda value: value[:30] if isinstance(value, bytes) else None,
)  # fmt: skip
async def test_bad_input_is_a_clear_4xx_naming_the_path(
    node: RunningNode, body: bytes, status: int, path: str | None
) -> None:
    spain = await node.add_client("spain")
    found, answer, _ = await post(node, body, {**spain, **MME})
    assert found == status
    assert answer["message"]
    if path is not None:
        assert answer["errors"][0]["path"].startswith(path)


async def test_a_body_of_exactly_the_limit_is_read_and_a_streamed_or_packed_one_over_it_is_not(
    node: RunningNode,
) -> None:
    headers = {**await node.add_client("spain"), **MME}
    query = json.dumps({"patient": patient_json()}).encode()
    assert (await post(node, query + b" " * (BIG - len(query)), headers))[0] == 200

    async def endless() -> Any:
        for _ in range(100):
            yield b" " * 65_536

    async with node.session.post(f"{node.url}/match", data=endless(), headers=headers) as response:
        assert response.status == 413
    packed = gzip.compress(b" " * 50_000_000)
    assert len(packed) < BIG
    assert (await post(node, packed, {**headers, "Content-Encoding": "gzip"}))[0] == 413
    assert (await post(node, b"rubbish", {**headers, "Content-Encoding": "gzip"}))[0] == 400


async def test_a_body_that_does_not_arrive_is_given_up(start_node: StartNode) -> None:
    async with start_node(server__body_seconds=0.2) as node:
        spain = await node.add_client("spain")
        reader, writer = await asyncio.open_connection("127.0.0.1", int(node.url.rsplit(":", 1)[1]))
        head = f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: {V10}\r\nAccept: {V10}\r\nContent-Length: 10\r\n"
        writer.write(f"{head}X-Auth-Token: {spain['X-Auth-Token']}\r\n\r\n{{".encode())
        assert b" 408 " in await reader.readline()
        writer.close()


async def test_over_budget_one_is_told_when_to_ask_again(start_node: StartNode) -> None:
    async with start_node(budget__queries_per_minute=2) as node:
        spain, france = await node.add_client("spain"), await node.add_client("france")
        body = {"patient": patient_json()}
        assert [(await post(node, b"{}", {**spain, **MME}))[0] for _ in range(5)] == [422] * 5, "no query, no cost"
        statuses = [(await post(node, body, {**spain, **MME}))[0] for _ in range(2)]
        status, answer, headers = await post(node, body, {**spain, **MME})
        assert (statuses, status, headers["Retry-After"]) == ([200, 200], 429, "30")
        assert answer["message"]
        assert (await post(node, body, {**france, **MME}))[0] == 200, "each has its own"


async def test_sharing_decides_what_an_asker_is_shown(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    irish, spanish = await node.add_client("galway", country="IE"), await node.add_client("spain", country="ES")
    for number, sharing in enumerate(["none", "country", "all"], 1):
        await deposit(node, owner, patient_json(f"p{number}", features=[{"id": "HP:0000252"}] * number), sharing)
    for asker, expected in ((irish, {2, 3}), (spanish, {3})):
        _, answer, _ = await post(node, {"patient": patient_json("q")}, {**asker, **MME})
        assert {len(result["patient"]["features"]) for result in answer["results"]} == expected


async def test_only_test_queries_see_test_cases(node: RunningNode) -> None:
    owner, spain = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("spain")
    await deposit(node, owner, patient_json("t", test=True))
    await deposit(node, owner, patient_json("r"))
    for is_test, expected in ((True, [True, None]), (False, [None]), (None, [None])):
        _, answer, _ = await post(node, {"patient": patient_json("q", test=is_test)}, {**spain, **MME})
        found = [result["patient"].get("test") for result in answer["results"]]
        assert sorted(found, key=str) == sorted(expected, key=str)


async def test_all_official_test_patients_are_answered_with_their_partner_first(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    spain = await node.add_client("spain", per_month=None)
    patients = official_patients()
    for patient in patients:
        await deposit(node, owner, patient)
    for patient in patients:
        mine = {disorder["id"] for disorder in patient["disorders"]}
        others = [d["id"] for other in patients if other is not patient for d in other["disorders"]]
        status, answer, _ = await post(node, {"patient": {**patient, "id": "asked"}}, {**spain, **MME})
        assert status == 200
        if mine & set(others):
            first_two = [{d["id"] for d in result["patient"]["disorders"]} for result in answer["results"][:2]]
            assert all(mine & disorders for disorders in first_two), "its copy, then its partner"


async def test_the_heartbeat_tells_what_is_spoken(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    status, answer, headers = await post(node, b"", spain, "/heartbeat", "GET")
    assert (status, headers["Content-Type"]) == (200, V11)
    assert answer["heartbeat"] == {"production": False, "version": "0.1.0", "accept": [V10, V11]}
    assert (await post(node, b"", {}, "/heartbeat", "GET"))[0] == 401
    assert (await post(node, b"", spain, "/heartbeat", "POST"))[0] == 405


async def test_the_metrics_count_what_is_available_for_matching(node: RunningNode) -> None:
    owner, other = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("cork", Role.DEPOSITOR)
    spain = await node.add_client("spain")
    two = [
        {"gene": {"id": "BCKDK"}, "variant": variant_json()},
        {"gene": {"id": "10295"}, "variant": variant_json(end=None)},
    ]
    negated = [*THREE, {"id": "HP:0001249", "observed": "no"}, {"id": "HP:9999999"}]
    await deposit(node, owner, patient_json("a", genomicFeatures=two, disorders=[{"id": "MIM:614923"}]))
    await deposit(node, owner, patient_json("b", features=None, genomicFeatures=[{"gene": {"id": "TTN"}}]))
    await deposit(node, other, patient_json("c", features=negated, genomicFeatures=[]))
    await deposit(node, other, patient_json("d"), "none")
    _, answer, _ = await post(node, {"patient": patient_json("q", features=THREE)}, {**spain, **MME})
    assert len(answer["results"]) == 2
    status, answer, _ = await post(node, b"", spain, "/metrics", "GET")
    assert status == 200
    generated = answer["metrics"].pop("dateGenerated")
    assert generated.startswith("20")
    assert answer["metrics"] == {
        "numberOfCases": 3,
        "numberOfSubmitters": 2,
        "numberOfGenes": 2,
        "numberOfUniqueGenes": 2,
        "numberOfVariants": 1,
        "numberOfUniqueVariants": 1,
        "numberOfFeatures": 5,
        "numberOfUniqueFeatures": 3,
        "numberOfFeatureSets": 2,
        "numberOfUniqueGenesMatched": 1,
        "numberOfCasesWithDiagnosis": 1,
        "numberOfRequestsReceived": 1,
        "numberOfPotentialMatchesSent": 2,
    }


async def raw(node: RunningNode, request: bytes) -> bytes:
    """Send bytes as they are; return all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(node.url.rsplit(":", 1)[1]))
    writer.write(request)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "request_",
    [
        b'POST /match HTTP/1.1\r\nHost: x\r\n%bTransfer-Encoding: chunked\r\n\r\n{"label": "Martin Murphy"}\r\n\r\n',
        b"GET /api/cases/Martin Murphy HTTP/1.1\r\nHost: x\r\n%b\r\n",
        b"DELETE /api/cases/M\xc3\xbcller-Martin HTTP/1.1\r\nHost: x\r\n%b\r\n",
        b"GET /heartbeat HTTP/1.1\r\nHost: x\r\nX-Other: Martin\x01\r\n%b\r\n",
        b"POST /match HTTP/1.1\r\nHost: x\r\n%bContent-Length: Martin\r\n\r\n",
        b"POST /match HTTP/1.1\r\nHost: x\r\n%bContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: 6\r\n\r\nMartin",
        b"Martin\r\n\r\n",
    ],
    ids=range(7),
)
async def test_what_is_no_http_is_answered_in_json_and_logged_without_a_byte_of_it(
    node: RunningNode, request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    token = (await node.add_client("spain"))["X-Auth-Token"]
    headers = f"X-Auth-Token: {token}\r\nContent-Type: {V10}\r\nAccept: {V10}\r\n".encode()
    with caplog.at_level(logging.DEBUG):
        answer = await raw(node, request_.replace(b"%b", headers))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b" ")[1][:1] == b"4"
    assert json.loads(body)["message"]
    for secret in ("Martin", "Murphy", token):
        assert secret not in caplog.text
        assert secret.encode() not in answer


async def test_two_accept_lines_are_one(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    body = json.dumps({"patient": patient_json()}).encode()
    head = f"POST /match HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: application/json\r\nAccept: */*\r\nAccept: {V10}\r\n"
    answer = await raw(node, f"{head}X-Auth-Token: {spain['X-Auth-Token']}\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_a_body_in_an_unknown_encoding_is_unsupported(node: RunningNode) -> None:
    headers = {**await node.add_client("spain"), **MME, "Content-Encoding": "foo"}
    assert (await post(node, {"patient": patient_json()}, headers))[0] == 415


async def test_a_node_that_came_to_bear_an_owners_name_is_not_the_owner(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    await deposit(node, owner, patient_json("MRN-1"))
    store = await open_store(node.config)
    await store.revoke_client("dublin", 1.0)
    await store.close()
    renamed = await node.add_client("dublin", Role.NODE)
    _, answer, _ = await post(node, {"patient": patient_json("MRN-1")}, {**renamed, **MME})
    assert len(answer["results"]) == 1
    assert "MRN" not in json.dumps(answer)


async def test_a_case_that_changes_while_it_is_answered_is_shown_as_it_is_scored(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, spain = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("spain")
    await deposit(node, owner, patient_json("p", features=THREE))
    generation = node.exchange._following.current  # noqa: SLF001 - where the change comes between
    search, changes = generation.search, iter([{"genomicFeatures": [{"gene": {"id": "TTN"}}], "features": THREE}])

    loop = asyncio.get_running_loop()

    def search_then_change(*arguments: Any) -> Any:
        found = search(*arguments)
        for change in changes:
            asyncio.run_coroutine_threadsafe(deposit(node, owner, patient_json("p", **change)), loop).result()
            break
        return found

    monkeypatch.setattr(generation, "search", search_then_change)
    _, answer, _ = await post(node, {"patient": patient_json("q", features=THREE)}, {**spain, **MME})
    (result,) = answer["results"]
    assert result["patient"]["genomicFeatures"][0]["gene"]["_geneName"] == "TTN"
    assert "sharedGenes" not in result["_explanation"] or result["_explanation"]["sharedGenes"] == []
    assert result["score"]["patient"] < 0.5


async def test_an_answer_is_never_longer_than_other_nodes_read(node: RunningNode) -> None:
    owner, spain = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("spain")
    long = [{"gene": {"id": "BCKDK"}, "variant": variant_json(referenceBases=one * 100_000)} for one in "GC"]
    for number in range(20):
        await deposit(node, owner, patient_json(f"p{number}", genomicFeatures=long))
    _, answer, _ = await post(node, {"patient": patient_json("q")}, {**spain, **MME})
    assert 3 < len(answer["results"]) < 5
    assert len(json.dumps(answer)) < 2 * 1024 * 1024


async def test_one_may_expect_to_continue_and_nothing_else(node: RunningNode) -> None:
    spain = await node.add_client("spain")
    body = json.dumps({"patient": patient_json()}).encode()
    head = f"POST /match HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    head += f"Content-Type: {V10}\r\nAccept: {V10}\r\nX-Auth-Token: {spain['X-Auth-Token']}\r\n"
    answer = await raw(node, f"{head}Expect: 100-continue\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK")
    answer = await raw(node, f"{head}Expect: miracles\r\n\r\n".encode() + body)
    assert answer.startswith(b"HTTP/1.1 417")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["message"]


async def test_a_disclaimer_is_told_with_every_answer(start_node: StartNode) -> None:
    async with start_node(node__disclaimer="Careful.", node__terms="Be kind.") as node:
        spain = await node.add_client("spain")
        for path, method in (("/match", "POST"), ("/heartbeat", "GET"), ("/metrics", "GET")):
            _, answer, _ = await post(node, {"patient": patient_json()}, {**spain, **MME}, path, method)
            assert (answer["disclaimer"], answer["terms"]) == ("Careful.", "Be kind.")


async def test_the_last_position_of_a_chromosome_is_one(node: RunningNode) -> None:
    """A variant without end and bases covers one base: its end is one beyond the greatest position there is."""
    owner, spain = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("spain")
    last = [{"gene": {"id": "TTN"}, "variant": {"assembly": "GRCh38", "referenceName": "1", "start": 2**31 - 1}}]
    await deposit(node, owner, patient_json("a", genomicFeatures=last))
    await deposit(node, owner, patient_json("b", genomicFeatures=last))
    _, answer, _ = await post(node, {"patient": patient_json("q", genomicFeatures=last)}, {**spain, **MME})
    assert [result["score"]["patient"] > 0.9 for result in answer["results"]] == [True, True]


async def test_a_thousand_variants_in_one_gene_keep_nobody_waiting(node: RunningNode) -> None:
    owner, spain = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("spain")
    many = [
        {"gene": {"id": "TTN"}, "variant": {"assembly": "GRCh38", "referenceName": "2", "start": n, "end": n + 5_000}}
        for n in range(0, 5_000, 5)
    ]
    for number in range(20):
        await deposit(node, owner, patient_json(f"p{number}", genomicFeatures=many))
    async with asyncio.timeout(20):  # it was a minute: each variant was compared with each
        _, answer, _ = await post(node, {"patient": patient_json("q", genomicFeatures=many)}, {**spain, **MME})
    assert answer["results"][0]["_explanation"]["notes"] == ["TTN: only 64 of its variants are compared"]
