"""Every route and every kind of visitor: who is let in, by one table; and that no form counts but our own."""

import json
from typing import Any

import pytest
from aiohttp import web

from matchmaker.alerts.links import Links
from matchmaker.mme.media import media_type
from matchmaker.records.match import match_id
from matchmaker.records.party import Role
from matchmaker.records.person import PersonRole
from matchmaker.web.roles import Access
from matchmaker.web.routes import Route, routes
from tests.clock import HOUR, Clock
from tests.conftest import RunningNode, StartNode
from tests.samples import patient_json
from tests.web.people import (
    ANA,
    BEN,
    CHEAP,
    CORK,
    CURATOR,
    DUBLIN,
    FEATURES,
    OPERATOR,
    PASSWORD,
    Browser,
    Page,
    add,
    begin,
    everything,
    give_up_a_mail,
    keep,
    with_password,
)
from tests.web.test_matches_api import ask, put

# Who asks: nobody; another node and a hospital's system, each by its token; whoever has a mail with a link; the
# clinician whose case it is, another one of the institution, its curator and that of another institution; who runs the
# node; a clinician who has not agreed yet, one whose account is closed, one who waits, one whose session is over.
WHO = [
    "nobody",
    "node",
    "system",
    "link",
    "owner",
    "colleague",
    "curator",
    "elsewhere",
    "operator",
    "newcomer",
    "disabled",
    "waiting",
    "expired",
]

# What comes of it: ok; "in": sent to sign in; "agree": sent to the agreement first; or an HTTP status.
#            nobody node system link owner colleague curator elsewhere operator newcomer disabled waiting expired
NODES     = "401    ok   401    401  401   401       401     401       401      401      401      401     401"  # fmt: skip
SYSTEMS   = "401    401  ok     401  401   401       401     401       401      401      401      401     401"  # fmt: skip
ANYBODY   = "ok     ok   ok     ok   ok    ok        ok      ok        ok       ok       ok       ok      ok"  # fmt: skip
NOT_HERE  = "404    404  404    404  404   404       404     404       404      404      404      404     404"  # fmt: skip
BY_LINK   = "404    404  404    ok   404   404       404     404       404      404      404      404     404"  # fmt: skip
PEOPLE    = "in     in   in     in   ok    ok        ok      ok        ok       agree    in       in      in"  # fmt: skip
AGREEING  = "in     in   in     in   ok    ok        ok      ok        ok       ok       in       in      in"  # fmt: skip
DOCTORS   = "in     in   in     in   ok    ok        ok      ok        403      agree    in       in      in"  # fmt: skip
THIS_CASE = "in     in   in     in   ok    404       ok      404       403      agree    in       in      in"  # fmt: skip
OPERATORS = "in     in   in     in   403   403       403     403       ok       agree    in       in      in"  # fmt: skip

