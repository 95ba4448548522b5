"""Files of cases at the pages: read, looked through row by row, kept by those that were confirmed."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import FormData

from tests.conftest import RunningNode, StartNode
from tests.samples import patient_json
from tests.web.people import ANA, CHEAP, Browser, Page, desk, keep, signed_in

MEGABYTE = 1024 * 1024
CONFIRM = "/cases/import/confirm"
PHENOPACKET = {
    "id": "pp-1",
    "subject": {"id": "pp-1", "sex": "FEMALE"},
    "phenotypicFeatures": [
        {"type": {"id": "HP:0000252", "label": "Microcephaly"}},
        {"type": {"id": "HP:0001250", "label": "Seizure"}, "excluded": True},
    ],
    "metaData": {
        "created": "2026-01-01T00:00:00Z", "createdBy": "x", "phenopacketSchemaVersion": "2.0",
        "resources": [{"id": "hp", "name": "HPO", "url": "http://x", "version": "1", "namespacePrefix": "HP", "iriPrefix": "http://x"}],
    },
}  # fmt: skip
TABLE = """id,features,genes
good-1,HP:0000252;-HP:0001250,BCKDK
,HP:0000252,
bad-2,HP:9999999,
good-2,HP:0001250,TTN
bad-3,,
"""


@pytest.fixture
async def node(start_node: StartNode) -> AsyncIterator[RunningNode]:
    async with start_node(**CHEAP) as running:
        yield running


@pytest.fixture
async def ana(node: RunningNode) -> Browser:
    return await signed_in(node)


async def upload(browser: Browser, content: bytes | str, name: str = "cases.csv", csrf: str | None = None) -> Page:
    """Send a file as a browser does."""
    form = FormData(default_to_multipart=True)
    form.add_field("csrf", browser.csrf if csrf is None else csrf)
    data = content.encode() if isinstance(content, str) else content
    form.add_field("file", data, filename=name, content_type="application/octet-stream")
    return await browser.send("POST", "/cases/import", form, {"Origin": browser.node.url})


async def ids(node: RunningNode) -> set[str]:
    return {row.case.id for row in await desk(node).cases(None, 500)}


async def test_of_a_table_with_three_wrong_rows_the_others_are_kept_once_they_are_confirmed(
    node: RunningNode, ana: Browser
) -> None:
    page = await upload(ana, TABLE)
    assert page.status == 200, page.words
    assert "2 cases can be kept" in page.words
    assert "3 rows cannot" in page.words
    bad = page.text.partition('class="bad"')[2].partition("</ul>")[0]
    for said in ("row 3", "row 4", "HP:9999999", "row 6"):
        assert said in bad, (said, bad)
    assert await ids(node) == set(), "nothing is kept yet"
    form = page.form(CONFIRM)
    assert form.all("keep") == ["0", "1"]
    page = await ana.post(CONFIRM, [one for one in form.fields if one != ("keep", "1")])
    assert "1 case is kept" in page.words
    assert await ids(node) == {"good-1"}
    case = await node.exchange.store.case(ANA, "good-1")
    assert case
    assert case.patient
    assert [(one.id, one.observed) for one in case.patient.features] == [("HP:0000252", "yes"), ("HP:0001250", "no")]
    assert case.patient.contact.href == f"mailto:{ANA}"
    assert case.person == ANA
    again = await upload(ana, TABLE)
    assert again.form(CONFIRM).all("keep") == ["1"], "what is there already is not ticked"
    assert "you have, or had, a case of this id" in again.words
    page = await ana.post(CONFIRM, [*again.form(CONFIRM).fields, ("keep", "0")])
    assert await ids(node) == {"good-1", "good-2"}
    assert "you have, or had" in page.words


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("x.json", json.dumps(PHENOPACKET), {"pp-1"}), ("x.json", json.dumps({"patient": patient_json("mme-1")}), {"mme-1"}),
        ("x.json", json.dumps(patient_json("mme-2")), {"mme-2"}),
        ("x.jsonl", "\n".join(json.dumps(patient_json(f"l{n}")) for n in range(3)), {"l0", "l1", "l2"}),
        ("x.txt", "id\tfeatures\nt1\tHP:0000252\n", {"t1"}), ("x.csv", "\ufeffid;features\r\ns1;HP:0000252\r\n", {"s1"}),
        ("utf16.csv", "id,features\nu1,HP:0000252\n".encode("utf-16"), {"u1"}),
    ],
)  # fmt: skip
async def test_each_kind_of_file_is_told_by_its_content_and_kept(
    node: RunningNode, ana: Browser, name: str, content: str | bytes, expected: set[str]
) -> None:
    page = await upload(ana, content, name)
    assert page.status == 200, page.words
    page = await ana.submit(page, CONFIRM, circle="none", level="minimal")
    assert page.status == 200
    assert await ids(node) == expected
    for case_id in expected:
        case = await node.exchange.store.case(ANA, case_id)
        assert case
        assert (case.sharing.circle.value, case.sharing.level.word) == ("none", "minimal")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", json.dumps({**PHENOPACKET, "metaData": {**PHENOPACKET["metaData"], "phenopacketSchemaVersion": "1.0.0"}}), "1.0"),  # type: ignore[dict-item]
        ("x.json", "{", ""), ("x.json", "[]", ""), ("x.json", "nothing", ""), ("x.csv", "a,b\n1,2\n", "id"),
        ("x.xlsx", b"PK\x03\x04xl/workbook", "Excel"), ("x.pdf", b"%PDF-1.4", "PDF"), ("x.csv", "", "empty"), ("x.csv", "  \n", "empty"),
        ("x.json", "[" * 100_000, ""), ("x.bin", bytes(range(256)) * 10, ""), ("x.vcf", "##fileformat=VCFv4.2\n", "VCF"),
    ],
)  # fmt: skip
async def test_what_is_no_such_file_is_said_in_words_and_offers_nothing_to_keep(
    node: RunningNode, ana: Browser, name: str, content: str | bytes, said: str
) -> None:
    page = await upload(ana, content, name)
    assert page.status in {200, 422}, page.words
    assert not [one for one in page.forms if one.action == CONFIRM]
    assert said in page.words
    assert 'class="bad"' in page.text
    assert await ids(node) == set()


async def test_a_file_of_50_megabytes_is_refused_in_words_and_is_in_nobodys_memory(
    node: RunningNode, ana: Browser
) -> None:
    """The client's own copy is made before it is measured, and sent piece by piece."""
    row = b"p1,HP:0000252,BCKDK,,,,,,,,,,,,,\n"
    piece = row * (MEGABYTE // len(row))

    async def body() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n' + ana.csrf.encode() + b"\r\n"
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="big.csv"\r\n\r\nid,features,genes\n'
        for _ in range(50):
            yield piece
        yield b"\r\n--b--\r\n"

    headers = {"Origin": node.url, "Content-Type": "multipart/form-data; boundary=b"}
    await upload(ana, TABLE)
    tracemalloc.start()
    try:
        page = await ana.send("POST", "/cases/import", body(), headers)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert page.status == 413, page.words
    assert "over 4194304 bytes" in page.words
    assert peak < 20 * MEGABYTE, "four that are kept, what is on its way, and no more"
    assert (await ana.get("/cases")).status == 200


async def test_a_plain_form_of_endless_length_is_refused_too(ana: Browser) -> None:
    page = await ana.post("/cases/new", [("csrf", ana.csrf), ("text", "x" * (5 * MEGABYTE))])
    assert page.status == 413
    page = await ana.post("/cases/new", [("csrf", ana.csrf), *[("feature", "x")] * 20_000])
    assert page.status == 400


async def test_forms_that_are_none_are_no_error_of_ours(ana: Browser) -> None:
    origin = {"Origin": ana.node.url}
    for kind, data, status in (
        ("application/json", b"{}", 415), ("text/plain", b"csrf=x", 415), ("multipart/form-data", b"x", 400),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\nx", 400), ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", 400),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n\xff\r\n--b--\r\n', 400),
        ("application/x-www-form-urlencoded", b"\xff=1", 400), ("application/x-www-form-urlencoded", b"", 403),
        ("multipart/form-data; boundary=" + "b" * 71, b"x", 400), ("multipart/mixed; boundary=b", b"x", 415),
    ):  # fmt: skip
        page = await ana.send("POST", "/cases/import", data, {**origin, "Content-Type": kind})
        assert page.status == status, (kind, data, page.status)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZIP", "identity, gzip", "x"])
