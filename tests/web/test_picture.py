"""The picture of two cases: well-formed whatever a peer calls its terms, and calm whatever their number."""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.mme.messages import Explanation, RelatedTerms, SharedTerm, ShownTerm
from matchmaker.web.pages.picture import MOST_LONE, MOST_ROWS, NARROW, WIDE, picture, wrapped
from tests.tiny_world import tiny_ontology

ONTOLOGY = tiny_ontology()
ALLOWED = {
    "div": {"class"},
    "svg": {"class", "viewBox", "role", "aria-labelledby"},
    "title": {"id"},
    "desc": {"id"},
    "g": {"class"},
    "path": {"class", "d", "stroke-width"},
    "rect": {"class", "x", "y", "width", "height", "rx"},
    "text": {"class", "x", "y"},
}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "]]></title></svg><svg onload='alert(1)'>",
    "&lt;b&gt; &#x3c; &amp",
    "a\x00b\x1b[2J\ufffe\ud800",
    "\u202egnp.exe",
    "x" * 100_000,
    "%s %(count)d {0}",
    "",
)
EXPLANATION = Explanation(
    shared_terms=(SharedTerm(id="HP:0000252", weight=600),),
    related_terms=(
        RelatedTerms(
            query=ShownTerm(id="HP:0001250"),
            match=ShownTerm(id="HP:0002373"),
            through=ShownTerm(id="HP:0001250"),
            weight=300,
        ),
        RelatedTerms(
            query=ShownTerm(id="HP:0000504"),
            match=ShownTerm(id="HP:0000505"),
            through=ShownTerm(id="HP:0000478"),
            weight=100,
        ),
    ),
)
MINE = ["HP:0009999", "HP:0001250", "HP:0000504", "HP:0012443"]
THEIRS = ["HP:0000252", "HP:0002373", "HP:0000505"]


def named(term: str) -> str:
    return ONTOLOGY.label(term) or term


def drawn(markup: str) -> list[ElementTree.Element]:
    """Parse; check that it holds nothing but what a picture needs; return the wide one and the narrow one."""
    root = ElementTree.fromstring(markup)  # noqa: S314 - what we wrote ourselves is what is tested
    for element in root.iter():
        assert element.attrib.keys() <= ALLOWED[element.tag]
        for name in element.attrib.keys() & {"x", "y", "width", "height", "stroke-width"}:
            assert float(element.attrib[name]) >= 0
    return root.findall("svg")


def texts(svg: ElementTree.Element, kind: str) -> list[str]:
    return [
        " ".join(one.text or "" for one in group.iter("text")) for group in svg.iter("g") if group.get("class") == kind
    ]


def related(number: int, weight: int = 1) -> RelatedTerms:
    mine, theirs, through = (ShownTerm(id=f"{side}:{number}") for side in ("M", "T", "A"))
    return RelatedTerms(query=mine, match=theirs, through=through, weight=weight)


def test_terms_stand_on_their_sides_and_what_joins_them_between() -> None:
    for svg in drawn(picture(ONTOLOGY, MINE, THEIRS, EXPLANATION, str, named)):
        assert texts(svg, "pic-shared") == ["Microcephaly"]
        assert texts(svg, "pic-mine") == ["Seizure", "Abnormality of vision"]
        assert texts(svg, "pic-theirs") == ["Febrile seizure", "Visual impairment"]
        assert texts(svg, "pic-through") == ["Abnormality of the eye"]
        assert texts(svg, "pic-lone") == ["Abnormal brain morphology"]
        shares = [one.text for one in svg.iter("text") if one.get("class") == "pic-share"]
        assert shares == ["60%", "30%", "10%"]


def test_a_term_that_is_itself_the_ancestor_reaches_over_the_middle() -> None:
    wide, _ = drawn(picture(ONTOLOGY, MINE, THEIRS, EXPLANATION, str, named))
    boxes = [one for one in wide.iter("g") if one.get("class") == "pic-mine"]
    widths = [float(box.find("rect").get("width", "")) for box in boxes]  # type: ignore[union-attr]  # each has one
    assert widths == [WIDE.columns[1][1] - 1, WIDE.columns[0][1] - 1]


def test_the_heavier_a_pair_the_thicker_its_line() -> None:
    wide, _ = drawn(picture(ONTOLOGY, MINE, THEIRS, EXPLANATION, str, named))
    thick = [float(one.get("stroke-width", "")) for one in wide.iter("path") if one.get("class") == "pic-line"]
    assert thick == sorted(thick, reverse=True)
    assert thick[0] > thick[-1]


