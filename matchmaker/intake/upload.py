"""What somebody uploads in a browser -> patients to confirm: a table, the exchange's JSON or phenopackets.

Tells them apart by what they hold, then by their name; says of another kind of file what it is and what to do.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath

from matchmaker.intake.patients import Reading, Rejected, Taken
from matchmaker.intake.records import records_in
from matchmaker.intake.table import MAX_ROWS, is_table, read_table
from matchmaker.mme.errors import Problem
from matchmaker.mme.patient import Contact
from matchmaker.ontology.hpo import Ontology

_JSON_NAMES = {".json", ".jsonl", ".ndjson", ".phenopacket", ".pxf"}
_LONGEST_NAME = 100
_BEGINNING = 4_000  # characters in which a file tells what it is
_NULS = 10  # one in so many characters: UTF-16 read as UTF-8
_EXCEL = "is a spreadsheet of Excel; save it as CSV (CSV UTF-8) and upload that"
_OPEN_OFFICE = "is a spreadsheet of LibreOffice; save it as CSV in UTF-8 and upload that"
_IMAGE = "is an image; expected a table (CSV), a phenopacket or the exchange's JSON"
_PDF = "is a PDF document; expected a table (CSV), a phenopacket or the exchange's JSON"
_PACKED = "is a compressed archive; unpack it and upload the file that is within"
_YAML = "is YAML; expected JSON: convert the phenopacket and upload that"
_VCF = "is a VCF file; write the variants in question into the column variants of a table (CSV), or into a phenopacket"
# By how a file begins. Its first bytes may be no text, and come as one or two strange characters each, or not at all.
_SIGNS = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), said)
    for pattern, said in (
        (r"PK\x03\x04.{0,200}opendocument\.spreadsheet", _OPEN_OFFICE),
        (r"PK\x03\x04.*(?:xl/|\[Content_Types\])", _EXCEL),
        (r"PK(?:\x03\x04|\x05\x06)", _PACKED),
        (r"\x1f.{1,2}\x08", _PACKED),
        (r".{1,4}\x11.{1,4}\x1a.{1,2}\x00", _EXCEL),  # before 2007
        (r"%PDF-", _PDF),
        (r".{0,2}PNG\r?\n", _IMAGE),
        (r"GIF8[79]a|RIFF.{4,8}WEBP|II\*\x00|MM\x00\*|.{3,11}(?:JFIF|Exif)\x00|.{4}ftyp(?:hei|avif)|<svg\b", _IMAGE),
        (r"##fileformat=VCF", _VCF),
    )
)
# By the name, where the content says nothing.
_NAMES = {
    **dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls"), _EXCEL),
    ".ods": _OPEN_OFFICE,
    ".pdf": _PDF,
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff", ".heic", ".bmp", ".svg"), _IMAGE),
    **dict.fromkeys((".zip", ".gz", ".7z", ".rar"), _PACKED),
    **dict.fromkeys((".yaml", ".yml"), _YAML),
    ".vcf": _VCF,
}


def read_upload(
    name: str, text: str, reading: Reading, ontology: Ontology, contact: Contact
) -> tuple[Taken | Rejected, ...]:
    """Return every record of an uploaded file, in order, taken or rejected; at most 1,000 of them.

    `contact` is whom patients of a table and of phenopackets name; the exchange's JSON names its own. `name` is the
    browser's word: its last part, cleaned, becomes each record's `file`. What is no such file at all, or has too many
    records, is one Rejected without a position. Raises nothing.
    """
    file = _cleaned(name)
    body = text.removeprefix("\ufeff")
    if foreign := _foreign(file, body):
        return (Rejected(file, "", (Problem("", foreign),)),)
    if not _is_json(file, body):
        return read_table(body, file, ontology, reading.genes, contact)
    found = replace(reading, contact=contact).patients(records_in(body, file))
    return _counted(file, found)


def decoded(content: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 where it says so, else Windows-1252, as Excel's plain CSV has it.

    Raises nothing: what is no text becomes strange characters, and read_upload says what it is.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _cleaned(name: str) -> Path:
    """Return the last part of a name, without what cannot be seen; some browsers send a whole path."""
    last = "".join(filter(str.isprintable, re.split(r"[/\\]", name)[-1])).strip()
    return Path(last[-_LONGEST_NAME:] if last.strip(".") else "upload")


def _suffix(file: Path) -> str:
    return PurePosixPath(file.name).suffix.lower()


def _foreign(file: Path, text: str) -> str | None:
    """Return what to say of a file that is none of those that are read."""
    beginning = text[:_BEGINNING]
    if not text.strip():
        return "is empty"
    for sign, said in _SIGNS:
        if sign.match(beginning):
            return _NAMES.get(_suffix(file), said) if said is _PACKED else said
    if beginning.count("\x00") * _NULS > len(beginning):
        return "is no text in UTF-8; save it as CSV in UTF-8 and upload that"
    said_by_name = _NAMES.get(_suffix(file))
    return said_by_name if said_by_name and not (_looks_like_json(text) or is_table(text)) else None


def _is_json(file: Path, text: str) -> bool:
    return _looks_like_json(text) or (_suffix(file) in _JSON_NAMES and not is_table(text))


def _looks_like_json(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))


def _counted(file: Path, found: Iterator[Taken | Rejected]) -> tuple[Taken | Rejected, ...]:
    records = tuple(islice(found, MAX_ROWS + 1))
    if len(records) <= MAX_ROWS:
        return records
    told = f"has more than {MAX_ROWS:,} records, which is the most that is read at a time; split it into several files"
    return (Rejected(file, "", (Problem("", told),)),)