async def test_a_form_that_is_compressed_is_refused_and_not_unpacked(
    node: RunningNode, ana: Browser, encoding: str
) -> None:
    """A few bytes would be gigabytes."""
    plain = f"csrf={ana.csrf}&patient=%7B%7D&keep=0".encode()
    packed = zlib.compress(plain) if encoding == "deflate" else gzip.compress(plain)
    origin = {"Origin": node.url, "Content-Encoding": encoding}
    for path in (CONFIRM, "/sign-in", "/register"):
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
            page = await ana.send("POST", path, packed, {**origin, "Content-Type": kind})
            assert page.status == 415, (path, kind)


async def test_a_form_that_says_it_is_not_compressed_is_read(ana: Browser) -> None:
    page = await ana.post(CONFIRM, {"csrf": ana.csrf}, {"Content-Encoding": "Identity"})
    assert (page.status, "0 cases are kept" in page.words) == (200, True)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a;b.csv", "a;b.csv"), ("a%22b%22.csv", 'a"b".csv'), ("a; name=x; filename=y.csv", "a; name=x; filename=y.csv"),
        ("=;=.csv", "=;=.csv"), ("ü;é.csv", "ü;é.csv"), ("100%.csv", "100%.csv"),
    ],
)  # fmt: skip
async def test_a_file_is_read_whatever_its_name_holds(
    node: RunningNode, ana: Browser, written: str, meant: str
) -> None:
    """As browsers write it (HTML, 4.10.21.7): quotes are %22, semicolons are themselves, all is UTF-8."""
    body = (
        f'--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n{ana.csrf}\r\n'
        f'--b\r\nContent-Disposition: form-data; name="file"; filename="{written}"\r\n'
        f"Content-Type: text/csv\r\n\r\n{TABLE}\r\n--b--\r\n"
    )
    headers = {"Origin": node.url, "Content-Type": "multipart/form-data; boundary=b"}
    page = await ana.send("POST", "/cases/import", body.encode(), headers)
    assert page.status == 200, page.words
    assert page.form(CONFIRM).all("keep") == ["0", "1"]
    assert meant in page.words


