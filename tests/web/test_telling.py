"""Told only what may be told, over real sockets: levels, limits, agreements, ids, previews, reports."""

import asyncio
import json
from typing import Any

import pytest

from matchmaker.exchange.assembly import open_store
from matchmaker.mme.media import media_type
from matchmaker.policy.names import name_for
from matchmaker.records.collection import Collection
from matchmaker.records.ledger import Happened
from matchmaker.records.party import Purpose, Role
from tests.conftest import RunningNode, StartNode
from tests.peers.misbehaving import answer as peer_answer
from tests.peers.misbehaving import fake_peers, says
from tests.samples import patient_json, variant_json

MME = {"Content-Type": media_type("1.0"), "Accept": media_type("1.0")}
THREE = [{"id": "HP:0000252"}, {"id": "HP:0001250"}, {"id": "HP:0001263"}]
ALL_OF_IT = patient_json(
    "p",
    label="M. from Dublin",
    sex="MALE",
    ageOfOnset="HP:0003577",
    inheritanceMode="HP:0000007",
    disorders=[{"id": "MIM:614923"}],
    features=[*THREE, {"id": "HP:0000729", "observed": "no"}],
    genomicFeatures=[{"gene": {"id": "BCKDK"}, "variant": variant_json(), "zygosity": 2}, {"gene": {"id": "TTN"}}],
)


async def call(
    node: RunningNode, method: str, path: str, headers: dict[str, str], body: Any = None
) -> tuple[int, dict[str, Any], dict[str, str]]:
    async with node.session.request(method, node.url + path, json=body, headers=headers) as response:
        answered = await response.json(content_type=None) if response.status != 204 else {}
        return response.status, answered, dict(response.headers)


async def ask(
    node: RunningNode, who: dict[str, str], patient: dict[str, Any]
) -> tuple[int, dict[str, Any], dict[str, str]]:
    return await call(node, "POST", "/match", {**who, **MME}, {"patient": patient})


async def put(node: RunningNode, owner: dict[str, str], patient: dict[str, Any], **sharing: Any) -> dict[str, Any]:
    collection = {"collection": sharing.pop("collection")} if "collection" in sharing else {}
    body = {"patient": patient, "sharing": {"with": "all", **sharing}, **collection}
    status, view, _ = await call(node, "PUT", f"/api/cases/{patient['id']}", owner, body)
    assert status in {200, 201}, view
    return view


async def add_collection(node: RunningNode, **changes: Any) -> None:
    told = {
        "name": "rare", "institution": "dublin", "legalBasis": "yes", "futureResearch": "yes", "benefitOfOthers": "yes",
        "contact": {"name": "Matching team", "href": "mailto:team@dublin.example"},
    }  # fmt: skip
    store = await open_store(node.config)
    await store.put_collection(Collection.model_validate({**told, **changes}))
    await store.close()
    await node.exchange._following.catch_up()  # noqa: SLF001 - what the background loop does, without its wait


@pytest.fixture
async def owner(node: RunningNode) -> dict[str, str]:
    return await node.add_client("dublin", Role.DEPOSITOR)


@pytest.fixture
async def spain(node: RunningNode) -> dict[str, str]:
    return await node.add_client("spain", country="ES")


@pytest.mark.parametrize("level", ["minimal", "standard", "full"])
async def test_a_level_is_all_that_a_peer_sees_in_result_and_reasons(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str], level: str
) -> None:
    await put(node, owner, ALL_OF_IT, level=level)
    query = {**ALL_OF_IT, "id": "q", "features": [*THREE[:2], {"id": "HP:0012758"}], "genomicFeatures": [
        {"gene": {"id": "BCKDK"}, "variant": variant_json(), "zygosity": 2}
    ]}  # fmt: skip
    status, answer, _ = await ask(node, spain, query)
    assert status == 200
    (result,) = answer["results"]
    patient, shared = result["patient"], result["_explanation"]
    if level == "full":
        assert shared["sharedGenes"][0]["sameVariant"] is True
        assert patient["label"] == "M. from Dublin"
        return
    assert shared["sharedGenes"] == [{"id": "ENSG00000103507", "symbol": "BCKDK", "sameVariant": False}]
    for secret in ("31110715", "M. from", "MALE", "zygosity", "HP:0003577"):
        assert secret not in json.dumps(answer), secret
    if level == "minimal":
        assert patient.keys() == {"id", "contact", "features", "genomicFeatures"}
        assert {one["gene"]["_geneName"] for one in patient["genomicFeatures"]} == {"BCKDK"}
        mine = {feature["id"] for feature in patient["features"]}
        assert mine >= {"HP:0000252", "HP:0001250", "HP:0012758"}, "of the third an ancestor alone"
        assert not mine & {"HP:0001263", "HP:0000729"}, "what is not shared is not shown"
        assert "_score" not in result
        assert all(one["match"] == one["through"] for one in shared["relatedTerms"])
        assert "HP:0001263" not in json.dumps(answer)
    else:
        assert {"id": "HP:0000729", "observed": "no", "label": "Autistic behavior"} in patient["features"]
        assert patient["inheritanceMode"] == "HP:0000007"


