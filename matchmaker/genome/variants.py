"""Which descriptions are the same variant, across assemblies and ways of writing.

What is not said is not guessed: without bases, or with an allele such as <DEL>, two variants are the same when start
and end are (no end means one base); an alternate without a reference is an insertion.
Every variant is brought to one form: on GRCh38 where the chain reaches, bases trimmed of what reference and
alternate share, `end` left out where the bases say it. Positions are 0-based.
"""

import gzip
import hashlib
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

_COMPLEMENT = str.maketrans("ACGTacgtNn", "TGCAtgcaNn")
_CHUNK = 1 << 20
_MITOCHONDRION = {"M": "MT"}


class ChainUnreadable(Exception):
    """The assembly chain is missing or is none. The message says which, and what to do."""


@dataclass(frozen=True)
class Locus:
    """A variant as described: `start` 0-based, `end` exclusive or unknown, bases empty where not given."""

    assembly: str
    chromosome: str
    start: int
    end: int | None = None
    reference: str = ""
    alternate: str = ""


@dataclass(frozen=True)
class VariantKey:
    """A variant in its one form: two descriptions of the same variant have equal keys."""

    assembly: str
    chromosome: str
    start: int
    end: int
    reference: str
    alternate: str

    @property
    def digest(self) -> int:
        """64 bits, signed, equal for equal variants; different ones share it with a chance of 2^-64. Never 0."""
        told = "\t".join(map(str, (self.kind, self.start, self.end, self.reference)))
        return int.from_bytes(hashlib.blake2b(told.encode(), digest_size=8).digest(), "big", signed=True) or 1

    @property
    def kind(self) -> str:
        """Assembly, chromosome and alternate allele: spans of different kinds are never the same event."""
        return f"{self.assembly}\t{self.chromosome}\t{self.alternate}"

    @property
    def is_span(self) -> bool:
        """Whether start and end are all that is known of it: no bases, at most an allele such as <DEL>."""
        return not self.reference and (not self.alternate or _symbolic(self.alternate)) and self.end > self.start


class Lift(Protocol):
    """Takes a 0-based position of GRCh37 to GRCh38."""

    def position(self, chromosome: str, start: int) -> tuple[str, int, bool] | None:
        """Return (chromosome, 0-based position, reversed), or None where the chain has a gap or two answers."""


class ChainLift:
    """A lift by a UCSC chain file (.chain.gz), through the liftover library."""

    def __init__(self, path: Path) -> None:
        """Check the whole file; it is parsed when something is first lifted. Errors: ChainUnreadable."""
        self._path = path
        try:
            with gzip.open(path, "rb") as lines:
                if not lines.readline().startswith(b"chain "):
                    raise EOFError
                while lines.read(_CHUNK):
                    pass
        except FileNotFoundError:
            raise ChainUnreadable(f"the assembly chain {path} is missing; see [genes] chain") from None
        except (OSError, EOFError, zlib.error):
            raise ChainUnreadable(f"{path} is no chain file (.chain.gz), or is damaged; see [genes] chain") from None

    @cached_property
    def _chain(self) -> Any:
        from liftover import ChainFile  # noqa: PLC0415 - slow to import, and not needed where nothing is lifted

        return ChainFile(str(self._path), "GRCh37", "GRCh38")

    def position(self, chromosome: str, start: int) -> tuple[str, int, bool] | None:
        """Return where a position of GRCh37 lies on GRCh38, as in Lift."""
        hits = self._chain[chromosome][start]
        if len(hits) != 1:
            return None
        target, position, strand = hits[0][:3]
        return str(target).removeprefix("chr"), int(position), strand == "-"


def variant_key(locus: Locus, lift: Lift) -> VariantKey:
    """Return the one form of a variant. What the chain cannot lift stays on its own assembly, equal to itself."""
    assembly = locus.assembly.split(".", 1)[0]  # a patch does not move the chromosomes
    plain = replace(
        locus,
        assembly=assembly,
        chromosome=_MITOCHONDRION.get(locus.chromosome, locus.chromosome),
        end=_end(locus),
        reference="" if _symbolic(locus.alternate) else _bases(locus.reference),
        alternate=_bases(locus.alternate),
    )
    return _trimmed(_lifted(plain, lift) if assembly == "GRCh37" else plain)


def _end(locus: Locus) -> int:
    """The bases say where a variant ends; `end` is believed only without them, or for an allele such as <DEL>."""
    reference, alternate = _bases(locus.reference), _bases(locus.alternate)
    if not _symbolic(alternate) and (reference or alternate):
        return locus.start + len(reference)
    return locus.start + 1 if locus.end is None else locus.end


def _bases(text: str) -> str:
    return "" if text in {"-", "."} else text.upper()


def _symbolic(alternate: str) -> bool:
    """Tell whether an allele is a kind, such as <DEL>: start, end and kind are then all there is to compare."""
    return alternate.startswith("<")


def _lifted(locus: Locus, lift: Lift) -> Locus:
    length = (locus.end if locus.end is not None else locus.start + 1) - locus.start
    first = lift.position(locus.chromosome, locus.start)
    last = lift.position(locus.chromosome, locus.start + max(length - 1, 0))
    if not first or not last or first[0] != last[0] or first[2] != last[2]:
        return locus
    chromosome, reverse = first[0], first[2]
    lowest = min(first[1], last[1])
    if locus.reference and abs(last[1] - first[1]) != max(length - 1, 0):
        return locus  # the assemblies differ within the variant itself
    start = lowest + 1 if reverse and not length else lowest  # an insertion lies between two bases
    return replace(
        locus,
        assembly="GRCh38",
        chromosome=chromosome,
        start=start,
        end=start if not length else max(first[1], last[1]) + 1,
        reference=_turned(locus.reference) if reverse else locus.reference,
        alternate=_turned(locus.alternate) if reverse else locus.alternate,
    )


def _turned(bases: str) -> str:
    return bases if _symbolic(bases) else bases.translate(_COMPLEMENT)[::-1]


def _trimmed(locus: Locus) -> VariantKey:
    """Take off the bases that reference and alternate share, from the right, then from the left (VCF padding)."""
    start, reference, alternate = locus.start, locus.reference, locus.alternate
    end = locus.end if locus.end is not None else start + 1
    if reference and alternate and reference != alternate:
        while reference and alternate and reference[-1] == alternate[-1]:
            reference, alternate, end = reference[:-1], alternate[:-1], end - 1
        while reference and alternate and reference[0] == alternate[0]:
            reference, alternate, start = reference[1:], alternate[1:], start + 1
    return VariantKey(locus.assembly, locus.chromosome, start, end, reference, alternate)
