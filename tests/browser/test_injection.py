"""Peers' and users' strings are hostile until escaped: 300 and more in every field run nothing and break no layout."""

import json
from typing import Any
from urllib.parse import quote

from matchmaker.exchange.desk import Desk
from matchmaker.exchange.follow_up import Filter
from matchmaker.exchange.match_messages import MatchChange
from matchmaker.exchange.noticing import MOST_ANSWERS
from matchmaker.mme.errors import InvalidRequest
from matchmaker.mme.messages import MatchResult
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.sharing import Circle, Level, Sharing
from matchmaker.store.base import Draft
from tests.browser.conftest import NewContext
from tests.browser.hostile import STRINGS, Judge, mark
from tests.browser.people import CHEAP, Account, enrol, sign_in
from tests.conftest import RunningNode, StartNode
from tests.eventually import eventually
from tests.peers.misbehaving import answer, fake_peers, http, says
from tests.samples import patient_json

LEAST = 300
_NAMELESS = str.maketrans("/", "_")  # what no name of a file has
ANNOTATED = 4  # of the matches
SHAPED = {"contact.email", "variant.bases", "disorder.id"}  # each has a form that no hostile string has
# The fields that a peer writes, in a result; each holds one string.
PEER_FIELDS: dict[str, tuple[str | int, ...]] = {
    "id": ("patient", "id"),
    "label": ("patient", "label"),
    "contact.name": ("patient", "contact", "name"),
    "contact.institution": ("patient", "contact", "institution"),
    "contact.href": ("patient", "contact", "href"),
    "contact.email": ("patient", "contact", "email"),
    "feature.label": ("patient", "features", 0, "label"),
    "gene.id": ("patient", "genomicFeatures", 1, "gene", "id"),
    "gene._geneName": ("patient", "genomicFeatures", 1, "gene", "_geneName"),
    "variant.bases": ("patient", "genomicFeatures", 0, "variant", "alternateBases"),
    "type.label": ("patient", "genomicFeatures", 0, "type", "label"),
    "disorder.id": ("patient", "disorders", 0, "id"),
    "disorder.label": ("patient", "disorders", 0, "label"),
    "solved.id": ("_solved", "diagnosis", "id"),
    "solved.label": ("_solved", "diagnosis", "label"),
    "helped.name": ("_solved", "helped", 0, "name"),
    "helped.code": ("_solved", "helped", 0, "code"),
    "explained": ("_explanation", "notes", 0),
}


def harmless(number: int) -> dict[str, Any]:
    """A result without any hostile string."""
    variant = {"assembly": "GRCh38", "referenceName": "16", "start": 31110715 + number, "alternateBases": "C"}
    genes = [{"gene": {"id": "BCKDK"}, "variant": variant, "type": {"id": "SO:0001583"}}, {"gene": {"id": "TTN"}}]
    disorders = [{"id": "MIM:614923"}]
    contact = {"name": "x", "href": "mailto:x@x.example"}
    patient = patient_json(f"id-{number}", genomicFeatures=genes, disorders=disorders, contact=contact)
    solved = {"diagnosis": {"id": "MIM:614923"}, "helped": [{"name": "x"}]}
    return {"score": {"patient": 0.9}, "patient": patient, "_solved": solved, "_explanation": {"notes": ["x"]}}


def put(result: dict[str, Any], path: tuple[str | int, ...], text: str) -> dict[str, Any]:
    """Return a result with a text in one of its fields."""
    changed: dict[str, Any] = json.loads(json.dumps(result))
    place: Any = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = text
    return changed


def forms_of(field: str, text: str) -> list[str]:
    """Return a text as a field may take it: in a link also behind an honest beginning, and without any blank."""
    blank = text.replace(" ", "/")
    return [text, f"https://x.example/{text}", f"https://x.example/{blank}"] if field == "contact.href" else [text]


def taken(result: dict[str, Any]) -> bool:
    """Tell whether a node takes a peer's result in."""
    try:
        validate(MatchResult, result)
    except InvalidRequest:
        return False
    return True