TABLE = {
    "POST /match": NODES,
    "GET /heartbeat": NODES,
    "GET /metrics": NODES,
    "GET /api/cases": SYSTEMS,
    "PUT /api/cases/{id}": SYSTEMS,
    "GET /api/cases/{id}": SYSTEMS,
    "DELETE /api/cases/{id}": SYSTEMS,
    "POST /api/cases/{id}/search": SYSTEMS,
    "POST /api/cases/{id}/preview": SYSTEMS,
    "GET /api/cases/{id}/disclosures": SYSTEMS,
    "GET /api/cases/{id}/nodes": SYSTEMS,
    "GET /api/cases/{id}/alerts": SYSTEMS,
    "PUT /api/cases/{id}/alerts": SYSTEMS,
    "GET /api/people/{id}/alerts": SYSTEMS,
    "PUT /api/people/{id}/alerts": SYSTEMS,
    "GET /api/matches": SYSTEMS,
    "GET /api/matches/{id}": SYSTEMS,
    "PATCH /api/matches/{id}": SYSTEMS,
    "GET /api/queries": SYSTEMS,
    "GET /api/collections": ANYBODY,
    "GET /service-info": ANYBODY,
    "GET /openapi.json": ANYBODY,
    "GET /": ANYBODY,
    "GET /static/{name}": ANYBODY,
    "GET /sign-in": ANYBODY,
    "POST /sign-in": ANYBODY,
    "POST /sign-in/code": NOT_HERE,  # nobody here is half signed in
    "GET /sign-in/provider": NOT_HERE,  # this node knows no provider
    "GET /sign-in/provider/back": ANYBODY,  # and says that nothing was begun
    "GET /register": ANYBODY,
    "POST /register": ANYBODY,
    "GET /invitation/{token}": BY_LINK,
    "POST /invitation/{token}": BY_LINK,
    "GET /alerts/{token}": BY_LINK,
    "POST /alerts/{token}": BY_LINK,
    "GET /alerts/{token}/unsubscribe": BY_LINK,
    "POST /alerts/{token}/unsubscribe": BY_LINK,
    "POST /sign-out": AGREEING,
    "GET /start": PEOPLE,
    "GET /agreement": AGREEING,
    "POST /agreement": AGREEING,
    "GET /settings": PEOPLE,
    "POST /settings": PEOPLE,
    "POST /settings/password": PEOPLE,
    "POST /settings/sessions": PEOPLE,
    "GET /settings/second-factor": AGREEING,
    "POST /settings/second-factor": AGREEING,
    "GET /terms": DOCTORS,
    "GET /genes": DOCTORS,
    "GET /cases": DOCTORS,
    "GET /cases/new": DOCTORS,
    "POST /cases/new": DOCTORS,
    "GET /cases/import": DOCTORS,
    "POST /cases/import": DOCTORS,
    "POST /cases/import/confirm": DOCTORS,
    "GET /cases/{id}": THIS_CASE,
    "GET /cases/{id}/progress": THIS_CASE,
    "GET /cases/{id}/edit": THIS_CASE,
    "POST /cases/{id}/edit": THIS_CASE,
    "GET /cases/{id}/preview": THIS_CASE,
    "GET /cases/{id}/withdraw": THIS_CASE,
    "POST /cases/{id}/withdraw": THIS_CASE,
    "POST /cases/{id}/search": THIS_CASE,
    "POST /cases/{id}/alerts": THIS_CASE,
    "GET /cases/{id}/shared": THIS_CASE,
    "GET /cases/{id}/report": THIS_CASE,
    "GET /matches": DOCTORS,
    "GET /matches/{id}": THIS_CASE,
    "POST /matches/{id}": THIS_CASE,
    "GET /shared": DOCTORS,
    "GET /operators": OPERATORS,
    "GET /operators/peers/{name}/heartbeat": OPERATORS,
    "POST /operators/clients/{name}/revoke": OPERATORS,
    "GET /operators/people": OPERATORS,
    "POST /operators/people": OPERATORS,
    "GET /operators/mails": OPERATORS,
    "POST /operators/mails/{id}/retry": OPERATORS,
}
# Tried last, as each makes an end of something.
LAST = ("POST /cases/{id}/withdraw", "DELETE /api/cases/{id}")
# The key of these is the mail's link: a mail program posts to them by itself (RFC 8058), and has no Origin.
FOR_MAIL_PROGRAMS = {"POST /alerts/{token}", "POST /alerts/{token}/unsubscribe"}

