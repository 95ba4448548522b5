"""What a clinician types is the exchange's variant, and can be shown and read again."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.intake.variants import read_variant, shown_variant
from matchmaker.mme.errors import InvalidRequest
from matchmaker.mme.patient import Variant
from matchmaker.mme.validation import validate


def read(text: str) -> tuple[object, ...]:
    v = read_variant(text)
    return v.assembly, v.reference_name, v.start, v.end, v.reference_bases, v.alternate_bases


def refused(text: str) -> str:
    with pytest.raises(InvalidRequest) as error:
        read_variant(text)
    (problem,) = error.value.problems
    assert problem.path == "variant"
    return problem.message


@pytest.mark.parametrize(
    "text",
    [
        "GRCh38 16-31119500-C-T",
        "GRCh38:16-31119500-C-T",
        "grch38: chr16-31119500-C-T",
        "hg38 chr16:31119500 C>T",
        "GRCh38:chr16:31119500:C:T",
        "hg38 16:31119500C>T",
        "GRCh38 16:g.31119500C>T",
        "GRCh38 16-31119500-C>T",
        " GRCh38\t16-31119500-C-T \n",
        "GRCh38 16 31119500 C T",
    ],
)
def test_every_way_of_writing_it_is_the_same_variant(text: str) -> None:
    assert read(text) == ("GRCh38", "16", 31119499, 31119500, "C", "T")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hg19 X-1-A-G", ("GRCh37", "X", 0, 1, "A", "G")),
        ("b37 chrx-1-A-G", ("GRCh37", "X", 0, 1, "A", "G")),
        ("hg18 MT-5-A-G", ("NCBI36", "MT", 4, 5, "A", "G")),
        ("GRCh38.p13 1-5-A-G", ("GRCh38.p13", "1", 4, 5, "A", "G")),
        ("GRCh38 16-100-GCA-G", ("GRCh38", "16", 99, 102, "GCA", "G")),
        ("GRCh38 16-100-G-GTT", ("GRCh38", "16", 99, 100, "G", "GTT")),
        ("GRCh38 16:101-200 <DEL>", ("GRCh38", "16", 100, 200, None, "<DEL>")),
        ("GRCh38 16:101-200 N><DUP>", ("GRCh38", "16", 100, 200, "N", "<DUP>")),
        ("GRCh38 16:101-200", ("GRCh38", "16", 100, 200, None, None)),
    ],
)
def test_the_end_follows_from_the_reference_unless_it_is_written(text: str, expected: tuple[object, ...]) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("16:g.31119500C>T", "needs an assembly in front"),
        ("16-31119500-C-T", "needs an assembly in front"),
        ("GRCh38 16-0-C-T", "counted from 1"),
        ("GRCh38 16-9999999999-C-T", "less than or equal"),
        ("GRCh38 23-5-C-T", "expected an assembly, chromosome"),
        ("GRCh38 16-5-C", "expected an assembly, chromosome"),
        ("GRCh38 16-5", "expected an assembly, chromosome"),
        ("GRCh38 16-5-C-J", "expected an assembly, chromosome"),
        ("GRCh38 16:200-100 <DEL>", "end is before start"),
        ("T2T 16-5-C-T", "expected an assembly, chromosome"),
        ("NM_005881.4:c.1036C>T", "in a transcript"),
        ("BCKDK p.Arg346*", "in a transcript"),
        ("GRCh38 16:g.31119500delC", "deletions and insertions as in VCF"),
        ("GRCh38 16:g.31119500_31119501insA", "deletions and insertions as in VCF"),
        ("GRCh38 16-5-C-" + "T" * 200_000, "at most 100000"),
        ("GRCh38 16-5-C-\x00", "expected an assembly"),
        ("<script>alert(1)</script>", "expected an assembly"),
        ("=cmd|' /C calc'!A0", "expected an assembly"),
    ],
)
def test_what_is_no_variant_is_refused_with_its_reason(text: str, said: str) -> None:
    assert said in refused(text)


BASES = st.text("ACGTN", min_size=1, max_size=8)
CHROMOSOMES = st.sampled_from([*map(str, range(1, 23)), "X", "Y", "MT", "M"])
ASSEMBLIES = st.sampled_from(["NCBI36", "GRCh37", "GRCh38", "GRCh37.p13", "GRCh38.p1"])
STARTS = st.integers(0, 2**31 - 20)


@given(ASSEMBLIES, CHROMOSOMES, STARTS, BASES, BASES)
def test_a_variant_with_bases_shown_is_read_as_itself(
    assembly: str, chromosome: str, start: int, reference: str, alternate: str
) -> None:
    """The property: read_variant(shown_variant(v)) == v."""
    variant = validate(
        Variant,
        {
            "assembly": assembly,
            "referenceName": chromosome,
            "start": start,
            "end": start + len(reference),
            "referenceBases": reference,
            "alternateBases": alternate,
        },
    )
    assert shown_variant(variant) == f"{assembly} {chromosome}-{start + 1}-{reference}-{alternate}"
    assert read_variant(shown_variant(variant)) == variant


@given(
    STARTS,
    st.integers(0, 19),
    st.sampled_from([None, "A", "acg", ".", "-"]),
    st.sampled_from([None, "T", "<DEL>", "<DUP:TANDEM>", "*", "-"]),
)
def test_a_span_shown_is_read_as_itself(start: int, length: int, reference: str | None, alternate: str | None) -> None:
    variant = Variant(
        assembly="GRCh38",
        reference_name="7",
        start=start,
        end=start + length,
        reference_bases=reference,
        alternate_bases=alternate,
    )
    assert read_variant(shown_variant(variant)) == variant


@pytest.mark.parametrize(
    ("start", "expected"), [(None, "GRCh38 7"), (4, "GRCh38 7:5"), (0, "GRCh38 7:1")]
)  # fmt: skip
def test_a_variant_of_little_content_can_still_be_shown(start: int | None, expected: str) -> None:
    assert shown_variant(Variant(assembly="GRCh38", reference_name="7", start=start)) == expected


PIECES = st.sampled_from(
    ["GRCh38", "hg19", " ", ":", "-", "chr", "16", "X", "g.", "c.", "100", ">", "<DEL>", "A", "\x00"]
)


@settings(max_examples=300)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join)))
def test_nothing_is_raised_but_what_is_promised(text: str) -> None:
    try:
        variant = read_variant(text)
    except InvalidRequest as error:
        assert [problem.path for problem in error.problems] == ["variant"]
    else:
        assert read_variant(shown_variant(variant)) == variant
