"""Cases at the pages, without any script: filled in, previewed, kept, changed, found, withdrawn, printed."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from matchmaker.policy.names import name_for
from matchmaker.records.case import Case
from matchmaker.records.party import Role
from matchmaker.records.sharing import Circle, Level, Sharing
from tests.conftest import RunningNode, StartNode
from tests.samples import patient_json, variant_json
from tests.web.people import ANA, BEN, CHEAP, DUBLIN, FEATURES, Browser, Page, add, begin, desk, keep, signed_in
from tests.web.test_matches_api import ask, put

NEW = "/cases/new"
HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    async with start_node(**CHEAP) as running:
        yield running


@pytest.fixture
async def ana(node: RunningNode) -> Browser:
    return await signed_in(node, name="Dr Ana Byrne")


async def kept(node: RunningNode, case_id: str = "martin", owner: str = ANA) -> Case | None:
    return await node.exchange.store.case(owner, case_id)


async def content(node: RunningNode, case_id: str = "martin", owner: str = ANA) -> dict[str, Any]:
    case = await kept(node, case_id, owner)
    assert case
    assert case.patient
    return case.patient.to_json()


def problems(page: Page) -> set[str]:
    """The fields that a page says something is wrong with."""
    assert page.status == 422, page.words
    _, _, rest = page.text.partition('id="problems"')
    listed, _, _ = rest.partition("</ul>")
    return {part.partition("</strong>")[0] for part in listed.split("<strong>")[1:]}


# Filled in


async def test_a_case_is_filled_in_by_buttons_alone_and_kept(node: RunningNode, ana: Browser) -> None:
    page = await ana.get(NEW)
    page = await ana.submit(page, NEW, ("action", "find"), term="small head")
    page = await ana.submit(page, NEW, ("add", "HP:0000252"))
    assert page.form(NEW).all("feature") == ["HP:0000252"]
    page = await ana.submit(page, NEW, ("action", "find"), term="seizure")
    page = await ana.submit(page, NEW, ("add", "HP:0001250|no"))
    assert page.form(NEW).get("observed.HP:0001250") == "no"
    page = await ana.submit(page, NEW, ("action", "find"), gene_typed="bckdk")
    page = await ana.submit(page, NEW, ("add_gene", "BCKDK"))
    told = {"id": "martin", "variant.0": "GRCh38 16-31110716-G-C", "zygosity.0": "2", "sex": "MALE"}
    told |= {"inheritance": "HP:0000007", "disorders": "OMIM 614923; ORPHA:308410"}
    page = await ana.submit(page, NEW, ("action", "preview"), **told)
    assert page.status == 200, page.words
    assert await kept(node) is None, "looking at what would leave keeps nothing"
    saved = await ana.submit(page, NEW, ("action", "save"))
    assert saved.status == 303, saved.words
    page = await ana.follow(saved)
    assert "Kept." in page.words
    stored = await content(node)
    assert (stored["id"], stored["sex"], stored["inheritanceMode"]) == ("martin", "MALE", "HP:0000007")
    assert stored["disorders"] == [{"id": "MIM:614923"}, {"id": "Orphanet:308410"}]
    (gene,) = stored["genomicFeatures"]
    assert (gene["gene"]["_geneName"], gene["variant"], gene["zygosity"]) == ("BCKDK", variant_json(), 2)
    assert [(one["id"], one["observed"]) for one in (await content(node))["features"]] == [
        ("HP:0000252", "yes"), ("HP:0001250", "no"),
    ]  # fmt: skip
    assert (await content(node))["contact"] == {
        "name": "Dr Ana Byrne", "href": f"mailto:{ANA}", "institution": DUBLIN,
    }  # fmt: skip


async def test_a_form_that_does_not_say_with_whom_shares_with_nobody_and_as_little_as_can_be(
    node: RunningNode, ana: Browser
) -> None:
    saved = await ana.post(NEW, {"csrf": ana.csrf, "id": "martin", "feature": "HP:0000252", "action": "save"})
    assert saved.status == 303, saved.words
    case = await kept(node)
    assert case
    assert (case.sharing.circle, case.sharing.level) == (Circle.NONE, Level.MINIMAL)
    form = (await ana.get(NEW)).form(NEW)
    assert form.get("circle"), "a new form says it, so that nobody shares with nobody unawares"


@pytest.mark.parametrize("name", ["id", "label", "sex", "inheritance", "onset", "until", "collection", "gene"])
async def test_what_is_endless_comes_back_cut_and_is_kept_by_nobody(node: RunningNode, ana: Browser, name: str) -> None:
    whole = {"csrf": ana.csrf, "id": "martin", "feature": "HP:0000252", name: "x" * 500_000, "action": "save"}
    page = await ana.post(NEW, whole)
    assert page.status == 422
    assert "x" * 301 not in page.text
    assert len(page.text) < 200_000
    assert await desk(node).count() == 0


async def test_endless_disorders_come_back_cut_with_some_of_what_is_wrong(node: RunningNode, ana: Browser) -> None:
    whole = {"csrf": ana.csrf, "id": "martin", "feature": "HP:0000252", "action": "save"}
    page = await ana.post(NEW, {**whole, "disorders": "x;" * 200_000})
    assert problems(page) == {"disorders"}
    assert len(page.form(NEW).get("disorders")) <= 5_001
    assert page.text.count("<strong>disorders</strong>") <= 20
    assert await desk(node).count() == 0


async def test_a_disorder_that_is_cut_in_its_middle_is_not_kept_as_another_one(node: RunningNode, ana: Browser) -> None:
    ids = "MIM:614923" + " " * 4_982 + ";MIM:2561000"
    assert ids[:5_000].endswith("MIM:256")
    whole = {"csrf": ana.csrf, "id": "martin", "feature": "HP:0000252", "action": "save", "disorders": ids}
    assert problems(await ana.post(NEW, whole)) == {"disorders"}
    assert await desk(node).count() == 0


async def test_a_case_of_as_many_disorders_as_it_may_have_loses_none(node: RunningNode, ana: Browser) -> None:
    told = [{"id": f"Orphanet:{100_000 + one}"} for one in range(100)]
    case = await keep(node, disorders=told)
    page = await ana.get(f"/cases/{case.public_id}/edit")
    saved = await ana.submit(page, f"/cases/{case.public_id}/edit", ("action", "save"))
    assert saved.status == 303, saved.words
    assert (await content(node))["disorders"] == told


async def test_what_is_added_twice_is_there_once_and_what_is_dropped_is_gone(ana: Browser) -> None:
    page = await ana.post(NEW, [("csrf", ana.csrf), ("feature", "HP:0000252"), ("add", "HP:0000252")])
    assert page.form(NEW).all("feature") == ["HP:0000252"]
    page = await ana.submit(page, NEW, ("drop", "HP:0000252"))
    assert page.form(NEW).all("feature") == []
    for _ in range(2):
        page = await ana.post(NEW, [*page.form(NEW).fields, ("add_gene", "bckdk")])
    assert page.form(NEW).all("gene") == ["bckdk"]
    page = await ana.submit(page, NEW, ("drop_gene", "0"))
    assert page.form(NEW).all("gene") == []


async def test_a_text_brings_terms_with_their_negation_one_by_one_and_is_not_kept(
    node: RunningNode, ana: Browser
) -> None:
    page = await ana.get(NEW)
    page = await ana.submit(
        page, NEW, ("suggest", "1"), text="Severe microcephaly at birth. No seizures so far.", id="m"
    )
    form = page.form(NEW)
    assert ("add", "HP:0001250|no") in form.buttons
    micro = next(value for name, value in form.buttons if name == "add" and not value.endswith("|no"))
    page = await ana.submit(page, NEW, ("add", micro))
    assert page.form(NEW).all("feature") == [micro], "none but the one that was accepted"
    assert (await ana.submit(page, NEW, ("action", "save"))).status == 303
    assert "Severe" not in json.dumps(await content(node, "m"))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"), ({"id": "x" * 256}, "id"), ({"id": "a\u202eb"}, "id"), ({"feature": "HP:9999999"}, "features"),
        ({"feature": "<b>"}, "features"), ({"gene": "NOGENE1"}, "genes"), ({"variant.0": "c.35delG"}, "variant of BCKDK"),
        ({"disorders": "flu"}, "disorders"), ({"until": "soon"}, "until"), ({"circle": "everybody"}, "circle"),
        ({"circle": "named"}, "circle"), ({"level": "more"}, "level"), ({"sex": "M"}, "sex"), ({"label": "x" * 300}, "label"),
        ({"onset": "early"}, "ageOfOnset"), ({"inheritance": "<i>"}, "inheritanceMode"), ({"collection": "rare"}, "collection"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_named_by_its_field_and_nothing_is_stored(
    node: RunningNode, ana: Browser, changes: dict[str, str], field: str
) -> None:
    whole = {
        "csrf": ana.csrf,
        "id": "martin",
        "feature": "HP:0000252",
        "gene": "BCKDK",
        "variant.0": "",
        "circle": "all",
    }
    page = await ana.post(NEW, {**whole, **changes, "action": "save"})
    assert field in {one.partition(".")[2] or one for one in problems(page)} | problems(page), page.words
    assert await desk(node).count() == 0
    form = page.form(NEW)
    for name, value in {**whole, **changes}.items():
        if name in {"id", "feature", "gene", "variant.0", "disorders", "until", "label", "circle"} and name != "csrf":
            assert value in form.all(name), "what was typed stays"


async def test_a_form_of_nothing_or_of_nonsense_is_no_error_of_ours(ana: Browser) -> None:
    for fields in (
        [("feature", "")], [("add", "")], [("add", "|no")], [("add", "|")], [("drop", "x")], [("drop_gene", "-1")],
        [("add_gene", " ")], [("gene", "")], [("feature", "\x00")], [("text", "\x00" * 99)], [("action", "x")],
        [("feature", "HP:0000252"), ("onset.HP:0000252", "x")], [("onset", "?")], [("inheritance", HOSTILE)],
        [("term", "\"'*()-^:{}")], [("term", "%_")], [("gene_typed", "\"'*")], [("suggest", "1")],
        [("suggest", "1"), ("text", "no " * 20_000)], [("feature", "HP:0000252")] * 3_000,
    ):  # fmt: skip
        for action in ([], [("action", "save")], [("action", "preview")]):
            page = await ana.post(NEW, [("csrf", ana.csrf), *fields, *action])
            assert page.status in {200, 422}, (fields[:2], action, page.status)
            assert "<script>alert" not in page.text
    for path in ("/terms?term=", "/genes?gene_typed="):
        for text in (
            "",
            "%00",
            "%22%27*()",
            "x" * 3_000,
            "%F0%9F%98%80",
            "%3Cscript%3Ealert(1)",
            "AND%20OR%20NOT",
            "-",
            "%ED%A0%80",
        ):
            page = await ana.get(path + text)
            assert page.status == 200, (path, text)
            assert "<script>" not in page.text


async def test_an_id_is_used_once_also_after_it_was_withdrawn(node: RunningNode, ana: Browser) -> None:
    fields = {"csrf": ana.csrf, "id": "martin", "feature": "HP:0000252", "action": "save"}
    first = await ana.post(NEW, fields)
    assert first.status == 303
    before = await kept(node)
    assert problems(await ana.post(NEW, {**fields, "feature": "HP:0001250"})) == {"id"}
    assert await kept(node) == before
    page = await ana.get(first.location.partition("?")[0] + "/withdraw")
    page = await ana.submit(page)
    assert page.location == "/cases?withdrawn=1"
    assert (await ana.follow(page)).status == 200
    assert (await ana.get(first.location)).status == 404
    assert problems(await ana.post(NEW, fields)) == {"id"}
    ben = await signed_in(node, BEN)
    assert (await ben.post(NEW, {**fields, "csrf": ben.csrf})).status == 303, "another's ids are another's"


# Changed


async def test_changing_a_case_keeps_all_that_the_form_does_not_show(node: RunningNode) -> None:
    """A case of the hospital's system, fuller than any form, is opened and kept again: nothing of it is another."""
    await add(node)
    token = await node.add_client("dublin", Role.DEPOSITOR, institution=DUBLIN)
    full = {
        "label": "A label", "species": "NCBITaxon:9606", "sex": "NOT_APPLICABLE", "ageOfOnset": "HP:0011460",
        "inheritanceMode": "HP:0032382", "test": True,
        "contact": {"name": "Clinic", "href": "https://clinic.example/x?a=1&b=2", "email": "c@x.example", "roles": ["clinician"]},
        "disorders": [{"id": "MIM:614923", "label": "BCKDK deficiency"}, {"id": "Orphanet:308410"}],
        "features": [
            {"id": "HP:0000252", "label": "Microcephaly", "observed": "yes", "ageOfOnset": "HP:0003577"},
            {"id": "HP:0001250", "label": "Seizure", "observed": "no"},
            {"id": "HP:8888888", "label": "A term of tomorrow", "observed": "yes"},
        ],
        "genomicFeatures": [
            {"gene": {"id": "HGNC:16902", "_geneName": "BCKDK"}, "variant": variant_json(), "zygosity": 1,
             "type": {"id": "SO:0001583", "label": "MISSENSE"}},
            {"gene": {"id": "ENSG00000155657"}, "variant": {"assembly": "GRCh37", "referenceName": "2", "start": 100}},
            {"gene": {"id": "TTN"}, "variant": {"assembly": "GRCh37", "referenceName": "2", "start": 5, "end": 900}},
            {"gene": {"id": "a gene of tomorrow"}},
        ],
    }  # fmt: skip
    sharing = {"with": "named", "countries": ["ES"], "nodes": ["ireland"], "genes": ["BCKDK"], "level": "full"}
    await put(node, token, "full", owner=ANA, family="B.", sharing=sharing, **full)
    before = await kept(node, "full", "dublin")
    assert before
    ana = await begin(node, ANA)
    case_page = f"/cases/{before.public_id}"
    assert (await ana.get(case_page)).status == 200
    page = await ana.get(f"{case_page}/edit")
    saved = await ana.submit(page, f"{case_page}/edit", ("action", "save"))
    assert saved.status == 303, saved.words
    after = await kept(node, "full", "dublin")
    assert after
    assert after.patient == before.patient
    assert (after.sharing, after.person, after.family) == (before.sharing, before.person, before.family)