ASKED = {"patient": patient_json("hijo", features=FEATURES)}
DEPOSIT = {"patient": patient_json("sheila", features=FEATURES), "sharing": {"with": "all"}}
# Whole and right, so that each would do something if it counted.
FORMS = {
    "POST /sign-in": {"email": ANA, "password": "not that one, sorry"},
    "POST /sign-in/code": {"code": "123456"},
    "POST /register": {"email": "new@dublin.example"},  # with no name: so nobody new is added
    "POST /invitation/{token}": {"password": "short"},
    "POST /settings": {"name": "Ana", "frequency": "never", "language": "es"},
    "POST /settings/password": {"old": PASSWORD + "!", "password": "nine loud horses graze"},
    "POST /settings/second-factor": {"code": "123456"},
    "POST /cases/new": {"id": "another", "feature": "HP:0000252", "action": "save"},
    "POST /cases/import": {"file": "id,features\np9,HP:0000252\n", "file-name": "x.csv"},
    "POST /cases/import/confirm": {"patient": json.dumps(patient_json("imported")), "keep": "0"},
    "POST /cases/{id}/edit": {"id": "martin", "feature": "HP:0001250", "action": "save"},
    "POST /cases/{id}/alerts": {"muted": "on"},
    "POST /matches/{id}": {"status": "contacted", "note": "wrote to them"},
    "POST /operators/people": {"email": "waiting@dublin.example", "action": "approve", "role": "clinician", "institution": DUBLIN},
}  # fmt: skip
BODIES: dict[str, Any] = {
    "POST /match": ASKED,
    "PUT /api/cases/{id}": DEPOSIT,
    "POST /api/cases/{id}/search": {},
    "POST /api/cases/{id}/preview": {},
    "PUT /api/cases/{id}/alerts": {},
    "PUT /api/people/{id}/alerts": {},
    "PATCH /api/matches/{id}": {"note": "called them"},
}
EMAILS = {
    "owner": ANA, "colleague": BEN, "curator": CURATOR, "elsewhere": "curator@cork.example", "operator": OPERATOR,
    "newcomer": "newcomer@dublin.example", "disabled": "gone@dublin.example", "waiting": "waiting@dublin.example",
    "expired": "late@dublin.example",
}  # fmt: skip


async def numbers(_request: web.Request) -> web.StreamResponse:
    return web.Response()


ROUTES = {f"{one.method} {one.path}": one for one in routes(numbers)}


class Visits:
    """A node with something behind every route, and each visitor's way in."""

    def __init__(self, node: RunningNode, clock: Clock) -> None:
        self.node, self.clock = node, clock
        self.tokens: dict[str, dict[str, str]] = {}
        self.browsers: dict[str, Browser] = {}
        self.fill: dict[str, str] = {}

    async def prepare(self) -> None:
        node, store = self.node, self.node.exchange.store
        self.tokens["node"] = await node.add_client("spain")
        self.tokens["system"] = await node.add_client("dublin", Role.DEPOSITOR, institution=DUBLIN)
        await node.add_client("doomed")
        await node.add_peer("dead", "http://127.0.0.1:9")
        await self.people()
        await with_password(node, ANA)
        await self.restore("owner")
        case = await keep(node)
        await put(node, self.tokens["system"], "sheila")
        await ask(node, self.tokens["node"], ASKED["patient"])
        sheila = await store.case("dublin", "sheila")
        assert sheila
        await give_up_a_mail(node, f"{case.public_id} spain")
        invited = await node.exchange.signing_in.invite(BEN)
        links = Links("", await store.secret())
        self.fill = {
            "POST /cases": case.public_id, "GET /cases": case.public_id, "api/cases": "sheila", "api/people": BEN,
            "api/matches": match_id("spain", sheila.public_id, "hijo"), "matches": match_id("spain", case.public_id, "hijo"),
            "mails": "m1", "peers": "dead", "clients": "doomed", "static": "style.css", "invitation": invited,
            "alerts": links.choices(ANA).rpartition("/")[2],
        }  # fmt: skip

    async def people(self) -> None:
        """Add all people, or make them as they were, with a session each."""
        told: dict[str, dict[str, Any]] = {
            "curator": {"role": PersonRole.CURATOR},
            "elsewhere": {"role": PersonRole.CURATOR, "institution": CORK},
            "operator": {"role": PersonRole.OPERATOR, "institution": "IT"},
            "newcomer": {"agreed_to": None, "agreed_at": None},
            "disabled": {"disabled_at": 2.0},
            "waiting": {"disabled_at": 2.0, "waiting": True},
        }
        for who in EMAILS:
            await self.restore(who, **told.get(who, {}))

    async def restore(self, who: str, **told: Any) -> None:
        if told or who not in self.browsers:
            await add(self.node, EMAILS[who], **told)
        seen_at = self.node.exchange.now - HOUR if who == "expired" else None
        self.browsers[who] = await begin(self.node, EMAILS[who], seen_at)

    def path(self, name: str, who: str = "link") -> str:
        """The path of a route, to what is there; only who has the mail knows its link."""
        path = ROUTES[name].path
        kind = next((one for one in ("api/cases", "api/people", "api/matches") if one in path), None)
        kind = kind or next((one for one in ("mails", "peers", "clients", "static", "invitation") if one in path), None)
        kind = kind or ("alerts" if path.startswith("/alerts") else "matches" if "matches" in path else "GET /cases")
        filling = self.fill[kind] if who == "link" or kind not in {"invitation", "alerts"} else "x" * 43
        return path.replace("{id}", filling).replace("{name}", filling).replace("{token}", filling)

    async def go(self, name: str, who: str) -> Page:
        """Ask for a route as somebody does who means it."""
        route, browser = ROUTES[name], self.browsers.get(who) or Browser(self.node)
        headers = dict(self.tokens.get(who, {}))
        if route.is_page and route.method == "POST":
            form = {**FORMS.get(name, {}), "csrf": browser.csrf if who in self.browsers else ""}
            return await browser.post(self.path(name, who), form, headers)
        if name in BODIES:
            spoken = media_type("1.0") if route.access is Access.NODE else "application/json"
            headers |= {"Content-Type": spoken, "Accept": spoken}
            return await browser.send(route.method, self.path(name, who), json.dumps(BODIES[name]).encode(), headers)
        headers |= {"Accept": media_type("1.0")} if route.access is Access.NODE else {}
        return await browser.send(route.method, self.path(name, who), None, headers)


