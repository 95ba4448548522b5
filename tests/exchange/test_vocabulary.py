"""Which term would sharpen a case most: never one that is there, nor one that is denied."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaker.exchange.vocabulary import sharper
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from tests.samples import official_patients, patient_json
from tests.tiny_world import TREE, tiny_knowledge

TINY = tiny_knowledge()
PHENOTYPES = sorted(set(TREE) - {"HP:0000001", "HP:0000005"})


def of(observed: list[str], denied: list[str] | None = None) -> Patient:
    features = [{"id": one} for one in observed] + [{"id": one, "observed": "no"} for one in denied or []]
    return validate(Patient, patient_json(features=features))


def test_the_term_with_the_most_telling_children_comes_first(tiny: Knowledge) -> None:
    """Vision 20 of 100, low vision 15: ln(20/15) is under half a nat. Nervous system 60: 30 and 25 below it."""
    first, second = sharper(of(["HP:0000707", "HP:0000478"]), tiny)
    assert {first.term, second.term} == {"HP:0000707", "HP:0000478"}
    gains = {first.term: dict(first.children), second.term: dict(second.children)}
    assert gains["HP:0000478"] == {"HP:0000504": pytest.approx(math.log(50 / 20), abs=0.02)}
    assert gains["HP:0000707"] == {
        "HP:0001250": pytest.approx(math.log(60 / 30), abs=0.02), "HP:0012443": pytest.approx(math.log(60 / 25), abs=0.02),
    }  # fmt: skip
    assert first.term == "HP:0000707", "two questions that each tell something are more than one"
    assert sharper(of(["HP:0000504"]), tiny) == (), "a child that tells little more is no hint"


def test_a_term_that_is_said_better_already_is_not_asked_about(tiny: Knowledge) -> None:
    assert [one.term for one in sharper(of(["HP:0001250", "HP:0000707"]), tiny)] == ["HP:0001250"]
    assert sharper(of(["HP:0002373"]), tiny) == ()


def test_a_term_that_is_stated_or_denied_is_never_proposed(tiny: Knowledge) -> None:
    (only,) = sharper(of(["HP:0000707"], ["HP:0001250"]), tiny)
    assert [child for child, _ in only.children] == ["HP:0012443"]
    assert sharper(of(["HP:0001250"], ["HP:0002373"]), tiny) == ()


def test_nothing_is_proposed_of_what_is_denied_or_unknown(tiny: Knowledge) -> None:
    assert sharper(of([], ["HP:0000707"]), tiny) == ()
    assert sharper(of(["HP:9999999"]), tiny) == ()
    assert sharper(of(["HP:0000005"]), tiny) == (), "a mode of inheritance is no phenotype"


def test_an_old_id_of_a_term_counts_as_the_term(tiny: Knowledge) -> None:
    (only,) = sharper(of(["HP:0012443", "HP:0000707"], ["HP:0001250"]), tiny)
    assert [child for child, _ in only.children] == ["HP:0000252"]
    assert sharper(of(["HP:0012443"], ["HP:0009999"]), tiny) == (), "denied under its old id"


@given(st.lists(st.sampled_from(PHENOTYPES), unique=True), st.lists(st.sampled_from(PHENOTYPES), unique=True))
def test_each_proposal_is_new_below_an_observed_term_and_worth_asking(observed: list[str], denied: list[str]) -> None:
    denied = [one for one in denied if one not in observed]
    patient = of(observed, denied)
    for hint in sharper(patient, TINY):
        assert hint.term in observed
        assert 0 < len(hint.children) <= 4
        for child, gain in hint.children:
            assert child not in {*observed, *denied}
            assert hint.term in TREE[child][1]
            assert gain >= 0.5


def test_real_cases_get_hints_about_their_own_terms_only(real_knowledge: Knowledge) -> None:
    hinted = 0
    for told in official_patients():
        patient = validate(Patient, told)
        stated = {real_knowledge.ontology.canonical(one.id) for one in patient.features}
        for hint in sharper(patient, real_knowledge):
            hinted += 1
            assert hint.term in stated
            assert not stated & {child for child, _ in hint.children}
    assert hinted > 20
