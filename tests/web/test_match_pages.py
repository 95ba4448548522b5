"""Matches at the pages: the inbox with its filters, one match whole, and its follow-up, without any script."""

import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from matchmaker.exchange.follow_up import Filter
from matchmaker.mme.media import media_type
from matchmaker.policy.news import Noted
from matchmaker.records.match import Match
from matchmaker.records.party import Role
from matchmaker.records.person import PersonRole
from matchmaker.web.pages.showing import link
from tests.conftest import RunningNode, StartNode
from tests.peers.misbehaving import answer, fake_peers, hangs_up, result, says
from tests.samples import patient_json
from tests.web.people import ANA, BEN, CHEAP, CURATOR, DUBLIN, FEATURES, Browser, add, desk, keep, signed_in
from tests.web.test_matches_api import ask, call, put

HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"
SCRIPTS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "//x",
)


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    async with start_node(**CHEAP) as running:
        yield running


@pytest.fixture
async def ana(node: RunningNode) -> Browser:
    return await signed_in(node)


async def found(node: RunningNode, other: str = "hijo", **told: Any) -> str:
    """Let Spain find Ana's case; return the path of the match."""
    known = {one.view.id for one in (await desk(node).matches(Filter()))[0]}
    token = {"X-Auth-Token": "token-of-spain"}
    if "spain" not in {one.name for one in await node.exchange.store.clients()}:
        token = await node.add_client("spain")
        await keep(node)
    await ask(node, token, patient_json(other, **{"features": FEATURES[:2], **told}))
    (new,) = {one.view.id for one in (await desk(node).matches(Filter()))[0]} - known
    return f"/matches/{new}"


async def rows(browser: Browser, query: str = "") -> list[str]:
    page = await browser.get(f"/matches{query}")
    assert page.status == 200, page.words
    return [one for one in page.links if re.fullmatch(r"/matches/[0-9a-f]{32}", one)]


# The inbox


async def test_the_inbox_is_filtered_by_gene_score_node_status_day_and_case(node: RunningNode, ana: Browser) -> None:
    first = await found(node)
    other: dict[str, Any] = {
        "genomicFeatures": [{"gene": {"id": "TTN"}}],
        "features": [{"id": "HP:0003198"}, {"id": "HP:0001644"}],
    }
    case = (await keep(node, "niall", **other)).public_id
    second = await found(node, "hija", **{**other, "features": other["features"][:1]})
    await ana.submit(await ana.get(first), "", status="contacted")
    for query, expected in {
        "": {first, second}, "?gene=BCKDK": {first}, "?gene=BCKDKD": {first}, "?gene=10295": {first}, "?gene=TTN": {second},
        "?gene=nothing": set(), "?status=contacted": {first}, "?status=new": {second}, "?node=spain": {first, second},
        "?node=ireland": set(), "?node=nowhere": set(), "?min_score=0": {first, second}, "?min_score=1.0": set(),
        "?min_score=0,9": {first, second}, "?min_score=.9": {first, second}, "?since=2020-01-01": {first, second},
        "?since=2999-01-01": set(), f"?case={case}": {second}, f"?case={case}&status=new&gene=": {second}, f"?case={case}&gene=BCKDK": set(),
        "?unknown=1": {first, second},
    }.items():  # fmt: skip
        assert set(await rows(ana, query)) == expected, query


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("min_score=much", "min_score"), ("min_score=2", "min_score"), ("min_score=-1", "min_score"),
        ("min_score=nan", "min_score"), ("min_score=1e9", "min_score"), ("status=matched", "status"), ("since=soon", "since"),
        ("since=9999-99-99", "since"), ("after=x", "after"), ("after=1-" + "z" * 32, "after"),
        ("min_score=%3Cscript%3Ealert(1)%3C/script%3E", "min_score"), ("since=0000-00-00", "since"),
    ],
)  # fmt: skip
async def test_a_filter_that_is_none_is_named_and_what_was_typed_stays(
    node: RunningNode, ana: Browser, query: str, field: str
) -> None:
    await found(node)
    page = await ana.get(f"/matches?{query}")
    assert page.status == 422
    assert field in page.words
    assert "<script>alert" not in page.text
    if field != "after":
        form = page.form("/matches")
        assert form.get(field) == {"status": ""}.get(
            field, re.sub(r"%3C", "<", query.partition("=")[2]).replace("%3E", ">")
        )


async def test_filters_with_hostile_or_endless_values_find_nothing(node: RunningNode, ana: Browser) -> None:
    await found(node)
    for name in ("gene", "node"):
        for text in (HOSTILE, "x" * 3_000, "\x00", "'; DROP TABLE matches; --", "é" * 50, "*", "."):
            page = await ana.get(f"/matches?{name}={quote(text)}")
            assert page.status == 200, (name, text)
            assert "<script>alert" not in page.text
    for case in ("x", "0" * 32, HOSTILE):
        assert (await ana.get(f"/matches?case={quote(case)}")).status == 404


