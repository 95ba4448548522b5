"""An upload is told by what it holds, then by its name; every record is taken or refused."""

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.intake.patients import Reading, Rejected, Taken
from matchmaker.intake.upload import decoded, read_upload
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Contact
from tests.samples import patient_json
from tests.tiny_world import tiny_knowledge

TINY = tiny_knowledge()
OPERATOR = Contact(name="Operator", href="mailto:operator@node.example")
CONTACT = Contact(name="Dr Byrne", href="mailto:byrne@hospital.example")
CSV = "id,features\np1,HP:0001250\np2,HP:0000252\n"
PACKET: dict[str, Any] = {
    "id": "packet",
    "phenotypicFeatures": [{"type": {"id": "HP:0000252"}}, {"type": {"id": "HP:0001250"}, "excluded": True}],
    "metaData": {"phenopacketSchemaVersion": "2.0", "externalReferences": [{"id": "PMID:22956686"}]},
}


def upload(name: str, text: str, knowledge: Knowledge = TINY) -> tuple[Taken | Rejected, ...]:
    return read_upload(name, text, Reading(knowledge.genes, OPERATOR), knowledge.ontology, CONTACT)


def ids(rows: tuple[Taken | Rejected, ...]) -> list[str | None]:
    return [row.patient.id if isinstance(row, Taken) else None for row in rows]


def refused(name: str, text: str) -> str:
    (row,) = upload(name, text)
    assert isinstance(row, Rejected)
    assert row.position == ""
    (problem,) = row.problems
    return problem.message


@pytest.mark.parametrize("name", ["cases.csv", "cases.txt", "cases.json", "cases.xlsx", "cases", ""])
def test_a_table_is_one_whatever_its_name(name: str) -> None:
    assert ids(upload(name, CSV)) == ["p1", "p2"]


@pytest.mark.parametrize("name", ["cases.csv", "cases.jsonl", "cases.json", "cases.pdf", ""])
@pytest.mark.parametrize(
    "text",
    [
        json.dumps([patient_json("p1"), PACKET]),
        json.dumps([patient_json("p1"), PACKET], indent=1),
        f"\ufeff{json.dumps(patient_json('p1'))}\r\n{json.dumps(PACKET)}\r\n",
    ],
    ids=["list", "pretty", "lines"],
)
def test_json_is_read_as_a_file_of_records(name: str, text: str) -> None:
    if name != "cases.jsonl" or "\n " not in text:
        assert ids(upload(name, text)) == ["p1", "packet"]


def test_one_record_is_one_upload() -> None:
    (row,) = upload("x.json", json.dumps(PACKET, indent=2))
    assert isinstance(row, Taken)
    assert row.patient.contact == CONTACT, "whoever uploads a phenopacket is whom it names"
    assert [feature.observed for feature in row.patient.features] == ["yes", "no"]


def test_three_wrong_records_do_not_lose_the_good_ones() -> None:
    wrong = [{"id": 5}, {**PACKET, "id": ""}, 7]
    rows = upload("x.json", json.dumps([patient_json("a"), *wrong, patient_json("b")]))
    assert ids(rows) == ["a", None, None, None, "b"]
    assert [row.position for row in rows] == [f"item {n}" for n in range(1, 6)]


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        ("cases.csv", "cases.csv"),
        ("C:\\fakepath\\cases.csv", "cases.csv"),
        ("../../etc/passwd", "passwd"),
        ("a\x00\x1b[31m\u202eb.csv", "a[31mb.csv"),
        ("x" * 500 + ".csv", "x" * 96 + ".csv"),
        ("..", "upload"),
        ("a/", "upload"),
        ("", "upload"),
    ],
)
def test_the_name_is_its_last_part_without_what_cannot_be_seen(name: str, cleaned: str) -> None:
    assert {row.file for row in upload(name, CSV)} == {Path(cleaned)}


VERSION_1: dict[str, Any] = {
    "id": "old",
    "phenotypicFeatures": [{"type": {"id": "HP:0000252"}}, {"type": {"id": "HP:0001250"}, "negated": True}],
    "metaData": {"phenopacketSchemaVersion": "1.0"},
}