def outcome(page: Page) -> str:
    """What came of a visit, in the table's words."""
    if page.status == 303 and page.location.startswith("/sign-in?onward="):
        return "in"
    if page.status == 401 and 'action="/sign-in"' in page.text:
        return "in"
    if page.status == 303 and page.location == "/agreement":
        return "agree"
    return "ok" if page.status in {200, 201, 204, 303, 422} else str(page.status)


@pytest.fixture
async def visits(start_node: StartNode) -> Any:
    clock = Clock()
    async with start_node(world=clock.world, alerts__gather_seconds=3_600, **CHEAP) as node:  # no mail in between
        visits = Visits(node, clock)
        await visits.prepare()
        yield visits


def test_each_route_has_a_row_and_each_row_a_route() -> None:
    assert set(TABLE) == set(ROUTES)
    assert {len(row.split()) for row in TABLE.values()} == {len(WHO)}


@pytest.mark.parametrize("who", WHO)
async def test_each_route_treats_a_visitor_as_the_table_says(visits: Visits, who: str) -> None:
    ends_something = {"POST /sign-out", "POST /agreement"}
    wrong, place = {}, WHO.index(who)
    for name in sorted(ROUTES, key=lambda one: LAST.index(one) + 1 if one in LAST else 0):
        page = await visits.go(name, who)
        if outcome(page) != TABLE[name].split()[place]:
            wrong[name] = outcome(page)
        elif ROUTES[name].has_head and ROUTES[name].access is not Access.LINK:
            head = await (visits.browsers.get(who) or Browser(visits.node)).send("HEAD", visits.path(name, who))
            if (head.status, head.location, head.text) != (page.status, page.location, ""):
                wrong[f"HEAD of {name}"] = str(head.status)
        if who in EMAILS and name in ends_something:
            await visits.restore(who, **({"agreed_to": None} if who == "newcomer" else {}))
    assert wrong == {}


async def test_nothing_of_a_case_stands_where_it_must_not(visits: Visits) -> None:
    """A match, a case and a list of another institution's curator, and of a colleague, hold nothing of the case."""
    case = visits.fill["GET /cases"]
    for who in ("colleague", "elsewhere", "operator", "newcomer", "expired", "nobody"):
        for name, route in ROUTES.items():
            if route.is_page and route.method == "GET":
                page = await visits.go(name, who)
                assert "martin" not in page.text, (who, name)
                told = page.text.replace(visits.path(name, who), "")  # what the visitor typed oneself
                assert case not in told, (who, name)