def test_it_is_said_in_words_too_under_ids_of_its_own() -> None:
    both = drawn(picture(ONTOLOGY, MINE, THEIRS, EXPLANATION, str, named, name="first"))
    ids = [one.get("id") for svg in both for one in svg.iter() if one.get("id")]
    assert len(ids) == len(set(ids)) == 4
    for svg in both:
        assert svg.get("role") == "img"
        assert set((svg.get("aria-labelledby") or "").split()) <= set(ids)
        told = svg.findtext("desc") or ""
        assert "both cases show: 1; pairs alike through a common ancestor: 2; terms only in your case: 1" in told
        assert "Both: Microcephaly, 60%. Seizure and Febrile seizure, through Seizure: 30%." in told


def german(text: str) -> str:
    return {"Your case": "Ihr Fall"}.get(text, text)


def test_it_speaks_the_language_of_its_reader() -> None:
    markup = picture(ONTOLOGY, MINE, THEIRS, EXPLANATION, german, named)
    assert "Ihr Fall" in markup
    assert "Your case" not in markup


def test_two_cases_without_terms_are_said_to_share_nothing() -> None:
    for svg in drawn(picture(ONTOLOGY, [], [], Explanation(), str, named)):
        assert [one.text for one in svg.iter("text")] == ["Nothing that tells much is in both."]


def test_of_two_hundred_terms_the_first_are_drawn_and_the_rest_counted() -> None:
    pairs = Explanation(related_terms=tuple(related(number, 200 - number) for number in range(100)))
    mine, theirs = ([f"{side}:{number}" for number in range(200)] for side in ("M", "T"))
    for svg in drawn(picture(ONTOLOGY, mine, theirs, pairs, str, named)):
        assert len(texts(svg, "pic-mine")) == MOST_ROWS
        assert len(texts(svg, "pic-lone")) == 2 * MOST_LONE
        said = [one.text for one in svg.iter("text") if one.get("class") == "pic-soft"]
        assert said == ["and 86 more", "and 92 more", "and 92 more"]


def test_a_pair_told_twice_is_one_row_with_both_weights() -> None:
    first = related(1, 10)
    again = first.model_copy(update={"through": ShownTerm(id="A:2"), "weight": 30})
    wide, _ = drawn(picture(ONTOLOGY, [], [], Explanation(related_terms=(first, again)), str, named))
    assert texts(wide, "pic-through") == ["A:2"]


@pytest.mark.parametrize("weight", [-5, 0, 10**400])
def test_weights_of_a_peer_may_be_anything(weight: int) -> None:
    drawn(picture(ONTOLOGY, [], [], Explanation(related_terms=(related(1, weight), related(2, 3))), str, named))


@pytest.mark.parametrize("label", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_label_is_text_and_nothing_else(label: str) -> None:
    markup = picture(ONTOLOGY, MINE, THEIRS, EXPLANATION, str, lambda _: label)
    drawn(markup)
    assert "\u202e" not in markup
    assert "\x1b" not in markup


def test_a_hostile_id_is_text_too() -> None:
    term = ShownTerm(id=HOSTILE[0])
    explanation = Explanation(related_terms=(RelatedTerms(query=term, match=term, through=term, weight=1),))
    drawn(picture(ONTOLOGY, [HOSTILE[1]], [HOSTILE[2]], explanation, str, lambda term: term))


@settings(deadline=None)  # machines are noisy
@given(label=st.text(max_size=200), other=st.text(max_size=40), translated=st.text(max_size=40))
def test_any_label_is_well_formed_and_whole_in_its_title(label: str, other: str, translated: str) -> None:
    """The title has what was cut, but for what XML cannot hold."""
    names = {"HP:0000252": label, "HP:0002373": other}
    markup = picture(
        ONTOLOGY,
        MINE,
        THEIRS,
        EXPLANATION,
        lambda text: text if "%" in text else translated,
        lambda term: names.get(term, term),
    )
    for svg in drawn(markup):
        whole = [one.findtext("title") or "" for one in svg.iter("g") if one.get("class") == "pic-shared"]
        assert "".join(one for one in label if one.isalnum()) in "".join(one for one in whole[0] if one.isalnum())


@settings(deadline=None)  # machines are noisy
@given(text=st.text(max_size=500), width=st.sampled_from([WIDE.columns[0][1], NARROW.columns[0][1]]))
def test_lines_are_no_more_than_may_be(text: str, width: float) -> None:
    lines = wrapped(text, width, 12, 3)
    assert 1 <= len(lines) <= 3
    assert all(len(line) <= width / 12 / 0.38 + 1 for line in lines)


def test_a_long_word_is_parted_and_a_long_label_ends_in_an_ellipsis() -> None:
    assert wrapped("Hypopigmentation", 83, 12, 4) == ["Hypopigmen-", "tation"]
    assert wrapped("Abnormality of the long bones of the arm", 120, 12, 2)[-1].endswith("…")
    assert wrapped("", 120, 12, 2) == [""]
