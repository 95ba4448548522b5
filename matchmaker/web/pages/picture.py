"""Two cases in the ontology, as a picture: what both show, what joins the rest, and what only one of them has.

Pure: ids and reasons in, markup out. It is drawn twice, wide and narrow, and picture.css shows the one that fits, so
that its text is legible on a telephone too. It has classes and geometry only: no style, no script, nothing from
elsewhere. Labels come from peers, who may write what they like: all text is cleaned and escaped where it is written.
"""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from matchmaker.mme.messages import Explanation
from matchmaker.ontology.hpo import Ontology

MOST_ROWS, MOST_LONE, MOST_TOLD = 14, 8, 3
Words = Callable[[str], str]
Span = tuple[float, float]  # from, to
_PERCENT = 0.01
_READ = 400  # more letters than any box holds
_JOINERS = "\u200c\u200d"  # some scripts are not written without them


@dataclass(frozen=True, slots=True)
class Row:
    """A term of each case and what joins them, by id; all three are the same where both show it."""

    mine: str
    theirs: str
    through: str
    weight: int


@dataclass(frozen=True, slots=True)
class Content:
    """All that is drawn: rows, the heaviest first, and the ids that stand in none."""

    rows: Sequence[Row]
    mine: Sequence[str]
    theirs: Sequence[str]

    def share(self, row: Row) -> float:
        """Return a row's part of the whole, in [0, 1]."""
        return row.weight / (sum(one.weight for one in self.rows) or 1)

    def shared(self) -> int:
        """Return how many terms both show."""
        return sum(row.mine == row.theirs for row in self.rows)


@dataclass(frozen=True, slots=True)
class Shape:
    """Where things stand, in pixels; `size` is the height of a letter, `lines` how many a label may have.

    `bar` is where shares are drawn, `pad` what stays free between a box and its text.
    """

    name: str
    width: float
    columns: tuple[Span, Span, Span]
    lone: tuple[Span, Span]
    bar: Span
    pad: float
    size: float
    lines: int

    @property
    def line(self) -> float:
        """The height of a line of text."""
        return round(self.size * 1.25, 1)


WIDE = Shape(
    "wide", 900, ((0, 260), (290, 550), (580, 840)), ((0, 410), (430, 840)), (850, 900), pad=10, size=14, lines=2
)
NARROW = Shape(
    "narrow", 340, ((0, 95), (103, 198), (206, 301)), ((0, 146), (155, 301)), (307, 340), pad=6, size=12, lines=4
)


def picture(
    ontology: Ontology,
    mine: Sequence[str],
    theirs: Sequence[str],
    explanation: Explanation,
    words: Words,
    label: Callable[[str], str],
    name: str = "picture",
) -> str:
    """Return the markup: a `div` with two `svg`. The explanation's `query` is mine, its `match` is theirs.

    `mine` and `theirs` are the terms observed; `words` translates; `label` names a term; `name` begins the ids, and
    must differ where a page has two pictures.
    """
    content = _content(ontology, mine, theirs, explanation)
    drawn = (_Drawing(shape, words, label).svg(content, f"{name}-{shape.name}") for shape in (WIDE, NARROW))
    return f'<div class="pic">{"".join(drawn)}</div>'


def _content(ontology: Ontology, mine: Iterable[str], theirs: Iterable[str], explanation: Explanation) -> Content:
    def known(term_id: str) -> str:
        return ontology.canonical(term_id) or term_id

    rows = _rows(explanation, known)
    in_mine, in_theirs = {row.mine for row in rows}, {row.theirs for row in rows}
    return Content(
        rows,
        [one for one in dict.fromkeys(map(known, mine)) if one not in in_mine],
        [one for one in dict.fromkeys(map(known, theirs)) if one not in in_theirs],
    )


def _rows(explanation: Explanation, known: Callable[[str], str]) -> list[Row]:
    """Return one row a pair, the heaviest first; a pair told twice keeps the heavier of its ancestors."""
    shared = [Row(known(one.id), known(one.id), known(one.id), max(one.weight, 0)) for one in explanation.shared_terms]
    related = [
        Row(known(one.query.id), known(one.match.id), known(one.through.id), max(one.weight, 0))
        for one in explanation.related_terms
    ]
    pairs: dict[tuple[str, str], Row] = {}
    for row in sorted(shared + related, key=lambda row: -row.weight):
        first = pairs.get((row.mine, row.theirs))
        weight = row.weight + (first.weight if first else 0)
        pairs[row.mine, row.theirs] = Row(row.mine, row.theirs, first.through if first else row.through, weight)
    return sorted(pairs.values(), key=lambda row: -row.weight)


