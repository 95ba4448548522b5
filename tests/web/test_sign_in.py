"""Signing in at the pages: by a password, a second factor, an invitation, a provider; and what a session keeps."""

import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyotp
import pytest

from matchmaker.records.person import PersonRole
from tests.accounts import provider as oidc
from tests.accounts.provider import CLIENT, SECRET, OpenIdProvider, rsa_key, serving
from tests.clock import HOUR, Clock
from tests.conftest import RunningNode, StartNode
from tests.web.people import (
    ANA,
    BEN,
    CHEAP,
    DUBLIN,
    OPERATOR,
    PASSWORD,
    Browser,
    Page,
    add,
    begin,
    signed_in,
    with_password,
)

KEY = rsa_key("one")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def node(start_node: StartNode, clock: Clock) -> AsyncIterator[RunningNode]:
    async with start_node(world=clock.world, **CHEAP) as running:
        yield running


async def enter(browser: Browser, email: str = ANA, password: str = PASSWORD, onward: str | None = None) -> Page:
    page = await browser.get("/sign-in" + (f"?onward={onward}" if onward else ""))
    return await browser.submit(page, "/sign-in", email=email, password=password)


# Passwords


async def test_somebody_signs_in_and_out_with_a_cookie_that_no_script_reads(node: RunningNode) -> None:
    await add(node)
    await with_password(node)
    browser = Browser(node)
    page = await enter(browser)
    assert (page.status, page.location) == (303, "/start")
    (cookie,) = [one for one in browser.set_cookies if one.startswith("matchmaker=") and "Max-Age=0" not in one]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie, "over http on loopback it would be lost"
    cases = await browser.follow(await browser.follow(page))
    assert cases.status == 200
    kept = browser.cookies["matchmaker"]
    page = await browser.submit(cases, "/sign-out")
    assert page.location == "/sign-in"
    assert "matchmaker" not in browser.cookies
    browser.cookies["matchmaker"] = kept
    assert (await browser.get("/cases")).location.startswith("/sign-in"), "the session is gone, not only the cookie"


async def test_what_went_wrong_is_said_in_the_language_of_who_reads_it(node: RunningNode) -> None:
    await add(node, language="es")
    await with_password(node)
    browser, spanish = await begin(node, ANA), {"Accept-Language": "es"}
    assert "no hay ningún caso suyo así" in (await browser.send("GET", "/cases/none", headers=spanish)).words
    assert "continúe a una página suya" in (await browser.send("GET", "/operators", headers=spanish)).words
    said = "esta no es su contraseña"
    page = await browser.get("/settings")
    password = await browser.submit(page, "/settings/password", old="wrong, I am afraid", password="a new and long one")
    assert said in password.words
    page = await browser.get("/settings/second-factor")
    second = await browser.submit(page, "", code="000000", old="wrong, I am afraid")
    assert said in second.words


