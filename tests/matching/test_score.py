"""The score of whole patients, as search-api lets them be written."""

from typing import Any

import pytest

from matchmaker.genome.variants import Locus, variant_key
from matchmaker.matching.calibration import CEILING
from matchmaker.matching.genotype import PRIOR_ODDS, SAME_GENE
from matchmaker.matching.profile import Knowledge
from matchmaker.matching.score import score
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from tests.samples import patient_json, variant_json


def patient(**changes: Any) -> Patient:
    return validate(Patient, patient_json(**changes))


def value(knowledge: Knowledge, one: Patient, other: Patient) -> float:
    return score(knowledge.profile(one), knowledge.profile(other), knowledge.information, knowledge.calibration).value


def gene(gene_id: str, **variant: Any) -> list[dict[str, Any]]:
    return [{"gene": {"id": gene_id}, **({"variant": variant_json(**variant)} if variant else {})}]


ALONE = PRIOR_ODDS * (1 + SAME_GENE) / (1 + PRIOR_ODDS * (1 + SAME_GENE))  # a shared gene and nothing else
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
    assert values[0] == pytest.approx(ALONE)
    odds = PRIOR_ODDS * (1 + SAME_GENE / 121**1.25)
    assert values[3] == pytest.approx(odds / (1 + odds)), "ten on either side"
    one_sided = [value(real_knowledge, lists("MINE", n), lists("THEIRS", 0)) for n in (0, 1, 5, 50)]
    assert one_sided == sorted(set(one_sided), reverse=True), "a long list of one case is enough"


def test_a_shared_variant_counts_in_the_longest_list(real_knowledge: Knowledge) -> None:
    many = [{"gene": {"id": f"OTHER{number}"}} for number in range(200)]
    one = patient(features=None, genomicFeatures=[*many, *gene("BCKDK", start=31110715)])
    other = patient(features=None, genomicFeatures=[*many[:100], *gene("BCKDK", start=31110715)])
    assert value(real_knowledge, one, other) > 0.95


def in_gene(*features: dict[str, Any], **changes: Any) -> Patient:
    """A patient without phenotypes, all of whose features are in BCKDK."""
    return patient(features=None, genomicFeatures=[{"gene": {"id": "BCKDK"}, **one} for one in features], **changes)


def snv(start: int, zygosity: int | None = None) -> dict[str, Any]:
    return {"variant": variant_json(start=start, end=None), **({"zygosity": zygosity} if zygosity else {})}


def deletion(start: int, end: int, allele: str | None = None) -> dict[str, Any]:
    told = {"assembly": "GRCh38", "referenceName": "16", "start": start, "end": end}
    return {"variant": {**told, **({"alternateBases": allele} if allele else {})}}


def test_two_variants_in_one_gene_count_for_more_than_one(real_knowledge: Knowledge) -> None:
    both, first = in_gene(snv(31110715), snv(31110800)), in_gene(snv(31110715))
    other = in_gene(snv(31110715), snv(31110900))
    assert (
        value(real_knowledge, both, both)
        > value(real_knowledge, both, other)
        > value(real_knowledge, both, in_gene({}))
    )
    assert value(real_knowledge, both, both) > value(real_knowledge, first, first) > 0.95


def test_a_structural_variant_counts_by_its_reciprocal_overlap(real_knowledge: Knowledge) -> None:
    asked = in_gene(deletion(31_100_000, 31_200_000))
    ends = (31_200_000, 31_190_000, 31_175_000, 31_160_000, 31_150_000, 31_110_000)
    values = [value(real_knowledge, asked, in_gene(deletion(31_100_000, end))) for end in ends]
    assert values[:5] == sorted(set(values[:5]), reverse=True)
    assert values[0] > 0.95
    assert values[4] == values[5] == value(real_knowledge, asked, in_gene({})), "half in common is as good as none"
    wide = in_gene(deletion(30_000_000, 33_000_000))
    assert value(real_knowledge, asked, wide) == values[5], "a small one within a large one is another event"


