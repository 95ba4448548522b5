"""The patient as search-api has it: strict where the standard is, tolerant where real nodes are."""

from typing import Any

import pytest

from matchmaker.mme.errors import InvalidRequest
from matchmaker.mme.messages import MatchQuery
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from tests.samples import official_patients, patient_json, variant_json


def read(patient: Any) -> Patient:
    return validate(MatchQuery, {"patient": patient}).patient


def test_all_fifty_official_test_patients_are_accepted() -> None:
    assert len([read(patient) for patient in official_patients()]) == 50


def test_a_variant_without_its_start_is_taken_as_absent() -> None:
    without = [p for p in map(read, official_patients()) if p.id in {"P0001017", "P0001018"}]
    assert [any(f.variant is None for f in patient.genomic_features) for patient in without] == [True, True]


def test_an_omitted_observed_means_yes() -> None:
    assert [f.observed for f in read(patient_json()).features] == ["yes", "yes"]


def test_null_means_absent_and_unknown_fields_are_ignored() -> None:
    patient = read({**patient_json(), "sex": None, "disorders": None, "_own": 1, "other": {"x": 1}})
    assert patient.sex is None
    assert "_own" not in patient.to_json()


def test_what_was_read_is_written_again_but_for_what_says_nothing() -> None:
    for given in official_patients():
        written = read(given).to_json()
        if given["id"] not in {"P0001017", "P0001018"}:
            assert written == {key: value for key, value in given.items() if value != []}


@pytest.mark.parametrize(
    "href",
    [
        "http://a.example",
        "https://a.example/x?y=1",
        "mailto:a@b.example",
        "mailto:a@b.example,c@d.example",
        "mailto:a%40b.example",
    ],
)
def test_a_contact_is_a_url_that_one_can_write_to(href: str) -> None:
    assert read(patient_json(contact={"name": "x", "href": href})).contact.href == href


@pytest.mark.parametrize("email", ["a@b.example", ["a@b.example", "c@d.example"]])
def test_an_email_may_be_one_or_a_list(email: Any) -> None:
    contact = {"name": "x", "href": "mailto:a@b.example", "email": email, "roles": ["clinician", "researcher"]}
    assert read(patient_json(contact=contact)).contact.email


def test_no_email_at_all_is_none() -> None:
    contact = {"name": "x", "href": "mailto:a@b.example", "email": []}
    patient = read(patient_json(contact=contact))
    assert patient.contact.email is None
    assert read(patient.to_json()) == patient


@pytest.mark.parametrize("name", ["MT", "M", "X", "Y", "1", "22"])
@pytest.mark.parametrize("assembly", ["GRCh37", "GRCh38.p13", "NCBI36"])
def test_chromosomes_and_assemblies_of_the_standard_are_accepted(name: str, assembly: str) -> None:
    feature = {"gene": {"id": "X"}, "variant": variant_json(referenceName=name, assembly=assembly)}
    assert read(patient_json(genomicFeatures=[feature])).genomic_features[0].variant


def variant(**changes: Any) -> dict[str, Any]:
    return patient_json(genomicFeatures=[{"gene": {"id": "X"}, "variant": variant_json(**changes)}])


LONG = "x" * 256
VARIANT = "patient.genomicFeatures[0].variant"


@pytest.mark.parametrize(
    ("patient", "path"),
    [
        (patient_json(id=None), "patient.id"),
        (patient_json(id=""), "patient.id"),
        (patient_json(id=LONG), "patient.id"),
        (patient_json(id=7), "patient.id"),
        (patient_json(id={"$gt": ""}), "patient.id"),
        (patient_json(id="a\x00b"), "patient.id"),
        (patient_json(label=LONG), "patient.label"),
        (patient_json(contact=None), "patient.contact"),
        (patient_json(contact={"href": "mailto:a@b"}), "patient.contact.name"),
        (patient_json(contact={"name": LONG, "href": "mailto:a@b"}), "patient.contact.name"),
        (patient_json(contact={"name": "x"}), "patient.contact.href"),
        (patient_json(contact={"name": "x", "href": "javascript:alert(1)"}), "patient.contact.href"),
        (patient_json(contact={"name": "x", "href": "data:text/html,x"}), "patient.contact.href"),
        (patient_json(contact={"name": "x", "href": "example.com"}), "patient.contact.href"),
        (patient_json(contact={"name": "x", "href": "http://"}), "patient.contact.href"),
        (patient_json(contact={"name": "x", "href": "mailto:"}), "patient.contact.href"),
        (patient_json(contact={"name": "x", "href": "mailto:a@b", "roles": ["boss"]}), "patient.contact.roles[0]"),
        (patient_json(features=[], genomicFeatures=[]), "patient"),
        (patient_json(features=None, genomicFeatures=None), "patient"),
        (patient_json(features=[{"id": "HP:0000252"}, {"id": "HP:252"}]), "patient.features[1].id"),
        (patient_json(features=[{"id": "HP:0000252", "observed": "maybe"}]), "patient.features[0].observed"),
        (patient_json(features=[{"id": "HP:0000252", "ageOfOnset": "young"}]), "patient.features[0].ageOfOnset"),
        (patient_json(features=[{}]), "patient.features[0].id"),
        (patient_json(features={"id": "HP:0000252"}), "patient.features"),
        (patient_json(features=["HP:0000252"]), "patient.features[0]"),
        (patient_json(features=[{"id": "HP:0000252"}] * 10_000), "patient.features"),
        (patient_json(genomicFeatures=[{}]), "patient.genomicFeatures[0].gene"),
        (patient_json(genomicFeatures=[{"gene": {"id": ""}}]), "patient.genomicFeatures[0].gene.id"),
        (patient_json(genomicFeatures=[{"gene": {"id": 7}}]), "patient.genomicFeatures[0].gene.id"),
        (patient_json(genomicFeatures=[{"gene": {"id": "X"}, "zygosity": 3}]), "patient.genomicFeatures[0].zygosity"),
        (patient_json(genomicFeatures=[{"gene": {"id": "X"}, "zygosity": True}]), "patient.genomicFeatures[0].zygosity"),
        (variant(start=None, assembly={"$gt": ""}), f"{VARIANT}.assembly"),
        (patient_json(genomicFeatures=[{"gene": {"id": "X"}, "type": {"id": "STOP"}}]), "patient.genomicFeatures[0].type.id"),
        (variant(assembly="hg19"), f"{VARIANT}.assembly"),
        (variant(assembly=None), f"{VARIANT}.assembly"),
        (variant(referenceName="23"), f"{VARIANT}.referenceName"),
        (variant(start=-1), f"{VARIANT}.start"),
        (variant(start=2**31), f"{VARIANT}.start"),
        (variant(start="5"), f"{VARIANT}.start"),
        (variant(start=1.5), f"{VARIANT}.start"),
        (variant(end=5), VARIANT),
        (variant(referenceBases="A C"), f"{VARIANT}.referenceBases"),
        (patient_json(disorders=[{"id": "OMIM:1"}]), "patient.disorders[0].id"),
        (patient_json(species="human"), "patient.species"),
        (patient_json(sex="female"), "patient.sex"),
        (patient_json(ageOfOnset="HP:1"), "patient.ageOfOnset"),
        (patient_json(inheritanceMode="dominant"), "patient.inheritanceMode"),
        (patient_json(test="true"), "patient.test"),
        ([], "patient"),
        ("x", "patient"),
    ],
)  # fmt: skip
def test_what_the_standard_does_not_have_is_refused_by_its_path(patient: Any, path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read(patient)
    assert path in [problem.path for problem in raised.value.problems]
    assert path in raised.value.message
