"""Entries as documents and back: what each kind of record looks like in a database of documents. Pure."""

import base64
from collections.abc import Callable
from typing import Any

from matchmaker.records.account import Credentials
from matchmaker.records.alert import Alert, Mail
from matchmaker.records.case import Case, key_of, version_of
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Match
from matchmaker.store.entries import Entry, case_values, match_values, side_values

ENTRY_FIELDS: dict[str, tuple[str, ...]] = {
    "case": ("owner", "id", "_id", "sharing", "patient", "created_at", "updated_at", "revision", "person", "family"),
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
    "peer": ("_id", "url", "country", "token_file", "version", "mitochondrion", "per_month", "notify"),
    "audit": ("_id", "at", "actor", "action", "public_id"),
    "collection": ("_id", "content"),
    "line": ("chain", "number", "at", "kind", "who", "case_id", "level", "purpose", "detail", "hash"),
    "chain": ("_id", "first", "base", "lines", "head"),
    "dealing": ("organisation", "number", "at", "content"),
    "gene": ("_id",),
    "work": ("kind", "subject", "revision", "due", "attempts"),
    "reference": ("_id", "name", "version", "sha256", "imported_at", "content"),
    "person": ("_id", "content"),
    "choices": ("_id", "content"),
    "match": ("_id", "content"),
    "alert": ("match", "recipient", "number", "mail", "content"),
    "mail": ("_id", "content"),
    "inquiry": ("case", "node", "content"),
    "health": ("_id", "content"),
    "credentials": ("_id", "content"),
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
    elif kind in _LOOKED_FOR:
        document.update(_LOOKED_FOR[kind](document["content"]))
    elif kind == "reference":
        document["content"] = base64.b64decode(document["content"])
    return document


_SIDE = ("case", "owner", "node", "score", "status")


def _of_match(content: str) -> dict[str, Any]:
    match = Match.parse(content)
    answered_at, forgotten_from = match_values(match)
    return {
        "node": match.node,
        "changed_at": match.changed_at,
        "answered_at": answered_at,
        "forgotten_from": forgotten_from,
        "genes": [gene.key for gene in match.genes],
        "sides": [dict(zip(_SIDE, side_values(match, side), strict=True)) for side in match.sides],
    }


def _of_alert(content: str) -> dict[str, Any]:
    alert = Alert.parse(content)
    same = f"{alert.match}:{alert.number}:{alert.recipient}"
    return {"_id": same, "case": alert.case, "at": alert.at, "due": alert.due, "score": alert.score}


def _of_mail(content: str) -> dict[str, Any]:
    mail = Mail.parse(content)
    told = {"recipient": mail.recipient, "state": mail.state.value}
    return {**told, "created_at": mail.created_at, "alerts": mail.alerts, "token": mail.token}


def _of_inquiry(content: str) -> dict[str, Any]:
    inquiry = Inquiry.parse(content)
    return {
        "_id": f"{inquiry.case}:{inquiry.node}",
        "status": inquiry.status,
        "at": inquiry.at,
        "asked_at": inquiry.asked_at,
    }


def _of_credentials(content: str) -> dict[str, Any]:
    kept = Credentials.parse(content)
    return {"subject": kept.subject, "invitation": kept.invitation}


# What stands beside a content in JSON, because it is looked for.
_LOOKED_FOR: dict[str, Callable[[str], dict[str, Any]]] = {
    "match": _of_match,
    "alert": _of_alert,
    "mail": _of_mail,
    "inquiry": _of_inquiry,
    "credentials": _of_credentials,
}


def entry_of(kind: str, document: dict[str, Any]) -> Entry:
    """Return the entry of a document."""
    values = [document[name] for name in ENTRY_FIELDS[kind]]
    if kind == "reference":
        values[-1] = base64.b64encode(values[-1]).decode("ascii")
    return kind, values