def test_structural_variants_of_another_kind_are_not_the_same(real_knowledge: Knowledge) -> None:
    lost = in_gene(deletion(31_100_000, 31_200_000, "<DEL>"))
    doubled = in_gene(deletion(31_100_000, 31_200_000, "<DUP>"))
    assert value(real_knowledge, lost, lost) > 0.95
    assert value(real_knowledge, lost, doubled) == value(real_knowledge, lost, in_gene({}))


def test_copies_inheritance_and_onset_count_for_a_little(real_knowledge: Knowledge) -> None:
    asked = in_gene(snv(31110715, 2), inheritanceMode="HP:0000007", ageOfOnset="HP:0003593")
    silent = value(real_knowledge, asked, in_gene(snv(31110800)))
    heterozygous: tuple[int | None, int | None] = (2, 1)
    for zygosities, field, terms in (
        (heterozygous, "label", ("x", "y")),
        ((None, None), "inheritanceMode", ("HP:0000007", "HP:0000006")),
        ((None, None), "ageOfOnset", ("HP:0003593", "HP:0003581")),
    ):
        more, less = (
            value(real_knowledge, asked, in_gene(snv(31110800, zygosity), **{field: term}))
            for zygosity, term in zip(zygosities, terms, strict=True)
        )
        assert less < silent < more < 1.5 * silent
    next_age = in_gene(snv(31110800), ageOfOnset="HP:0003623")
    assert value(real_knowledge, asked, next_age) == silent, "neighbouring ages tell nothing"
    assert silent < value(real_knowledge, asked, in_gene(snv(31110715))) / 5, "a variant tells far more"


def test_a_diagnosis_in_common_counts_for_a_little(real_knowledge: Knowledge) -> None:
    one = patient(disorders=[{"id": "MIM:614923"}])
    without = value(real_knowledge, one, patient())
    assert without < value(real_knowledge, one, one) < 2 * without + 0.01


def test_different_genes_are_no_evidence_with_or_without_variants(real_knowledge: Knowledge) -> None:
    one = patient(features=None, genomicFeatures=gene("BCKDK", start=31110715))
    other = patient(features=None, genomicFeatures=gene("TTN", start=31110715))
    assert value(real_knowledge, one, other) == 0.0


def test_a_gene_is_shared_under_any_of_its_names(real_knowledge: Knowledge) -> None:
    one = patient(features=None, genomicFeatures=gene("BCKDK"))
    for name in ("ENSG00000103507.14", "10295", "BCKDKD", "HGNC:16902"):
        assert value(real_knowledge, one, patient(features=None, genomicFeatures=gene(name))) == pytest.approx(ALONE)


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
    assert score(profile, profile, tiny.information, tiny.calibration).genotype == pytest.approx(ALONE)
    assert (
        score(
            profile, tiny.profile(patient(genomicFeatures=gene("BCKDK"))), tiny.information, tiny.calibration
        ).genotype
        == 0.0
    )
    assert profile.notes == ("BDK is an alias of several genes (BCKDK, KNG1); it is compared as written",)


def test_a_gene_that_nobody_knows_matches_itself_and_is_said_so(tiny: Knowledge) -> None:
    profile = tiny.profile(patient(genomicFeatures=gene("BCKDDK")))
    assert score(profile, profile, tiny.information, tiny.calibration).genotype == pytest.approx(ALONE)
    assert profile.notes == ("BCKDDK is no gene known here; it matches only itself",)


def test_phenotypes_alone_never_promise_more_than_a_half(real_knowledge: Knowledge) -> None:
    everything = [{"id": term} for term in real_knowledge.ontology.ids[2_000:3_000]]
    alike = patient(features=everything, genomicFeatures=None)
    assert 0.4 < value(real_knowledge, alike, alike) < CEILING


@pytest.mark.parametrize("term", ["HP:0003577", "HP:0000006", "HP:0000118"])
def test_onset_and_inheritance_are_no_phenotypes(real_knowledge: Knowledge, term: str) -> None:
    one = patient(features=[{"id": term}], genomicFeatures=None)
    assert value(real_knowledge, one, one) == 0.0
