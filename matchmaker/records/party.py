"""Who speaks with a node: clients ask us, peers are asked. A remote node is both, under one name."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a client may do: a node asks /match; a depositor keeps cases and searches with them."""

    NODE = "node"
    DEPOSITOR = "depositor"


@dataclass(frozen=True, slots=True)
class Client:
    """Whoever holds a token of ours. Of the token only its SHA-256 is kept, in hexadecimal digits."""

    name: str
    role: Role
    token_sha256: str
    institution: str | None = None
    country: str | None = None
    created_at: float = 0.0
    revoked_at: float | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node. Its token stays in its file and is read when a question is asked.

    `version` is the API version in which it is asked: exactly "1.0" or "1.1". `mitochondrion` is how it writes that
    chromosome: "MT", or "M" as patientMatcher wants it.
    """

    name: str
    url: str
    country: str
    token_file: str
    version: str = "1.0"
    mitochondrion: str = "MT"


def token_digest(token: str) -> str:
    """Return the SHA-256 of a token, as kept in Client.token_sha256."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