async def test_a_case_of_more_terms_than_any_form_is_filled_in_with_loses_none(node: RunningNode, ana: Browser) -> None:
    terms = sorted(node.exchange.knowledge.ontology.ids)[2_000:2_400]
    case = await keep(node, "many", features=[{"id": one} for one in terms])
    page = await ana.get(f"/cases/{case.public_id}/edit")
    saved = await ana.submit(page, f"/cases/{case.public_id}/edit", ("action", "save"))
    assert saved.status == 303, saved.words
    assert [one["id"] for one in (await content(node, "many"))["features"]] == terms


async def test_the_id_of_a_case_is_changed_by_nobody_and_a_looser_sharing_is_said(
    node: RunningNode, ana: Browser
) -> None:
    case = await keep(node, sharing=Sharing(Circle.ALL, Level.MINIMAL, own_contact=True))
    page = await ana.get(f"/cases/{case.public_id}/edit")
    saved = await ana.submit(page, f"/cases/{case.public_id}/edit", ("action", "save"), id="another", level="full")
    assert saved.location == f"/cases/{case.public_id}?saved=looser"
    assert await kept(node, "another") is None
    changed = await kept(node)
    assert changed
    assert changed.sharing.level is Level.FULL


# Shown


async def test_hostile_words_are_words_on_every_page_of_a_case(node: RunningNode, ana: Browser) -> None:
    for number, text in enumerate((HOSTILE, "{{ 1234*5678 }}{% raise %}", "W" * 255, "שלום \u200fabc", "a&lt;b")):
        told: dict[str, Any] = {
            "label": text,
            "contact": {"name": text, "href": "mailto:a@b.example", "institution": text},
        }
        case = await keep(node, f"{number} {text}"[:255], **told)
        for path in ("", "/edit", "/preview", "/shared", "/report", "/withdraw", "/progress"):
            page = await ana.get(f"/cases/{case.public_id}{path}")
            assert page.status == 200, (path, text)
            assert "<script>alert" not in page.text
            assert "<img src=x" not in page.text
            assert "7006652" not in page.text or "{{ 1234*5678 }}" not in text
        page = await ana.get(f"/cases/{case.public_id}/edit")
        assert page.form(f"/cases/{case.public_id}/edit").get("label") == text, "and come back as they were typed"
    for path in ("/cases", "/shared", "/matches", f"/cases?q={HOSTILE[:40]}", "/cases?after=x"):
        page = await ana.get(path)
        assert page.status == 200, path
        assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "data:text/html,x", "vbscript:x"]
)
async def test_a_contact_that_is_a_script_is_taken_by_nobody(node: RunningNode, ana: Browser, href: str) -> None:
    with pytest.raises(Exception, match="expected a URL"):
        await keep(node, contact={"name": "x", "href": href})
    text = json.dumps(patient_json("imported", contact={"name": "x", "href": href}))
    page = await ana.post("/cases/import/confirm", {"csrf": ana.csrf, "patient": text, "keep": "0"})
    assert not [one for one in page.links if "script" in one.lower()]
    assert await kept(node, "imported") is None