def results() -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Return a result for each string, with it in all fields that let it in; and by field, how many are let in."""
    made, let_in = [], dict.fromkeys(PEER_FIELDS, 0)
    for number, text in enumerate(STRINGS):
        result = harmless(number)
        for field, path in PEER_FIELDS.items():
            hostile = next((one for said in forms_of(field, text) if taken(one := put(result, path, said))), None)
            if hostile is not None:
                result = hostile
                let_in[field] += 1
        made.append(result)
    return made, let_in


async def test_what_a_peer_writes_runs_nothing_and_breaks_no_page(start_node: StartNode, context: NewContext) -> None:
    visitor = await context(viewport={"width": 1200, "height": 800})
    made, let_in = results()
    assert {field for field, count in let_in.items() if count < LEAST} == SHAPED
    assert not any(let_in[field] for field in SHAPED)
    every = "\n".join(STRINGS)
    slices = [made[first : first + MOST_ANSWERS] for first in range(0, len(made), MOST_ANSWERS)]
    vices = {f"p{n}": says(answer(*some)) for n, some in enumerate(slices[1:], 1)}
    vices["p0"] = says(answer(*slices[0], disclaimer=every, terms=every))
    rude = says(
        http("400 Bad Request", json.dumps({"message": every[:9_000]}).encode(), Content_Type="application/json")
    )
    version = {"heartbeat": {"production": False, "version": every[:9_000], "accept": [every[:9_000]]}}
    vices["refusing"] = rude
    vices["beating"] = says(http("200 OK", json.dumps(version).encode(), Content_Type="application/json"))
    async with (
        start_node("ireland", "IE", searches__on_deposit=True, **CHEAP) as ireland,
        fake_peers(vices) as peers,
    ):
        for name, peer in peers.items():
            await ireland.add_peer(name, peer.url)
        clinician, operator = await enrol(ireland), await enrol(ireland, "op@dublin.example", PersonRole.OPERATOR)
        desk = Desk(ireland.exchange, ireland.exchange.directory.people[clinician.email])
        case, matches = await found(desk, len(vices) + 1)
        assert len(matches) >= LEAST
        page = await visitor.context.new_page()
        judge = Judge(page)
        await sign_in(page, ireland, clinician)
        for path in ("/cases", "/shared", f"/cases/{case}", f"/cases/{case}/preview", f"/cases/{case}/shared"):
            await judge.open(ireland.url + path)
        await judge.fetch([f"{ireland.url}/matches/{one}" for one in matches])
        assert {mark(number) for number in range(len(STRINGS))} <= judge.seen
        await people_annotate(desk, matches)
        judge.seen.clear()
        await judge.fetch([f"{ireland.url}/matches/{one}" for one in matches[:ANNOTATED]])
        assert len(judge.seen) >= LEAST
        await the_inbox_is_read(judge, ireland)
        for one in [*matches[:ANNOTATED], *matches[ANNOTATED::29]]:
            await judge.open(f"{ireland.url}/matches/{one}")
        await visitor.context.clear_cookies()
        await sign_in(page, ireland, operator)
        for path in ("/operators", *(f"/operators/peers/{name}/heartbeat" for name in ("p0", "refusing", "beating"))):
            await judge.open(ireland.url + path)
        assert judge.wrong == []
        assert await visitor.settled() == []


async def found(desk: Desk, nodes: int) -> tuple[str, list[str]]:
    """Keep a case; return its public id and its matches, once every node was asked."""
    deposit = await desk.deposit(validate(Patient, patient_json("martin")), Sharing(Circle.ALL), None)
    case = deposit.case.public_id

    async def asked() -> bool:
        states = [one.status for one in (await desk.progress(case))[0].nodes]
        return len(states) == nodes and "asking" not in states

    assert await eventually(asked)
    matches, _ = await desk.matches(Filter(case=case, limit=1_000))
    return case, [one.view.id for one in matches]


async def people_annotate(desk: Desk, matches: list[str]) -> None:
    """Notes, reasons and diagnoses, in people's own words."""
    for n, match in enumerate(matches[:ANNOTATED]):
        note = "\n".join(STRINGS[n::ANNOTATED])
        diagnosis = {"id": STRINGS[n], "label": STRINGS[n + 4]}
        treatment = {"name": STRINGS[n + 8], "code": STRINGS[n + 12]}
        status: dict[str, Any] = {"status": "not a match", "reason": note}
        if n % 2:
            status = {"status": "solved", "diagnosis": diagnosis, "helped": [treatment], "tell": False}
        await desk.change_match(match, validate(MatchChange, {**status, "note": note}))


