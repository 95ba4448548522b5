"""The score of whole patients, as search-api lets them be written."""

from typing import Any

import pytest

from matchmaker.genome.variants import Locus, variant_key
from matchmaker.matching.profile import Knowledge
from matchmaker.matching.score import PHENOTYPE_CEILING, score
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from tests.samples import patient_json, variant_json


def patient(**changes: Any) -> Patient:
    return validate(Patient, patient_json(**changes))


def value(knowledge: Knowledge, one: Patient, other: Patient) -> float:
    return score(knowledge.profile(one), knowledge.profile(other), knowledge.information).value


def gene(gene_id: str, **variant: Any) -> list[dict[str, Any]]:
    return [{"gene": {"id": gene_id}, **({"variant": variant_json(**variant)} if variant else {})}]


COMMON = [{"id": "HP:0001263"}]


def test_the_same_phenotypes_gene_and_variant_score_above_95(real_knowledge: Knowledge) -> None:
    for features in (COMMON, [{"id": "HP:0000707"}], [{"id": "HP:0000252"}, {"id": "HP:0500132"}]):
        same = patient(features=features, genomicFeatures=gene("BCKDK", start=31110715))
        assert value(real_knowledge, same, same) > 0.95


def test_the_same_gene_without_the_same_variant_is_weaker_evidence(real_knowledge: Knowledge) -> None:
    one = patient(genomicFeatures=gene("BCKDK", start=31110715))
    same_variant = value(real_knowledge, one, patient(genomicFeatures=gene("BCKDK", start=31110715)))
    other_variant = value(real_knowledge, one, patient(genomicFeatures=gene("BCKDK", start=31110800, end=None)))
    no_variant = value(real_knowledge, one, patient(genomicFeatures=gene("BCKDK")))
    other_gene = value(real_knowledge, one, patient(genomicFeatures=gene("TTN")))
    assert same_variant > other_variant == no_variant > other_gene


def test_a_shared_gene_counts_the_less_the_more_unshared_ones_stand_in_both_lists(real_knowledge: Knowledge) -> None:
    def lists(prefix: str, length: int) -> Patient:
        names = ["BCKDK", *(f"{prefix}{number}" for number in range(length))]
        return patient(features=None, genomicFeatures=[{"gene": {"id": name}} for name in names])

    values = [value(real_knowledge, lists("MINE", n), lists("THEIRS", n)) for n in (0, 1, 5, 10, 20, 50)]
    assert values == sorted(set(values), reverse=True)
    assert values[0] == 0.5
    assert values[3] == 0.25
    assert value(real_knowledge, lists("MINE", 50), lists("THEIRS", 0)) == 0.5, "one list alone is no chance"


def test_a_shared_variant_counts_in_the_longest_list(real_knowledge: Knowledge) -> None:
    many = [{"gene": {"id": f"OTHER{number}"}} for number in range(200)]
    one = patient(features=None, genomicFeatures=[*many, *gene("BCKDK", start=31110715)])
    other = patient(features=None, genomicFeatures=[*many[:100], *gene("BCKDK", start=31110715)])
    assert value(real_knowledge, one, other) > 0.95


def test_different_genes_are_no_evidence_with_or_without_variants(real_knowledge: Knowledge) -> None:
    one = patient(features=None, genomicFeatures=gene("BCKDK", start=31110715))
    other = patient(features=None, genomicFeatures=gene("TTN", start=31110715))
    assert value(real_knowledge, one, other) == 0.0


def test_a_gene_is_shared_under_any_of_its_names(real_knowledge: Knowledge) -> None:
    one = patient(features=None, genomicFeatures=gene("BCKDK"))
    for name in ("ENSG00000103507.14", "10295", "BCKDKD", "HGNC:16902"):
        assert value(real_knowledge, one, patient(features=None, genomicFeatures=gene(name))) == 0.5


def test_a_variant_is_shared_across_assemblies_with_and_without_its_end(real_knowledge: Knowledge) -> None:
    old = {"assembly": "GRCh37", "referenceName": "17", "start": 42929130, "referenceBases": "G", "alternateBases": "A"}
    new = {**old, "assembly": "GRCh38", "start": 44851762, "end": None}
    one = patient(genomicFeatures=gene("EFTUD2", **{**old, "end": 42929131}))
    other = patient(genomicFeatures=gene("EFTUD2", **new))
    assert value(real_knowledge, one, other) > 0.95
    assert variant_key(Locus("GRCh38", "17", 44851762), real_knowledge.lift).start == 44851762


