"""Pages behind the links of mails: what one address is told of, and out of it, without a login."""

import re
from typing import Any

from matchmaker.alerts.links import Links
from matchmaker.records.choices import Frequency
from matchmaker.records.party import Role
from tests.conftest import RunningNode
from tests.eventually import eventually
from tests.samples import patient_json
from tests.web.test_matches_api import FEATURES, ask, put

ANA = "ana@dublin.example"


async def links(node: RunningNode) -> Links:
    return Links("", await node.read(lambda store: store.secret()))


async def fetch(node: RunningNode, method: str, path: str, form: dict[str, str] | None = None) -> tuple[int, str, Any]:
    async with node.session.request(method, node.url + path, data=form) as response:
        return response.status, await response.text(), response.headers


async def choices(node: RunningNode) -> Any:
    return (await node.read(lambda store: store.choices())).get(ANA)


async def test_what_is_chosen_on_the_page_is_kept_and_shown(node: RunningNode) -> None:
    await node.add_person(ANA, language="es")
    path = (await links(node)).choices(ANA)
    status, page, headers = await fetch(node, "GET", path)
    assert (status, headers["Content-Language"]) == (200, "es")
    assert "De qué se le avisa" in page
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    form = {
        "frequency": "weekly", "minScore": "0,45", "onlyNew": "on", "mutedGenes": "TTN, USH2A", "mutedNodes": "",
        "snoozedUntil": "2999-01-31", "language": "de",
    }  # fmt: skip
    status, page, headers = await fetch(node, "POST", path, form)
    assert (status, headers["Content-Language"]) == (200, "de")
    assert "Gespeichert." in page
    kept = await choices(node)
    assert (kept.frequency, kept.min_score, kept.only_new, kept.only_shared_genes) == (
        Frequency.WEEKLY, 0.45, True, False,
    )  # fmt: skip
    assert kept.muted_genes == ("TTN", "USH2A")
    assert 'value="TTN, USH2A"' in page


async def test_what_cannot_be_chosen_is_said_and_changes_nothing(node: RunningNode) -> None:
    await node.add_person(ANA)
    path = (await links(node)).choices(ANA)
    for form in ({"minScore": "much"}, {"frequency": "never ever"}, {"minScore": "1.5"}, {"snoozedUntil": "soon"}):
        status, page, _ = await fetch(node, "POST", path, form)
        assert status == 422
        assert next(iter(form)) in page
        assert 'role="alert"' in page
    assert await choices(node) is None


async def test_opening_the_link_changes_nothing_and_one_click_unsubscribes(node: RunningNode) -> None:
    """RFC 8058: a mail program posts List-Unsubscribe=One-Click; programs that look at links only get."""
    await node.add_person(ANA)
    path = (await links(node)).unsubscribe(ANA)
    status, page, _ = await fetch(node, "GET", path)
    assert (status, await choices(node)) == (200, None)
    assert "<button>" in page
    status, _, _ = await fetch(node, "POST", path, {"List-Unsubscribe": "One-Click"})
    assert status == 200
    assert (await choices(node)).frequency is Frequency.NEVER


async def test_a_link_of_nobody_is_a_404_and_a_match_is_behind_a_login(node: RunningNode) -> None:
    await node.add_person(ANA)
    stranger = Links("", "another secret")
    for path in (stranger.choices(ANA), stranger.unsubscribe(ANA), "/alerts/x", "/alerts/%00", "/alerts/é"):
        for method in ("GET", "POST"):
            assert (await fetch(node, method, path, {}))[0] == 404, path
    status, page, headers = await fetch(node, "GET", "/matches/" + "0" * 32)
    assert status == 200
    assert 'action="/sign-in"' in page, "who follows the link is sent there first"
    assert "/matches/" + "0" * 32 in page, "and then onward"
    assert headers["Cache-Control"] == "no-store"
    _, page, _ = await fetch(node, "GET", "/matches/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert "<script" not in page


async def test_muted_things_are_escaped_in_the_page(node: RunningNode) -> None:
    await node.add_person(ANA)
    path = (await links(node)).choices(ANA)
    hostile = "\"><script>alert('x')</script>"
    await fetch(node, "POST", path, {"mutedGenes": hostile})
    _, page, _ = await fetch(node, "GET", path)
    assert "<script" not in page


async def test_the_links_in_a_mail_lead_to_their_pages(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    spain = await node.add_client("spain")
    await node.add_person(ANA)
    await put(node, owner, "martin", owner=ANA)
    await ask(node, spain, patient_json("hijo", features=FEATURES))

    async def written() -> Any:
        return node.mails()

    (mail,) = await eventually(written)
    body = mail.get_body(("plain",))
    assert body
    found = re.findall(r"https?://\S+?(/(?:alerts|matches)/\S+)", body.get_content())
    assert len(found) == 3
    for path in found:
        assert (await fetch(node, "GET", path))[0] == 200, path