async def the_inbox_is_read(judge: Judge, node: RunningNode) -> None:
    """Open every page of the inbox, one after the other."""
    url: str | None = f"{node.url}/matches"
    while url:
        await judge.open(url)
        link = judge.page.locator("main a[href*='after=']")
        url = node.url + str(await link.get_attribute("href")) if await link.count() else None


async def test_what_users_write_runs_nothing_and_breaks_no_page(start_node: StartNode, context: NewContext) -> None:
    visitor = await context(viewport={"width": 1200, "height": 800})
    async with start_node("ireland", "IE", **CHEAP) as ireland:
        clinician = await enrol(ireland, name=STRINGS[0], institution=STRINGS[1])
        operator = await enrol(ireland, "op@dublin.example", PersonRole.OPERATOR, name=STRINGS[2])
        cases = await keep_cases(ireland, clinician)
        await people_wait(ireland)
        page = await visitor.context.new_page()
        judge = Judge(page)
        await judge.fetch_first(f"{ireland.url}/sign-in", [f"/sign-in?onward=/{quote(text)}" for text in STRINGS[::4]])
        await sign_in(page, ireland, clinician)
        await cases_are_read(judge, ireland, cases)
        await questions_are_reflected(judge, ireland)
        await files_are_imported(judge, ireland)
        await a_form_is_sent_back(judge, ireland)
        await visitor.context.clear_cookies()
        await sign_in(page, ireland, operator)
        judge.seen.clear()
        await judge.open(f"{ireland.url}/operators/people")
        assert len(judge.seen) >= LEAST, "each stands in the table of people"
        assert judge.wrong == []
        assert await visitor.settled() == []


def allowed(texts: Any) -> list[str]:
    """Return those of some texts that may be the id of a case."""
    return [text for text in texts if taken(put(harmless(0), PEER_FIELDS["id"], text))]


async def keep_cases(node: RunningNode, account: Account) -> dict[str, str]:
    """Keep cases with hostile ids, labels and families, without a search for each; return public ids by own ids."""
    texts = allowed(STRINGS)
    named = {f"{2 * number:016x}{0:016x}": text for number, text in enumerate(texts, 1)}
    sharing = Sharing(Circle.NONE, Level.FULL)
    drafts: list[Draft] = []
    for (public_id, text), other in zip(named.items(), reversed(texts), strict=True):
        patient = validate(Patient, patient_json(text, label=other))
        drafts.append(Draft(account.email, text, public_id, sharing, patient, (), account.email, STRINGS[len(drafts)]))
    await node.exchange.store.deposit(drafts, 1.0)
    await node.exchange.catch_up()
    return named


async def people_wait(node: RunningNode) -> None:
    """Have people with hostile names and institutions ask to be let in."""
    for number in range(0, len(STRINGS), 2):
        told = {"name": STRINGS[number], "institution": STRINGS[number + 1], "waiting": True, "disabled_at": 1.0}
        await node.exchange.store.put_person(Person(email=f"p{number}@x.example", role=PersonRole.CLINICIAN, **told))


