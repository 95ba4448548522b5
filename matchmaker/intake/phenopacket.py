"""GA4GH phenopacket v2 -> patient.

The phenopackets library parses; this file says what each element means in the exchange's words, and keeps where
each came from, so that an error names the place in the phenopacket.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from google.protobuf.json_format import ParseDict, ParseError
from phenopackets import GenomicInterpretation, Phenopacket, Sex, VariationDescriptor, VcfRecord

from matchmaker.genome.genes import GeneTable
from matchmaker.intake.variants import ASSEMBLIES
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.patient import Contact, Patient
from matchmaker.mme.strict_json import Json, join, printable
from matchmaker.mme.validation import validate

_REJECTED = GenomicInterpretation.InterpretationStatus.Value("REJECTED")
_SEXES = {Sex.Value("FEMALE"): "FEMALE", Sex.Value("MALE"): "MALE", Sex.Value("OTHER_SEX"): "OTHER"}
_ZYGOSITY = {"GENO:0000135": 1, "GENO:0000134": 1, "GENO:0000136": 2, "GENO:0000402": 1}
_DISORDERS = {"OMIM": "MIM", "MIM": "MIM", "ORPHA": "Orphanet", "ORPHANET": "Orphanet"}
_PATIENT_ONLY = {"contact", "features", "genomicFeatures"}
_PHENOPACKET_ONLY = {
    *("phenotypicFeatures", "phenotypic_features", "metaData", "meta_data"),
    *("interpretations", "subject", "diseases"),
}
_CHROMOSOMES = {*map(str, range(1, 23)), "X", "Y", "MT"}
_VERSION = "2"  # of the phenopacket schema, its first number
_FIRST_ONLY = {"genes", "variants"}  # what only version 1 has at the top
_CONVERT = "phenopackets of version 2 are read; convert it first, for example by phenopacket-tools: pxf convert"


@dataclass
class _Draft:
    """A patient in the making: its JSON, where each part came from, and what was left out."""

    values: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, value: dict[str, Any], origin: str) -> None:
        items = self.values.setdefault(name, [])
        self.origins[f"{name}[{len(items)}]"] = origin
        items.append(value)


def is_phenopacket(record: Mapping[str, Json]) -> bool:
    """Tell whether a JSON object looks like a phenopacket rather than the exchange's patient."""
    if not _PATIENT_ONLY.isdisjoint(record):
        return False  # the exchange's patient, whatever unknown fields it brings
    return not _PHENOPACKET_ONLY.isdisjoint(record)


def read_phenopacket(
    record: Json, genes: GeneTable, fallback: Contact, contact: Contact | None = None
) -> tuple[Patient, tuple[str, ...]]:
    """Return the patient of a phenopacket, and notes on what of it the exchange has no words for.

    A phenopacket names nobody to write to: `contact` is taken where given, else the publication it cites, else
    `fallback`. Errors: InvalidRequest, its paths those of the phenopacket; also for one of another version than 2.
    """
    _check_version(record)
    packet = _parse(record)
    draft = _Draft()
    _features(packet, draft)
    _diseases(packet, draft)
    _interpretations(packet, genes, draft)
    value = {
        "id": packet.id,
        "contact": (contact or _publication(packet) or fallback).to_json(),
        "sex": _SEXES.get(packet.subject.sex),
        **draft.values,
    }
    try:
        return validate(Patient, value), tuple(draft.notes)
    except InvalidRequest as error:
        raise InvalidRequest(*(_traced(problem, draft.origins) for problem in error.problems)) from None


def _check_version(record: Json) -> None:
    """Refuse other versions: version 1's `negated` would be passed over, and what is absent taken for present."""
    if not isinstance(record, dict):
        return  # parsing says what it is
    version = _version(record)
    if version and version.removeprefix("v").split(".")[0] != _VERSION:
        said = f"is a phenopacket of version {printable(version)}; {_CONVERT}"
        raise InvalidRequest(Problem("metaData.phenopacketSchemaVersion", said))
    features = _either(record, "phenotypicFeatures", "phenotypic_features")
    for position, feature in enumerate(features if isinstance(features, list) else ()):
        if isinstance(feature, dict) and "negated" in feature:
            said = f"is of version 1, where version 2 has `excluded`; {_CONVERT}"
            raise InvalidRequest(Problem(f"phenotypicFeatures[{position}].negated", said))
    if not version and not _FIRST_ONLY.isdisjoint(record):
        raise InvalidRequest(Problem("", f"is a phenopacket of version 1, by its genes or variants; {_CONVERT}"))