class _Drawing:
    """Draws from the top: each part is written at `y`, and moves it down."""

    def __init__(self, shape: Shape, words: Words, label: Callable[[str], str]) -> None:
        self.shape, self.words, self.label = shape, words, label
        self.y = 0.0
        self.parts: list[str] = []

    def svg(self, content: Content, name: str) -> str:
        if content.rows:
            self._pairs(content)
        else:
            self._say(self.words("Nothing that tells much is in both."))
        if content.mine or content.theirs:
            self._lone(content)
        title, told = _text(self.words("Two cases in the ontology")), _text(_told(content, self.words, self.label))
        name = escape(name)
        return (
            f'<svg class="pic-{self.shape.name}" viewBox="0 0 {self.shape.width:g} {self.y:.0f}" role="img" '
            f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{title}</title>'
            f'<desc id="{name}-desc">{told}</desc>{"".join(self.parts)}</svg>'
        )

    def _pairs(self, content: Content) -> None:
        share = _text(self.words("Share"))
        above = self.y + self.shape.line
        self.parts.append(f'<text class="pic-head pic-end" x="{self.shape.width:g}" y="{above:g}">{share}</text>')
        said = (self.words("Your case"), self.words("Alike through"), self.words("The other case"))
        self._captions(zip(self.shape.columns, said, strict=True))
        for row in content.rows[:MOST_ROWS]:
            self._row(row, content.share(row), content.share(content.rows[0]))
        self._more(self.shape.columns[0], len(content.rows) - MOST_ROWS)

    def _captions(self, captions: Iterable[tuple[Span, str]]) -> None:
        """Write headings side by side, each over its column."""
        deepest = 0.0
        for span, said in captions:
            lines = wrapped(said, span[1] - span[0], self.shape.size, 2)
            self._lines(lines, span[0], self.y + self.shape.line, "pic-head")
            deepest = max(deepest, self.shape.line * len(lines))
        self.y += deepest + 7

    def _row(self, row: Row, share: float, most: float) -> None:
        boxes = self._boxes(row)
        height = max(self._height(span, term) for span, term, _ in boxes)
        middle = self.y + height / 2
        part = share / (most or 1)
        for (left, _, _), (right, _, _) in pairwise(boxes):
            self.parts.append(
                f'<path class="pic-line" stroke-width="{1 + 8 * part:.1f}" d="M{left[1]:g} {middle:g}H{right[0]:g}"/>'
            )
        for span, term, kind in boxes:
            self._box(span, height, term, kind)
        self._bar(share, part, middle)
        self.y += height + 5

    def _boxes(self, row: Row) -> list[tuple[Span, str, str]]:
        """Return the boxes of a row. A term that is itself what joins the two reaches over the middle."""
        mine, through, theirs = self.shape.columns
        if row.mine == row.theirs:
            return [((mine[0], theirs[1]), row.mine, "pic-shared")]
        if row.mine == row.through:
            return [((mine[0], through[1]), row.mine, "pic-mine"), (theirs, row.theirs, "pic-theirs")]
        if row.theirs == row.through:
            return [(mine, row.mine, "pic-mine"), ((through[0], theirs[1]), row.theirs, "pic-theirs")]
        return [
            (mine, row.mine, "pic-mine"),
            (through, row.through, "pic-through"),
            (theirs, row.theirs, "pic-theirs"),
        ]

    def _lone(self, content: Content) -> None:
        self.parts.append(f'<path class="pic-rule" d="M0 {self.y + 9:g}H{self.shape.width:g}"/>')
        self.y += 15
        said = (self.words("Only in your case"), self.words("Only in the other case"))
        self._captions(zip(self.shape.lone, said, strict=True))
        top = self.y
        ends = [self._list(*one, top) for one in zip(self.shape.lone, (content.mine, content.theirs), strict=True)]
        self.y = max(ends)

    def _list(self, span: Span, terms: Sequence[str], top: float) -> float:
        """Write terms below each other; return where they end."""
        self.y = top
        for term in terms[:MOST_LONE]:
            lines = wrapped(self._named(term), span[1] - span[0], self.shape.size, self.shape.lines)
            self.parts.append(f'<g class="pic-lone"><title>{self._whole(term)}</title>')
            self._lines(lines, span[0], self.y + self.shape.size, "pic-text")
            self.parts.append("</g>")
            self.y += self.shape.line * len(lines) + 4
        if not terms:
            self._lines([self.words("nothing")], span[0], self.y + self.shape.size, "pic-soft")
        self._more(span, len(terms) - MOST_LONE)
        return self.y + self.shape.size / 2

    def _more(self, span: Span, count: int) -> None:
        if count > 0:
            said = self.words("and %(count)d more") % {"count": count}
            self._lines([said], span[0], self.y + self.shape.size, "pic-soft")
            self.y += self.shape.line * 1.5

    def _say(self, said: str) -> None:
        lines = wrapped(said, self.shape.columns[2][1], self.shape.size, 4)
        self._lines(lines, 0, self.y + self.shape.line, "pic-soft")
        self.y += self.shape.line * len(lines) + 9

    def _fitted(self, span: Span, term: str) -> list[str]:
        return wrapped(self._named(term), span[1] - span[0] - 2 * self.shape.pad, self.shape.size, self.shape.lines)

    def _height(self, span: Span, term: str) -> float:
        return self.shape.line * len(self._fitted(span, term)) + 10

    def _named(self, term: str) -> str:
        return self.label(term) or term

    def _whole(self, term: str) -> str:
        return _text(f"{self._named(term)} ({term})")

    def _box(self, span: Span, height: float, term: str, kind: str) -> None:
        lines = self._fitted(span, term)
        above = (height - self.shape.line * len(lines)) / 2
        self.parts.append(
            f'<g class="{kind}"><title>{self._whole(term)}</title>'
            f'<rect x="{span[0] + 0.5:g}" y="{self.y + 0.5:g}" '
            f'width="{span[1] - span[0] - 1:g}" height="{height - 1:g}" rx="6"/>'
        )
        middle = kind in {"pic-shared", "pic-through"}
        x = (span[0] + span[1]) / 2 if middle else span[0] + self.shape.pad
        self._lines(lines, x, self.y + above + self.shape.size, "pic-text")
        self.parts.append("</g>")

    def _lines(self, lines: Sequence[str], x: float, y: float, kind: str) -> None:
        for number, line in enumerate(lines):
            self.parts.append(
                f'<text class="{kind}" x="{x:g}" y="{y + number * self.shape.line:.1f}">{_text(line)}</text>'
            )

    def _bar(self, share: float, part: float, middle: float) -> None:
        """Draw a share at the right: as a number, and as a bar, full for the greatest."""
        left, right = self.shape.bar
        place = f'x="{left:g}" y="{middle + 6:.1f}" height="3" rx="1.5"'
        self.parts.append(
            f'<text class="pic-share" x="{right:g}" y="{middle + 2:.1f}">{escape(_percent(share))}</text>'
            f'<rect class="pic-track" {place} width="{right - left:g}"/>'
            f'<rect class="pic-bar" {place} width="{(right - left) * part:.1f}"/>'
        )