async def test_a_long_inbox_goes_on_with_its_filter(node: RunningNode, ana: Browser) -> None:
    token = await node.add_client("spain", per_month=None)
    await keep(node)
    for number in range(52):
        await ask(node, token, patient_json(f"x{number}", features=FEATURES[:2]))
    page = await ana.get("/matches?gene=BCKDK&status=new")
    (more,) = [one for one in page.links if "after=" in one]
    assert {"gene=BCKDK", "status=new"} <= set(more.partition("?")[2].split("&"))
    assert len({*await rows(ana, "?gene=BCKDK&status=new"), *await rows(ana, more.removeprefix("/matches"))}) == 52


async def test_a_node_that_does_not_answer_is_named_as_such_where_matches_are_looked_for(
    start_node: StartNode,
) -> None:
    vices = {"dead": hangs_up, "live": says(answer(result(features=FEATURES)))}
    async with fake_peers(vices) as peers, start_node(**CHEAP) as node:
        ana = await signed_in(node)
        for name, peer in peers.items():
            await node.add_peer(name, peer.url)
        case = await keep(node)
        await node.exchange.search(desk(node).own, "martin", None)
        page = await ana.get(f"/cases/{case.public_id}")
        assert "dead has not answered" in page.words
        assert "live answered, 1 result" in page.words
        inbox = await ana.get("/matches")
        assert "dead does not answer" in inbox.words
        assert "no answer from dead" in (await ana.get("/cases")).words
        assert len(await rows(ana, "?node=live")) == 1
        assert await rows(ana, "?node=dead") == []


# One match


async def test_a_match_shows_both_cases_side_by_side_with_why(start_node: StartNode) -> None:
    theirs = result(
        0.71, features=[*FEATURES[:2], {"id": "HP:0000729"}, {"id": "HP:0001263", "observed": "no"}], sex="FEMALE",
        genomicFeatures=[{"gene": {"id": "BCKDK"}}, {"gene": {"id": "TTN"}}], contact={"name": "Dra García", "href": "mailto:g@es.example"},
    )  # fmt: skip
    told = answer(theirs, disclaimer="Mind <this>.", terms="For care only.")
    async with fake_peers({"spain": says(told)}) as peers, start_node(**CHEAP) as node:
        ana = await signed_in(node)
        await node.add_peer("spain", peers["spain"].url)
        await keep(node)
        await node.exchange.search(desk(node).own, "martin", None)
        (path,) = await rows(ana)
        page = await ana.get(path)
        for said in (
            "Mind <this>.",
            "For care only.",
            "Dra García",
            "The other node's own score is 0.710",
            "BCKDK",
        ):
            assert said in page.words, said
        only_theirs = page.text.partition('id="theirs"')[2].partition("</section>")[0]
        assert "TTN" in only_theirs
        assert "Autistic behavior" in only_theirs
        assert "absent" in only_theirs
        assert "<svg" in page.text
        assert [one for one in page.links if one.startswith("mailto:g@es.example?subject=")]


async def test_a_match_is_followed_up_from_new_to_solved_and_every_step_is_in_its_history(
    node: RunningNode, ana: Browser
) -> None:
    path = await found(node)
    page = await ana.get(path)
    assert page.form("").get("status") == "new"
    page = await ana.submit(page, "", status="contacted", note="wrote\r\nto them")
    assert page.location == f"{path}?kept=1"
    page = await ana.follow(page)
    assert "Kept." in page.words
    page = await ana.follow(
        await ana.submit(page, "", status="solved", diagnosis_id="MIM:614923", helped_name="leucine")
    )
    assert page.form("").get("diagnosis_id") == "MIM:614923"
    view, _ = await desk(node).match(path.removeprefix("/matches/"))
    assert (view.status, view.told_to_other_side) == ("solved", True)
    assert view.solved
    assert view.solved.to_json() == {"diagnosis": {"id": "MIM:614923"}, "helped": [{"name": "leucine"}]}
    assert [one.what for one in view.history][:2] == ["status: new -> contacted", "note"]
    form = page.form("")
    quiet = [(name, value) for name, value in form.fields if name not in {"tell", "status"}]
    await ana.post(path, [*quiet, ("status", "in discussion")])
    view, _ = await desk(node).match(path.removeprefix("/matches/"))
    assert (view.status, view.solved, view.told_to_other_side) == ("in discussion", None, False)


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"status": "not a match"}, "reason"), ({"status": "not a match", "reason": "   "}, "reason"),
        ({"status": "solved"}, "diagnosis"), ({"status": "solved", "diagnosis_id": "614923" * 200}, "diagnosis"),
        ({"status": "matched"}, "status"), ({"note": "x" * 10_001}, "note"),
    ],
)  # fmt: skip
async def test_a_change_that_says_too_little_changes_nothing_and_stays_typed(
    node: RunningNode, ana: Browser, typed: dict[str, Any], field: str
) -> None:
    path = await found(node)
    before = await node.exchange.store.match(path.removeprefix("/matches/"))
    page = await ana.submit(await ana.get(path), "", **{"note": HOSTILE, **typed})
    assert page.status == 422
    assert field in page.text.partition('id="problems"')[2].partition("</ul>")[0]
    assert "<script>alert" not in page.text
    if "note" not in typed:
        assert page.form("").get("note") == HOSTILE
    assert await node.exchange.store.match(path.removeprefix("/matches/")) == before


