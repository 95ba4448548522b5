"""The same variant is the same key, however it is written and on whichever assembly."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaker.genome.variants import ChainLift, ChainUnreadable, Locus, variant_key
from matchmaker.matching.profile import Knowledge
from tests.tiny_world import NoLift

EFTUD2_37 = Locus("GRCh37", "17", 42929130, 42929131, "G", "A")  # of official test patient P0000079
EFTUD2_38 = Locus("GRCh38", "17", 44851762, 44851763, "G", "A")
BASES = st.text("ACGT", min_size=1, max_size=4)


def test_a_variant_is_the_same_on_both_assemblies(real_knowledge: Knowledge) -> None:
    assert variant_key(EFTUD2_37, real_knowledge.lift) == variant_key(EFTUD2_38, real_knowledge.lift)
    assert variant_key(replace(EFTUD2_37, assembly="GRCh37.p13"), real_knowledge.lift) == variant_key(
        replace(EFTUD2_38, assembly="GRCh38.p1"), real_knowledge.lift
    )


@given(st.integers(0, 10**8), BASES, BASES)
def test_end_makes_no_difference_where_the_bases_say_it(start: int, reference: str, alternate: str) -> None:
    given_end = Locus("GRCh38", "1", start, start + len(reference), reference, alternate)
    assert variant_key(given_end, NoLift()) == variant_key(replace(given_end, end=None), NoLift())


@given(st.integers(10, 10**8), BASES, BASES, BASES, BASES)
def test_padding_makes_no_difference(start: int, reference: str, alternate: str, before: str, after: str) -> None:
    bare = Locus("GRCh38", "1", start, None, reference, alternate)
    padded = Locus("GRCh38", "1", start - len(before), None, before + reference + after, before + alternate + after)
    if reference != alternate:
        one, other = variant_key(bare, NoLift()), variant_key(padded, NoLift())
        assert (len(one.reference), len(one.alternate)) == (len(other.reference), len(other.alternate))
        # An indel may slide left along equal bases: without the reference genome only the padding shows how far.
        slides = not (one.reference and one.alternate) and (one.reference + one.alternate)[-1] == before[-1]
        assert one == other or slides


@pytest.mark.parametrize(
    "other",
    [
        replace(EFTUD2_38, start=44851763),
        replace(EFTUD2_38, alternate="T"),
        replace(EFTUD2_38, chromosome="16"),
        replace(EFTUD2_38, reference="", alternate=""),
    ],
)
def test_another_variant_has_another_key(real_knowledge: Knowledge, other: Locus) -> None:
    assert variant_key(other, real_knowledge.lift) != variant_key(EFTUD2_38, real_knowledge.lift)


def test_an_insertion_is_the_same_padded_or_not() -> None:
    keys = {
        variant_key(Locus("GRCh38", "1", 99, None, "G", "GA"), NoLift()),
        variant_key(Locus("GRCh38", "1", 100, None, "-", "A"), NoLift()),
        variant_key(Locus("GRCh38", "1", 100, 100, "", "A"), NoLift()),
        variant_key(Locus("GRCh38", "1", 100, 101, "", "A"), NoLift()),
    }
    assert len(keys) == 1


def test_an_allele_that_is_a_kind_is_compared_by_its_extent() -> None:
    deletion = Locus("GRCh38", "1", 1_000_000, 1_010_000, "N", "<DEL>")
    same = variant_key(deletion, NoLift())
    assert same == variant_key(replace(deletion, reference="A"), NoLift())
    assert same == variant_key(replace(deletion, reference=""), NoLift())
    assert same != variant_key(replace(deletion, end=1_900_000), NoLift())
    assert same != variant_key(replace(deletion, alternate="<DUP>"), NoLift())


class Reversing:
    """A chain on which position p of GRCh37 is 1000 - p of GRCh38, on the other strand."""

    def position(self, chromosome: str, start: int) -> tuple[str, int, bool] | None:
        return chromosome, 1000 - start, True


def test_a_reversed_stretch_turns_the_bases() -> None:
    lifted = variant_key(Locus("GRCh37", "1", 100, None, "AC", "T"), Reversing())
    assert lifted == variant_key(Locus("GRCh38", "1", 899, None, "GT", "A"), NoLift())


def test_an_insertion_on_a_reversed_stretch_lies_on_the_other_side_of_its_base() -> None:
    padded = variant_key(Locus("GRCh37", "1", 100, None, "G", "GA"), Reversing())
    bare = variant_key(Locus("GRCh37", "1", 101, None, "-", "A"), Reversing())
    assert padded == bare
    assert (padded.start, padded.reference, padded.alternate) == (900, "", "T")


def test_what_the_chain_does_not_reach_stays_equal_to_itself(real_knowledge: Knowledge) -> None:
    beyond = Locus("GRCh37", "1", 5, None, "A", "C")
    assert variant_key(beyond, real_knowledge.lift) == variant_key(replace(beyond, end=6), real_knowledge.lift)
    assert variant_key(beyond, real_knowledge.lift).assembly == "GRCh37"
    old = Locus("NCBI36", "17", 42929130, None, "G", "A")
    assert variant_key(old, real_knowledge.lift).assembly == "NCBI36"


def test_the_mitochondrion_has_two_names(real_knowledge: Knowledge) -> None:
    one, other = Locus("GRCh38", "MT", 1630, None, "A", "G"), Locus("GRCh38", "M", 1630, None, "A", "G")
    assert variant_key(one, real_knowledge.lift) == variant_key(other, real_knowledge.lift)


def test_a_chain_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ChainUnreadable, match="missing"):
        ChainLift(tmp_path / "missing.chain.gz")
    bad = tmp_path / "bad.chain.gz"
    whole = gzip.compress(b"chain 1 1 100 + 0 100 1 100 + 0 100 1\n100\n")
    for content in (b"rubbish", b"", gzip.compress(b""), gzip.compress(b"chained"), whole[:-9]):
        bad.write_bytes(content)
        with pytest.raises(ChainUnreadable, match=r"bad\.chain"):
            ChainLift(bad)