def _version(record: dict[str, Json]) -> str:
    """The version that a phenopacket says it is of; empty where it says none, or none that is text."""
    meta = _either(record, "metaData", "meta_data")
    said = _either(meta, "phenopacketSchemaVersion", "phenopacket_schema_version") if isinstance(meta, dict) else None
    return said.strip().lower() if isinstance(said, str) else ""


def _either(value: dict[str, Json], name: str, other: str) -> Json:
    return value[name] if name in value else value.get(other)


def _parse(record: Json) -> Phenopacket:
    try:
        return ParseDict(record, Phenopacket(), ignore_unknown_fields=True)
    except (ParseError, TypeError, ValueError, AttributeError) as error:
        raise InvalidRequest(Problem(_culprit(record), f"is not as in a phenopacket: {_reason(error)}")) from None


def _reason(error: Exception) -> str:
    """The innermost words of a parse error; the outer ones only repeat the path."""
    return printable(str(error).rsplit("field: ", 1)[-1].split(" at Phenopacket", 1)[0].rstrip("."), 120)


def _culprit(value: Json, path: str = "", within: Callable[[Json], Json] = lambda part: part) -> str:
    """Return the path of the smallest part of `value` that fails to parse, though all else is cut away.

    `within` puts a part back in its place in the phenopacket.
    """
    parts: Iterable[tuple[str, Json, Callable[[Json], Json]]] = ()
    if isinstance(value, dict):
        parts = ((join(path, key), item, partial(_under, key, within)) for key, item in value.items())
    elif isinstance(value, list):
        parts = ((f"{path}[{n}]", item, lambda part: within([part])) for n, item in enumerate(value))
    for part_path, item, put in parts:
        if not _parses(put(item)):
            return _culprit(item, part_path, put)
    return path


def _under(key: str, within: Callable[[Json], Json], part: Json) -> Json:
    return within({key: part})


def _parses(record: Json) -> bool:
    try:
        ParseDict(record, Phenopacket(), ignore_unknown_fields=True)
    except (ParseError, TypeError, ValueError, AttributeError):
        return False
    return True


def _features(packet: Phenopacket, draft: _Draft) -> None:
    for position, feature in enumerate(packet.phenotypic_features):
        origin = f"phenotypicFeatures[{position}].type"
        if not feature.type.id.startswith("HP:") and ":" in feature.type.id:
            draft.notes.append(f"{origin}.id: {printable(feature.type.id)} is no HPO term; left out")
            continue
        onset = feature.onset.ontology_class.id
        value = {
            "id": feature.type.id,
            "label": feature.type.label or None,
            "observed": "no" if feature.excluded else "yes",
            "ageOfOnset": onset if onset.startswith("HP:") else None,
        }
        draft.origins[f"features[{len(draft.values.get('features', []))}].ageOfOnset"] = (
            f"phenotypicFeatures[{position}].onset.ontologyClass.id"
        )
        draft.add("features", value, origin)


def _diseases(packet: Phenopacket, draft: _Draft) -> None:
    found = [(f"diseases[{n}].term", d.term) for n, d in enumerate(packet.diseases) if not d.excluded]
    found += [
        (f"interpretations[{n}].diagnosis.disease", interpretation.diagnosis.disease)
        for n, interpretation in enumerate(packet.interpretations)
        if interpretation.diagnosis.disease.id
    ]
    seen: set[str] = set()
    for origin, term in found:
        prefix, _, number = term.id.partition(":")
        if prefix.upper() not in _DISORDERS or re.fullmatch(r"PS\d+", number):
            draft.notes.append(f"{origin}.id: {printable(term.id)} is no OMIM or Orphanet disorder; left out")
        elif term.id not in seen:
            seen.add(term.id)
            value = {"id": f"{_DISORDERS[prefix.upper()]}:{number}", "label": term.label or None}
            draft.add("disorders", value, origin)


