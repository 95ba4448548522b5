"""Who speaks with a node: clients ask us, peers are asked. A remote node is both, under one name."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a client may do: a node asks /match; a depositor keeps cases and searches with them."""

    NODE = "node"
    DEPOSITOR = "depositor"


class Purpose(StrEnum):
    """What for a client may use what it is told: it was agreed on when the client was added; the API carries none."""

    CLINICAL = "clinical"
    RESEARCH = "research"


DEFAULT_PER_MONTH = 100  # new profiles a month


@dataclass(frozen=True, slots=True)
class Client:
    """Whoever holds a token of ours. Of the token only its SHA-256 is kept, in hexadecimal digits.

    Of a node: `per_month` is how many new profiles a month it may ask about, None: as many as it likes; `contact` is
    the e-mail address for notices, such as that a case it was told of was withdrawn. Of a depositor, `contact` is its
    institution's mailbox, for alerts about cases that have no owner among the people.
    """

    name: str
    role: Role
    token_sha256: str
    institution: str | None = None
    country: str | None = None
    created_at: float = 0.0
    revoked_at: float | None = None
    purpose: Purpose = Purpose.CLINICAL
    per_month: int | None = DEFAULT_PER_MONTH
    contact: str | None = None

    @property
    def organisation(self) -> str:
        """Who shares one budget: the nodes of one institution; a node without one stands for itself."""
        named = " ".join((self.institution or "").casefold().split())
        return f"institution {named}" if named else f"node {self.name}"


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node. Its token stays in its file and is read when a question is asked.

    `version` is the API version in which it is asked: exactly "1.0" or "1.1". `mitochondrion` is how it writes that
    chromosome: "MT", or "M" as patientMatcher wants it. It may be asked about `per_month` cases within 30 days, None:
    as many as there are. `notify`: it tells its own people of no match, so that we write to the contact that it shows.
    """

    name: str
    url: str
    country: str
    token_file: str
    version: str = "1.0"
    mitochondrion: str = "MT"
    per_month: int | None = DEFAULT_PER_MONTH
    notify: bool = False


def token_digest(token: str) -> str:
    """Return the SHA-256 of a token, as kept in Client.token_sha256."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
