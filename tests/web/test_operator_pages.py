"""Pages of who runs the node: peers and their heartbeat, tokens, people, mails, numbers; and what anybody may see."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from matchmaker.mme.media import media_type
from matchmaker.records.alert import MailState
from matchmaker.records.party import Role
from matchmaker.records.person import PersonRole
from tests.conftest import RunningNode, StartNode
from tests.peers.misbehaving import fake_peers, hangs, says
from tests.samples import patient_json
from tests.web.people import (
    ANA,
    BEN,
    CHEAP,
    DUBLIN,
    OPERATOR,
    Browser,
    Page,
    add,
    desk,
    everything,
    give_up_a_mail,
    keep,
    signed_in,
)
from tests.web.test_matches_api import call

HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    async with start_node(peers__deadline_seconds=1.0, **CHEAP) as running:
        yield running


@pytest.fixture
async def operator(node: RunningNode) -> Browser:
    return await signed_in(node, OPERATOR, PersonRole.OPERATOR, "IT")


def invitations(page: Page) -> int:
    return len(re.findall(r"<code>http://[^/<]+/invitation/[A-Za-z0-9_-]{43}</code>", page.text))


async def test_the_heartbeat_of_a_living_peer_and_of_dead_ones_is_said_for_what_it_is(
    start_node: StartNode, node: RunningNode, operator: Browser
) -> None:
    hostile = b"HTTP/1.1 500 <script>alert(1)</script>\r\nContent-Length: 0\r\n\r\n"
    async with start_node("spain", "ES", **CHEAP) as spain, fake_peers({"slow": hangs, "rude": says(hostile)}) as peers:
        token = await spain.add_client("ireland")
        await node.add_peer("spain", spain.url, token=token["X-Auth-Token"])
        await node.add_peer("stranger", spain.url, token="no token of theirs")
        await node.add_peer("gone", "http://127.0.0.1:9")
        for name, peer in peers.items():
            await node.add_peer(name, peer.url)
        said = {}
        for name in ("spain", "stranger", "gone", "slow", "rude"):
            page = await operator.get(f"/operators/peers/{name}/heartbeat")
            assert page.status == 200, name
            assert "<script>alert" not in page.text
            said[name] = page.words
        assert re.search(r"alive, [0-9.]+, a test", said["spain"])
        assert not [name for name, words in said.items() if "alive" in words and name != "spain"]
        part = await operator.send("GET", "/operators/peers/gone/heartbeat", headers={"HX-Request": "true"})
        assert "<html" not in part.text
        assert 'class="warn"' in part.text
        assert (await operator.get("/operators/peers/nobody/heartbeat")).status == 404
        listed = await operator.get("/operators")
        assert {"spain", "stranger", "gone", "slow", "rude"} <= set(re.findall(r'scope="row">(\w+) ', listed.text))


async def test_a_token_is_revoked_at_once_and_once(node: RunningNode, operator: Browser) -> None:
    spoken = media_type("1.0")
    headers = {**await node.add_client("spain"), "Content-Type": spoken, "Accept": spoken}
    assert (await call(node, "POST", "/match", headers, {"patient": patient_json("x")}))[0] == 200
    page = await operator.get("/operators")
    page = await operator.submit(page, "/operators/clients/spain/revoke")
    assert page.location == "/operators"
    assert (await call(node, "POST", "/match", headers, {"patient": patient_json("x")}))[0] == 401
    page = await operator.follow(page)
    assert "revoked" in page.words
    assert not [one for one in page.forms if "revoke" in one.action]
    assert (await operator.post("/operators/clients/nobody/revoke", {"csrf": operator.csrf})).status == 404
    (line,) = [one for one in await node.exchange.store.clients() if one.name == "spain"]
    assert line.revoked_at


async def test_a_mail_that_was_given_up_is_tried_again_and_no_other(node: RunningNode, operator: Browser) -> None:
    await give_up_a_mail(node, "0" * 32 + " spain")
    page = await operator.get("/operators/mails")
    assert "550 no such user" in page.words
    assert "away@spain.example" in page.words
    page = await operator.submit(page, "/operators/mails/m1/retry")
    assert page.location == "/operators/mails"
    mail = await node.exchange.store.mail("m1")
    assert mail
    assert mail.state is not MailState.GIVEN_UP
    for name in ("m1", "m2"):
        assert (await operator.post(f"/operators/mails/{name}/retry", {"csrf": operator.csrf})).status == 404


async def test_people_are_let_in_with_a_role_and_an_institution_and_nothing_less(
    node: RunningNode, operator: Browser
) -> None:
    await add(node, ANA, disabled_at=2.0, waiting=True, institution="")
    whole = {"csrf": operator.csrf, "email": ANA, "action": "approve", "role": "clinician", "institution": "Dublin"}
    for wrong in (
        {"institution": ""}, {"institution": "  "}, {"institution": "a\u202eb"}, {"role": ""}, {"role": "king"},
        {"action": ""}, {"action": "delete"},
    ):  # fmt: skip
        page = await operator.post("/operators/people", {**whole, **wrong})
        assert page.status == 422, wrong
    assert (await operator.post("/operators/people", {**whole, "email": "nobody@x.example"})).status == 404
    assert (await operator.post("/operators/people", {**whole, "email": OPERATOR})).status == 404
    people = {one.email: one for one in await node.exchange.store.people()}
    assert (people[ANA].waiting, people[ANA].disabled_at) == (True, 2.0)
    page = await operator.post("/operators/people", whole)
    assert (page.status, invitations(page)) == (200, 1)
    people = {one.email: one for one in await node.exchange.store.people()}
    assert (people[ANA].waiting, people[ANA].disabled_at, people[ANA].institution) == (False, None, "Dublin")
    assert node.exchange.directory.people[ANA].institution == "Dublin", "at once"
    assert (await operator.post("/operators/people", whole)).status == 404, "once"


async def test_the_institution_of_who_is_let_in_is_typed_by_the_operator_and_not_taken_over(
    node: RunningNode, operator: Browser
) -> None:
    """What a stranger typed stands beside it as that: one press on a button gives nobody another hospital's cases."""
    await add(node, BEN)
    await add(node, ANA, disabled_at=2.0, waiting=True, institution="Hospital of Evil")
    page = await operator.get("/operators/people")
    assert "as typed by whoever asks: Hospital of Evil" in page.words
    form = next(one for one in page.forms if one.get("email") == ANA)
    assert form.get("institution") == ""
    offered = page.text.partition('id="institutions"')[2].partition("</datalist>")[0]
    assert (DUBLIN in offered, "Evil" in offered) == (True, False)
    page = await operator.post(form.action, [*form.fields, ("action", "approve")])
    assert (page.status, "<strong>institution</strong>" in page.text, invitations(page)) == (422, True, 0)
    assert [one.waiting for one in await node.exchange.store.people() if one.email == ANA] == [True]


