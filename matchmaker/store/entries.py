"""Entry: one record of a store in a form that every store and a backup share. Pure.

An entry is its kind and a list of values in JSON; a store's export is a sequence of entries, in one order for every
kind of store, so that equal contents are equal bytes. `Digest` adds them up.

    facts      identity, revision of cases, of parties, of reference data, requests, results, secret
    case       owner, id, public id, sharing, patient (JSON text, null once withdrawn), created at, updated at,
               revision, person, family
    client     name, role, token's sha256, institution, country, created at, revoked at, purpose, per month, contact
    peer       name, url, country, token file, version, mitochondrion, cases a month, notify
    collection name, content (JSON text)
    audit      revision, at, actor, action, public id
    line       chain, number, at, kind, who, case, level, purpose, detail, hash
    chain      name, first, base, lines, head
    dealing    organisation, number, at, content (JSON text)
    gene       a gene that matched once
    work       kind, subject, revision, due, attempts
    person     address, content (JSON text, as in all that follow)
    choices    address or public id, content
    match      id, content
    alert      match, recipient, number, mail, content
    mail       id, content
    inquiry    case's public id, node, content
    health     peer's name, content
    credentials  address, content
    reference  kind, name, version, sha256, imported at, content in base64
"""

import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from matchmaker.mme.patient import Patient
from matchmaker.policy.fingerprints import keyed
from matchmaker.records.alert import Alert
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.collection import Collection
from matchmaker.records.dealing import Dealing, Event
from matchmaker.records.ledger import BEGINNING, FORMER, Chain, Happened, KeptLine, LedgerLine, extended
from matchmaker.records.match import Match, Side
from matchmaker.records.party import DEFAULT_PER_MONTH, Client, Purpose, Role
from matchmaker.records.sharing import Sharing

KINDS = (
    "facts", "case", "client", "peer", "collection", "audit", "line", "chain", "dealing", "gene", "work", "reference",
    "person", "choices", "match", "alert", "mail", "inquiry", "health",
    "credentials",
)  # fmt: skip

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
    owner, case_id, public_id, sharing, patient, created_at, updated_at, revision, person, family = values
    try:
        kept = Patient.model_validate_json(patient) if patient is not None else None
        told = (Sharing.parse(sharing), kept, created_at, updated_at, revision, person, family)
        return Case(owner, case_id, public_id, *told)
    except (ValidationError, ValueError):
        raise EntryDamaged(f"case {public_id} is damaged") from None


def kept_of(
    owner: str,
    case_id: str,
    public_id: str,
    sharing: str,
    patient: str | None,
    revision: int,
    version: int,
    person: str | None,
    family: str | None,
) -> KeptCase:
    """Return a case with its patient in JSON. Errors: EntryDamaged."""
    try:
        content = from_json(patient, cache_strings="keys") if patient is not None else None
        if not (content is None or isinstance(content, dict)):
            raise ValueError("no object")
        told = (Sharing.parse(sharing), content, revision, version, person, family)
        return KeptCase(owner, case_id, public_id, *told)
    except ValueError:
        raise EntryDamaged(f"case {public_id} is damaged") from None


def case_values(case: Case) -> list[Any]:
    """Return a case as an entry's values."""
    patient = patient_text(case.patient) if case.patient else None
    return [
        case.owner,
        case.id,
        case.public_id,
        case.sharing.to_text(),
        patient,
        float(case.created_at),
        float(case.updated_at),
        case.revision,
        case.person,
        case.family,
    ]


def line_values(kept: KeptLine) -> list[Any]:
    """Return a line of the ledger in its place as an entry's values."""
    line = kept.line
    told = [line.at, line.kind.value, line.who, line.case, line.level, line.purpose, line.detail]
    return [kept.chain, kept.number, *told, kept.hash]


def kept_line_of(values: Sequence[Any]) -> KeptLine:
    """Return the line, in its place, of an entry's values."""
    chain, number, at, kind, *rest, hashed = values
    return KeptLine(chain, number, LedgerLine(at, Happened(kind), *rest), hashed)


def former_line(at: float, asker: str, results: int) -> LedgerLine:
    """Return a line as it was before it told of each case by itself."""
    return LedgerLine(at, Happened.ANSWERED, asker, detail=results_told(results))


def results_told(results: int) -> str:
    """Return the detail of a line about an answer."""
    return f"{results} {'case' if results == 1 else 'cases'}"


OF_A_QUESTION = '{"kind":"asked"'  # how the content of a dealing begins that is forgotten after a month


