"""Who may learn of a case, what of it they see, and whom it may be sent to."""

import pytest

from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.policy.consent import may_ask, may_learn, outward
from matchmaker.records.case import Audience, Case, Sharing
from matchmaker.records.party import Client, Peer, Role
from tests.samples import patient_json

OWNER = Client("dublin", Role.DEPOSITOR, "x")
NEIGHBOUR = Client("cork", Role.DEPOSITOR, "x")
FOREIGN_USER = Client("guest", Role.DEPOSITOR, "x", country="ES")
IRISH_NODE = Client("galway", Role.NODE, "x", country="IE")
SPANISH_NODE = Client("spain", Role.NODE, "x", country="ES")
NOWHERE_NODE = Client("somewhere", Role.NODE, "x")
NODE_OF_THE_OWNERS_NAME = Client("dublin", Role.NODE, "x", country="ES")


@pytest.mark.parametrize(
    ("asker", "none", "country", "everybody"),
    [
        (OWNER, True, True, True),
        (NEIGHBOUR, False, True, True),
        (FOREIGN_USER, False, False, True),
        (IRISH_NODE, False, True, True),
        (SPANISH_NODE, False, False, True),
        (NOWHERE_NODE, False, False, True),
        (NODE_OF_THE_OWNERS_NAME, False, False, True),
    ],
    ids=lambda value: value.name if isinstance(value, Client) else "",
)
def test_an_asker_learns_of_what_is_shared_with_it(asker: Client, none: bool, country: bool, everybody: bool) -> None:
    expected = {Sharing.NONE: none, Sharing.COUNTRY: country, Sharing.ALL: everybody}
    for sharing, allowed in expected.items():
        assert may_learn(asker, Audience("dublin", sharing, test=False), "IE", test_query=False) is allowed


def test_without_a_country_of_its_own_a_node_shares_with_no_country() -> None:
    audience = Audience("dublin", Sharing.COUNTRY, test=False)
    assert not may_learn(NEIGHBOUR, audience, None, test_query=False)
    assert not may_learn(NOWHERE_NODE, audience, None, test_query=False)


@pytest.mark.parametrize("asker", [OWNER, SPANISH_NODE], ids=["owner", "peer"])
def test_only_test_queries_see_test_cases(asker: Client) -> None:
    audience = Audience("dublin", Sharing.ALL, test=True)
    assert not may_learn(asker, audience, "IE", test_query=False)
    assert may_learn(asker, audience, "IE", test_query=True)


def case(sharing: Sharing = Sharing.ALL, **changes: object) -> Case:
    patient = validate(Patient, patient_json("hospital-number-7", label="M. from Dublin", **changes))
    return Case("dublin", patient.id, "public", sharing, patient, 0, 0, 1)


@pytest.mark.parametrize(
    ("sharing", "country", "allowed"),
    [("all", "ES", True), ("country", "ES", False), ("country", "IE", True), ("none", "IE", False)],
)
def test_a_case_is_sent_only_to_whom_it_is_shared_with(sharing: str, country: str, allowed: bool) -> None:
    assert may_ask(case(Sharing(sharing)), Peer("x", "https://x", country, "f"), "IE") is allowed


def test_others_never_see_the_owners_id_or_label(tiny: Knowledge) -> None:
    shown = outward(case(), tiny.genes)
    assert shown.id == "public"
    assert "hospital-number-7" not in str(shown.to_json())
    assert "Dublin" not in str(shown.to_json())


@pytest.mark.parametrize(
    ("given", "shown", "name"),
    [
        ("BCKDK", "ENSG00000103507", "BCKDK"),
        ("10295", "ENSG00000103507", "BCKDK"),
        ("ENSG00000103507.9", "ENSG00000103507", "BCKDK"),
        ("ENSG00000283186", "ENSG00000283186", "TTN"),
        ("BDK", "BDK", None),
        ("NOBODYKNOWS", "NOBODYKNOWS", None),
    ],
)
def test_genes_go_out_by_ensembl_id_with_their_symbol(tiny: Knowledge, given: str, shown: str, name: str) -> None:
    gene = outward(case(genomicFeatures=[{"gene": {"id": given}}]), tiny.genes).genomic_features[0].gene
    assert (gene.id, gene.name) == (shown, name)


def test_one_email_goes_out_as_1_1_has_it(tiny: Knowledge) -> None:
    contact = {"name": "x", "href": "mailto:a@b.example", "email": ["a@b.example", "c@d.example"]}
    shown = outward(case(contact=contact), tiny.genes)
    assert shown.to_json()["contact"]["email"] == "a@b.example"


def test_nothing_of_a_withdrawn_case_is_shown(tiny: Knowledge) -> None:
    with pytest.raises(ValueError, match="withdrawn"):
        outward(Case("dublin", "x", "public", Sharing.ALL, None, 0, 0, 1), tiny.genes)