async def test_only_who_is_let_in_or_known_is_given_a_link(node: RunningNode, operator: Browser) -> None:
    await add(node, ANA)
    await add(node, BEN, disabled_at=2.0, waiting=True)
    known = {"csrf": operator.csrf, "email": ANA}
    page = await operator.post("/operators/people", {**known, "action": "invite"})
    assert (page.status, invitations(page), ANA in page.words) == (200, 1, True)
    for wrong in ({"email": BEN, "action": "invite"}, {"email": "nobody@x.example", "action": "invite"}):
        page = await operator.post("/operators/people", {**known, **wrong})
        assert (page.status, invitations(page)) == (404, 0), wrong
    page = await operator.post("/operators/people", {**known, "email": BEN, "action": "refuse"})
    assert page.location == "/operators/people?kept=1"
    page = await operator.post("/operators/people", {**known, "email": BEN, "action": "invite"})
    assert (page.status, invitations(page)) == (404, 0)
    told = str(await everything(node))
    assert f"a link to set a password, by {OPERATOR}" in told
    assert f"user, not let in by {OPERATOR}" in told


async def test_an_operator_cannot_close_the_own_account(node: RunningNode, operator: Browser) -> None:
    page = await operator.post("/operators/people", {"csrf": operator.csrf, "email": OPERATOR, "action": "disable"})
    assert (page.status, "your own account" in page.words) == (422, True)
    assert (await operator.get("/operators")).status == 200


