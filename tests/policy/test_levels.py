"""What is shown at which level: what a level does not name stays, wherever it stands."""

from typing import Any

import pytest

from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.policy.levels import contact_of, evidence, shown, shown_minimal
from matchmaker.policy.names import name_for
from matchmaker.policy.questions import Withheld, question
from matchmaker.records.collection import Collection
from matchmaker.records.sharing import Circle, Level, Sharing
from tests.samples import patient_json, variant_json

EVERYTHING = patient_json(
    "hospital-number-7",
    label="M. from Dublin",
    sex="MALE",
    ageOfOnset="HP:0003577",
    inheritanceMode="HP:0000007",
    species="NCBITaxon:9606",
    disorders=[{"id": "MIM:614923", "label": "as the family calls it"}],
    features=[
        {"id": "HP:0000252", "label": "a word of the ward", "ageOfOnset": "HP:0003577"},
        {"id": "HP:0001250", "observed": "no"},
    ],
    genomicFeatures=[
        {"gene": {"id": "BCKDK"}, "variant": variant_json(), "zygosity": 2, "type": {"id": "SO:0001583"}},
        {"gene": {"id": "BCKDK"}, "variant": variant_json(start=1, end=2)},
        {"gene": {"id": "TTN"}},
    ],
    test=True,
)
CONTENT = validate(Patient, EVERYTHING).to_json()
CONTACT = {"name": "Team", "href": "mailto:team@dublin.example"}


def words(value: Any) -> str:
    """All that a value says, as text."""
    return str(value)


def test_standard_shows_terms_genes_inheritance_disorders_and_species_and_no_word_of_the_owners(
    tiny: Knowledge,
) -> None:
    patient = shown(CONTENT, Level.STANDARD, "seen", CONTACT, tiny.genes, lambda term: f"label of {term}")
    assert patient.keys() == {
        "id", "contact", "features", "genomicFeatures", "inheritanceMode", "disorders", "species", "test",
    }  # fmt: skip
    assert patient["features"] == [
        {"id": "HP:0000252", "observed": "yes", "label": "label of HP:0000252"},
        {"id": "HP:0001250", "observed": "no", "label": "label of HP:0001250"},
    ]
    assert [one.keys() for one in patient["genomicFeatures"]] == [{"gene"}, {"gene"}], "each gene once, alone"
    assert patient["disorders"] == [{"id": "MIM:614923"}]
    for secret in ("Dublin", "ward", "family", "MALE", "HP:0003577", "31110715", "hospital-number"):
        assert secret not in words(patient), secret
    validate(Patient, patient)


def test_full_shows_all_that_is_known(tiny: Knowledge) -> None:
    patient = shown(CONTENT, Level.FULL, "seen", CONTACT, tiny.genes, lambda _: None)
    assert patient["label"] == "M. from Dublin"
    assert (patient["sex"], patient["ageOfOnset"]) == ("MALE", "HP:0003577")
    assert patient["genomicFeatures"][0]["variant"]["start"] == 31110715
    assert patient["genomicFeatures"][0]["zygosity"] == 2
    assert patient["id"] == "seen"


def test_minimal_shows_what_is_handed_in_as_shared_and_nothing_else() -> None:
    term = {"id": "HP:0000707", "label": "Abnormality of the nervous system"}
    patient = shown_minimal(CONTENT, "seen", CONTACT, [term, term], [{"id": "ENSG1"}])
    assert patient == {
        "id": "seen",
        "contact": CONTACT,
        "test": True,
        "features": [{**term, "observed": "yes"}],
        "genomicFeatures": [{"gene": {"id": "ENSG1"}}],
    }


@pytest.mark.parametrize("level", [Level.MINIMAL, Level.STANDARD])
def test_what_a_level_does_not_show_takes_no_part_in_a_score(tiny: Knowledge, level: Level) -> None:
    """Two cases that differ above the level only have the same profile."""
    plain = patient_json("other", features=[{"id": "HP:0000252"}], genomicFeatures=[{"gene": {"id": "BCKDK"}}])
    more = {
        **plain,
        "sex": "FEMALE",
        "ageOfOnset": "HP:0003577",
        "genomicFeatures": [{"gene": {"id": "BCKDK"}, "variant": variant_json(), "zygosity": 1}],
    }
    if level is Level.MINIMAL:
        more |= {"inheritanceMode": "HP:0000006", "disorders": [{"id": "MIM:614923"}]}
        more["features"] = [{"id": "HP:0000252"}, {"id": "HP:0001250", "observed": "no"}]
    one, other = (tiny.profile_of_content(evidence(validate(Patient, case).to_json(), level)) for case in (plain, more))
    assert one == other


