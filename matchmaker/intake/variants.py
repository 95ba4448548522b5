"""A variant as a clinician types it -> the exchange's, and back.

Positions are typed as in VCF (1-based); the exchange's are 0-based with `end` exclusive. Knows no reference sequence:
whether the bases stand there is not checked.
"""

import re

from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.patient import Variant
from matchmaker.mme.strict_json import printable
from matchmaker.mme.validation import validate

ASSEMBLIES = {
    "hg18": "NCBI36", "ncbi36": "NCBI36",
    "hg19": "GRCh37", "b37": "GRCh37", "grch37": "GRCh37",
    "hg38": "GRCh38", "grch38": "GRCh38",
}  # fmt: skip  # by their names in small letters
_EXAMPLE = "GRCh38 16-31119500-C-T"
_BASES = "[ACGTURYSWKMBDHVN]+"  # IUPAC, with what is not known exactly
_PLACE = r"(?:chr)?(?P<chromosome>[1-9]|1\d|2[0-2]|X|Y|MT?)[-:\s] ?(?:g\.)?(?P<position>\d{1,10})"
_KIND = "<[A-Z0-9:_]+>"  # an allele that is no bases, such as <DEL>
_ALTERNATE = rf"(?P<alternate>{_BASES}|{_KIND}|[-.*])"
_CHANGE = rf"(?:(?P<reference>{_BASES}|[-.*])? ?> ?{_ALTERNATE}?|(?P<kind>{_KIND}))"
_FLAGS = re.ASCII | re.IGNORECASE
_ASSEMBLY = re.compile(rf"(?P<name>{'|'.join(ASSEMBLIES)})(?P<patch>\.p\d{{1,2}})?[\s:]\s*", _FLAGS)
_AS_VCF = re.compile(rf"{_PLACE}[-:\s](?P<reference>{_BASES})[-:\s]{_ALTERNATE}", _FLAGS)
_AS_CHANGE = re.compile(rf"{_PLACE}(?:-(?P<end>\d{{1,10}}))?[-:\s]?{_CHANGE}", _FLAGS)
_AS_SPAN = re.compile(rf"{_PLACE}-(?P<end>\d{{1,10}})", _FLAGS)
_TRANSCRIPT = re.compile(r"(?<![A-Za-z])[cnp]\.")
_UNPADDED = re.compile(r"(?:del|dup|ins|inv)[A-Z]*$", _FLAGS)
_SHOWN = 200  # characters of a text that are looked at when saying what is wrong with it


def read_variant(text: str) -> Variant:
    """Return the variant of `GRCh38 16-31119500-C-T`, `hg19:chr16:31119500 C>T` or `GRCh38 16:g.31119500C>T`.

    Deletions and insertions are written as in VCF, with the base before them: `GRCh38 16-31119499-GC-G`. What has no
    bases is a span with its kind: `GRCh38 16:31119500-31120000 <DEL>`. `end` follows from the reference where none is
    written. Errors: InvalidRequest with one problem, whose path is `variant`.
    """
    typed = " ".join(text.split())
    assembly = _ASSEMBLY.match(typed)
    rest = typed[assembly.end() :] if assembly else typed
    written = next((found for form in (_AS_VCF, _AS_CHANGE, _AS_SPAN) if (found := form.fullmatch(rest))), None)
    if written is None:
        raise _wrong(_what_is_wrong(typed[:_SHOWN]))
    if assembly is None:
        raise _wrong(f"needs an assembly in front, GRCh38 or GRCh37: {_EXAMPLE}")
    return _variant(ASSEMBLIES[assembly["name"].lower()] + (assembly["patch"] or "").lower(), written.groupdict())


def shown_variant(variant: Variant) -> str:
    """Return the variant as read_variant reads it: `GRCh38 16-31119500-C-T`, or its span where it is none in VCF.

    A variant of one position and no bases, or of no position, is shown as such; that is not read back.
    """
    if variant.start is None:
        return f"{variant.assembly} {variant.reference_name}"
    reference, alternate = variant.reference_bases or "", variant.alternate_bases or ""
    place = f"{variant.start + 1}"
    if reference.isalpha() and alternate.isalpha() and variant.end in {None, variant.start + len(reference)}:
        return f"{variant.assembly} {variant.reference_name}-{place}-{reference}-{alternate}"
    place += "" if variant.end is None else f"-{variant.end}"
    alleles = alternate if alternate.startswith("<") and not reference else f"{reference}>{alternate}"
    return f"{variant.assembly} {variant.reference_name}:{place} {alleles}".removesuffix(" >")


def _variant(assembly: str, written: dict[str, str | None]) -> Variant:
    position, end = int(written["position"] or 0), written.get("end")
    if not position:
        raise _wrong("is at position 0; positions are counted from 1, as in VCF")
    reference, alternate = written.get("reference"), written.get("alternate") or written.get("kind")
    start = position - 1
    if end is None and reference and reference.isalpha():
        end = str(start + len(reference))
    value = {
        "assembly": assembly,
        "referenceName": (written["chromosome"] or "").upper(),
        "start": start,
        "end": int(end) if end else None,
        "referenceBases": reference,
        "alternateBases": alternate,
    }
    try:
        return validate(Variant, value)
    except InvalidRequest as error:
        raise _wrong(str(error.problems[0])) from None


def _what_is_wrong(typed: str) -> str:
    if not typed:
        return f"is empty; expected one such as {_EXAMPLE}"
    if _TRANSCRIPT.search(typed):
        return f"is in a transcript or protein (c., n., p.); give its place in the genome, such as {_EXAMPLE}"
    if _UNPADDED.search(typed):
        return "expected deletions and insertions as in VCF, with the base before: GRCh38 16-31119499-GC-G"
    return f"expected an assembly, chromosome, position and bases, such as {_EXAMPLE}; got '{printable(typed)}'"


def _wrong(message: str) -> InvalidRequest:
    return InvalidRequest(Problem("variant", message))