async def test_hostile_names_of_people_are_words(node: RunningNode, operator: Browser) -> None:
    for number, text in enumerate((HOSTILE, "W" * 255, "שלום", "{{ 1234*5678 }}")):
        await add(node, f"p{number}@x.example", name=text, institution=text, waiting=number % 2 == 0, disabled_at=2.0)
    page = await operator.get("/operators/people")
    assert page.status == 200
    assert "<script>alert" not in page.text
    assert "7006652" not in page.text
    assert "{{ 1234*5678 }}" in page.words


async def test_the_breaker_and_what_went_wrong_stand_beside_a_peer(node: RunningNode, operator: Browser) -> None:
    await add(node)
    await node.add_peer("gone", "http://127.0.0.1:9")
    await keep(node)
    for _ in range(2):
        await node.exchange.search(desk(node).own, "martin", None)
    page = await operator.get("/operators")
    assert "2 failures" in page.words
    assert "martin" not in page.text


async def test_anybody_sees_what_the_node_is_and_nothing_of_a_case(node: RunningNode) -> None:
    await add(node)
    case = await keep(node, label="a label")
    await node.add_peer("spain", "http://127.0.0.1:9")
    await node.add_client("dublin", Role.DEPOSITOR)
    page = await Browser(node).get("/")
    assert page.status == 200
    assert "spain" in page.words
    for secret in (case.public_id, "martin", "a label", ANA, "Hospital of Dublin", "HP:0000252"):
        assert secret not in page.text


async def test_what_is_not_there_is_a_page_in_the_visitors_language(node: RunningNode) -> None:
    for path in ("/nothing", "/cases/x/y/z", "/static/../routes.py", "/static/%2e%2e%2froutes.py", f"/{HOSTILE[:30]}"):
        page = await Browser(node).send("GET", path, headers={"Accept": "text/html", "Accept-Language": "es"})
        assert page.status == 404, path
        assert "<script>alert" not in page.text
        assert "<html" in page.text
        assert 'lang="es"' in page.text


async def test_settings_are_kept_and_what_is_wrong_is_said_by_its_field(node: RunningNode) -> None:
    ben = await signed_in(node, BEN)
    page = await ben.get("/settings")
    page = await ben.submit(page, "/settings", name="Ben Ó Sé", language="es", frequency="weekly", minScore="0,45")
    assert page.location == "/settings?kept=1"
    people = {one.email: one for one in await node.exchange.store.people()}
    assert (people[BEN].name, people[BEN].language, people[BEN].role) == ("Ben Ó Sé", "es", PersonRole.CLINICIAN)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"name": "x" * 256}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"minScore": "7"}, "minScore"),
        ({"frequency": "never ever"}, "frequency"),
        ({"snoozedUntil": "soon"}, "snoozedUntil"),
    ]
    for wrong, field in refused:
        page = await ben.submit(await ben.get("/settings"), "/settings", **wrong)
        assert (page.status, f"<strong>{field}</strong>" in page.text) == (422, True), wrong
    before = await node.exchange.store.people()
    await ben.submit(
        await ben.get("/settings"), "/settings", role="operator", email=OPERATOR, institution="Evil", waiting="1"
    )
    assert await node.exchange.store.people() == before, "nobody makes oneself somebody else"