def own_form_routes() -> list[Route]:
    return [
        one for name, one in ROUTES.items() if one.is_page and one.method == "POST" and name not in FOR_MAIL_PROGRAMS
    ]


def who_may(name: str) -> str:
    """The first who is let in there."""
    row = TABLE[name].split()
    return next(who for who in ("owner", "operator", "link") if row[WHO.index(who)] == "ok")


FOREIGN: dict[str, dict[str, str | None]] = {
    "no origin": {"Origin": None},
    "another site": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "a sandbox": {"Origin": "null"},
    "a file": {"Origin": "file://"},
    "no URL": {"Origin": "http://["},
    "nothing": {"Origin": "", "Sec-Fetch-Site": "same-origin"},
    "a sandbox of this site": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    "another site by its metadata": {"Origin": None, "Sec-Fetch-Site": "cross-site"},
    "a site beside": {"Origin": None, "Sec-Fetch-Site": "same-site"},
}


async def test_a_form_of_another_origin_changes_nothing(visits: Visits) -> None:
    before, wrong = await everything(visits.node), []
    for route in own_form_routes():
        name = f"{route.method} {route.path}"
        who = "link" if "invitation" in name else who_may(name) if TABLE[name] != NOT_HERE else "owner"
        browser = visits.browsers.get(who) or Browser(visits.node)
        csrf = browser.csrf if who in visits.browsers else ""
        form = {**FORMS.get(name, {}), "csrf": csrf}
        if name == "POST /sign-in":
            form["password"] = PASSWORD
        if name == "POST /invitation/{token}":
            form["password"] = PASSWORD
        for kind, headers in FOREIGN.items():
            told = {key: value for key, value in headers.items() if value is not None}
            sent = await browser.send("POST", visits.path(name), form, told)
            if sent.status != 403 or browser.set_cookies:
                wrong.append((name, kind, sent.status))
    assert wrong == []
    assert await everything(visits.node) == before
    for who in ("owner", "operator"):
        assert (await visits.browsers[who].get("/settings")).status == 200, "and nobody was signed out"


async def test_a_form_of_this_nodes_name_by_another_scheme_changes_nothing(visits: Visits) -> None:
    """Over http anybody on the way writes the page (RFC 6454, 4: the scheme is part of an origin)."""
    own = visits.node.url
    browser = visits.browsers["owner"]
    for origin in (own.replace("http:", "https:"), own.removeprefix("http:"), f"{own}/", f"{own}.evil.example"):
        page = await browser.post("/settings", {**FORMS["POST /settings"], "csrf": browser.csrf}, {"Origin": origin})
        assert page.status == 403, origin
    page = await browser.post("/settings", {**FORMS["POST /settings"], "csrf": browser.csrf}, {"Origin": own})
    assert page.status == 303


async def test_behind_https_a_page_of_the_same_name_over_http_is_another_site(start_node: StartNode) -> None:
    """The proxy in front speaks http to the node, with the public name as Host."""
    public = "https://ireland.example"
    async with start_node(server__public_url=public, **CHEAP) as node:
        await add(node)
        await with_password(node)
        form = {"email": ANA, "password": PASSWORD}
        for origin, status in ((public.replace("https", "http"), 403), (public, 303)):
            page = await Browser(node).post("/sign-in", form, {"Origin": origin, "Host": "ireland.example"})
            assert page.status == status, origin


async def test_a_form_without_this_sessions_token_changes_nothing(visits: Visits) -> None:
    before, wrong = await everything(visits.node), []
    guarded = {Access.SIGNED_IN, Access.CASES, Access.OPERATOR}
    for route in (one for one in own_form_routes() if one.access in guarded):
        name = f"{route.method} {route.path}"
        who = who_may(name)
        others = visits.browsers["colleague"].csrf
        for csrf in ({}, {"csrf": ""}, {"csrf": others}, {"csrf": visits.browsers[who].csrf.upper()}, {"csrf": "é"}):
            sent = await visits.browsers[who].post(visits.path(name), {**FORMS.get(name, {}), **csrf})
            if sent.status != 403:
                wrong.append((name, csrf, sent.status))
    assert wrong == []
    assert await everything(visits.node) == before
    for who in ("owner", "operator"):
        assert (await visits.browsers[who].get("/settings")).status == 200