async def cases_are_read(judge: Judge, node: RunningNode, cases: dict[str, str]) -> None:
    url: str | None = f"{node.url}/cases"
    while url:
        await judge.open(url)
        link = judge.page.locator("main a[href*='after=']")
        url = node.url + str(await link.get_attribute("href")) if await link.count() else None
    assert len(judge.seen) >= LEAST
    await judge.fetch([f"{node.url}/cases/{one}/edit" for one in list(cases)[::2]])
    for one in list(cases)[:: len(cases) // 2]:
        for path in ("", "/edit", "/withdraw", "/shared", "/report", "/preview"):
            await judge.open(f"{node.url}/cases/{one}{path}")
    await judge.open(f"{node.url}/shared")
    await judge.open(f"{node.url}/settings")


async def questions_are_reflected(judge: Judge, node: RunningNode) -> None:
    """Everything that stands in an address and comes back on the page."""
    judge.seen.clear()
    names = ("gene", "min_score", "since", "after")
    urls = []
    for first in range(0, len(STRINGS), len(names)):
        texts = STRINGS[first : first + len(names)]
        asked = "&".join(f"{name}={quote(text)}" for name, text in zip(names, texts, strict=True))
        urls += [
            f"{node.url}/matches?{asked}",
            f"{node.url}/cases?q={quote(texts[0])}",
            f"{node.url}/terms?term={quote(texts[1])}",
        ]
    await judge.fetch(urls)
    assert len(judge.seen) >= LEAST * 3 // 4, "all but what goes on with a list, which no page shows"
    await judge.open(f"{node.url}/matches?gene={quote(STRINGS[40])}&min_score={quote(STRINGS[41])}")


async def files_are_imported(judge: Judge, node: RunningNode) -> None:
    """Names of files, ids, and what is wrong with rows."""
    judge.seen.clear()
    texts = allowed(STRINGS)[:200]  # as many as one file may bring
    good = [patient_json(f"{text} again"[:255], label=text) for text in texts]
    bad = [{**patient_json(text), "features": [{"id": text}]} for text in STRINGS[200:]]
    lines = "\n".join(json.dumps(one) for one in [*good, *bad])
    for name in (STRINGS[3] + ".jsonl", STRINGS[50] + ".csv", STRINGS[70]):
        await judge.page.goto(f"{node.url}/cases/import")
        file = {"name": name.translate(_NAMELESS), "mimeType": "text/plain", "buffer": lines.encode()}
        await judge.page.locator("#file").set_input_files(file)  # type: ignore[arg-type]  # a TypedDict it does not export
        await judge.page.locator("main form button").click()
        await judge.page.locator("main h1, main [role=alert]").first.wait_for()
        await judge.look(f"import of {name}")
        assert await judge.page.locator("h1").inner_text() == file["name"]
    assert len(judge.seen) >= len(texts)


async def a_form_is_sent_back(judge: Judge, node: RunningNode) -> None:
    """What cannot be kept comes back as it was typed."""
    page = judge.page
    await page.goto(f"{node.url}/cases/new")
    for n, name in enumerate(("id", "label", "family", "disorders", "term", "gene_typed")):
        await page.locator(f"#{name}").fill(STRINGS[80 + n])
    await page.locator("summary").first.click()
    await page.locator("#text").fill("\n".join(STRINGS[:200])[:20_000])
    await page.locator("#save").click()
    await page.locator("#problems").wait_for()
    await judge.look("a form that cannot be kept")


async def test_the_judge_sees_what_is_not_escaped(node: RunningNode, context: NewContext) -> None:
    page = await (await context()).open(f"{node.url}/sign-in")
    judge = Judge(page)
    await judge.look("as it is")
    assert judge.wrong == []
    assert await judge.breaches("<p>{}</p>", STRINGS) > len(STRINGS) // 3
    assert await judge.breaches('<input value="{}">', STRINGS) > len(STRINGS) // 20
    assert await judge.breaches("<p>{}</p>", ("&lt;script>", "plain")) == 0
    await page.evaluate("document.querySelector('main').style.minWidth = '3000px'")
    await page.evaluate("window.__pwned = 'x'")
    await judge.look("run and wide")
    told = " ".join(judge.wrong)
    assert [sign for sign in ("ran x", "too wide at 360", "too wide at 1200") if sign not in told] == []