async def test_a_case_is_found_by_what_somebody_quotes(node: RunningNode, ana: Browser) -> None:
    await node.add_client("spain")
    case = await keep(node)
    known = name_for("spain", case.public_id)
    for quoted in ("martin", case.public_id, known, known.upper(), f"%20{known}%20"):
        assert (await ana.get(f"/cases?q={quoted}")).location == f"/cases/{case.public_id}"
    page = await ana.get("/cases?q=unknown")
    assert (page.status, "None of your cases" in page.words) == (200, True)
    await desk(node).withdraw(case.public_id)
    page = await ana.get("/cases?q=martin")
    assert (page.status, "None of your cases" in page.words) == (200, True), "no way to a page that is not there"


async def test_a_list_goes_on_over_pages(node: RunningNode, ana: Browser) -> None:
    for number in range(53):
        await keep(node, f"case-{number}")
    page = await ana.get("/cases")
    first = [one for one in page.links if one.startswith("/cases/") and len(one) == 39]
    (more,) = [one for one in page.links if one.startswith("/cases?after=")]
    rest = [one for one in (await ana.get(more)).links if one.startswith("/cases/") and len(one) == 39]
    assert (len(first), len(rest), len({*first, *rest})) == (50, 3, 53)
    assert "53" in page.words


async def test_a_case_is_muted_and_unmuted_and_what_else_was_chosen_stays(node: RunningNode, ana: Browser) -> None:
    case = await keep(node)
    path = f"/cases/{case.public_id}"

    async def muted() -> bool:
        return (await node.exchange.store.choices())[case.public_id].muted

    await ana.submit(await ana.get(path), f"{path}/alerts", muted="on")
    assert await muted()
    page = await ana.get(path)
    assert page.form(f"{path}/alerts").get("muted") == "on"
    await ana.post(f"{path}/alerts", {"csrf": ana.csrf})
    assert not await muted()


