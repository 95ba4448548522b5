"""The profiles of a node's cases, kept on disk so that a warm start need not make them anew.

A cache and no more: every entry names the revision of the case that it was made from, the file names the data that
it was made with, and a file that is damaged or does not fit is as good as none. It holds health data, as the store
does, and lies beside it under the same permissions.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matchmaker.genome.variants import VariantKey
from matchmaker.matching.profile import CandidateGene, Mentions, Profile
from matchmaker.ontology.files import replace_file
from matchmaker.records.case import Audience, Sharing

_FORMAT = 1  # raise it when the content or the meaning of a profile changes


@dataclass(frozen=True, slots=True)
class Entry:
    """A case as the index has it, and the revision of the case that it was made from, with the time of its change.

    The time tells apart the changes of a store that was restored from a backup, which counts its revisions again.
    """

    public_id: str
    revision: int
    updated_at: float
    case_id: str
    audience: Audience
    profile: Profile


def write_snapshot(path: Path, fingerprint: str, entries: Iterable[Entry]) -> None:
    """Write all entries. Errors: OSError; the old file then stands."""
    body = json.dumps([_packed(entry) for entry in entries], ensure_ascii=False).encode("utf-8")
    replace_file(path, f"{_head(fingerprint, body)}\n".encode() + body, mode=0o600)


def read_snapshot(path: Path, fingerprint: str) -> dict[str, Entry]:
    """Return the entries by public id; none when the file is missing, damaged, or made with other data."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        if head != _head(fingerprint, body).encode():
            return {}
        return {entry.public_id: entry for entry in map(_unpacked, json.loads(body))}
    except (OSError, ValueError, TypeError, IndexError, KeyError):
        return {}


def _head(fingerprint: str, body: bytes) -> str:
    return f"{_FORMAT} {fingerprint} {hashlib.sha256(body).hexdigest()}"


def _packed(entry: Entry) -> list[Any]:
    profile, audience = entry.profile, entry.audience
    return [
        *(
            entry.public_id,
            entry.revision,
            entry.updated_at,
            entry.case_id,
            audience.owner,
            audience.sharing.value,
            audience.test,
        ),
        *(sorted(profile.observed), sorted(profile.closure), profile.self_information),
        [[g.key, g.shown_id, g.symbol, [_variant(v) for v in g.variants]] for g in profile.genes.values()],
        *(sorted(profile.disorders), profile.notes),
        *(profile.mentions.features, profile.mentions.genes, profile.mentions.variants),
    ]


def _variant(key: VariantKey) -> list[Any]:
    return [key.assembly, key.chromosome, key.start, key.end, key.reference, key.alternate]


def _unpacked(row: list[Any]) -> Entry:
    public_id, revision, updated_at, case_id, owner, sharing, test, observed, closure, information, genes, *rest = row
    disorders, notes, features, gene_count, variant_count = rest
    profile = Profile(
        frozenset(observed),
        frozenset(closure),
        information,
        {gene[0]: _gene(*gene) for gene in genes},
        frozenset(disorders),
        tuple(notes),
        Mentions(tuple(features), gene_count, variant_count),
    )
    return Entry(public_id, revision, updated_at, case_id, Audience(owner, Sharing(sharing), test), profile)


def _gene(key: str, shown_id: str, symbol: str | None, variants: list[Any]) -> CandidateGene:
    return CandidateGene(key, shown_id, symbol, frozenset(VariantKey(*variant) for variant in variants))