async def test_a_minimal_answer_is_valid_where_nothing_but_ancestors_is_shared(start_node: StartNode) -> None:
    fine = [{"id": f"HP:{number:07d}"} for number in (11451, 2069, 11343, 407, 1643)]
    near = [{"id": f"HP:{number:07d}"} for number in (253, 2121, 11344, 405, 1629)]
    async with start_node(disclosure__min_score_by_phenotype=0.0) as node:
        owner, spain = await node.add_client("dublin", Role.DEPOSITOR), await node.add_client("spain")
        await put(node, owner, patient_json("p", features=fine, genomicFeatures=None), level="minimal")
        _, answer, _ = await ask(node, spain, patient_json("q", features=near, genomicFeatures=None))
        (result,) = answer["results"]
        assert {"HP:0000252", "HP:0001250", "HP:0001263"} <= {one["id"] for one in result["patient"]["features"]}
        assert not {one["id"] for one in result["patient"]["features"]} & {one["id"] for one in (*fine, *near)}
        assert result["score"]["patient"] == 0.0, "to one digit"


async def test_a_minimal_score_tells_no_more_than_one_digit(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    for number in range(4):
        more = [{"gene": {"id": f"OTHER{number}{n}"}} for n in range(number)]
        own = [{"gene": {"id": f"GENE{number}"}}]
        await put(node, owner, patient_json(f"p{number}", genomicFeatures=[*own, *more]), level="minimal")
        _, answer, _ = await ask(node, spain, patient_json("q", genomicFeatures=own))
        (result,) = answer["results"]
        assert result["score"]["patient"] == round(result["score"]["patient"], 1)


async def test_a_gene_that_has_not_the_form_of_one_stays_below_full(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    odd = [{"gene": {"id": "BCKDK"}}, {"gene": {"id": "Jane Roe c.1521_1523del"}}, {"gene": {"id": "NEWGENE1"}}]
    for level, count in (("standard", 2), ("full", 3)):
        await put(node, owner, patient_json("p", genomicFeatures=odd), level=level)
        _, answer, _ = await ask(node, spain, patient_json(level))
        assert len(answer["results"][0]["patient"]["genomicFeatures"]) == count


async def test_what_nobody_knows_is_refused_where_it_may_have_meant_less(
    node: RunningNode, owner: dict[str, str]
) -> None:
    body = {"patient": patient_json("p"), "sharing": {"with": "all"}, "colection": "rare"}
    status, answer, _ = await call(node, "PUT", "/api/cases/p", owner, body)
    assert (status, answer["errors"][0]["path"]) == (422, "colection")
    await put(node, owner, patient_json("p"))
    status, answer, _ = await call(node, "POST", "/api/cases/p/search", owner, {"node": ["ireland"]})
    assert (status, answer["errors"][0]["path"]) == (422, "node")
    assert (await call(node, "GET", "/api/cases?knownas=x", owner))[0] == 422


async def test_a_question_that_never_left_is_told_as_that_and_nobody_hears_of_the_withdrawal(
    node: RunningNode, owner: dict[str, str]
) -> None:
    await put(node, owner, patient_json("p"))
    await node.add_peer("nowhere", "http://127.0.0.1:1")
    async with fake_peers({"spain": says(peer_answer())}) as fakes:
        await node.add_peer("spain", fakes["spain"].url)
        await call(node, "POST", "/api/cases/p/search", owner)
    _, told, _ = await call(node, "GET", "/api/cases/p/disclosures", owner)
    assert sorted((one["who"], one["what"]) for one in told["disclosures"]) == [
        ("nowhere", "asked"),
        ("nowhere", "not sent"),
        ("spain", "asked"),
    ]
    await call(node, "DELETE", "/api/cases/p", owner)
    _, told, _ = await call(node, "GET", "/api/cases/p/disclosures", owner)
    assert told["notices"] == ["spain"]
    _, found, _ = await call(node, "GET", f"/api/cases?known_as={told['publicId']}", owner)
    assert (found["cases"][0]["withdrawn"], found["cases"][0]["sharing"]["with"]) == (True, "none")


async def test_an_owner_is_told_where_a_case_is_protected_less_than_before(
    node: RunningNode, owner: dict[str, str]
) -> None:
    await add_collection(node)
    view = await put(node, owner, patient_json("p"), collection="rare", level="minimal", until="2030-01-01")
    assert "notes" not in view
    view = await put(node, owner, patient_json("p"))
    assert [note.split(",")[0] for note in view["notes"]] == [
        "it leaves the collection rare", "it is shown at level standard", "it was shared until 2030-01-01",
    ]  # fmt: skip
    assert "notes" not in await put(node, owner, patient_json("p"), level="minimal")


async def test_an_owner_is_told_that_a_collection_lets_nobody_learn(node: RunningNode, owner: dict[str, str]) -> None:
    await add_collection(node, legalBasis="don't know")
    view = await put(node, owner, patient_json("p"), collection="rare")
    assert "lets nobody but you learn of it: legal basis: don't know" in view["notes"][0]


async def test_too_many_terms_in_one_question_are_refused(node: RunningNode, spain: dict[str, str]) -> None:
    ids = sorted(node.exchange._following.current.knowledge.ontology.abnormalities)  # noqa: SLF001 - real terms
    names = node.exchange._following.current.knowledge.ontology.ids  # noqa: SLF001 - as above
    many = [{"id": names[number]} for number in ids[:101]]
    status, answer, _ = await ask(node, spain, patient_json("q", features=many))
    assert (status, answer["errors"][0]["path"]) == (422, "patient.features")


async def test_a_questions_own_id_changes_nothing_of_what_is_told(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    for number in range(9):
        await put(node, owner, patient_json(f"p{number}", features=[*THREE, {"id": f"HP:000{1290 + number}"}]))
    told: set[str] = set()
    asked = "q"
    for _ in range(9):
        _, answer, _ = await ask(node, spain, patient_json(asked, features=THREE))
        found = [result["patient"]["id"] for result in answer["results"]]
        told |= set(found)
        asked = found[0]
    assert len(told) == 5


async def test_a_collection_of_another_institution_opens_nothing(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    await add_collection(node)
    await put(node, owner, patient_json("p", features=THREE), collection="rare")
    await add_collection(node, institution="another")
    assert (await ask(node, spain, patient_json("q", features=THREE)))[1]["results"] == []


async def test_a_report_is_read_page_by_page(node: RunningNode, owner: dict[str, str], spain: dict[str, str]) -> None:
    await put(node, owner, patient_json("p", features=THREE))
    for _ in range(5):
        await ask(node, spain, patient_json("q", features=THREE))
    pages: list[int] = []
    after: int | None = 0
    while after is not None:
        _, page, _ = await call(node, "GET", f"/api/cases/p/disclosures?limit=2&after={after}", owner)
        pages.append(len(page["disclosures"]))
        after = page.get("next")
    assert pages == [2, 2, 1]
    assert (await call(node, "GET", "/api/cases/p/disclosures?after=x", owner))[0] == 422


@pytest.mark.parametrize(
    ("features", "words"),
    [
        ([{"id": "HP:0000252"}, {"id": "HP:0001250"}], "at least 3"),
        ([*THREE[:2], {"id": "HP:9999999"}], "at least 3"),
        ([*THREE[:2], {"id": "HP:0001263", "observed": "no"}], "at least 3"),
        ([*THREE[:2], {"id": "HP:0040195"}], "at least 3"),
        ([{"id": "HP:0001250"}, {"id": "HP:0000707"}, {"id": "HP:0000478"}], "at least 3"),
        ([{"id": "HP:0000707"}, {"id": "HP:0000924"}, {"id": "HP:0000478"}], "tell more"),
    ],
)
async def test_too_little_by_phenotype_alone_is_answered_with_a_notice(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str], features: list[dict[str, str]], words: str
) -> None:
    await put(node, owner, patient_json("p", features=THREE))
    status, answer, _ = await ask(node, spain, patient_json("q", features=features, genomicFeatures=None))
    assert (status, answer["results"]) == (200, [])
    assert words in answer["_notice"]
    invented = await ask(
        node, spain, patient_json("q", features=features, genomicFeatures=[{"gene": {"id": "NOGENE1"}}])
    )
    assert invented[1]["results"] == [], "a gene that nobody has is no way round"


async def test_at_most_five_with_a_shared_gene_and_three_without(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    for number in range(9):
        await put(node, owner, patient_json(f"gene{number}", features=THREE))
        await put(node, owner, patient_json(f"like{number}", features=THREE, genomicFeatures=[{"gene": {"id": "TTN"}}]))
    _, answer, _ = await ask(node, spain, patient_json("q", features=THREE))
    shared = [bool(result["_explanation"]["sharedGenes"]) for result in answer["results"]]
    assert (shared.count(True), shared.count(False)) in {(5, 3), (5, 0)}
    _, answer, _ = await ask(node, spain, patient_json("q", features=THREE, genomicFeatures=None))
    assert len(answer["results"]) == 3
    local = await call(node, "POST", "/api/cases/gene0/search", owner)
    assert len(local[1]["results"]) == 17, "a node's own users are not limited so"


async def test_the_only_case_of_one_candidate_is_not_hidden_by_the_many_of_another(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    for number in range(9):
        await put(node, owner, patient_json(f"p{number}", features=THREE, genomicFeatures=[{"gene": {"id": "TTN"}}]))
    await put(node, owner, patient_json("rare", features=[{"id": "HP:0000365"}]))
    genes = [{"gene": {"id": "TTN"}}, {"gene": {"id": "BCKDK"}}]
    _, answer, _ = await ask(node, spain, patient_json("q", features=THREE, genomicFeatures=genes))
    found = [result["_explanation"]["sharedGenes"][0]["symbol"] for result in answer["results"]]
    assert len(found) == 5
    assert "BCKDK" in found
    scores = [result["score"]["patient"] for result in answer["results"]]
    assert scores == sorted(scores, reverse=True)


def genes(first: int, count: int) -> list[dict[str, Any]]:
    return [{"gene": {"id": f"GENE{number}"}} for number in range(first, first + count)]


async def test_ten_genes_with_one_profile(node: RunningNode, spain: dict[str, str]) -> None:
    status, answer, _ = await ask(node, spain, patient_json("q", genomicFeatures=genes(0, 11)))
    assert (status, answer["errors"][0]["path"]) == (422, "patient.genomicFeatures")
    assert (await ask(node, spain, patient_json("q", genomicFeatures=genes(0, 9))))[0] == 200
    assert (await ask(node, spain, patient_json("other", genomicFeatures=genes(8, 2))))[0] == 200
    more = patient_json("other", genomicFeatures=genes(20, 3))  # that all three share a number is one chance in 10^6
    assert (await ask(node, spain, more))[0] == 422
    assert (await ask(node, spain, patient_json("q", features=THREE, genomicFeatures=genes(20, 1))))[0] == 200


async def test_an_agreement_is_kept_and_shared_by_the_nodes_of_one_institution(node: RunningNode) -> None:
    one = await node.add_client("one", institution="Hospital of Madrid", per_month=2)
    two = await node.add_client("two", institution="hospital of madrid ", per_month=1)
    other = await node.add_client("other", per_month=1)
    new = [patient_json("q", features=[{"id": f"HP:000{n}"}], genomicFeatures=genes(n, 1)) for n in (1249, 1250, 1263)]
    assert (await ask(node, one, new[0]))[0] == 200
    assert (await ask(node, two, new[1]))[0] == 200
    for who in (one, two):
        status, answer, headers = await ask(node, who, new[2])
        assert (status, int(headers["Retry-After"]) > 29 * 86_400) == (429, True)
        assert "new profiles" in answer["message"]
        assert (await ask(node, who, new[0]))[0] == 200, "the same again, at no cost"
    assert (await ask(node, other, new[2]))[0] == 200
    await node.exchange.write_refusals()
    store = await open_store(node.config)
    refused = [line.who for line in await store.recent_lines([Happened.REFUSED], 9)]
    await store.close()
    assert sorted(refused) == ["one", "two"], "every refusal is shown to the operator"


async def test_a_sweep_is_stopped_and_goes_on_only_when_a_named_person_releases_it(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    for number in range(40):
        await put(
            node, owner, patient_json(f"p{number}", features=[{"id": "HP:0000252"}], genomicFeatures=genes(number, 1))
        )
    told: set[str] = set()
    ends, questions = list[int](), list[dict[str, Any]]()
    for number in range(40):
        question = patient_json("q", features=[{"id": f"HP:00012{50 + number % 40}"}], genomicFeatures=genes(number, 1))
        status, answer, _ = await ask(node, spain, question)
        ends.append(status)
        told |= {result["patient"]["id"] for result in answer.get("results", ())}
        questions.append(question)
    assert (len(told), ends[-1]) == (25, 429)
    assert ends.index(429) == 25
    _, again, _ = await ask(node, spain, questions[0])
    assert len(again["results"]) == 1, "the same answer again"
    assert "operator" in answer["message"]


async def test_each_peer_knows_a_case_by_an_id_of_its_own_by_which_its_owner_finds_it(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    france = await node.add_client("france", country="FR")
    other = await node.add_client("cork", Role.DEPOSITOR)
    view = await put(node, owner, patient_json("p", features=THREE))
    ids = []
    for who in (spain, france, spain):
        _, answer, _ = await ask(node, who, patient_json("q", features=THREE))
        ids.append(answer["results"][0]["patient"]["id"])
    assert ids[0] == ids[2] != ids[1]
    assert view["publicId"] not in ids
    for quoted in (*ids, view["publicId"], f" {ids[0].upper()} "):
        _, found, _ = await call(node, "GET", f"/api/cases?known_as={quoted}", owner)
        assert [case["id"] for case in found["cases"]] == ["p"]
        assert (await call(node, "GET", f"/api/cases?known_as={quoted}", other))[1]["cases"] == []
    assert (await call(node, "GET", "/api/cases?known_as=nobodys", owner))[1]["cases"] == []


async def test_a_report_says_who_was_told_what_and_who_will_hear_of_a_withdrawal(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    cork = await node.add_client("cork", Role.DEPOSITOR)
    view = await put(node, owner, patient_json("p", features=THREE), level="full")
    await put(node, cork, patient_json("c", features=THREE), **{"with": "none"})
    await ask(node, spain, patient_json("q", features=THREE))
    await call(node, "POST", "/api/cases/c/search", cork)
    await call(node, "POST", "/api/cases/p/search", owner)
    async with fake_peers({"italy": says(peer_answer())}) as fakes:
        await node.add_peer("italy", fakes["italy"].url, "IT")
        await call(node, "POST", "/api/cases/p/search", owner)
    _, told, _ = await call(node, "GET", "/api/cases/p/disclosures", owner)
    seen = [(one["who"], one["what"], one["level"], one["purpose"]) for one in told["disclosures"]]
    assert seen == [
        ("spain", "told", "full", "clinical"),
        ("cork", "shown", "full", "clinical"),
        ("italy", "asked", "full", "clinical"),
    ]
    assert told["disclosures"][0]["seenAs"] == name_for("spain", view["publicId"])
    assert (await call(node, "GET", "/api/cases/p/disclosures", cork))[0] == 404
    assert (await call(node, "DELETE", "/api/cases/p", owner))[0] == 204
    _, told, _ = await call(node, "GET", "/api/cases/p/disclosures", owner)
    assert (told["withdrawn"], told["notices"]) == (True, ["italy", "spain"])
    assert len(told["disclosures"]) == 3


async def test_a_preview_is_what_each_peer_is_sent_to_the_letter(node: RunningNode, owner: dict[str, str]) -> None:
    await add_collection(node)
    view = await put(node, owner, ALL_OF_IT, collection="rare", genes=["BCKDK"])
    assert view["collection"] == "rare"
    async with fake_peers({"spain": says(peer_answer()), "france": says(peer_answer())}) as fakes:
        for name, fake in fakes.items():
            await node.add_peer(name, fake.url, name[:2].upper().replace("SP", "ES"))
        _, shown, _ = await call(node, "POST", "/api/cases/p/preview", owner)
        assert not any(fake.questions for fake in fakes.values()), "nothing leaves for a preview"
        await call(node, "POST", "/api/cases/p/search", owner)
        for one in shown["nodes"]:
            head, _, body = fakes[one["node"]].questions[0].partition(b"\r\n\r\n")
            assert json.loads(body) == one["sent"]
            assert b"Content-Length: %d" % len(body) in head
        patient = shown["nodes"][0]["sent"]["patient"]
        assert patient["contact"]["href"] == "mailto:team@dublin.example"
        assert [one["gene"]["_geneName"] for one in patient["genomicFeatures"]] == ["BCKDK"]
        assert len({one["sent"]["patient"]["id"] for one in shown["nodes"]}) == 2
        _, other, _ = await call(node, "POST", "/api/cases/p/preview", owner, {"genes": ["TTN"], "nodes": ["spain"]})
        reasons = {one["node"]: one.get("reason") for one in other["nodes"]}
        assert reasons == {"france": "not among the nodes named", "spain": None}
        bad = await call(node, "POST", "/api/cases/p/search", owner, {"genes": ["MYH7"]})
        assert (bad[0], bad[1]["errors"][0]["path"]) == (422, "genes[0]")


async def test_a_peer_that_may_not_learn_is_not_asked_and_the_owner_reads_why(
    node: RunningNode, owner: dict[str, str]
) -> None:
    await add_collection(node, futureResearch="no")
    async with fake_peers({"spain": says(peer_answer()), "france": says(peer_answer())}) as fakes:
        await node.add_peer("spain", fakes["spain"].url, "ES")
        await node.add_peer("france", fakes["france"].url, "FR")
        await node.add_client("france", purpose=Purpose.RESEARCH)
        await put(node, owner, patient_json("p"), collection="rare")
        _, found, _ = await call(node, "POST", "/api/cases/p/search", owner)
        status = {one["node"]: (one["status"], one.get("reason")) for one in found["nodes"]}
        assert status["spain"][0] == "answered"
        assert status["france"] == ("not asked", "the collection rare does not allow it")
        await put(node, owner, patient_json("p"), collection="rare", **{"with": "named", "countries": ["FR"]})
        _, found, _ = await call(node, "POST", "/api/cases/p/search", owner)
        status = {one["node"]: (one["status"], one.get("reason")) for one in found["nodes"]}
        assert status["spain"] == ("not asked", "the case is shared with named countries and nodes only")
        many = patient_json("many", genomicFeatures=genes(0, 11))
        view = await put(node, owner, many)
        assert "choose at most 10" in view["notes"][-1]
        _, found, _ = await call(node, "POST", "/api/cases/many/search", owner)
        assert all("choose at most 10" in one["reason"] for one in found["nodes"] if one["node"] != "ireland")


@pytest.mark.parametrize(
    ("sharing", "path"),
    [
        ({"with": "named"}, "sharing.with"),
        ({"with": "all", "countries": ["ES"]}, "sharing.with"),
        ({"with": "named", "nodes": ["atlantis"]}, "sharing.nodes[0]"),
        ({"with": "named", "countries": ["Spain"]}, "sharing.countries[0]"),
        ({"with": "all", "until": "31.1.2027"}, "sharing.until"),
        ({"with": "all", "until": "2027-02-30"}, "sharing.until"),
        ({"with": "all", "level": "everything"}, "sharing.level"),
        ({"with": "all", "genes": ["TTN"]}, "sharing.genes[0]"),
        ({"with": "all", "genes": [f"G{n}" for n in range(11)]}, "sharing.genes"),
        ({"with": "all", "contact": "nobody"}, "sharing.contact"),
        ({"with": "all", "untill": "2030-01-01"}, "sharing.untill"),
    ],
)
async def test_a_deposit_that_cannot_be_meant_is_refused_by_its_path(
    node: RunningNode, owner: dict[str, str], sharing: dict[str, Any], path: str
) -> None:
    body = {"patient": patient_json("p"), "sharing": sharing}
    status, answer, _ = await call(node, "PUT", "/api/cases/p", owner, body)
    assert (status, answer["errors"][0]["path"]) == (422, path)
    assert (await call(node, "GET", "/api/cases/p", owner))[0] == 404


async def test_a_collection_is_the_owners_own_and_in_production_it_is_named(start_node: StartNode) -> None:
    async with start_node(node__production=True) as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        other = await node.add_client("cork", Role.DEPOSITOR, institution="Hospital of Cork")
        await add_collection(node)
        for who, body, path in (
            (owner, {"sharing": {"with": "all"}}, "collection"),
            (owner, {"sharing": {"with": "all"}, "collection": "missing"}, "collection"),
            (other, {"sharing": {"with": "all"}, "collection": "rare"}, "collection"),
        ):
            status, answer, _ = await call(node, "PUT", "/api/cases/p", who, {"patient": patient_json("p"), **body})
            assert (status, answer["errors"][0]["path"]) == (422, path)
        assert (await put(node, owner, patient_json("p"), collection="rare"))["collection"] == "rare"
        await put(node, owner, patient_json("q"), **{"with": "none"})


async def test_a_collection_that_is_changed_or_gone_is_heeded_at_once(
    node: RunningNode, owner: dict[str, str], spain: dict[str, str]
) -> None:
    await add_collection(node)
    await put(node, owner, patient_json("p", features=THREE), collection="rare")
    query = patient_json("q", features=THREE)
    assert len((await ask(node, spain, query))[1]["results"]) == 1
    for answer, count in (("don't know", 0), ("yes", 1), ("no, but re-consenting is possible", 0)):
        await add_collection(node, legalBasis=answer)
        assert len((await ask(node, spain, query))[1]["results"]) == count, answer
    await add_collection(node)
    store = await open_store(node.config)
    await store.remove_collection("rare")
    await store.close()
    await node.exchange._following.catch_up()  # noqa: SLF001 - as above
    assert (await ask(node, spain, query))[1]["results"] == []
    assert len((await call(node, "GET", "/api/cases", owner))[1]["cases"]) == 1, "its owner still has it"


async def test_the_catalogue_is_public_coarse_and_without_cases(node: RunningNode, owner: dict[str, str]) -> None:
    await add_collection(node, subjects=1_234, dataUse=["DUO:0000043"], geneticData=["WES"], title="Rare <b>")
    for number in range(12):
        await put(node, owner, patient_json(f"secret-{number}"), collection="rare")
    status, answer, _ = await call(node, "GET", "/api/collections", {})
    assert status == 200
    (one,) = answer["collections"]
    assert (one["cases"], one["subjects"]) == ("10 or more", "1,000 or more")
    assert one["dataUse"] == [{"id": "DUO:0000043", "label": "clinical care use"}]
    assert one["contact"]["href"] == "mailto:team@dublin.example"
    assert "secret" not in json.dumps(answer)
    assert "1234" not in json.dumps(answer)


async def test_what_is_denied_is_as_if_it_were_not_there_byte_by_byte(start_node: StartNode) -> None:
    """Two nodes with the same cases; one has a denied case more. Every answer of both is the same."""
    denials: list[dict[str, Any]] = [
        {"with": "none"}, {"with": "institution"}, {"with": "country"}, {"with": "named", "countries": ["FR"]},
        {"with": "all", "until": "2020-01-01"}, {"with": "all", "collection": "closed"},
    ]  # fmt: skip
    async with start_node("ireland") as full, start_node("eire") as bare:
        for node in (full, bare):
            owner = await node.add_client("dublin", Role.DEPOSITOR)
            await node.add_client("spain", country="ES")
            await add_collection(node, name="closed", legalBasis="don't know")
            await put(node, owner, patient_json("there", features=THREE, genomicFeatures=genes(1, 1)))
        for number, sharing in enumerate(denials):
            await put(full, owner, patient_json(f"denied{number}", features=THREE), **sharing)
        spain = {"X-Auth-Token": "token-of-spain"}
        for query in (
            patient_json("q", features=THREE),
            patient_json("q", features=THREE, genomicFeatures=None),
            patient_json("q", features=None),
        ):
            answers = []
            for node in (full, bare):
                status, answer, headers = await ask(node, spain, query)
                for result in answer["results"]:
                    result["patient"].pop("id")  # made by chance, for every node
                kept = {key: headers[key] for key in ("Content-Type", "Cache-Control")}
                answers.append((status, answer, kept))
            assert answers[0] == answers[1]
        numbers = []
        for node in (full, bare):
            _, answer, _ = await call(node, "GET", "/metrics", spain)
            answer["metrics"].pop("dateGenerated")
            numbers.append(answer)
        assert numbers[0] == numbers[1]
        pages = []
        for node in (full, bare):
            async with node.session.get(node.url + "/") as response:
                pages.append((await response.text()).replace("eire", "ireland").split("counted")[0])
        assert pages[0] == pages[1]


async def test_own_users_see_what_is_shared_with_their_institution(node: RunningNode) -> None:
    dublin = await node.add_client("dublin", Role.DEPOSITOR, institution="Hospital of Dublin")
    ward = await node.add_client("ward", Role.DEPOSITOR, institution="hospital of dublin")
    cork = await node.add_client("cork", Role.DEPOSITOR, institution="Hospital of Cork")
    await put(node, dublin, patient_json("p", features=THREE), **{"with": "institution"})
    for who, count in ((ward, 1), (cork, 0)):
        await put(node, who, patient_json("mine", features=THREE), **{"with": "none"})
        _, found, _ = await call(node, "POST", "/api/cases/mine/search", who)
        assert len(found["results"]) == count


async def test_denied_access_is_written_down_without_a_flood(node: RunningNode, spain: dict[str, str]) -> None:
    for _ in range(50):
        await ask(node, {"X-Auth-Token": "wrong"}, patient_json())
    await call(node, "GET", "/api/cases", spain)
    await node.exchange.write_refusals()
    store = await open_store(node.config)
    lines = await store.recent_lines([Happened.DENIED], 9)
    await store.close()
    assert sorted((line.who, line.detail) for line in lines) == [
        ("", "no token of a node: 50 times"),
        ("spain", "no token of a depositor: 1 times"),
    ]


async def test_purposes_are_heeded(node: RunningNode, owner: dict[str, str]) -> None:
    await add_collection(node, dataUse=["DUO:0000043"])
    await put(node, owner, patient_json("p", features=THREE), collection="rare")
    for purpose, count in ((Purpose.CLINICAL, 1), (Purpose.RESEARCH, 0)):
        who = await node.add_client(f"for-{purpose.value}", purpose=purpose)
        assert len((await ask(node, who, patient_json("q", features=THREE)))[1]["results"]) == count


async def test_no_question_leaves_about_a_case_that_another_worker_has_withdrawn(start_node: StartNode) -> None:
    """Two workers over one store; the one waits for its turn to ask a slow peer while the other one withdraws."""

    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(1.0)
        await says(peer_answer())(writer)

    async with start_node("ireland", peers__concurrency=1) as one, start_node("ireland") as other:
        owner = await one.add_client("dublin", Role.DEPOSITOR)
        await other.exchange._following.catch_up()  # noqa: SLF001 - what the background loop does, without its wait
        async with fake_peers({"spain": slowly}) as fakes:
            await one.add_peer("spain", fakes["spain"].url)
            views = [await put(one, owner, patient_json(name)) for name in ("first", "second")]
            first = asyncio.create_task(call(one, "POST", "/api/cases/first/search", owner))
            await asyncio.sleep(0.3)
            second = asyncio.create_task(call(one, "POST", "/api/cases/second/search", owner))
            await asyncio.sleep(0.3)
            assert (await call(other, "DELETE", "/api/cases/second", owner))[0] == 204
            await first
            _, found, _ = await second
            sent = b"".join(fakes["spain"].questions)
    assert name_for("spain", views[0]["publicId"]).encode() in sent
    assert name_for("spain", views[1]["publicId"]).encode() not in sent
    report = next(one for one in found["nodes"] if one["node"] == "spain")
    assert (report["status"], report["reason"]) == ("not asked", "the case was changed or withdrawn meanwhile")
