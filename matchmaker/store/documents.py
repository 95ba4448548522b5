"""Entries as documents and back: what each kind of record looks like in a database of documents. Pure."""

import base64
from typing import Any

from matchmaker.records.case import Case, key_of, version_of
from matchmaker.store.entries import Entry, case_values

ENTRY_FIELDS: dict[str, tuple[str, ...]] = {
    "case": ("owner", "id", "_id", "sharing", "patient", "created_at", "updated_at", "revision"),
    "client": (
        "_id",
        "role",
        "token_sha256",
        "institution",
        "country",
        "created_at",
        "revoked_at",
        "purpose",
        "per_month",
        "contact",
    ),
    "peer": ("_id", "url", "country", "token_file", "version", "mitochondrion"),
    "audit": ("_id", "at", "actor", "action", "public_id"),
    "collection": ("_id", "content"),
    "line": ("chain", "number", "at", "kind", "who", "case_id", "level", "purpose", "detail", "hash"),
    "chain": ("_id", "first", "base", "lines", "head"),
    "dealing": ("organisation", "number", "at", "content"),
    "gene": ("_id",),
    "work": ("kind", "subject", "revision", "due", "attempts"),
    "reference": ("_id", "name", "version", "sha256", "imported_at", "content"),
}


def case_fields(case: Case) -> dict[str, Any]:
    """Return a case's document, without its `_id`, the public id."""
    document = document_of("case", case_values(case))
    del document["_id"]
    return document


def document_of(kind: str, values: list[Any]) -> dict[str, Any]:
    """Return the document of an entry."""
    document = dict(zip(ENTRY_FIELDS[kind], values, strict=True))
    if kind == "case":
        version = version_of(document["revision"], document["updated_at"])
        document.update(key=key_of(document["_id"]), version=version, live=document["patient"] is not None)
    elif kind == "work":
        document.update(_id=f"{document['kind']}:{document['subject']}", holder=None, leased_until=0.0)
    elif kind == "line":
        document["_id"] = f"{document['chain']}:{document['number']}"
    elif kind == "dealing":
        document["_id"] = f"{document['organisation']}:{document['number']}"
    elif kind == "reference":
        document["content"] = base64.b64decode(document["content"])
    return document


def entry_of(kind: str, document: dict[str, Any]) -> Entry:
    """Return the entry of a document."""
    values = [document[name] for name in ENTRY_FIELDS[kind]]
    if kind == "reference":
        values[-1] = base64.b64encode(values[-1]).decode("ascii")
    return kind, values