def _interpretations(packet: Phenopacket, genes: GeneTable, draft: _Draft) -> None:
    for n, interpretation in enumerate(packet.interpretations):
        for m, genomic in enumerate(interpretation.diagnosis.genomic_interpretations):
            if genomic.interpretation_status == _REJECTED:
                continue
            origin = f"interpretations[{n}].diagnosis.genomicInterpretations[{m}]"
            _genomic_feature(genomic, genes, draft, origin)


def _genomic_feature(genomic: GenomicInterpretation, genes: GeneTable, draft: _Draft, origin: str) -> None:
    descriptor = genomic.variant_interpretation.variation_descriptor
    named = genomic.gene if genomic.HasField("gene") else descriptor.gene_context
    if not (named.value_id or named.symbol):
        draft.notes.append(f"{origin}: names no gene; left out")
        return
    draft.origins[f"genomicFeatures[{len(draft.values.get('genomicFeatures', []))}].gene.id"] = (
        f"{origin}.gene.valueId"
        if genomic.HasField("gene")
        else f"{origin}.variantInterpretation.variationDescriptor.geneContext.valueId"
    )
    value = {
        "gene": {"id": _gene_id(named.value_id, named.symbol, genes)},
        "zygosity": _ZYGOSITY.get(descriptor.allelic_state.id),
        "type": _structural_type(descriptor),
    }
    if descriptor.vcf_record.genome_assembly:
        value["variant"] = _variant(descriptor.vcf_record, draft, origin)
    draft.add("genomicFeatures", value, origin)


def _gene_id(value_id: str, symbol: str, genes: GeneTable) -> str:
    """The id goes before the symbol, which may be an alias; what nobody knows is kept as given."""
    for given in (value_id, symbol):
        if given and (gene := genes.resolve(given).gene):
            return genes.preferred_id(gene)
    return symbol or value_id


def _structural_type(descriptor: VariationDescriptor) -> dict[str, Any] | None:
    term = descriptor.structural_type
    return {"id": term.id, "label": term.label or None} if re.fullmatch(r"SO:\d{7}", term.id) else None


def _variant(record: VcfRecord, draft: _Draft, origin: str) -> dict[str, Any] | None:
    assembly = ASSEMBLIES.get(record.genome_assembly.lower(), record.genome_assembly)
    chromosome = re.sub(r"(?i)^chr", "", record.chrom)
    chromosome = "MT" if chromosome == "M" else chromosome
    known = re.fullmatch(r"(NCBI36|GRCh37|GRCh38)(\.p\d{1,2})?", assembly)
    if not known or chromosome not in _CHROMOSOMES or re.search(r"[\[\],]", record.alt):
        place = f"{printable(record.genome_assembly)} {printable(record.chrom)}, allele {printable(record.alt)},"
        draft.notes.append(f"{origin}: a variant on {place} is not comparable; left out, the gene kept")
        return None
    made = f"genomicFeatures[{len(draft.values.get('genomicFeatures', []))}].variant"
    source = f"{origin}.variantInterpretation.variationDescriptor.vcfRecord"
    draft.origins |= {
        made: source,
        f"{made}.start": f"{source}.pos",
        f"{made}.referenceBases": f"{source}.ref",
        f"{made}.alternateBases": f"{source}.alt",
    }
    end = re.search(r"(?:^|;)END=([0-9]{1,10})(?:;|$)", record.info)
    return {
        "assembly": assembly,
        "referenceName": chromosome,
        "start": record.pos - 1,  # VCF counts from 1, the exchange from 0
        "end": int(end[1]) if end else record.pos - 1 + len(record.ref),
        "referenceBases": record.ref,
        "alternateBases": record.alt,
    }


def _publication(packet: Phenopacket) -> Contact | None:
    for reference in packet.meta_data.external_references:
        if match := re.fullmatch(r"PMID:(\d{1,9})", reference.id):
            return Contact(name=f"Published case, {match[0]}", href=f"https://pubmed.ncbi.nlm.nih.gov/{match[1]}/")
    return None


def _traced(problem: Problem, origins: Mapping[str, str]) -> Problem:
    """Put the place in the phenopacket for the place in the patient."""
    for made in sorted(origins, key=len, reverse=True):
        if problem.path.startswith(made):
            return Problem(origins[made] + problem.path[len(made) :], problem.message)
    names = {"features": "phenotypicFeatures", "disorders": "diseases"}
    return Problem(names.get(problem.path, problem.path), problem.message)
