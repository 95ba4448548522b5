"""Phenopackets and the exchange's JSON become patients; what does not is told by its place in the file."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from matchmaker.intake.patients import Reading, Rejected, Taken
from matchmaker.intake.records import RecordFile
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Contact
from tests.samples import official_patients, patient_json

FALLBACK = Contact(name="Operator", href="mailto:operator@node.example")
VARIANT = "interpretations[0].diagnosis.genomicInterpretations[0].variantInterpretation.variationDescriptor"
PACKET: dict[str, Any] = {
    "id": "PMID_1_case",
    "subject": {"id": "case", "sex": "FEMALE"},
    "phenotypicFeatures": [
        {"type": {"id": "HP:0000252", "label": "Microcephaly"}},
        {"type": {"id": "HP:0001250", "label": "Seizure"}, "excluded": True},
        {"type": {"id": "HP:0001263"}, "onset": {"ontologyClass": {"id": "HP:0003593"}}},
    ],
    "interpretations": [
        {
            "id": "i",
            "progressStatus": "SOLVED",
            "diagnosis": {
                "disease": {"id": "OMIM:614923", "label": "BCKDK deficiency"},
                "genomicInterpretations": [
                    {
                        "subjectOrBiosampleId": "case",
                        "interpretationStatus": "CAUSATIVE",
                        "variantInterpretation": {
                            "variationDescriptor": {
                                "id": "v",
                                "geneContext": {"valueId": "HGNC:16902", "symbol": "BCKDK"},
                                "vcfRecord": {
                                    "genomeAssembly": "hg38",
                                    "chrom": "chr16",
                                    "pos": "31110716",
                                    "ref": "G",
                                    "alt": "C",
                                },
                                "allelicState": {"id": "GENO:0000136", "label": "homozygous"},
                            }
                        },
                    }
                ],
            },
        }
    ],
    "diseases": [{"term": {"id": "OMIM:614923"}}, {"term": {"id": "ORPHA:308410"}}],
    "metaData": {"created": "2025-01-01T00:00:00Z", "createdBy": "x", "phenopacketSchemaVersion": "2.0"},
}


def changed(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    packet = copy.deepcopy(PACKET)
    inner: Any = packet
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return packet


def read(knowledge: Knowledge, tmp_path: Path, *records: Any, contact: Contact | None = None) -> list[Taken | Rejected]:
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return list(Reading(knowledge.genes, FALLBACK, contact).patients(RecordFile(path)))


def patient(knowledge: Knowledge, tmp_path: Path, record: Any, contact: Contact | None = None) -> dict[str, Any]:
    (taken,) = read(knowledge, tmp_path, record, contact=contact)
    assert isinstance(taken, Taken), str(taken)
    return taken.patient.to_json()


def test_a_phenopacket_is_told_in_the_exchanges_words(real_knowledge: Knowledge, tmp_path: Path) -> None:
    assert patient(real_knowledge, tmp_path, PACKET) == {
        "id": "PMID_1_case",
        "contact": {"name": "Operator", "href": "mailto:operator@node.example"},
        "sex": "FEMALE",
        "features": [
            {"id": "HP:0000252", "label": "Microcephaly", "observed": "yes"},
            {"id": "HP:0001250", "label": "Seizure", "observed": "no"},
            {"id": "HP:0001263", "observed": "yes", "ageOfOnset": "HP:0003593"},
        ],
        "disorders": [{"id": "MIM:614923"}, {"id": "Orphanet:308410"}],
        "genomicFeatures": [
            {
                "gene": {"id": "ENSG00000103507"},
                "zygosity": 2,
                "variant": {
                    "assembly": "GRCh38",
                    "referenceName": "16",
                    "start": 31110715,
                    "end": 31110716,
                    "referenceBases": "G",
                    "alternateBases": "C",
                },
            }
        ],
    }


def test_a_cited_publication_is_the_contact_unless_one_is_given(real_knowledge: Knowledge, tmp_path: Path) -> None:
    cited = changed(("metaData", "externalReferences"), [{"id": "PMID:22956686"}])
    assert patient(real_knowledge, tmp_path, cited)["contact"]["href"] == "https://pubmed.ncbi.nlm.nih.gov/22956686/"
    given = Contact(name="Dr Byrne", href="mailto:b@h.example")
    assert patient(real_knowledge, tmp_path, cited, given)["contact"]["name"] == "Dr Byrne"


DESCRIPTOR = (
    "interpretations",
    0,
    "diagnosis",
    "genomicInterpretations",
    0,
    "variantInterpretation",
    "variationDescriptor",
)


@pytest.mark.parametrize(
    ("packet", "path"),
    [
        (changed(("phenotypicFeatures", 1, "type", "id"), "HP:12"), "phenotypicFeatures[1].type.id"),
        (changed(("phenotypicFeatures", 2, "type", "id"), 7), "phenotypicFeatures[2].type.id"),
        (changed(("phenotypicFeatures", 1, "excluded"), "perhaps"), "phenotypicFeatures[1].excluded"),
        (changed(("phenotypicFeatures",), "none"), "phenotypicFeatures"),
        (changed((*DESCRIPTOR, "vcfRecord", "pos"), "x"), f"{VARIANT}.vcfRecord.pos"),
        (changed((*DESCRIPTOR, "vcfRecord", "pos"), 0), f"{VARIANT}.vcfRecord.pos"),
        (changed((*DESCRIPTOR, "vcfRecord", "ref"), "G G"), f"{VARIANT}.vcfRecord.ref"),
        (changed(("diseases", 1, "term", "id"), "ORPHA:x"), "diseases[1].term.id"),
        (changed(("id",), ""), "id"),
        (changed(("metaData", "created"), "yesterday"), "metaData.created"),
        (
            changed(("phenotypicFeatures", 2, "onset", "ontologyClass", "id"), "HP:3"),
            "phenotypicFeatures[2].onset.ontologyClass.id",
        ),
        (
            changed((*DESCRIPTOR, "geneContext"), {"valueId": "x" * 300}),
            f"{VARIANT}.geneContext.valueId",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place_in_the_phenopacket(
    real_knowledge: Knowledge, tmp_path: Path, packet: dict[str, Any], path: str
) -> None:
    first, second, third = read(real_knowledge, tmp_path, PACKET, packet, PACKET)
    assert isinstance(first, Taken)
    assert isinstance(third, Taken), "the good ones are kept"
    assert isinstance(second, Rejected)
    assert (second.position, second.problems[0].path) == ("line 2", path)
    assert str(second).startswith(f"{tmp_path / 'cases.jsonl'}: line 2: {path}: ")


@pytest.mark.parametrize(
    ("packet", "note"),
    [
        (changed(("phenotypicFeatures", 0, "type", "id"), "MP:0000433"), "phenotypicFeatures[0].type.id"),
        (changed(("diseases", 0, "term", "id"), "MONDO:1"), "diseases[0].term.id"),
        (changed((*DESCRIPTOR, "vcfRecord", "genomeAssembly"), "T2T-CHM13"), "T2T-CHM13"),
        (changed((*DESCRIPTOR, "vcfRecord", "chrom"), "chrUn_1"), "chrUn_1"),
        (changed((*DESCRIPTOR, "geneContext"), {}), "names no gene"),
        (changed((*DESCRIPTOR, "vcfRecord", "alt"), "G]17:198982]"), "not comparable"),
        (changed((*DESCRIPTOR, "vcfRecord", "alt"), "A,T"), "not comparable"),
        (changed(("diseases", 0, "term", "id"), "OMIM:PS308350"), "diseases[0].term.id"),
    ],
)
def test_what_the_exchange_has_no_words_for_is_left_out_and_told(
    real_knowledge: Knowledge, tmp_path: Path, packet: dict[str, Any], note: str
) -> None:
    (taken,) = read(real_knowledge, tmp_path, packet)
    assert isinstance(taken, Taken)
    assert len(taken.notes) == 1
    assert note in taken.notes[0]


@pytest.mark.parametrize(
    ("assembly", "expected"), [("hg19", "GRCh37"), ("GRCh37", "GRCh37"), ("GRCh38.p13", "GRCh38.p13"), ("hg18", "NCBI36")]
)  # fmt: skip
def test_assemblies_have_one_name(real_knowledge: Knowledge, tmp_path: Path, assembly: str, expected: str) -> None:
    made = patient(real_knowledge, tmp_path, changed((*DESCRIPTOR, "vcfRecord", "genomeAssembly"), assembly))
    assert made["genomicFeatures"][0]["variant"]["assembly"] == expected


@pytest.mark.parametrize(
    ("info", "end"), [("SVTYPE=DEL;END=31120000", 31120000), ("END=" + "9" * 5_000, 31110716), ("XEND=5", 31110716)]
)
def test_the_end_of_a_structural_variant_is_in_info(
    real_knowledge: Knowledge, tmp_path: Path, info: str, end: int
) -> None:
    made = patient(real_knowledge, tmp_path, changed((*DESCRIPTOR, "vcfRecord", "info"), info))
    assert made["genomicFeatures"][0]["variant"]["end"] == end


def test_a_rejected_gene_is_none(real_knowledge: Knowledge, tmp_path: Path) -> None:
    rejected = changed((*DESCRIPTOR[:5], "interpretationStatus"), "REJECTED")
    assert "genomicFeatures" not in patient(real_knowledge, tmp_path, rejected)


def test_unknown_fields_do_not_make_a_phenopacket_of_a_patient(real_knowledge: Knowledge, tmp_path: Path) -> None:
    strange = {**patient_json(), "subject": {"x": 1}, "metaData": {}, "interpretations": []}
    assert patient(real_knowledge, tmp_path, strange)["id"] == "p1"


def test_the_exchanges_json_comes_bare_or_wrapped(real_knowledge: Knowledge, tmp_path: Path) -> None:
    official = official_patients()[0]
    bare, wrapped, wrong = read(
        real_knowledge, tmp_path, official, {"patient": official}, {"patient": {**official, "id": 5}}
    )
    assert isinstance(bare, Taken)
    assert isinstance(wrapped, Taken)
    assert bare.patient == wrapped.patient
    assert isinstance(wrong, Rejected)
    assert wrong.problems[0].path == "patient.id"


@pytest.mark.parametrize("record", [3, "x", None, [[patient_json()]]])
def test_what_is_no_record_is_said_so(real_knowledge: Knowledge, tmp_path: Path, record: Any) -> None:
    (rejected,) = read(real_knowledge, tmp_path, record)
    assert isinstance(rejected, Rejected)
