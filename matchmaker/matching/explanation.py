"""Why two cases are alike, for people: every summand of the score is told once, with the terms it came from.

An answer explains twenty pairs, so that the inner loop is compiled.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.compiled import compiled
from matchmaker.matching.genotype import SharedGene, shared_genes
from matchmaker.matching.profile import Profile
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.information import Information

Ints = NDArray[np.int64]
# Bits of a term's mark: implied and stated by the query; the same of the case, two bits further.
IMPLIED, STATED, THEIRS = 1, 2, 2
IMPLIED_BY_BOTH, STATED_BY_BOTH = IMPLIED | IMPLIED << THEIRS, STATED | STATED << THEIRS


@dataclass(frozen=True, slots=True)
class Shared:
    """A term that both cases show, with all that it and its ancestors add to I(q, c), in 1/1024 nat."""

    term: int
    weight: int


@dataclass(frozen=True, slots=True)
class Related:
    """A term of the query and one of the case, alike `through` their most telling common ancestor."""

    query: int
    case: int
    through: int
    weight: int


@dataclass(frozen=True, slots=True)
class Reasons:
    """The weights of `shared` and `related` add up to I(q, c)."""

    shared: tuple[Shared, ...]
    related: tuple[Related, ...]
    genes: tuple[SharedGene, ...]


class Explainer:
    """Explains pairs of cases."""

    def __init__(self, ontology: Ontology, weights: Information) -> None:
        self.ontology = ontology
        content = weights.content
        ranked = [
            sorted(
                (one for one in ontology.ancestors(term) if one in ontology.abnormalities),
                key=lambda one: (-content[one], -one),
            )
            for term in range(len(ontology))
        ]
        self._start = np.cumsum([0, *map(len, ranked)])
        self._ancestors = np.array([one for above in ranked for one in above], np.int64)
        self._link, self._content = np.array(weights.link), np.array(content)

    def explain(self, query: Profile, case: Profile) -> Reasons:
        """Return the reasons, heaviest first. Ancestors are told with the most telling terms they stand behind."""
        shared, related = self.asked(query).terms(case.observed, case.denied)
        return Reasons(
            tuple(Shared(through, weight) for _, _, through, weight in shared),
            tuple(Related(*one) for one in related),
            tuple(shared_genes(query, case)),
        )

    def asked(self, query: Profile) -> "Asked":
        """Return what explains one case after the other of the same query."""
        return Asked(
            np.array(sorted(query.observed), np.int64),
            np.array(sorted(query.denied), np.int64),
            (self._start, self._ancestors, self._link, self._content),
            np.zeros(len(self._link), np.uint8),
            np.zeros(len(self._link), np.int64),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """A query's terms, the weights of all, and room to compute in: for one thread."""

    observed: Ints
    denied: Ints
    weights: tuple[Ints, Ints, Ints, Ints]
    marks: NDArray[np.uint8]
    left: Ints

    def terms(self, observed: Collection[int], denied: Collection[int]) -> tuple[list[list[int]], list[list[int]]]:
        """Return [query's term, case's term, through, weight] of terms shared, and of those related; as in Reasons.

        `observed` and `denied` are the case's, each once.
        """
        theirs = np.fromiter(observed, np.int64, len(observed))
        theirs.sort()
        lines, shared = _reasons(
            self.observed,
            self.denied,
            theirs,
            np.fromiter(denied, np.int64, len(denied)),
            *self.weights,
            self.marks,
            self.left,
        )
        told = lines.tolist()
        return told[:shared], told[shared:]


@compiled
def _mark(
    observed: Ints, denied: Ints, start: Ints, ancestors: Ints, marks: NDArray[np.uint8], implied: int, stated: int
) -> None:
    """Mark the closure of a case with `implied`, its stated terms with `stated` too; what it denies, with neither."""
    for term in observed:
        for at in range(start[term], start[term + 1]):
            marks[ancestors[at]] |= implied
        marks[term] |= stated
    for term in denied:
        marks[term] &= 255 - implied - stated


@compiled
def _take(term: int, start: Ints, ancestors: Ints, left: Ints) -> int:
    """Take all that is left of a term and its ancestors."""
    total = 0
    for at in range(start[term], start[term + 1]):
        total += left[ancestors[at]]
        left[ancestors[at]] = 0
    return total


@compiled
def _below(ancestor: int, observed: Ints, start: Ints, ancestors: Ints) -> int:
    """Return a stated term that implies `ancestor`: itself, or else the first."""
    for term in observed:
        if term == ancestor:
            return ancestor
    for term in observed:
        for at in range(start[term], start[term + 1]):
            if ancestors[at] == ancestor:
                return int(term)
    return ancestor