async def test_a_note_on_a_solved_match_loses_nothing_that_the_form_does_not_show(node: RunningNode) -> None:
    """The hospital's system told two treatments; the form shows the first."""
    await add(node)
    token = await node.add_client("dublin", Role.DEPOSITOR, institution=DUBLIN)
    await put(node, token, "martin", owner=ANA)
    await ask(node, await node.add_client("spain"), patient_json("hijo", features=FEATURES))
    ana = await signed_in(node)
    (path,) = await rows(ana)
    helped = [{"name": "leucine"}, {"name": "valine", "code": "ATC:V06DD"}]
    solved = {"status": "solved", "diagnosis": {"id": "MIM:614923"}, "helped": helped, "tell": False}
    assert (await call(node, "PATCH", f"/api{path}", token, solved))[0] == 200
    page = await ana.get(path)
    assert page.form("").all("tell") == [], "what was not to be told is not ticked"
    await ana.submit(page, "", note="well done")
    _, view = await call(node, "GET", f"/api{path}", token)
    assert view["solved"]["helped"] == helped
    assert view["toldToOtherSide"] is False
    assert view["history"][-1]["who"] == f"dublin, {ANA}"


@pytest.mark.parametrize("href", SCRIPTS)
async def test_a_contact_that_is_a_script_is_never_a_link(node: RunningNode, ana: Browser, href: str) -> None:
    """Such an address is refused on its way in; one that lay in the store from before leads nowhere."""
    path = await found(node)
    match_id = path.removeprefix("/matches/")

    def poisoned(match: Match) -> Noted:
        assert match.other
        other = match.other.model_copy(update={"contact": {"name": HOSTILE, "href": "mailto:x@y.example"}})
        return Noted(match.model_copy(update={"other": other}))

    await node.exchange.store.change_match(match_id, poisoned)
    page = await ana.get(path)
    assert "<script>alert" not in page.text
    assert [one for one in page.links if one.startswith("mailto:x@y.example")]
    spoken = media_type("1.0")
    headers = {"X-Auth-Token": "token-of-spain", "Content-Type": spoken, "Accept": spoken}
    evil = {"patient": patient_json("evil", contact={"name": "x", "href": href}, features=FEATURES)}
    assert (await call(node, "POST", "/match", headers, evil))[0] == 422
    assert link(href) == ""


async def test_hostile_words_of_another_node_are_words(start_node: StartNode) -> None:
    for text in (HOSTILE, "W" * 255, "שלום \u200f abc", "{{ 1234*5678 }}"):
        told = result(
            0.5, id=text, features=[{"id": "HP:0000252", "label": text}, {"id": "HP:8888888", "label": text}],
            genomicFeatures=[{"gene": {"id": "BCKDK", "_geneName": text}}, {"gene": {"id": text}}],
            disorders=[{"id": "MIM:1", "label": text}], contact={"name": text, "href": "mailto:a@b.example", "institution": text},
            label=text,
        )  # fmt: skip
        told["patient"]["id"] = text
        vice, name = says(answer(told, disclaimer=text * 3, terms=text)), f"node{len(text)}"
        async with fake_peers({"spain": vice}) as peers, start_node(name, **CHEAP) as node:
            ana = await signed_in(node)
            await node.add_peer("spain", peers["spain"].url)
            case = await keep(node)
            await node.exchange.search(desk(node).own, "martin", None)
            (path,) = await rows(ana)
            await ana.submit(await ana.get(path), "", status="not a match", reason=text, note=text)
            for page in (path, "/matches", f"/cases/{case.public_id}", "/cases", f"/cases/{case.public_id}/shared"):
                shown = await ana.get(page)
                assert shown.status == 200, (page, text)
                assert "<script>alert" not in shown.text
                assert "<img src=x" not in shown.text
                assert "{{ 1234*5678 }}" not in text or "7006652" not in shown.text


