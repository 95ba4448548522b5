"""Reference data that was imported into a store, so that every worker on every host scores with the same."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a file of reference data is."""

    HPO = "hpo"
    ANNOTATIONS = "annotations"
    GENES = "genes"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class ReferenceFile:
    """One file: `name` as it was given, `version` as it says of itself, `sha256` of its `content`."""

    kind: Kind
    name: str
    version: str
    sha256: str
    imported_at: float
    content: bytes