@pytest.mark.parametrize(
    ("packet", "path", "said"),
    [
        (VERSION_1, "metaData.phenopacketSchemaVersion", "version 1.0; phenopackets of version 2 are read; convert"),
        ({**PACKET, "metaData": {"phenopacketSchemaVersion": "3.1"}}, "metaData.phenopacketSchemaVersion", "version 3.1"),
        ({**PACKET, "metaData": {"phenopacketSchemaVersion": "\x1b[1m"}}, "metaData.phenopacketSchemaVersion", "\\x1b"),
        ({**VERSION_1, "metaData": {}}, "phenotypicFeatures[1].negated", "of version 1"),
        ({**VERSION_1, "metaData": PACKET["metaData"]}, "phenotypicFeatures[1].negated", "pxf convert"),
        ({**PACKET, "metaData": {}, "genes": [{"id": "HGNC:1"}]}, "", "by its genes or variants"),
    ],
)  # fmt: skip
def test_a_phenopacket_of_another_version_is_refused_with_what_to_do(
    packet: dict[str, Any], path: str, said: str
) -> None:
    rows = upload("x.json", json.dumps([PACKET, packet]))
    assert isinstance(rows[0], Taken)
    assert isinstance(rows[1], Rejected)
    assert rows[1].problems[0].path == path
    assert said in rows[1].problems[0].message


@pytest.mark.parametrize("meta", [{}, {"phenopacketSchemaVersion": "2.0.2"}, {"phenopacketSchemaVersion": "v2"}])
def test_a_phenopacket_of_version_two_or_of_none_is_read(meta: dict[str, Any]) -> None:
    assert ids(upload("x.json", json.dumps({**PACKET, "metaData": meta}))) == ["packet"]


def zipped(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else "x")
    return packed.getvalue()


FOREIGN = [
    (zipped("[Content_Types].xml", "xl/workbook.xml"), "is a spreadsheet of Excel; save it as CSV"),
    (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(100), "is a spreadsheet of Excel"),
    (zipped("mimetype", "content.xml"), "is a spreadsheet of LibreOffice"),
    (zipped("cases.csv"), "is a compressed archive"),
    (gzip.compress(CSV.encode(), mtime=0), "is a compressed archive"),
    (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is a PDF document"),
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "is an image"),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "is an image"),
    (b"GIF89a\x01\x00", "is an image"),
    (b"##fileformat=VCFv4.2\n", "is a VCF file"),
    (CSV.encode("utf-16-le"), "is no text in UTF-8"),
]


@pytest.mark.parametrize(("content", "said"), FOREIGN)
@pytest.mark.parametrize("errors", ["replace", "surrogateescape", "latin-1", "decoded"])
def test_another_kind_of_file_is_named_however_it_became_text(content: bytes, said: str, errors: str) -> None:
    if errors == "decoded":
        text = decoded(content)
    else:
        text = content.decode("latin-1") if errors == "latin-1" else content.decode("utf-8", errors)
    assert said in refused("upload", text)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", "", "is empty"),
        ("x.json", " \r\n\ufeff", "not JSON"),
        ("x.csv", "\ufeff\n", "is empty"),
        ("x.xlsx", "?", "is a spreadsheet of Excel"),
        ("x.ods", "?", "LibreOffice"),
        ("x.docx", "prose", "no column id"),
        ("x.jpg", "?", "is an image"),
        ("x.pdf", "?", "is a PDF"),
        ("x.yaml", "id: p1\nphenotypicFeatures: []\n", "is YAML"),
        ("x.json", "id: p1\n", "not JSON"),
        ("x.csv", "name,age\nx,3\n", "no column id"),
        ("x.json", "[" + "0," * 1000 + "0]", "more than 1,000 records"),
    ],
)
def test_what_cannot_be_read_is_one_clear_sentence(name: str, text: str, said: str) -> None:
    assert said in refused(name, text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_read_in_every_encoding_that_excel_saves(encoding: str) -> None:
    (row,) = upload("x.csv", decoded("id;label;features\r\n1;García;HP:0001250\r\n".encode(encoding)))
    assert isinstance(row, Taken)
    assert row.patient.label == "García"


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"id": "\ud800"}', "{" + "\x00" * 9, '["x' * 9])
def test_hostile_json_is_refused(text: str) -> None:
    rows = upload("x.json", text)
    assert rows
    assert not any(isinstance(row, Taken) for row in rows)


PIECES = st.sampled_from(
    ['{"id": "a"}', "{", "[", "]", "id", ",", ";", "\n", '"', "features", "PK\x03\x04", "\ud800", "\x00", "sep=;"]
)


@settings(max_examples=200)
@given(st.text(max_size=20), st.one_of(st.text(), st.lists(PIECES, max_size=15).map("".join)))
def test_nothing_is_raised_and_something_is_always_said(name: str, text: str) -> None:
    assert upload(name, text)


@given(st.binary(max_size=60))
def test_any_bytes_become_text(content: bytes) -> None:
    assert upload("x", decoded(content))