async def test_over_https_the_cookie_is_of_this_host_alone(start_node: StartNode) -> None:
    """RFC 6265bis, 4.1.3.2: __Host- goes with Secure, Path=/ and no Domain."""
    async with start_node(server__public_url="https://ireland.example", server__host="0.0.0.0", **CHEAP) as node:  # noqa: S104
        await add(node)
        await with_password(node)
        browser = Browser(node)
        page = await browser.post(
            "/sign-in", {"email": ANA, "password": PASSWORD}, {"Origin": "https://ireland.example"}
        )
        assert page.status == 303
        (cookie,) = [one for one in browser.set_cookies if one.startswith("__Host-matchmaker=")]
        assert {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert (await browser.get("/cases")).status == 200
        bare = Browser(node)
        bare.cookies["matchmaker"] = browser.cookies["__Host-matchmaker"]
        assert (await bare.get("/cases")).status == 303, "a name that any host beside could set is not looked at"


async def test_no_password_is_taken_over_http_from_another_machine(start_node: StartNode) -> None:
    async with start_node(server__host="0.0.0.0", **CHEAP) as node:  # noqa: S104 - that is what is refused
        await add(node)
        invited = await node.exchange.signing_in.invite(ANA)
        for path in ("/sign-in", "/register", f"/invitation/{invited}", "/sign-in/provider"):
            page = await Browser(node).get(path)
            assert page.status == 403, path
            assert "https" in page.words
        form = {"email": ANA, "password": PASSWORD}
        for path in ("/sign-in", "/sign-in/code", "/register", f"/invitation/{invited}"):
            assert (await Browser(node).post(path, form)).status == 403, path
        assert not await node.exchange.signing_in.has_password(node.exchange.directory.people[ANA])


@pytest.mark.parametrize(
    ("onward", "where"),
    [
        ("/matches?status=new", "/matches?status=new"), ("/settings", "/settings"), ("//evil.example", "/start"),
        ("/\\evil.example", "/start"), ("https://evil.example", "/start"), ("\\\\evil.example", "/start"),
        ("/%0d%0aSet-Cookie:x=y", "/%0d%0aSet-Cookie:x=y"), ("/ok\r\nSet-Cookie: x=y", "/start"), ("javascript:x", "/start"),
        ("", "/start"), ("/\t/evil.example", "/start"), ("cases", "/start"), ("/\u202ecases", "/start"),
    ],
)  # fmt: skip
async def test_nobody_is_sent_elsewhere_by_a_link_to_the_sign_in(node: RunningNode, onward: str, where: str) -> None:
    await add(node)
    await with_password(node)
    browser = Browser(node)
    form = {"email": ANA, "password": PASSWORD, "onward": onward}
    page = await browser.post("/sign-in", form)
    assert (page.status, page.location) == (303, where)
    assert not [one for one in browser.set_cookies if one.startswith("x=")]


async def test_what_is_wrong_is_said_beside_the_form_and_the_address_stays(node: RunningNode) -> None:
    await add(node)
    await with_password(node)
    browser, said = Browser(node), set()
    for email in (ANA, "nobody@x.example"):
        page = await enter(browser, email, "wrong, I am afraid")
        assert (page.status, page.form("/sign-in").get("email")) == (422, email)
        said.add(page.words.replace(email, ""))
    assert len(said) == 1
    for _ in range(4):
        await enter(browser, ANA, "wrong, I am afraid")
    page = await enter(browser)
    assert page.status == 429
    assert "too many wrong tries" in page.words
    page = await enter(browser, '"><script>alert(1)</script>@x', "wrong, I am afraid")
    assert "<script>alert" not in page.text


# Where somebody comes from


async def guessed(node: RunningNode, forwarded: str | None, email: str = ANA, password: str = "not that, sorry") -> int:
    """The status of a guess that came by these proxies."""
    browser = Browser(node)
    headers = {"Origin": node.config.public_url or node.url, **({"X-Forwarded-For": forwarded} if forwarded else {})}
    return (await browser.post("/sign-in", {"email": email, "password": password}, headers)).status


@pytest.fixture
def start_behind(start_node: StartNode) -> StartNode:
    """Start a node behind https, where Ana has a password."""

    @contextlib.asynccontextmanager
    async def start(**settings: Any) -> AsyncIterator[RunningNode]:
        async with start_node(server__public_url="https://ireland.example", **settings, **CHEAP) as node:
            await add(node)
            await with_password(node)
            yield node

    return start


@pytest.mark.parametrize(
    ("proxies", "stranger", "ana"),
    [
        (1, "192.0.2.1", "192.0.2.2"),
        (1, "2001:db8:1:1::1", "2001:db8:1:2::1"),
        (2, "192.0.2.1, 10.0.0.1", "192.0.2.2, 10.0.0.1"),
        (1, "::ffff:192.0.2.1", "::ffff:192.0.2.2"),  # RFC 4291, 2.5.5.2: as proxies name IPv4 that listen to both
        (1, "garbage", "192.0.2.2"),
    ],
)
async def test_behind_proxies_that_are_told_of_each_visitor_waits_for_the_own_guesses(
    start_behind: StartNode, proxies: int, stranger: str, ana: str
) -> None:
    async with start_behind(server__proxies=proxies) as node:
        assert [await guessed(node, stranger) for _ in range(6)] == [422] * 5 + [429]
        assert await guessed(node, ana, password=PASSWORD) == 303


@pytest.mark.parametrize("proxies", [1, 2])
async def test_what_a_visitor_writes_into_the_header_makes_nobody_another_one(
    start_behind: StartNode, proxies: int
) -> None:
    """Each proxy adds whom it heard: what stands before the last of them was written by anybody."""
    added = ["192.0.2.1", "10.0.0.1"][:proxies]
    async with start_behind(server__proxies=proxies) as node:
        guesses = [await guessed(node, ", ".join([f"203.0.113.{one}", *added])) for one in range(6)]
        assert guesses == [422] * 5 + [429]


async def test_one_household_of_ipv6_is_one_visitor(start_behind: StartNode) -> None:
    """Its provider gives it 64 bits at least (RFC 6177): it would have a new address for each guess."""
    async with start_behind(server__proxies=1) as node:
        guesses = [await guessed(node, f"2001:db8:1:1:{one}::{one}") for one in range(1, 7)]
        assert guesses == [422] * 5 + [429]


async def test_a_proxy_that_nobody_told_of_is_not_taken_for_the_one_who_guesses(start_behind: StartNode) -> None:
    async with start_behind() as node:
        assert [await guessed(node, None) for _ in range(8)] == [422] * 8
        assert await guessed(node, "192.0.2.9", password=PASSWORD) == 303, "by the account alone: nobody is kept out"


async def test_without_proxies_the_header_is_anybodys_word(node: RunningNode) -> None:
    await add(node)
    await with_password(node)
    assert [await guessed(node, f"192.0.2.{one}") for one in range(6)] == [422] * 5 + [429]


async def test_a_session_is_asked_for_anew_after_an_hour_and_the_page_wanted_comes_then(
    node: RunningNode, clock: Clock
) -> None:
    browser = await signed_in(node)
    await with_password(node)
    browser = Browser(node)
    await enter(browser)
    clock.now += HOUR - 1
    assert (await browser.get("/matches?status=new")).status == 200
    clock.now += HOUR
    page = await browser.follow(await browser.get("/matches?status=new"))
    page = await browser.submit(page, "/sign-in", email=ANA, password=PASSWORD)
    assert page.location == "/matches?status=new"


async def test_signing_out_everywhere_else_leaves_this_browser(node: RunningNode) -> None:
    await add(node)
    await with_password(node)
    here, there = Browser(node), Browser(node)
    await enter(here)
    await enter(there)
    await here.submit(await here.get("/settings"), "/settings/sessions")
    assert (await here.get("/cases")).status == 200
    assert (await there.get("/cases")).status == 303


# What was typed


async def test_an_expired_session_keeps_what_was_typed_and_the_resumed_form_saves_the_case(
    node: RunningNode, clock: Clock
) -> None:
    browser = await signed_in(node)
    await with_password(node)
    browser = await begin(node, ANA)
    new = await browser.get("/cases/new")
    hostile = "\"><script>alert('x')</script> & ü"
    typed = [
        ("feature", "HP:0000252"), ("observed.HP:0000252", "yes"), ("onset.HP:0000252", "HP:0003577"),
        ("feature", "HP:0001250"), ("observed.HP:0001250", "no"), ("onset.HP:0001250", ""), ("gene", "BCKDK"),
        ("variant.0", "GRCh38 16-31110716-G-C"), ("zygosity.0", "2"), ("id", "martin"), ("label", hostile),
        ("family", "B. & \"sons\""), ("sex", "MALE"), ("inheritance", "HP:0000007"), ("onset", "HP:0003577"),
        ("disorders", "MIM:614923"), ("text", "line one\r\nline two <b>"), ("circle", "country"), ("level", "minimal"),
        ("until", "2030-01-31"), ("contact", "own"), ("test", "on"), ("action", "save"),
    ]  # fmt: skip
    clock.now += HOUR
    page = await browser.post("/cases/new", [("csrf", new.form("/cases/new").get("csrf")), *typed])
    assert page.status == 401
    assert "what you typed is kept" in page.words
    assert "<script>alert" not in page.text
    assert await node.exchange.store.case(ANA, "martin") is None
    wrong = await browser.submit(page, "/sign-in", email=ANA, password="wrong, I am afraid")
    assert wrong.status == 422, "nor is it lost by a wrong password"
    resumed = await browser.submit(wrong, "/sign-in", email=ANA, password=PASSWORD)
    assert resumed.status == 200
    form = resumed.form("/cases/new")
    assert [pair for pair in form.fields if pair[0] != "csrf"] == typed
    saved = await browser.submit(resumed, "/cases/new")
    assert saved.status == 303, saved.words
    case = await node.exchange.store.case(ANA, "martin")
    assert case
    assert case.patient
    assert (case.patient.label, case.family, case.patient.sex) == (hostile, 'B. & "sons"', "MALE")
    assert [(one.id, one.observed, one.age_of_onset) for one in case.patient.features] == [
        ("HP:0000252", "yes", "HP:0003577"), ("HP:0001250", "no", None),
    ]  # fmt: skip
    assert (case.sharing.circle.value, case.sharing.level.word, str(case.sharing.until)) == (
        "country", "minimal", "2030-01-31",
    )  # fmt: skip


async def test_no_password_that_was_typed_stands_in_a_page_when_the_session_is_over(
    node: RunningNode, clock: Clock
) -> None:
    browser = await signed_in(node)
    for path, typed in (
        ("/settings/password", {"old": PASSWORD, "password": "nine loud horses graze"}),
        ("/settings/second-factor", {"old": PASSWORD, "code": "123456"}),
    ):
        browser = await begin(node, ANA)
        csrf = browser.csrf
        clock.now += HOUR
        page = await browser.post(path, {"csrf": csrf, **typed})
        assert page.status == 401
        assert not [one for one in typed.values() if one in page.text]
        assert page.form("/sign-in").get("onward") == "/start"


async def test_what_was_typed_comes_back_behind_a_second_factor_too(node: RunningNode, clock: Clock) -> None:
    browser = await signed_in(node)
    await with_password(node)
    browser = await begin(node, ANA)
    page = await browser.get("/settings/second-factor")
    totp = pyotp.TOTP(re.findall(r"<code>([A-Z2-7]{32})</code>", page.text)[0])
    wrong = await browser.submit(page, "", code=totp.at(int(clock.now)), old="not that one, sorry")
    assert (wrong.status, "not your password" in wrong.words) == (422, True)
    assert totp.secret in wrong.text, "the same secret is offered still"
    page = await browser.submit(wrong, "", code=totp.at(int(clock.now)), old=PASSWORD)
    codes = re.findall(r"<code>([a-z2-9-]{19})</code>", page.text)
    assert len(codes) == 10
    clock.now += 2 * HOUR
    page = await browser.post("/cases/new", [("feature", "HP:0000252"), ("id", "martin"), ("action", "save")])
    page = await browser.submit(page, "/sign-in", email=ANA, password=PASSWORD)
    assert (page.status, (await browser.get("/cases")).status) == (200, 303), "half signed in is not signed in"
    page = await browser.submit(page, "/sign-in/code", code="000000")
    assert page.status == 422
    page = await browser.submit(page, "/sign-in/code", code=totp.at(int(clock.now)))
    assert (await browser.submit(page, "/cases/new")).status == 303
    assert await node.exchange.store.case(ANA, "martin")
    again = Browser(node)
    page = await enter(again)
    assert (await again.submit(page, "/sign-in/code", code=totp.at(int(clock.now)))).status == 422, (
        "a code is good once"
    )
    page = await again.submit(page, "/sign-in/code", code=codes[0])
    assert (page.status, page.location) == (303, "/start")


@pytest.mark.parametrize(
    ("role", "begins"),
    [(PersonRole.CLINICIAN, "/cases"), (PersonRole.CURATOR, "/cases"), (PersonRole.OPERATOR, "/operators")],
)
async def test_whoever_signs_in_begins_with_a_page_of_the_own_role(
    node: RunningNode, role: PersonRole, begins: str
) -> None:
    await add(node, ANA, role)
    await with_password(node)
    browser = Browser(node)
    page = await browser.follow(await browser.follow(await enter(browser)))
    assert (page.path, page.status) == (begins, 200)
    lost = await browser.get("/operators" if begins == "/cases" else "/cases")
    assert (lost.status, 'href="/start"' in lost.text) == (403, True), "and is led back to it"


# Who is new


async def test_an_invitation_sets_a_password_and_shows_the_agreement_once(node: RunningNode) -> None:
    operator = await signed_in(node, OPERATOR, PersonRole.OPERATOR, "IT")
    await add(node, agreed_to=None, agreed_at=None)
    people = await operator.get("/operators/people")
    form = next(one for one in people.forms if one.get("email") == ANA)
    page = await operator.post(form.action, [*form.fields, ("action", "invite")])
    (path,) = re.findall(r"<code>https?://[^/]+(/invitation/[A-Za-z0-9_-]{43})</code>", page.text)
    browser = Browser(node)
    page = await browser.get(path)
    assert ANA in page.words
    page = await browser.submit(page, "", password="short")
    assert page.status == 422
    page = await browser.submit(page, "", password=PASSWORD)
    page = await browser.follow(await browser.follow(page))
    assert page.path == "/agreement"
    page = await browser.submit(page, "/agreement")
    page = await browser.follow(await browser.follow(page))
    assert (page.path, page.status) == ("/cases", 200)
    assert (await Browser(node).get(path)).status == 404
    agreed = node.exchange.signing_in.agreement[1]
    (ana,) = [one for one in await node.exchange.store.people() if one.email == ANA]
    assert (ana.agreed_to, ana.agreed_at) == (agreed, node.exchange.now)


async def test_the_agreement_is_asked_for_again_when_its_text_changes(start_node: StartNode, tmp_path: Path) -> None:
    file = tmp_path / "agreement.txt"
    file.write_text("Be <kind>.", encoding="utf-8")
    async with start_node(sign_in__agreement=file, **CHEAP) as node:
        browser = await signed_in(node)
        assert (await browser.get("/cases")).status == 200
        file.write_text("Be kind, and careful.", encoding="utf-8")
        page = await browser.follow(await browser.get("/cases"))
        assert "Be kind, and careful." in page.words
        page = await browser.submit(page, "/agreement")
        assert (await browser.get("/cases")).status == 200


async def test_somebody_registers_without_a_password_waits_and_is_let_in_by_a_link_or_not(node: RunningNode) -> None:
    operator, browser = await signed_in(node, OPERATOR, PersonRole.OPERATOR, "IT"), Browser(node)
    page = await browser.get("/register")
    assert "password" not in dict(page.form("/register").fields)
    wrong = await browser.submit(page, "/register", email="no address", name="", institution="X\u202eY")
    assert wrong.status == 422
    for field in ("email", "name", "institution"):
        assert f"<strong>{field}</strong>" in wrong.text
    answers = set()
    for email in (BEN, OPERATOR, BEN.upper()):
        told: dict[str, Any] = {"email": email, "name": "Ben <b>", "institution": "X", "password": PASSWORD}
        page = await browser.submit(await browser.get("/register"), "/register", **told)
        answers.add((page.status, page.text))
    assert len(answers) == 1, "nobody learns which addresses are known"
    assert (await enter(browser, BEN)).status == 422
    people = await operator.get("/operators/people")
    assert "Ben <b>" not in people.text
    form = next(one for one in people.forms if one.get("email") == BEN)
    assert ("action", "approve") in form.buttons
    bad = await operator.post(form.action, [*form.fields, ("action", "approve")])
    assert (bad.status, "institution" in bad.words) == (422, True)
    typed = [(name, DUBLIN if name == "institution" else value) for name, value in form.fields]
    page = await operator.post(form.action, [*typed, ("action", "approve")])
    (path,) = re.findall(r"<code>https?://[^/]+(/invitation/[A-Za-z0-9_-]{43})</code>", page.text)
    assert BEN in page.words
    assert (await enter(browser, BEN)).status == 422, "what a stranger sent along as a password is none"
    page = await browser.submit(await browser.get(path), "", password="nine loud horses graze")
    assert page.status == 303
    assert (await enter(Browser(node), BEN, "nine loud horses graze")).status == 303
    people = await operator.get("/operators/people")
    form = next(one for one in people.forms if one.get("email") == BEN)
    await operator.post(form.action, [*form.fields, ("action", "disable")])
    assert (await browser.get("/agreement")).status == 303, "out at once"
    assert (await enter(Browser(node), BEN, "nine loud horses graze")).status == 422


async def test_who_asks_to_be_let_in_too_often_from_one_address_hears_so_and_keeps_what_was_typed(
    node: RunningNode,
) -> None:
    browser, typed = Browser(node), {"name": "Ben", "institution": "Hospital of <Cork>"}
    for number in range(10):
        assert (await browser.post("/register", {"email": f"p{number}@x.example", **typed})).status == 200
    page = await browser.post("/register", {"email": "p11@x.example", **typed})
    assert (page.status, "ask again in 61 s" in page.words) == (429, True)
    assert page.form("/register").get("institution") == typed["institution"]
    assert len(await node.exchange.store.people()) == 10


async def test_an_address_that_is_none_or_endless_is_said_to_be_and_takes_no_time(node: RunningNode) -> None:
    typed = {"name": "Ben", "institution": "X"}
    for email in ("a" * 250 + "@x.example", "(" * 100_000 + "@x.example", "é@x.example", "a b@x.example", "a@", "\x00"):
        page = await Browser(node).post("/register", {"email": email, **typed})
        assert (page.status, "<strong>email</strong>" in page.text) == (422, True), email[:20]
    assert await node.exchange.store.people() == []


async def test_where_nobody_registers_or_has_a_password_the_pages_say_so(start_node: StartNode) -> None:
    async with start_node(sign_in__register_oneself=False, sign_in__passwords=False, **CHEAP) as node:
        form = {"email": BEN, "name": "Ben", "institution": "X", "password": PASSWORD}
        assert (await Browser(node).post("/register", form)).status == 403
        assert (await Browser(node).post("/sign-in", form)).status == 403
        assert await node.exchange.store.people() == []


async def test_where_a_second_factor_is_required_nothing_else_is_shown_before(
    start_node: StartNode, clock: Clock
) -> None:
    async with start_node(world=clock.world, sign_in__second_factor="required", **CHEAP) as node:
        await add(node)
        await with_password(node)
        browser = Browser(node)
        page = await browser.follow(await enter(browser))
        assert page.location == "/settings/second-factor"
        for path in ("/cases", "/matches", "/settings"):
            assert (await browser.get(path)).location == "/settings/second-factor"
        page = await browser.follow(page)
        totp = pyotp.TOTP(re.findall(r"<code>([A-Z2-7]{32})</code>", page.text)[0])
        await browser.submit(page, "", code=totp.at(int(clock.now)), old=PASSWORD)
        assert (await browser.get("/cases")).status == 200
        page = await browser.get("/settings/second-factor")
        await browser.submit(page, "", ("remove", "1"), old=PASSWORD)
        assert (await browser.get("/cases")).location == "/settings/second-factor"


# A provider


@contextlib.asynccontextmanager
async def hospital(
    start_node: StartNode, tmp_path: Path, clock: Clock, patch: pytest.MonkeyPatch, **settings: Any
) -> AsyncIterator[tuple[RunningNode, OpenIdProvider]]:
    """Run a node behind https, and the provider that it knows."""
    provider = OpenIdProvider(lambda: clock.now, signing=KEY)
    patch.setattr(oidc, "REDIRECT", "https://ireland.example/sign-in/provider/back")
    secret = tmp_path / "secret"
    secret.write_text(SECRET, encoding="utf-8")
    async with serving(provider):
        told = {
            "server__public_url": "https://ireland.example", "sign_in__oidc_issuer": provider.url,
            "sign_in__oidc_client_id": CLIENT, "sign_in__oidc_client_secret_file": secret,
        }  # fmt: skip
        async with start_node(world=clock.world, **told, **CHEAP, **settings) as node:
            yield node, provider


async def back_from(browser: Browser, onward: str = "/matches") -> str:
    """Go to the provider as a browser does; return the path by which it comes back."""
    page = await browser.get(f"/sign-in/provider?onward={onward}")
    assert page.status == 303, page.words
    async with browser.node.session.get(page.location, allow_redirects=False) as response:
        back = urlsplit(response.headers["Location"])
    return f"{back.path}?{back.query}"


async def test_somebody_new_from_the_provider_waits_and_comes_in_once_let_in(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital(start_node, tmp_path, clock, monkeypatch) as (node, _):
        browser = Browser(node)
        assert "/sign-in/provider?onward=%2Fstart" in str((await browser.get("/sign-in")).links).replace(
            "/start", "%2Fstart"
        )
        page = await browser.get(await back_from(browser))
        assert (page.status, "please wait" in page.words) == (422, True)
        assert "__Host-matchmaker" not in browser.cookies
        (anna,) = await node.exchange.store.people()
        assert (anna.email, anna.name, anna.waiting) == ("anna@hospital.example", "Anna Ó Briain", True)
        assert (anna.institution, anna.role) == ("", PersonRole.CLINICIAN), "the operator says whose she is"
        by = await add(node, OPERATOR, PersonRole.OPERATOR, "IT")
        await node.exchange.signing_in.approve(anna.email, PersonRole.CLINICIAN, DUBLIN, by)
        page = await browser.get(await back_from(browser))
        assert (page.status, page.location) == (303, "/matches")
        assert (await browser.follow(page)).location == "/agreement"
        assert [one for one in browser.set_cookies if "Secure" in one] == browser.set_cookies
        await node.exchange.signing_in.disable(anna.email, by)
        page = await browser.get(await back_from(browser))
        assert "closed" in page.words


async def test_a_confirmed_address_is_linked_to_who_is_known_and_an_unconfirmed_one_is_not(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital(start_node, tmp_path, clock, monkeypatch) as (node, provider):
        await add(node, "anna@hospital.example")
        browser = Browser(node)
        for claims in ({"email_verified": False}, {"email_verified": None}, {"email_verified": "false"}):
            provider.claims = claims
            page = await browser.get(await back_from(browser))
            assert (page.status, "confirmed" in page.words) == (422, True)
        provider.claims = {"email": "ANNA@Hospital.Example"}
        assert (await browser.get(await back_from(browser))).status == 303
        provider.claims = {"email": "another@hospital.example", "email_verified": False}
        assert (await browser.get(await back_from(browser))).status == 303, "known by the subject from then on"
        provider.claims = {"sub": "somebody-else"}
        page = await browser.get(await back_from(browser))
        assert "another account" in page.words
        assert [one.email for one in await node.exchange.store.people()] == ["anna@hospital.example"]


async def test_an_address_that_has_a_password_here_is_not_taken_over_by_the_provider(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital(start_node, tmp_path, clock, monkeypatch) as (node, _):
        await add(node, "anna@hospital.example")
        await with_password(node, "anna@hospital.example")
        browser = Browser(node)
        page = await browser.get(await back_from(browser))
        assert (page.status, "please sign in by that" in page.words) == (422, True)
        assert "__Host-matchmaker" not in browser.cookies
        page = await browser.submit(page, "/sign-in", email="anna@hospital.example", password=PASSWORD)
        assert page.status == 303, "on that very page"


async def test_who_comes_by_the_provider_and_has_no_password_may_have_a_second_factor_too(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital(start_node, tmp_path, clock, monkeypatch) as (node, _):
        await add(node, "anna@hospital.example")
        browser = Browser(node)
        await browser.get(await back_from(browser))
        page = await browser.get("/settings/second-factor")
        fields = re.findall(r"<input[^>]* name=\"(\w+)\"", page.text)
        assert ("code" in fields, "old" in fields) == (True, False), "there is no password that could be asked for"
        totp = pyotp.TOTP(re.findall(r"<code>([A-Z2-7]{32})</code>", page.text)[0])
        page = await browser.submit(page, "", code=totp.at(int(clock.now)))
        assert (page.status, len(re.findall(r"<code>([a-z2-9-]{19})</code>", page.text))) == (200, 10)


async def test_what_another_browser_began_or_what_was_answered_before_lets_nobody_in(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's answer would sign somebody in as the stranger; one that is seen twice was copied."""
    async with hospital(start_node, tmp_path, clock, monkeypatch) as (node, _):
        await add(node, "anna@hospital.example")
        mine, theirs = Browser(node), Browser(node)
        answer = await back_from(theirs)
        for browser in (mine, Browser(node)):
            if browser is mine:
                await back_from(mine)
            page = await browser.get(answer)
            assert page.status == 422
            assert "__Host-matchmaker" not in browser.cookies
        half = dict(theirs.cookies)
        assert (await theirs.get(answer)).status == 303
        replayed = Browser(node)
        replayed.cookies = half
        assert (await replayed.get(answer)).status == 422
        fresh = Browser(node)
        answer = await back_from(fresh)
        kept = dict(fresh.cookies)
        query = dict(parse_qsl(urlsplit(answer).query))
        assert (await fresh.get(f"/sign-in/provider/back?error=access_denied&state={query['state']}")).status == 422
        fresh.cookies = kept
        assert (await fresh.get(answer)).status == 422, "an attempt is good once, be it for a failure"
        late = Browser(node)
        answer = await back_from(late)
        clock.now += 601
        assert (await late.get(answer)).status == 422


async def test_whoever_comes_by_the_provider_is_sent_inside_only(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital(start_node, tmp_path, clock, monkeypatch) as (node, _):
        await add(node, "anna@hospital.example")
        for onward in ("//evil.example", "/\\evil.example", "https://evil.example"):
            browser = Browser(node)
            assert (await browser.get(await back_from(browser, onward))).location == "/start"


async def test_a_second_factor_that_is_required_is_the_providers_own_for_who_comes_from_there(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital(start_node, tmp_path, clock, monkeypatch, sign_in__second_factor="required") as (node, _):
        await add(node, "anna@hospital.example")
        browser = Browser(node)
        assert (await browser.follow(await browser.get(await back_from(browser)))).status == 200


async def test_a_provider_that_is_away_is_said_and_the_password_still_works(
    start_node: StartNode, tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hospital(start_node, tmp_path, clock, monkeypatch) as (node, provider):
        provider.broken["/.well-known/openid-configuration"] = "fails"
        await add(node)
        await with_password(node)
        browser = Browser(node)
        page = await browser.get("/sign-in/provider")
        assert page.status == 502
        assert (await browser.submit(page, "/sign-in", email=ANA, password=PASSWORD)).status == 303
