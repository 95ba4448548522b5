"""A clinician's whole way in a real browser: Martin's case, Spain's match, what became of it; in two languages."""

import json
from dataclasses import dataclass

import pytest
from playwright.async_api import Page, expect

from tests.browser import casework
from tests.browser.conftest import NewContext
from tests.browser.people import Account, enrol, sign_in, two_countries
from tests.browser.visitor import Visitor
from tests.conftest import RunningNode, StartNode
from tests.eventually import eventually
from tests.peers.misbehaving import fake_peer, hangs

NOTE = "Wrote to Madrid <today>"


@dataclass(frozen=True, slots=True)
class Work:
    """A clinician at a browser, before a node."""

    page: Page
    node: RunningNode
    account: Account
    language: str


@pytest.mark.parametrize("language", ["en", "es"])
async def test_from_the_symptoms_to_a_match_abroad_to_the_end_of_the_case(
    start_node: StartNode, context: NewContext, language: str
) -> None:
    visitor = await context(viewport={"width": 1200, "height": 900})
    async with (
        two_countries(start_node, peers__deadline_seconds=3) as (ireland, _),
        fake_peer(hangs) as silent,
    ):
        await ireland.add_peer("silent", silent.url, "FR")
        account = await enrol(ireland, language=language)
        work = Work(await visitor.context.new_page(), ireland, account, language)
        await sign_in(work.page, ireland, account)
        await casework.fill_martin(work.page, ireland, language)
        await the_preview_shows_what_leaves(work)
        await the_match_arrives_by_itself_and_the_silent_node_is_no_answer(work)
        match = await the_match_explains_itself(work)
        await it_is_marked_contacted(work)
        await the_link_of_the_mail_leads_there(await context(), work, match)
        await the_case_is_withdrawn(work, match)
        assert await visitor.settled() == []


async def the_preview_shows_what_leaves(work: Work) -> None:
    await work.page.locator("button[value=preview]").click()
    told = work.page.locator("#preview .nodes > li", has_text="spain")
    await told.locator("summary").click()
    sent = json.loads(await told.locator("pre").inner_text())["patient"]
    observed = {one["id"]: one["observed"] for one in sent["features"]}
    assert observed == {**{one.term: "yes" for one in casework.MARTIN[work.language]}, casework.CATARACT: "no"}
    assert [one["gene"]["_geneName"] for one in sent["genomicFeatures"]] == ["BCKDK"]
    assert "martin" not in json.dumps(sent)


async def the_match_arrives_by_itself_and_the_silent_node_is_no_answer(work: Work) -> None:
    page = work.page
    await casework.save(page)
    await page.evaluate("document.body.dataset.same = 'yes'")
    await casework.match_links(page, "spain").first.wait_for()
    assert await casework.state_of(page, "silent") != "answered"

    async def failed() -> bool:
        return await casework.has_failed(page, "silent")

    assert await eventually(failed)
    assert await casework.state_of(page, "spain") == "answered"
    told = await casework.node_line(page, "silent").inner_text()
    assert casework.said(work.node.exchange, work.language, 'this is no "no match"; it is asked again') in told
    assert await page.evaluate("document.body.dataset.same") == "yes", "it came without a load of the page"
    await page.goto(f"{work.node.url}/matches")
    assert "silent" in await page.locator(".note").inner_text(), "the inbox names it, too"


async def the_match_explains_itself(work: Work) -> str:
    page = work.page
    await casework.match_links(page, "spain").first.click()
    await page.wait_for_url("**/matches/*")
    assert await page.locator(".gene.shared").all_inner_texts() == ["BCKDK"]
    own = casework.MARTIN[work.language][1].names[0]
    assert await page.locator("table.aligned tr.same", has_text=own).count() == 1
    drawing = page.locator(".pic svg").first
    await expect(drawing).to_be_visible()
    assert own in (await drawing.text_content() or "")
    assert "Published cases, for research only." in await page.locator("aside.note").inner_text()
    return page.url


async def it_is_marked_contacted(work: Work) -> None:
    page = work.page
    await page.locator("#status").select_option("contacted")
    await page.locator("#note").fill(NOTE)
    await page.locator("section[aria-labelledby=follow] button").click()
    await page.wait_for_url("**?kept=1")
    history = await page.locator("ol.history > li").first.inner_text()
    assert work.account.email in history
    assert NOTE in history
    assert await page.locator("#status").input_value() == "contacted"


async def the_link_of_the_mail_leads_there(other: Visitor, work: Work, match: str) -> None:
    links = await casework.links_of_mails(work.node)
    assert match in links
    page = await other.open(match)
    await expect(page.locator("#password")).to_be_visible()
    await page.locator("#email").fill(work.account.email)
    await page.locator("#password").fill(work.account.password)
    await page.locator("#password").press("Enter")
    await page.wait_for_url(match)
    assert await page.locator("#status").input_value() == "contacted"
    assert await other.settled() == []


async def the_case_is_withdrawn(work: Work, match: str) -> None:
    page = work.page
    await page.goto(f"{work.node.url}/cases")
    await page.locator("th a", has_text="martin").click()
    await page.locator("a.danger").click()
    await page.locator("main button.danger").click()
    await page.wait_for_url("**/cases?withdrawn=1")
    assert "martin" not in await page.locator("main").inner_text()
    gone = await page.goto(match)
    assert gone is not None
    assert gone.status == 404
    await page.goto(f"{work.node.url}/matches")
    assert await page.locator("tbody tr").count() == 0