@compiled
def _most_telling_first(terms: Ints, content: Ints) -> Ints:
    """Return terms by content, the greatest first, then by number."""
    for n in range(1, len(terms)):
        term, at = terms[n], n
        while at > 0 and (
            content[terms[at - 1]] < content[term] or (content[terms[at - 1]] == content[term] and terms[at - 1] > term)
        ):
            terms[at] = terms[at - 1]
            at -= 1
        terms[at] = term
    return terms


@compiled
def _heaviest_first(lines: Ints) -> None:
    """Order lines by weight, the greatest first, then by their terms."""
    for n in range(1, len(lines)):
        line, at = lines[n].copy(), n
        while at > 0 and (
            lines[at - 1, 3] < line[3]
            or (lines[at - 1, 3] == line[3] and lines[at - 1, 0] > line[0])
            or (lines[at - 1, 3] == line[3] and lines[at - 1, 0] == line[0] and lines[at - 1, 1] > line[1])
        ):
            lines[at] = lines[at - 1]
            at -= 1
        lines[at] = line


@compiled
def _nearest(one: Ints, mark: int, marks: NDArray[np.uint8], start: Ints, ancestors: Ints, found: Ints) -> int:
    """Write, for each stated term that the other case does not state, the most telling ancestor of both; count them."""
    count = 0
    for term in one:
        if marks[term] & mark:
            continue
        for at in range(start[term], start[term + 1]):
            if marks[ancestors[at]] & IMPLIED_BY_BOTH == IMPLIED_BY_BOTH:
                found[count] = ancestors[at]
                count += 1
                break
    return count


@compiled
def _reasons(  # noqa: C901, PLR0912 - one walk over what is left to tell
    mine: Ints,
    mine_denied: Ints,
    theirs: Ints,
    theirs_denied: Ints,
    start: Ints,
    ancestors: Ints,
    link: Ints,
    content: Ints,
    marks: NDArray[np.uint8],
    left: Ints,
) -> tuple[Ints, int]:
    """Return lines (query's term, case's term, through, weight), and how many of them are terms of both.

    `marks` and `left` are all 0, before and after.
    """
    _mark(mine, mine_denied, start, ancestors, marks, IMPLIED, STATED)
    _mark(theirs, theirs_denied, start, ancestors, marks, IMPLIED << THEIRS, STATED << THEIRS)
    common, many = np.empty(len(mine), np.int64), 0
    most = 0
    for term in mine:
        for at in range(start[term], start[term + 1]):
            one = ancestors[at]
            if marks[one] & IMPLIED_BY_BOTH == IMPLIED_BY_BOTH and left[one] == 0:
                left[one] = link[one] + content[one] * (marks[one] // STATED % 2 + marks[one] // (STATED << THEIRS) % 2)
                most += 1
        if marks[term] & STATED_BY_BOTH == STATED_BY_BOTH:
            common[many] = term
            many += 1
    lines, count = np.empty((many + len(mine) + len(theirs) + most, 4), np.int64), 0
    for term in _most_telling_first(common[:many], content):
        lines[count, 0], lines[count, 1], lines[count, 2] = term, term, term
        lines[count, 3] = _take(term, start, ancestors, left)
        count += 1
    near = np.empty(len(mine) + len(theirs), np.int64)
    found = _nearest(mine, STATED << THEIRS, marks, start, ancestors, near)
    found += _nearest(theirs, STATED, marks, start, ancestors, near[found:])
    for through in _most_telling_first(near[:found], content):
        weight = _take(through, start, ancestors, left)
        if weight > 0:
            lines[count, 0] = _below(through, mine, start, ancestors)
            lines[count, 1] = _below(through, theirs, start, ancestors)
            lines[count, 2], lines[count, 3] = through, weight
            count += 1
    while True:  # ancestors that stand behind no term's nearest one
        through = -1
        for term in mine:
            for at in range(start[term], start[term + 1]):
                one = ancestors[at]
                if left[one] > 0 and (
                    through < 0
                    or content[one] > content[through]
                    or (content[one] == content[through] and one > through)
                ):
                    through = one
        if through < 0:
            break
        lines[count, 2], lines[count, 3] = through, _take(through, start, ancestors, left)
        lines[count, 0] = _below(through, mine, start, ancestors)
        lines[count, 1] = _below(through, theirs, start, ancestors)
        count += 1
    for term in mine:
        for at in range(start[term], start[term + 1]):
            marks[ancestors[at]] = 0
    for term in theirs:
        for at in range(start[term], start[term + 1]):
            marks[ancestors[at]] = 0
    _heaviest_first(lines[:many])
    _heaviest_first(lines[many:count])
    return lines[:count], many