def _told(content: Content, words: Words, label: Callable[[str], str]) -> str:
    """Say in words what the picture shows, and its first rows."""
    counts = {
        "shared": content.shared(),
        "related": len(content.rows) - content.shared(),
        "mine": len(content.mine),
        "theirs": len(content.theirs),
    }
    said = [
        words(
            "Terms that both cases show: %(shared)d; pairs alike through a common ancestor: %(related)d; "
            "terms only in your case: %(mine)d, only in the other: %(theirs)d."
        )
        % counts
    ]
    for row in content.rows[:MOST_TOLD]:
        told = {"mine": label(row.mine) or row.mine, "theirs": label(row.theirs) or row.theirs}
        told |= {"through": label(row.through) or row.through, "share": _percent(content.share(row))}
        both = row.mine == row.theirs
        form = (
            words("Both: %(mine)s, %(share)s.")
            if both
            else words("%(mine)s and %(theirs)s, through %(through)s: %(share)s.")
        )
        said.append(form % told)
    return " ".join(said)


def _percent(share: float) -> str:
    return "<1%" if share and share < _PERCENT else f"{share:.0%}"


def _clean(text: str) -> str:
    """Return text without what XML cannot hold, and without what turns a line of text around."""
    if not text.isprintable():
        text = "".join(one if one in _JOINERS or unicodedata.category(one)[0] != "C" else " " for one in text)
    return " ".join(text.split())


def _text(text: str) -> str:
    return escape(_clean(text))


def wrapped(text: str, width: float, size: float, most: int) -> list[str]:
    """Return text as at most so many lines of a width, by an estimate of its letters; cut text ends in an ellipsis."""
    lines = [""]
    for word in _pieces(_clean(text[:_READ]), width / size):
        longer = f"{lines[-1]} {word}".strip()
        if _ems(longer) <= width / size:
            lines[-1] = longer
        elif len(lines) < most:
            lines.append(word)
        else:
            return [*lines[:-1], _cut(longer, width / size)]
    return lines


def _pieces(text: str, ems: float) -> Iterable[str]:
    """Yield words; one that fits no line comes in parts, none of which is a letter or two where that can be."""
    for word in text.split():
        rest = word
        while _ems(rest) > ems:
            end = next(n for n in range(1, len(rest) + 1) if _ems(rest[:n]) > ems - 0.5) - 1
            end = max(1, min(end, len(rest) - 4))
            yield f"{rest[:end]}-"
            rest = rest[end:]
        yield rest


def _cut(text: str, ems: float) -> str:
    while text and _ems(text) > ems - 1:
        text = text[:-1]
    return f"{text.rstrip(' -')}…"


def _ems(text: str) -> float:
    return sum(map(_em, text))


def _em(letter: str) -> float:
    """Return about how wide a letter is, by its height: of a wide typeface, so that text fits in any."""
    if letter in "iljtfrI.,;:'|!()[]- /":
        return 0.38
    if unicodedata.east_asian_width(letter) in "WF" or letter in "mwMW@%":
        return 1.0
    return 0.72 if letter.isupper() else 0.61