async def test_cases_of_a_file_are_shared_with_nobody_where_the_form_does_not_say(
    node: RunningNode, ana: Browser
) -> None:
    page = await ana.post(CONFIRM, {"csrf": ana.csrf, "patient": json.dumps(patient_json("new")), "keep": "0"})
    assert "1 case is kept" in page.words
    case = await node.exchange.store.case(ANA, "new")
    assert case
    assert (case.sharing.circle.value, case.sharing.level.word) == ("none", "minimal")


async def test_a_file_without_this_sessions_token_is_not_read(node: RunningNode, ana: Browser) -> None:
    assert (await upload(ana, TABLE, csrf="")).status == 403


@pytest.mark.parametrize(
    "text",
    [
        "{", "null", "[]", '{"id": "x"}', json.dumps({**patient_json("x"), "features": [{"id": "HP:1"}]}), "[" * 50_000,
        '{"id": "a", "id": "b"}', json.dumps({**patient_json("x"), "contact": {"name": "x", "href": "javascript:1"}}),
        json.dumps({**patient_json(), "id": "\u202e"}), json.dumps({**patient_json(), "id": "<script>alert(1)</script>" + "x" * 300}),
        '{"id": "\\ud800"}', "<script>alert(1)</script>",
    ],
)  # fmt: skip
async def test_what_was_tampered_with_on_its_way_is_validated_anew(node: RunningNode, ana: Browser, text: str) -> None:
    fields = [
        ("csrf", ana.csrf),
        ("patient", text),
        ("keep", "0"),
        ("patient", json.dumps(patient_json("good"))),
        ("keep", "1"),
    ]
    page = await ana.post(CONFIRM, fields)
    assert page.status == 200, page.words
    assert "1 case is kept" in page.words
    assert "<script>alert" not in page.text
    assert await ids(node) == {"good"}, "the others are kept all the same"


async def test_nobody_imports_into_anothers_cases_or_over_an_own_one(node: RunningNode, ana: Browser) -> None:
    before = await keep(node, "martin")
    other: dict[str, Any] = {"owner": "ben@dublin.example", "person": "ben@dublin.example"}
    text = json.dumps({**patient_json("martin", features=[{"id": "HP:0000729"}]), **other})
    page = await ana.post(CONFIRM, {"csrf": ana.csrf, "patient": text, "keep": "0"})
    assert "0 cases are kept" in page.words
    assert await node.exchange.store.case(ANA, "martin") == before
    for keep_it in ("1", "-1", "x", ""):
        text = json.dumps(patient_json("new"))
        await ana.post(CONFIRM, {"csrf": ana.csrf, "patient": text, "keep": keep_it})
    for wrong in ({"circle": "everybody"}, {"level": "more"}, {"circle": "named"}):
        page = await ana.post(
            CONFIRM, {"csrf": ana.csrf, "patient": json.dumps(patient_json("new")), "keep": "0", **wrong}
        )
        assert page.status == 422, wrong
    assert await ids(node) == {"martin"}


async def test_more_cases_than_can_be_looked_through_are_refused_in_words(node: RunningNode, ana: Browser) -> None:
    rows = "\n".join(f"p{n},HP:0000252" for n in range(201))
    page = await upload(ana, f"id,features\n{rows}\n")
    assert (page.status, "at most 200 at once" in page.words) == (422, True)


async def test_hostile_words_of_a_file_are_words(node: RunningNode, ana: Browser) -> None:
    hostile = "<script>alert(1)</script>"
    page = await upload(ana, f'id,features\n"{hostile}",HP:0000252\n{hostile * 20},x\n', f"{hostile}.csv")
    assert page.status == 200
    assert "<script>alert" not in page.text
    page = await ana.submit(page, CONFIRM)
    assert "<script>alert" not in page.text
    assert await ids(node) == {hostile}