def dealing_values(dealing: Dealing) -> tuple[float, str]:
    """Return when a dealing was, and its content in JSON."""
    told = {
        "kind": dealing.kind.value,
        "digest": dealing.digest,
        "profile": dealing.profile,
        "sketch": dealing.sketch,
        "fresh": dealing.fresh,
        "genes": dealing.genes,
        "cases": dealing.cases,
        "again": dealing.again,
    }
    return dealing.at, json.dumps({name: value for name, value in told.items() if value}, separators=(",", ":"))


def dealing_of(organisation: str, at: float, content: str) -> Dealing:
    """Return the dealing of an entry's values, without its number."""
    told = json.loads(content)
    digest, profile, sketch = (told.get(name, "") for name in ("digest", "profile", "sketch"))
    genes, cases, again = (tuple(told.get(name, ())) for name in ("genes", "cases", "again"))
    fresh = bool(told.get("fresh", False))
    return Dealing(organisation, at, Event(told["kind"]), digest, profile, sketch, fresh, genes, cases, again)


def client_values(client: Client) -> list[Any]:
    """Return a client as an entry's values."""
    told = [client.name, client.role.value, client.token_sha256, client.institution, client.country]
    times = [client.created_at, client.revoked_at]
    return [*told, *times, client.purpose.value, client.per_month, client.contact]


def client_of(values: Sequence[Any]) -> Client:
    """Return the client of an entry's values."""
    name, role, token, institution, country, created_at, revoked_at, purpose, per_month, contact = values
    told = (name, Role(role), token, institution, country, created_at, revoked_at)
    return Client(*told, Purpose(purpose), per_month, contact)


def alert_values(alert: Alert) -> list[Any]:
    """Return an alert as an entry's values: which mail carries it stands beside its content."""
    content = alert.model_copy(update={"mail": None}).to_text()
    return [alert.match, alert.recipient, alert.number, alert.mail, content]


def side_values(match: Match, side: Side) -> tuple[str, str, str, float, str]:
    """Return what a side of a match is looked for by: case, owner, node, score, status. A hidden one is of nobody."""
    return side.case, "" if side.hidden else side.owner, match.node, match.score_for(side), side.status.value


def match_values(match: Match) -> tuple[float | None, float | None]:
    """Return when the answer came that is kept with a match; and when that was seen, while nobody looks after it."""
    answered_at = match.other.answered_at if match.other and match.other.answer is not None else None
    looked_after = any(side.history for side in match.sides)
    return answered_at, None if looked_after else match.last_seen


def collection_text(collection: Collection) -> str:
    """Return a collection as a store keeps it."""
    return json.dumps(collection.to_json(), ensure_ascii=False)


_FORMER_FACTS, _FORMER_LINE = 6, 4  # values of these entries before there were agreements and chains
# What entries of other kinds, and of so many values, had not yet.
_FORMER: dict[tuple[str, int], tuple[Any, ...]] = {
    ("client", 7): (Purpose.CLINICAL.value, DEFAULT_PER_MONTH, None),
    ("case", 8): (None, None),
    ("peer", 6): (DEFAULT_PER_MONTH, False),
}


def brought_up_to_date(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield entries as they are now, whichever version wrote them: former lines of the ledger stand in a chain."""
    chain, secret = Chain(FORMER, 0, BEGINNING, 0, BEGINNING), ""
    genes: list[str] = []
    for kind, values in entries:
        if genes and kind != "gene":
            yield from (("gene", [gene]) for gene in sorted(genes))
            genes = []
        if kind == "facts" and len(values) == _FORMER_FACTS:
            secret = secrets.token_hex(32)
            yield kind, [*values, secret]
        elif kind == "gene" and secret:  # it stood there by its own id
            genes.append(keyed(secret, values[0]))
        elif kind == "line" and len(values) == _FORMER_LINE:
            at, asker, results, _ = values
            chain, (kept,) = extended(chain, [former_line(at, asker, results)])
            yield kind, line_values(kept)
        else:
            if KINDS.index(kind) > KINDS.index("line") and chain.lines:
                yield "chain", [chain.name, chain.first, chain.base, chain.lines, chain.head]
                chain = Chain(FORMER, 0, BEGINNING, 0, BEGINNING)
            yield kind, [*values, *_FORMER.get((kind, len(values)), ())]
    if chain.lines:
        yield "chain", [chain.name, chain.first, chain.base, chain.lines, chain.head]
    yield from (("gene", [gene]) for gene in sorted(genes))
