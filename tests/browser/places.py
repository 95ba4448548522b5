"""Every page there is, filled with data: made from the table of routes, so that a new page is looked at or missed."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import pyotp
from aiohttp import web
from playwright.async_api import Page

from matchmaker.exchange.desk import Desk
from matchmaker.exchange.follow_up import Filter
from matchmaker.exchange.match_messages import MatchChange
from matchmaker.mme.patient import Contact, Patient
from matchmaker.mme.validation import validate
from matchmaker.records.alert import Mail, MailKind, MailState
from matchmaker.records.collection import Collection
from matchmaker.records.match import Status
from matchmaker.records.party import Role
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.sharing import Circle, Level, Sharing
from matchmaker.records.work import Work
from matchmaker.web.roles import Access
from matchmaker.web.routes import routes
from tests.browser.people import DUBLIN, Account, enrol, sign_in, two_countries
from tests.conftest import RunningNode, StartNode
from tests.eventually import eventually
from tests.peers.misbehaving import fake_peer, hangs_up
from tests.samples import patient_json, variant_json

# Where each page lies in the furnished house; what stands in braces is its own.
PAGES = {
    "/": "/",
    "/sign-in": "/sign-in?onward=%2Fmatches",
    "/register": "/register",
    "/invitation/{token}": "/invitation/{invitation}",
    "/alerts/{token}": "/alerts/{alerts}",
    "/alerts/{token}/unsubscribe": "/alerts/{alerts}/unsubscribe",
    "/agreement": "/agreement",
    "/settings": "/settings?kept=1",
    "/settings/second-factor": "/settings/second-factor",
    "/cases": "/cases",
    "/cases/new": "/cases/new",
    "/cases/import": "/cases/import",
    "/cases/{id}": "/cases/{case}?saved=1",
    "/cases/{id}/edit": "/cases/{case}/edit",
    "/cases/{id}/preview": "/cases/{case}/preview",
    "/cases/{id}/withdraw": "/cases/{case}/withdraw",
    "/cases/{id}/shared": "/cases/{case}/shared",
    "/cases/{id}/report": "/cases/{case}/report",
    "/matches": "/matches",
    "/matches/{id}": "/matches/{match}",
    "/shared": "/shared",
    "/operators": "/operators",
    "/operators/peers/{name}/heartbeat": "/operators/peers/spain/heartbeat",
    "/operators/people": "/operators/people?kept=1",
    "/operators/mails": "/operators/mails",
}
# What a GET brings that is no page.
NO_PAGES = {
    "/static/{name}": "style sheets and scripts",
    "/sign-in/provider": "sends the browser elsewhere",
    "/sign-in/provider/back": "sends the browser on",
    "/start": "sends the browser on",
    "/terms": "a piece of the form of a case",
    "/genes": "a piece of the form of a case",
    "/cases/{id}/progress": "a piece of the page of a case",
}
OUTSIDE = {Access.PUBLIC, Access.LINK}
_CSV = "id,features,genes\ngood,HP:0000252;-HP:0000518,BCKDK\nbad,HP:12,BCKDK\n"


@dataclass(frozen=True, slots=True)
class House:
    """A node in which there is something on every page."""

    node: RunningNode
    clinician: Account
    operator: Account
    ids: dict[str, str]

    def places(self, *allowed: Access) -> list[str]:
        """Return the addresses of all pages that somebody of a kind may see."""
        wanted = [path for path, access in pages().items() if access in allowed]
        return [self.node.url + PAGES[path].format(**self.ids) for path in wanted]


async def _never(_request: web.Request) -> web.StreamResponse:
    raise AssertionError("never asked")


def pages() -> dict[str, Access]:
    """Return each path of the table that a person opens as a page, and whom it lets in."""
    found = {route.path: route.access for route in routes(_never) if route.is_page and route.method == "GET"}
    return {path: access for path, access in found.items() if path not in NO_PAGES}


@contextlib.asynccontextmanager
async def furnished(start_node: StartNode) -> AsyncIterator[House]:
    """Run Ireland with a case that has matches abroad, a node that fails, people who wait, a mail that nobody took."""
    async with (
        two_countries(start_node, node__disclaimer="Not for diagnosis.", node__terms="Ask first.") as (ireland, _),
        fake_peer(hangs_up) as failing,
    ):
        await ireland.add_peer("failing", failing.url, "FR")
        await _administer(ireland)
        clinician = await enrol(ireland)
        operator = await enrol(ireland, "operator@dublin.example", PersonRole.OPERATOR, name="Dr Daly")
        ids = await _work(ireland, clinician)
        await enrol(ireland, "new@dublin.example")
        ids["invitation"] = await ireland.exchange.signing_in.invite("new@dublin.example")
        yield House(ireland, clinician, operator, ids)


async def _administer(node: RunningNode) -> None:
    store = node.exchange.store
    await node.add_client("dublin", Role.DEPOSITOR, institution=DUBLIN)
    await node.add_client("france", Role.NODE, "FR")
    await node.exchange.store.revoke_client("france", 1.0)
    waits = Person(email="waits@dublin.example", institution=DUBLIN, role=PersonRole.CLINICIAN, name="Dr Waits")
    await store.put_person(waits.model_copy(update={"waiting": True, "disabled_at": 1.0, "created_at": 1.0}))
    await store.queue_work([Work("furnish", "mail", 0, 0.0)])  # a mail is kept in exchange for a piece of work
    work = await store.claim(["furnish"], "test", 1.0, 2.0)
    assert work is not None
    mail = Mail(id="0" * 32, recipient="gone@dublin.example", kind=MailKind.MATCHES, created_at=1.0, alerts=2, due=1e12)
    given_up = {"state": MailState.GIVEN_UP, "reason": "550 no such user", "settled_at": 2.0}
    await store.put_mail(mail.model_copy(update=given_up), work)
    contact = Contact(name="Rare disorders", href="mailto:rare@dublin.example")
    told = Collection(name="rare", institution=DUBLIN, title="Rare disorders of Dublin", contact=contact)
    await store.put_collection(told)
    await node.exchange.catch_up()


async def _work(node: RunningNode, clinician: Account) -> dict[str, str]:
    """Keep a case that finds matches, follow one up, and be asked about it from abroad."""
    desk = Desk(node.exchange, node.exchange.directory.people[clinician.email])
    features = [{"id": "HP:0000252"}, {"id": "HP:0001249", "ageOfOnset": "HP:0003593"}]
    features += [{"id": "HP:0000518", "observed": "no"}]
    genes = [{"gene": {"id": "BCKDK"}, "variant": variant_json(), "zygosity": 2}, {"gene": {"id": "TTN"}}]
    told = patient_json("martin", features=features, genomicFeatures=genes, sex="MALE", inheritanceMode="HP:0000007")
    told |= {"label": "Martin", "ageOfOnset": "HP:0003593", "disorders": [{"id": "MIM:614923"}]}
    deposit = await desk.deposit(validate(Patient, told), Sharing(Circle.ALL, Level.FULL), "family 3")
    case = deposit.case.public_id

    async def asked() -> bool:
        states = [one.status for one in (await desk.progress(case))[0].nodes]
        return len(states) == 3 and "asking" not in states

    assert await eventually(asked)
    found, _ = await desk.matches(Filter(case=case))
    match = max(found, key=lambda one: one.view.score).view.id
    await desk.change_match(match, validate(MatchChange, {"status": Status.CONTACTED.value, "note": "wrote today"}))
    return {"case": case, "match": match, "alerts": await _token(node)}


async def _token(node: RunningNode) -> str:
    """Return what stands for the address in the links of a mail."""

    async def link() -> str | None:
        return next((str(mail["List-Unsubscribe"]) for mail in node.mails() if mail["List-Unsubscribe"]), None)

    return urlsplit((await eventually(link)).strip("<>")).path.split("/")[2]


# Pages that only a form leads to.

Way = Callable[[Page, House], Awaitable[None]]


async def _wrong_password(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/sign-in")
    await page.locator("#email").fill("nobody@dublin.example")
    await page.locator("#password").fill("not the password of anybody")
    await page.locator("main button").click()
    await page.locator("main [role=alert]").wait_for()


async def _registered_wrongly(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/register")
    for name in ("name", "email", "institution"):
        await page.locator(f"#{name}").fill("x@dublin.example")
    await page.locator("#name").fill("Dr \u202eX")  # a browser finds no fault with it, the node does
    await page.locator("main button").click()
    await page.locator("main [role=alert]").wait_for()


async def _nothing_there(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/nothing")


async def _form_with_all_open(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/cases/{house.ids['case']}/edit")
    await page.locator("#term").press_sequentially("seiz")
    await page.locator("#found button").first.wait_for()
    await page.locator("#gene_typed").press_sequentially("tt")
    await page.locator("#genes-found button").first.wait_for()
    await page.locator("summary").first.click()
    await page.locator("#text").fill("She has ataxia, but no cataract.")
    await page.locator("button[name=suggest]").click()
    await page.locator("#suggestions button").first.wait_for()
    await page.locator("button[value=preview]").click()
    await page.locator("#preview li").first.wait_for()


async def _form_that_cannot_be_kept(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/cases/new")
    await page.locator("#disorders").fill("nonsense")
    await page.locator("#save").click()
    await page.locator("#problems").wait_for()


async def _file_looked_through(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/cases/import")
    content = {"name": "cases.csv", "mimeType": "text/csv", "buffer": _CSV.encode()}
    await page.locator("#file").set_input_files(content)  # type: ignore[arg-type]  # a TypedDict that it does not export
    await page.locator("main form button").click()
    await page.locator("input[name=keep]").first.wait_for()


async def _file_kept(page: Page, house: House) -> None:
    await _file_looked_through(page, house)
    await page.locator("main form > button").click()
    await page.locator("main a[href='/cases']").wait_for()


async def _registered(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/register")
    for name in ("name", "email", "institution"):
        await page.locator(f"#{name}").fill("y@dublin.example")
    await page.locator("main button").click()
    await page.locator("main [role=status]").wait_for()


async def _typed_when_the_session_was_over(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/cases/new")
    await page.locator("#id").fill("typed")
    await page.context.clear_cookies()
    await page.locator("#save").click()
    await page.locator("#password").wait_for()


async def _typed_and_signed_in_again(page: Page, house: House) -> None:
    await page.locator("#email").fill(house.clinician.email)
    await page.locator("#password").fill(house.clinician.password)
    await page.locator("main form button").click()
    await page.locator("main form[action='/cases/new'] button").wait_for()


async def _recovery_codes(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/settings/second-factor")
    secret = await page.locator("main code").inner_text()
    await page.locator("#old").fill(house.clinician.password)
    await page.locator("#code").fill(pyotp.TOTP(secret).now())
    await page.locator("main form button").click()
    await page.locator(".codes li").first.wait_for()


async def _second_factor_in_force(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/settings/second-factor")
    await page.locator("button[name=remove]").wait_for()


async def _code_asked_for(page: Page, house: House) -> None:
    await page.context.clear_cookies()
    await page.goto(f"{house.node.url}/sign-in")
    await page.locator("#email").fill(house.clinician.email)
    await page.locator("#password").fill(house.clinician.password)
    await page.locator("main form button").click()
    await page.locator("#code").wait_for()


async def _link_for_a_password(page: Page, house: House) -> None:
    await page.goto(f"{house.node.url}/operators/people")
    await page.locator("button[value=invite]").first.click()
    await page.locator("main [role=status] code").wait_for()


_WAYS_OUTSIDE: tuple[Way, ...] = (_wrong_password, _registered_wrongly, _registered, _nothing_there)
_WAYS_INSIDE: tuple[Way, ...] = (
    _form_with_all_open,
    _form_that_cannot_be_kept,
    _file_looked_through,
    _file_kept,
    _typed_when_the_session_was_over,
    _typed_and_signed_in_again,
    _recovery_codes,
    _second_factor_in_force,
    _code_asked_for,
)


async def every_page(page: Page, house: House, look: Callable[[str], Awaitable[None]]) -> None:
    """Open every page that a stranger, a clinician and an operator may see, and look at each."""
    await _looked_through(page, house, (*OUTSIDE,), _WAYS_OUTSIDE, look)
    await sign_in(page, house.node, house.clinician)
    await _looked_through(page, house, (Access.SIGNED_IN, Access.CASES), _WAYS_INSIDE, look)
    await page.context.clear_cookies()
    await sign_in(page, house.node, house.operator)
    await _looked_through(page, house, (Access.SIGNED_IN, Access.OPERATOR), (_link_for_a_password,), look)


async def _looked_through(
    page: Page, house: House, allowed: tuple[Access, ...], ways: tuple[Way, ...], look: Callable[[str], Awaitable[None]]
) -> None:
    for url in house.places(*allowed):
        answer = await page.goto(url)
        assert answer is not None
        assert answer.ok, f"{answer.status} for {url}"  # an error has a page of its own
        await look(url)
    for way in ways:
        await way(page, house)
        await look(way.__name__)
