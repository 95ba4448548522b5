"""Entry: one record of a store in a form that every store and a backup share. Pure.

An entry is its kind and a list of values in JSON; a store's export is a sequence of entries, in one order for every
kind of store, so that equal contents are equal bytes. `Digest` adds them up.

    facts      identity, revision of cases, of parties, of reference data, requests, results
    case       owner, id, public id, sharing, patient (JSON text, null once withdrawn), created at, updated at, revision
    client     name, role, token's sha256, institution, country, created at, revoked at
    peer       name, url, country, token file, version, mitochondrion
    audit      revision, at, actor, action, public id
    line       at, asker, results, genes (JSON text)
    gene       a gene that matched once
    work       kind, subject, revision, due, attempts
    reference  kind, name, version, sha256, imported at, content in base64
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from matchmaker.mme.patient import Patient
from matchmaker.records.case import Case, KeptCase, Sharing

KINDS = ("facts", "case", "client", "peer", "audit", "line", "gene", "work", "reference")

Entry = tuple[str, list[Any]]


class EntryDamaged(ValueError):
    """A record cannot be what it is kept as. The message names it by its public id, and nothing of its content."""


@dataclass
class Digest:
    """Counts entries of each kind and hashes them. `facts` tell of a store, not of its contents, and are left out."""

    counts: Counter[str] = field(default_factory=Counter)
    _hashes: dict[str, Any] = field(default_factory=dict)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take in entries, in the order of an export."""
        for kind, values in entries:
            if kind != "facts":
                self.counts[kind] += 1
                self._hashes.setdefault(kind, hashlib.sha256()).update(line_of((kind, values)))

    def told(self) -> dict[str, dict[str, Any]]:
        """Return for each kind that occurs its `count` and `sha256`."""
        return {
            kind: {"count": self.counts[kind], "sha256": self._hashes[kind].hexdigest()}
            for kind in KINDS
            if self.counts[kind]
        }


def line_of(entry: Entry) -> bytes:
    """Return an entry as a line of JSON, the same for equal entries."""
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def patient_text(patient: Patient) -> str:
    """Return a patient as a store keeps it."""
    return json.dumps(patient.to_json(), ensure_ascii=False)


def case_of(values: Iterable[Any]) -> Case:
    """Return the case of an entry's values. Errors: EntryDamaged."""
    owner, case_id, public_id, sharing, patient, created_at, updated_at, revision = values
    try:
        kept = Patient.model_validate_json(patient) if patient is not None else None
        return Case(owner, case_id, public_id, Sharing(sharing), kept, created_at, updated_at, revision)
    except (ValidationError, ValueError):
        raise EntryDamaged(f"case {public_id} is damaged") from None


def kept_of(
    owner: str, case_id: str, public_id: str, sharing: str, patient: str | None, revision: int, version: int
) -> KeptCase:
    """Return a case with its patient in JSON. Errors: EntryDamaged."""
    try:
        content = from_json(patient, cache_strings="keys") if patient is not None else None
        if not (content is None or isinstance(content, dict)):
            raise ValueError("no object")
        return KeptCase(owner, case_id, public_id, Sharing(sharing), content, revision, version)
    except ValueError:
        raise EntryDamaged(f"case {public_id} is damaged") from None


def case_values(case: Case) -> list[Any]:
    """Return a case as an entry's values."""
    patient = patient_text(case.patient) if case.patient else None
    return [
        case.owner,
        case.id,
        case.public_id,
        case.sharing.value,
        patient,
        float(case.created_at),
        float(case.updated_at),
        case.revision,
    ]
