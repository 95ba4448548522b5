"""People at their browsers: cookies, and forms read from a page and sent as a browser without scripts sends them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

from aiohttp import FormData
from multidict import CIMultiDictProxy

from matchmaker.accounts.sessions import csrf_of, digest
from matchmaker.exchange.desk import Desk
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.account import Session, SessionKind
from matchmaker.records.alert import Mail, MailKind, MailState
from matchmaker.records.case import Case
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.records.work import Work
from tests.conftest import RunningNode
from tests.samples import patient_json

# A password's hash takes 64 MiB and 50 ms else, and the directory is the same for all that is tested here.
CHEAP: dict[str, Any] = {"sign_in__password_memory_kib": 64, "sign_in__password_passes": 1}
ANA, BEN, CURATOR, OPERATOR = "ana@dublin.example", "ben@dublin.example", "curator@dublin.example", "op@node.example"
DUBLIN, CORK = "Hospital of Dublin", "Hospital of Cork"
PASSWORD = "seven calm horses graze"
FEATURES = [{"id": "HP:0000252"}, {"id": "HP:0001250"}, {"id": "HP:0001263"}]
Pairs = list[tuple[str, str]]


@dataclass
class Form:
    """A form of a page: what it would send, and its buttons."""

    action: str
    method: str
    fields: Pairs = field(default_factory=list)
    buttons: Pairs = field(default_factory=list)

    def get(self, name: str) -> str:
        return dict(self.fields).get(name, "")

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.fields if known == name]


class _Reader(HTMLParser):
    """Finds forms and links as HTML 5.2, 4.10.21.4, has them sent."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._text: tuple[str, list[str]] | None = None
        self._select: tuple[str, list[tuple[str, bool]]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(told.get("href", ""))
        elif tag == "form":
            self._form = Form(told.get("action", ""), told.get("method", "get"))
            self.forms.append(self._form)
        elif self._form is not None:
            self._control(self._form, tag, told)

    def _control(self, form: Form, tag: str, told: dict[str, str]) -> None:
        name, kind = told.get("name", ""), told.get("type", "text")
        if tag == "button":
            form.buttons.append((name, told.get("value", "")))
        elif tag == "textarea":
            self._text = (name, [])
        elif tag == "select":
            self._select = (name, [])
        elif tag == "option" and self._select:
            self._select[1].append((told.get("value", ""), "selected" in told))
        elif tag == "input" and name and kind in {"checkbox", "radio"}:
            form.fields += [(name, told.get("value", "on"))] if "checked" in told else []
        elif tag == "input" and name and kind not in {"file", "submit"}:
            form.fields.append((name, told.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea" and self._text and self._form:
            self._form.fields.append((self._text[0], "".join(self._text[1])))
            self._text = None
        elif tag == "select" and self._select and self._form:
            name, options = self._select
            chosen = [value for value, is_chosen in options if is_chosen] or [value for value, _ in options[:1]]
            self._form.fields += [(name, value) for value in chosen]
            self._select = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._text:
            self._text[1].append(data)


@dataclass(frozen=True)
class Page:
    """What a browser got."""

    status: int
    text: str
    headers: CIMultiDictProxy[str]
    path: str

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    def _read(self) -> _Reader:
        reader = _Reader()
        reader.feed(self.text)
        return reader

    @property
    def forms(self) -> list[Form]:
        return self._read().forms

    @property
    def links(self) -> list[str]:
        return self._read().links

    @property
    def words(self) -> str:
        """What a person reads."""
        return " ".join(" ".join(self._read().words).split())

    def form(self, action: str = "") -> Form:
        """The form that is sent there; without an action, to the page's own path."""
        return next(one for one in self.forms if one.action == action)


class Browser:
    """A browser: keeps cookies by path, tells its Origin with every form."""

    def __init__(self, node: RunningNode) -> None:
        self.node = node
        self.cookies: dict[str, tuple[str, str]] = {}
        self.set_cookies: list[str] = []

    async def send(
        self, method: str, path: str, data: Any = None, headers: dict[str, str] | None = None, **options: Any
    ) -> Page:
        where = urlsplit(path).path
        sent = {name: value for name, (value, under) in self.cookies.items() if where.startswith(under)}
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in sent.items())} if sent else {}
        async with self.node.session.request(
            method, self.node.url + path, data=data, headers={**cookie, **(headers or {})}, allow_redirects=False,
            **options,
        ) as response:  # fmt: skip
            self.set_cookies = response.headers.getall("Set-Cookie", [])
            for line in self.set_cookies:
                self._keep(line)
            return Page(response.status, await response.text(), response.headers, path)

    def _keep(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = (morsel.value, morsel["path"] or "/")

    async def get(self, path: str) -> Page:
        return await self.send("GET", path)

    async def post(self, path: str, fields: Pairs | dict[str, str], headers: dict[str, str] | None = None) -> Page:
        """Send fields as a form of this node's own page."""
        pairs = list(fields.items()) if isinstance(fields, dict) else fields
        data = FormData(pairs) if pairs else b""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self.send("POST", path, data, {"Origin": self.origin, **kind, **(headers or {})})

    async def submit(self, page: Page, action: str = "", press: tuple[str, str] | None = None, **typed: Any) -> Page:
        """Fill in the fields of a page's form, and press a button of it: one with a name sends that, too."""
        form = page.form(action)
        pairs = [(name, value) for name, value in form.fields if name not in typed]
        pairs += list(typed.items())
        if press is not None:
            assert press in form.buttons, f"no such button: {press} among {form.buttons}"
            pairs.append(press)
        return await self.post(form.action or page.path, pairs)

    async def follow(self, page: Page) -> Page:
        assert page.status == 303, (page.status, page.words)
        return await self.get(page.location)

    @property
    def origin(self) -> str:
        """That of the node's pages, as a browser sees them: behind https they are the public ones."""
        public = self.node.config.public_url
        return public if public.startswith("https://") else self.node.url

    @property
    def token(self) -> str:
        return next(value for name, (value, _) in self.cookies.items() if name.endswith("matchmaker"))

    @property
    def csrf(self) -> str:
        return csrf_of(self.token)


async def add(
    node: RunningNode, email: str = ANA, role: PersonRole = PersonRole.CLINICIAN, institution: str = DUBLIN, **told: Any
) -> Person:
    """Add somebody who has agreed already."""
    agreed = {"agreed_to": node.exchange.signing_in.agreement[1], "agreed_at": 1.0}
    person = Person(**{"email": email, "institution": institution, "role": role, "created_at": 1.0, **agreed, **told})
    await node.exchange.store.put_person(person)
    await node.exchange.catch_up()
    return person


async def begin(node: RunningNode, email: str, seen_at: float | None = None, token: str | None = None) -> Browser:
    """Return a browser with a session of somebody, begun without a password."""
    browser, now = Browser(node), node.exchange.now
    token = token or f"session-of-{email}-{len(email):040d}"
    known = Session(
        digest=digest(token), email=email, kind=SessionKind.OPEN, created_at=now, seen_at=now if seen_at is None else seen_at
    )  # fmt: skip
    await node.exchange.store.put_session(known)
    browser.cookies["matchmaker"] = (token, "/")
    return browser


async def signed_in(
    node: RunningNode, email: str = ANA, role: PersonRole = PersonRole.CLINICIAN, institution: str = DUBLIN, **told: Any
) -> Browser:
    """Add somebody and return the browser that is signed in."""
    await add(node, email, role, institution, **told)
    return await begin(node, email)


async def with_password(node: RunningNode, email: str = ANA, password: str = PASSWORD) -> None:
    """Let somebody known sign in by a password."""
    token = await node.exchange.signing_in.invite(email)
    await node.exchange.signing_in.accept_invitation(token, password)
    await node.exchange.store.end_sessions(email)


def desk(node: RunningNode, email: str = ANA) -> Desk:
    """Somebody's desk."""
    return Desk(node.exchange, node.exchange.directory.people[email])


def patient(case_id: str = "martin", **changes: Any) -> Patient:
    return validate(Patient, patient_json(case_id, **{"features": FEATURES, **changes}))


async def keep(
    node: RunningNode, case_id: str = "martin", email: str = ANA, circle: Circle = Circle.ALL, **changes: Any
) -> Case:
    """Keep a case of somebody, as the pages do."""
    told = changes.pop("sharing", Sharing(circle, own_contact=True))
    return (await desk(node, email).deposit(patient(case_id, **changes), told, changes.pop("family", None))).case


async def everything(node: RunningNode) -> list[Any]:
    """All that the node's store keeps, but sessions."""
    return [entry async for batch in node.exchange.store.export() for entry in batch]


async def give_up_a_mail(node: RunningNode, about: str, mail_id: str = "m1") -> None:
    """Keep a mail that no server took."""
    store, kind, now = node.exchange.store, "of a test", node.exchange.now
    await store.queue_work([Work(kind, mail_id, 0, now)])
    work = await store.claim([kind], "test", now, now + 60.0)
    assert work
    told = {"recipient": "away@spain.example", "kind": MailKind.WITHDRAWAL, "state": MailState.GIVEN_UP, "about": about}
    await store.put_mail(Mail(id=mail_id, created_at=1.0, due=now + 1e6, reason="550 no such user", **told), work)