async def test_a_mail_program_unsubscribes_without_an_origin(visits: Visits) -> None:
    """RFC 8058, 3.1: it sends no cookies and no context of a page; the link is the key."""
    for name in sorted(FOR_MAIL_PROGRAMS):
        page = await Browser(visits.node).send("POST", visits.path(name), {"List-Unsubscribe": "One-Click"})
        assert page.status == 200, name


async def test_other_methods_are_a_405_that_names_those_allowed(visits: Visits) -> None:
    allowed: dict[str, set[str]] = {}
    for route in ROUTES.values():
        allowed.setdefault(route.path, set()).update({route.method, *(["HEAD"] if route.has_head else [])})
    for path, methods in allowed.items():
        name = next(one for one, route in ROUTES.items() if route.path == path)
        who = next((one for one in ("owner", "operator") if TABLE[name].split()[WHO.index(one)] == "ok"), "nobody")
        browser = visits.browsers.get(who) or Browser(visits.node)
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - methods:
            page = await browser.send(method, visits.path(name), None, {"Origin": visits.node.url})
            assert (page.status, page.headers["Allow"]) == (405, ", ".join(sorted(methods))), (method, path)


async def test_each_page_is_kept_by_no_cache_and_runs_under_the_policy(visits: Visits) -> None:
    for name, route in ROUTES.items():
        if route.is_page and route.method == "GET" and route.path != "/static/{name}":
            for who in ("nobody", "owner", "operator", "link"):
                page = await visits.go(name, who)
                if page.status != 303:
                    policy = page.headers.get("Content-Security-Policy", "")
                    assert "default-src 'none'" in policy, (name, who)
                    assert "unsafe" not in policy, name
                assert page.headers["Cache-Control"] == "no-store", (name, who)
                assert page.headers["X-Content-Type-Options"] == "nosniff", (name, who)


async def test_no_page_of_an_operator_holds_a_case_its_id_or_a_word_of_a_patient(visits: Visits) -> None:
    """What a store keeps of cases, by canaries in every field that somebody may fill in."""
    node, store = visits.node, visits.node.exchange.store
    canaries = {"canary-id", "canary-label", "canary-family", "canary-contact", "canary-gene", "canary-disorder"}
    told = {
        "label": "canary-label", "contact": {"name": "canary-contact", "href": "mailto:canary-contact@x.example"},
        "genomicFeatures": [{"gene": {"id": "BCKDK", "_geneName": "canary-gene"}}],
        "disorders": [{"id": "MIM:614923", "label": "canary-disorder"}], "features": FEATURES,
    }  # fmt: skip
    await put(
        node, visits.tokens["system"], "canary-id", owner=BEN, family="canary-family", sharing={"with": "all"}, **told
    )
    case = await store.case("dublin", "canary-id")
    assert case
    await ask(node, visits.tokens["node"], patient_json("canary-asked", **told))
    match = match_id("spain", case.public_id, "canary-asked")
    assert await store.match(match), "there is one to keep silent about"
    canaries |= {
        case.public_id,
        match,
        "canary-asked",
        "HP:0000252",
        "Microcephaly",
        "martin",
        visits.fill["GET /cases"],
    }
    for name, route in ROUTES.items():
        if route.is_page and route.path != "/static/{name}":
            page = await visits.go(name, "operator")
            told_back = page.text.replace(visits.path(name, "operator"), "")
            assert not [one for one in canaries if one in told_back], name
            if name in {"POST /sign-out", "POST /agreement"}:
                await visits.restore("operator")
    page = await visits.browsers["operator"].get("/operators")
    assert f"<strong>{await store.count_cases()}</strong>" in page.text, "their number is no secret"