def test_nothing_shared_scores_nothing(real_knowledge: Knowledge) -> None:
    one = patient(features=[{"id": "HP:0001250"}], genomicFeatures=gene("BCKDK"))
    other = patient(features=[{"id": "HP:0000504"}], genomicFeatures=gene("TTN"))
    assert value(real_knowledge, one, other) == 0.0


def test_a_negated_term_never_counts_as_present(real_knowledge: Knowledge) -> None:
    negated = patient(features=[{"id": "HP:0000252", "observed": "no"}, {"id": "HP:0001250"}], genomicFeatures=None)
    shown = patient(features=[{"id": "HP:0000252"}], genomicFeatures=None)
    assert value(real_knowledge, negated, shown) == value(
        real_knowledge, patient(features=[{"id": "HP:0001250"}], genomicFeatures=None), shown
    )
    both = patient(features=[{"id": "HP:0000252"}, {"id": "HP:0000252", "observed": "no"}], genomicFeatures=None)
    assert value(real_knowledge, both, shown) == 0.0


def test_a_negated_term_does_not_count_though_another_implies_it(real_knowledge: Knowledge) -> None:
    child = {"id": "HP:0010819"}  # atonic seizure, below seizure
    denied = real_knowledge.profile(patient(features=[child, {"id": "HP:0001250", "observed": "no"}]))
    assert real_knowledge.ontology.number("HP:0001250") not in denied.closure
    assert real_knowledge.ontology.number("HP:0001250") in real_knowledge.profile(patient(features=[child])).closure


def test_without_any_phenotype_the_same_gene_and_variant_score_above_95(real_knowledge: Knowledge) -> None:
    for features in (None, [{"id": "HP:9999999"}], [{"id": "HP:0000118"}]):
        same = patient(features=features, genomicFeatures=gene("BCKDK", start=31110715))
        assert value(real_knowledge, same, same) > 0.95


def test_unknown_terms_are_left_out_and_said_so(real_knowledge: Knowledge) -> None:
    known = patient(features=[{"id": "HP:0000252"}])
    profile = real_knowledge.profile(patient(features=[{"id": "HP:0000252"}, {"id": "HP:9999999"}]))
    assert profile.observed == real_knowledge.profile(known).observed
    assert profile.notes == ("HP:9999999 is no term of HPO 2025-05-06; left out of the score",)


def test_an_ambiguous_gene_is_compared_as_written_and_said_so(tiny: Knowledge) -> None:
    profile = tiny.profile(patient(genomicFeatures=gene("BDK")))
    assert score(profile, profile, tiny.information).genotype == 0.5
    assert score(profile, tiny.profile(patient(genomicFeatures=gene("BCKDK"))), tiny.information).genotype == 0.0
    assert profile.notes == ("BDK is an alias of several genes (BCKDK, KNG1); it is compared as written",)


def test_a_gene_that_nobody_knows_matches_itself_and_is_said_so(tiny: Knowledge) -> None:
    profile = tiny.profile(patient(genomicFeatures=gene("BCKDDK")))
    assert score(profile, profile, tiny.information).genotype == 0.5
    assert profile.notes == ("BCKDDK is no gene known here; it matches only itself",)


def test_phenotypes_alone_never_promise_more_than_a_half(real_knowledge: Knowledge) -> None:
    everything = [{"id": term} for term in real_knowledge.ontology.ids[2_000:3_000]]
    alike = patient(features=everything, genomicFeatures=None)
    assert 0.4 < value(real_knowledge, alike, alike) < PHENOTYPE_CEILING


@pytest.mark.parametrize("term", ["HP:0003577", "HP:0000006", "HP:0000118"])
def test_onset_and_inheritance_are_no_phenotypes(real_knowledge: Knowledge, term: str) -> None:
    one = patient(features=[{"id": term}], genomicFeatures=None)
    assert value(real_knowledge, one, one) == 0.0
