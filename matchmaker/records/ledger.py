"""The ledger: a line for each case told to somebody or asked about, for each answer and each access granted or denied.

Never a question's content. Lines stand in chains, one for each worker's life: each line's hash is made of the line and
of the hash before it, so that no line can be changed or taken out unseen.
"""

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum

BEGINNING = ""  # the hash before the first line of a chain
FORMER = "before"  # the chain of lines from before there were chains


class Happened(StrEnum):
    """What a line tells of."""

    TOLD = "told"  # a case, to another node
    SHOWN = "shown"  # a case, to a user of this node who is not its owner
    ASKED = "asked"  # another node, about a case of ours
    UNSENT = "not sent"  # the question of an ASKED line before: it never left
    NOTIFIED = "notified"  # another node, by mail, that a case of ours was withdrawn
    ANSWERED = "answered"  # a question, with so many cases
    REFUSED = "refused"  # a question, and why
    ALARMED = "alarmed"
    STOPPED = "stopped"
    RELEASED = "released"
    GRANTED = "granted"  # a token, or another node as a peer
    REVOKED = "revoked"
    DENIED = "denied"  # access without a valid token, so many times
    COLLECTION = "collection"  # one was added, changed or removed, and how
    PURGED = "purged"  # lines that had been kept long enough
    UNKNOWN = "?"  # what no line of ours tells of: it was changed

    @classmethod
    def _missing_(cls, value: object) -> "Happened":
        """Take a word that is none of ours, so that a damaged ledger can be read, and told as such."""
        return cls.UNKNOWN


DISCLOSURES = (Happened.TOLD, Happened.SHOWN, Happened.ASKED, Happened.UNSENT, Happened.NOTIFIED)


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """`who` was told or asked, was granted or denied something, at `at` (seconds since 1970).

    `case` is a public id, "" where none is meant; `level` and `purpose` of a disclosure; `detail` for people.
    """

    at: float
    kind: Happened
    who: str
    case: str = ""
    level: str = ""
    purpose: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class KeptLine:
    """A line in its place: the chain, its number there from 0, and its hash."""

    chain: str
    number: int
    line: LedgerLine
    hash: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain: the number and the hash before its first line that is still kept; how many it has had; its last hash."""

    name: str
    first: int
    base: str
    lines: int
    head: str


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """What the ledger adds up to, for the metrics."""

    requests: int = 0
    results: int = 0
    unique_genes: int = 0


def hash_of(previous: str, chain: str, number: int, line: LedgerLine) -> str:
    """Return the SHA-256 of a line in its place, after the line with the hash `previous`."""
    told = [previous, chain, number, line.at, line.kind.value, line.who, line.case, line.level, line.purpose]
    return hashlib.sha256(json.dumps([*told, line.detail]).encode()).hexdigest()


def extended(chain: Chain, lines: list[LedgerLine]) -> tuple[Chain, list[KeptLine]]:
    """Return a chain with more lines, and those in their places."""
    kept: list[KeptLine] = []
    head = chain.head
    for number, line in enumerate(lines, chain.lines):
        head = hash_of(head, chain.name, number, line)
        kept.append(KeptLine(chain.name, number, line, head))
    return Chain(chain.name, chain.first, chain.base, chain.lines + len(lines), head), kept


def first_fault(chain: Chain, before: KeptLine | None, line: KeptLine) -> str | None:
    """Return what is wrong with a line that follows `before` in a chain (None: it is the first kept), if anything."""
    number = before.number + 1 if before else chain.first
    if line.number != number:
        return f"lines {number} to {line.number - 1} are missing"
    if line.hash != hash_of(before.hash if before else chain.base, chain.name, number, line.line):
        return f"line {number} was changed"
    return None
