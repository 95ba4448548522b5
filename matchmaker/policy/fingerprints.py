"""Knowing a question again without keeping it: keyed fingerprints. Pure; the key is the node's secret.

The sketch is a MinHash (Broder 1997, doi:10.1109/SEQUEN.1997.666900) of a profile's terms and all their ancestors, of
which only two bits a row are kept (Li and Koenig 2010, doi:10.1145/1772690.1772759): enough to tell how much of two
profiles is the same, and too little to read a profile's terms from it, even for who has the secret.
"""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.profile import Profile
from matchmaker.ontology.hpo import Ontology

ROWS = 256  # of a sketch: an estimate is within 0.03 of the truth in two of three cases, far nearer for alike ones
NEAR = 0.92  # of two profiles that is the same in near-identical ones
_VALUES = 4  # that a row may have, with two bits
_SHIFT = np.uint64(20)
_GENE_BITS = 32


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it is known again. `digest` and `sketch` are hexadecimal; `genes` keyed numbers of 32 bits.

    `gene_count` is how many genes it asks about.
    """

    digest: str
    sketch: str
    genes: frozenset[int]
    gene_count: int


def keyed(secret: str, text: str) -> str:
    """Return a keyed digest of a text, hexadecimal: the same for the same text and secret."""
    key = hashlib.blake2b(secret.encode(), digest_size=32).digest()
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()


class Fingerprints:
    """Makes Questions with one secret and one ontology."""

    def __init__(self, secret: str, ontology: Ontology) -> None:
        self._key = hashlib.blake2b(secret.encode(), digest_size=32).digest()
        self.ontology = ontology
        self._terms = np.array([self._number(term_id) for term_id in ontology.ids], np.uint64)
        seeds = b"".join(self._hash(f"row {row}", 16) for row in range(ROWS))
        factors = np.frombuffer(seeds, np.uint64).reshape(ROWS, 2)
        self._times, self._plus = factors[:, 0] | np.uint64(1), factors[:, 1]

    def of(self, profile: Profile, *, test: bool) -> Question:
        """Return the question that a profile asks."""
        ids = self.ontology.ids
        genes = [
            [gene.key, gene.alleles, sorted(variant.digest for variant in gene.variants)]
            for gene in sorted(profile.genes.values(), key=lambda gene: gene.key)
        ]
        told = [
            sorted(ids[term] for term in profile.observed),
            sorted(ids[term] for term in profile.denied),
            genes,
            sorted(profile.disorders),
            [profile.inheritance, profile.onset, test],
        ]
        numbers = frozenset(self._number(f"gene {key}") % 2**_GENE_BITS for key in profile.genes)
        return Question(self._hash(json.dumps(told), 16).hex(), self._sketch(profile), numbers, len(profile.genes))

    def _sketch(self, profile: Profile) -> str:
        if not profile.closure:
            return ""
        terms = self._terms[np.fromiter(profile.closure, np.int64)]
        with np.errstate(over="ignore"):
            least = (terms[:, None] * self._times + self._plus).min(axis=0)
        return packed(((least >> _SHIFT) % np.uint64(_VALUES)).astype(np.uint8))

    def _hash(self, text: str, size: int) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=size).digest()

    def _number(self, text: str) -> int:
        return int.from_bytes(self._hash(text, 8), "little")


def packed(rows: NDArray[np.uint8]) -> str:
    """Return a sketch's rows, each from 0 to 3, in hexadecimal."""
    four = rows.reshape(-1, 4)
    return bytes((four[:, 0] | four[:, 1] << 2 | four[:, 2] << 4 | four[:, 3] << 6).astype(np.uint8).tobytes()).hex()


def rows_of(sketch: str) -> NDArray[np.uint8]:
    """Return the rows of a sketch; for none, or one of another version, rows that equal those of no profile."""
    if len(sketch) != ROWS // 2:  # two hexadecimal digits hold four rows
        return np.full(ROWS, _VALUES, np.uint8)
    bytes_ = np.frombuffer(bytes.fromhex(sketch), np.uint8)
    return np.stack([bytes_ >> shift & 3 for shift in (0, 2, 4, 6)], axis=1).reshape(-1)


def alike(sketches: NDArray[np.uint8], rows: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the estimated share of each profile that is the same as another's, by sketches x rows and its rows."""
    equal: NDArray[np.float64] = (sketches == rows).mean(axis=1)
    return (equal - 1 / _VALUES) / (1 - 1 / _VALUES)