async def test_the_preview_is_what_leaves_to_the_letter_and_says_why_a_node_is_not_asked(
    node: RunningNode, ana: Browser
) -> None:
    await node.add_peer("spain", "http://127.0.0.1:9", "ES")
    fields = {"csrf": ana.csrf, "id": "martin", "feature": "HP:0000252", "gene": "BCKDK", "family": "secret family"}
    page = await ana.post(NEW, {**fields, "circle": "all", "action": "preview"})
    assert page.status == 200, page.words
    assert "told exactly this" in page.words
    preview = page.text.partition("What leaves this node")[2].partition("</ul>")[0]
    assert "secret family" not in preview
    assert '"id": "martin"' not in preview.replace("&#34;", '"'), "nor the own id"
    page = await ana.post(NEW, {**fields, "circle": "none", "action": "preview"})
    assert "is not asked" in page.words


async def test_a_kept_case_without_labels_shows_what_leaves_too(node: RunningNode, ana: Browser) -> None:
    await node.add_peer("spain", "http://127.0.0.1:9", "ES")
    case = await keep(node)
    page = await ana.get(f"/cases/{case.public_id}/preview")
    assert (page.status, "HP:0000252" in page.text) == (200, True)


async def test_the_report_names_who_was_told_and_how_often_and_no_other_case(node: RunningNode, ana: Browser) -> None:
    spain = await node.add_client("spain", institution="Madrid")
    case = await keep(node)
    page = await ana.get(f"/cases/{case.public_id}/report")
    assert "Nobody so far." in page.words
    await ask(node, spain, patient_json("hijo", features=FEATURES))
    await ask(node, spain, patient_json("hija", features=FEATURES))
    page = await ana.get(f"/cases/{case.public_id}/report")
    assert "spain: 2 times" in page.words
    assert "Microcephaly" in page.words
    shared = await ana.get(f"/cases/{case.public_id}/shared")
    assert name_for("spain", case.public_id) in shared.text
    assert "spain" in (await ana.get("/shared")).words


async def test_a_case_is_shown_in_the_readers_language_and_the_english_of_what_has_no_other(node: RunningNode) -> None:
    ana = await signed_in(node, language="es")
    case = await keep(node)
    page = await ana.get(f"/cases/{case.public_id}")
    assert page.headers["Content-Language"] == "es"
    assert "Microcefalia" in page.words


async def test_a_search_is_queued_once_more_by_its_button(node: RunningNode, ana: Browser) -> None:
    case = await keep(node)
    page = await ana.get(f"/cases/{case.public_id}")
    assert (await ana.submit(page, f"/cases/{case.public_id}/search")).location == f"/cases/{case.public_id}"
    (work,) = await node.exchange.store.work_about(case.public_id)
    assert work.kind == "search"
    assert "is being asked" in (await ana.get(f"/cases/{case.public_id}")).words