def test_full_evidence_is_all_of_it() -> None:
    assert evidence(CONTENT, Level.FULL) is CONTENT


COLLECTION = Collection.model_validate({"name": "rare", "institution": "Dublin", "contact": CONTACT})


@pytest.mark.parametrize(
    ("sharing", "collection", "expected"),
    [
        (Sharing(Circle.ALL), COLLECTION, "Team"),
        (Sharing(Circle.ALL, own_contact=True), COLLECTION, "Dr Byrne"),
        (Sharing(Circle.ALL), None, "Dr Byrne"),
    ],
)
def test_the_contact_is_the_institutions_unless_the_owner_says_otherwise(
    sharing: Sharing, collection: Collection | None, expected: str
) -> None:
    assert contact_of(CONTENT, sharing, collection)["name"] == expected


def test_one_address_is_shown_of_several() -> None:
    content = {"contact": {"name": "x", "href": "mailto:x@y.z", "email": ["a@b.c", "d@e.f"]}}
    assert contact_of(content, Sharing(), None)["email"] == "a@b.c"


def test_a_peers_id_of_a_case_is_for_life_and_another_peers_is_another() -> None:
    public = "0123456789abcdef0123456789abcdef"
    assert name_for("spain", public) == name_for("spain", public)
    names = {name_for(peer, public) for peer in ("spain", "france", "Spain", "")}
    assert len(names | {public}) == 5
    assert name_for("spain", public[::-1]) not in names
    assert all(len(name) == 32 for name in names)


def asked(sharing: Sharing, content: Any = CONTENT, *, knowledge: Knowledge) -> dict[str, Any] | Withheld:
    return question(content, sharing, "seen", CONTACT, knowledge.genes, lambda _: None)


def genes_of(patient: dict[str, Any] | Withheld) -> list[str]:
    assert not isinstance(patient, Withheld), patient
    return [one["gene"].get("_geneName", one["gene"]["id"]) for one in patient.get("genomicFeatures", ())]


def test_the_owner_chooses_which_genes_leave(real_knowledge: Knowledge) -> None:
    assert genes_of(asked(Sharing(Circle.ALL), knowledge=real_knowledge)) == ["BCKDK", "TTN"]
    assert genes_of(asked(Sharing(Circle.ALL, genes=("ttn",)), knowledge=real_knowledge)) == ["TTN"]
    assert genes_of(asked(Sharing(Circle.ALL, genes=()), knowledge=real_knowledge)) == []
    full = asked(Sharing(Circle.ALL, Level.FULL, genes=("TTN",)), knowledge=real_knowledge)
    assert "31110715" not in words(full)


def test_of_more_than_ten_genes_none_leaves_before_the_owner_has_chosen(real_knowledge: Knowledge) -> None:
    genes = ("A1BG", "A2M", "NAT1", "NAT2", "AADAC", "AAMP", "AANAT", "AARS1", "ABAT", "ABCA1", "ABCA2")
    many = {**CONTENT, "genomicFeatures": [{"gene": {"id": gene}} for gene in genes]}
    withheld = asked(Sharing(Circle.ALL), many, knowledge=real_knowledge)
    assert isinstance(withheld, Withheld)
    assert "11 candidate genes" in withheld.reason
    assert len(genes_of(asked(Sharing(Circle.ALL, genes=genes[:10]), many, knowledge=real_knowledge))) == 10


def test_a_question_at_minimal_is_genes_and_contact(real_knowledge: Knowledge) -> None:
    patient = asked(Sharing(Circle.ALL, Level.MINIMAL), knowledge=real_knowledge)
    assert not isinstance(patient, Withheld)
    assert patient.keys() == {"id", "contact", "genomicFeatures", "test"}
    without = {key: value for key, value in CONTENT.items() if key != "genomicFeatures"}
    assert isinstance(asked(Sharing(Circle.ALL, Level.MINIMAL), without, knowledge=real_knowledge), Withheld)
    nothing = {key: value for key, value in CONTENT.items() if key != "features"}
    assert isinstance(asked(Sharing(Circle.ALL, genes=()), nothing, knowledge=real_knowledge), Withheld)