async def test_a_match_of_a_case_that_asked_says_that_its_rest_is_not_kept(node: RunningNode, ana: Browser) -> None:
    page = await ana.get(await found(node, features=[*FEATURES, {"id": "HP:0000729"}]))
    assert "what it alone has is not kept" in page.words
    assert "Autistic" not in page.words


@pytest.mark.parametrize("circle", ["none", "institution"])
async def test_a_colleagues_case_of_the_same_system_is_shown_through_a_match_as_far_as_it_is_shared(
    node: RunningNode, circle: str
) -> None:
    """The hospital's system owns both cases; Ana has one of them, and is to Ben's a colleague, not its owner."""
    token = await node.add_client("hospital", Role.DEPOSITOR, institution=DUBLIN)
    ana, ben = await signed_in(node), await signed_in(node, BEN)
    curator = await signed_in(node, CURATOR, PersonRole.CURATOR)
    sharing = {"with": circle, "level": "minimal"}
    await put(node, token, "p-ana", owner=ANA, sharing=sharing)
    secret = {
        "label": "secret-label", "sex": "FEMALE", "disorders": [{"id": "MIM:100300"}],
        "contact": {"name": "Secret Clinic", "href": "mailto:secret@dublin.example"},
        "features": [*FEATURES, {"id": "HP:0000729"}], "family": "secret-family",
    }  # fmt: skip
    await put(node, token, "p-ben", owner=BEN, sharing=sharing, **secret)
    assert (await call(node, "POST", "/api/cases/p-ana/search", token))[0] == 200
    bens = await node.exchange.store.case("hospital", "p-ben")
    assert bens
    (path,) = await rows(curator)
    seen = circle != "none"
    assert await rows(ana) == await rows(ben) == ([path] if seen else [])
    pages = [await ana.get(one) for one in ("/matches", path, "/cases")]
    assert [one.status for one in pages] == [200, 200 if seen else 404, 200]
    for page in pages:
        for word in ("p-ben", bens.public_id, BEN, "secret-label", "secret-family", "FEMALE", "100300"):
            assert word not in page.text, (page.path, word)
        assert seen or "secret" not in page.text.lower(), page.path
    counted = [row.new for row in await desk(node).cases(None, 9)]
    assert counted == [int(seen)], "nor is what is hidden counted"
    assert (await ana.post(path, {"csrf": ana.csrf, "note": "mine"})).status == (303 if seen else 404)
    mails = [str(one) for one in node.mails() if ANA in str(one["To"])]
    assert not [one for one in mails if "p-ben" in one or "secret" in one]


async def test_what_a_colleague_is_shown_and_told_of_each_others_case_are_ids_that_both_find(node: RunningNode) -> None:
    """A letter says: yours is X, ours is known to you as Y. Either finds X, and Y is what the other's page shows."""
    token = await node.add_client("hospital", Role.DEPOSITOR, institution=DUBLIN)
    ana, ben = await signed_in(node), await signed_in(node, BEN)
    sharing = {"with": "institution", "level": "standard"}
    await put(node, token, "p-ana", owner=ANA, sharing=sharing)
    await put(node, token, "p-ben", owner=BEN, sharing=sharing)
    assert (await call(node, "POST", "/api/cases/p-ana/search", token))[0] == 200
    (path,) = await rows(ana)
    mine, _ = await desk(node).match(path.removeprefix("/matches/"))
    theirs, _ = await desk(node, BEN).match(path.removeprefix("/matches/"))
    found = await desk(node, BEN).find(mine.other.id)
    assert found
    assert found.id == "p-ben"
    assert mine.message
    assert theirs.other.id in mine.message.body
    assert mine.other.id in (await ana.get(path)).text
    assert theirs.other.id in (await ben.get(path)).text


async def test_two_doctors_of_one_hospital_follow_their_sides_up_by_themselves(node: RunningNode, ana: Browser) -> None:
    ben, curator = await signed_in(node, BEN), await signed_in(node, CURATOR, PersonRole.CURATOR)
    await keep(node, "one")
    await keep(node, "two", BEN)
    await node.exchange.search(desk(node).own, "one", None)
    (path,) = await rows(ana)
    assert await rows(ben) == await rows(curator) == [path]
    await ben.submit(await ben.get(path), "", status="contacted", note="ben's own words")
    assert "ben's own words" not in (await ana.get(path)).words
    assert (await ana.get(path)).form("").get("status") == "new"
    assert await rows(ana, "?status=new") == [path]
    assert await rows(ben, "?status=new") == []
