"""CaseIndex: the exact best k of a node's cases. Takes profiles; reads no store.

An inverted index: for each term the rows of the cases that show it or imply it. A query adds up whole-number
weights over the rows of its terms, so that its sums equal those of `score` to the last bit.

Not safe for two threads at once: its owner calls it from one.
"""

from array import array
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.genotype import genotype
from matchmaker.matching.phenotype import norm, similarity
from matchmaker.matching.profile import Profile
from matchmaker.matching.score import Score, combined_many, phenotype_part, score_of
from matchmaker.ontology.information import SCALE, Information

_COMPACT_FROM = 1_024  # rows: below this a rebuild is not worth its while


@dataclass(frozen=True, slots=True)
class Hit:
    """A case found: its key, its profile, and how alike it is."""

    key: str
    profile: Profile
    score: Score


@dataclass(frozen=True, slots=True)
class _Row:
    key: str
    profile: Profile
    group: int


class CaseIndex:
    """Cases by key. Each belongs to a `group`, an opaque value by which a search is told who may be found."""

    def __init__(self, weights: Information) -> None:
        self._weights = weights
        self._groups: dict[Hashable, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._rows: list[_Row | None] = []
        self._by_key: dict[str, int] = {}
        self._implied: dict[int, array[int]] = {}
        self._stated: dict[int, array[int]] = {}
        self._genes: dict[str, set[int]] = {}
        self._norms = array("d")
        self._information = array("q")
        self._group_of = array("i")

    def __len__(self) -> int:
        """Return the count of cases."""
        return len(self._by_key)

    def cases(self) -> Iterable[tuple[str, Profile, Hashable]]:
        """Yield (key, profile, group) of every case."""
        names = {number: group for group, number in self._groups.items()}
        return ((row.key, row.profile, names[row.group]) for row in self._rows if row)

    def add(self, key: str, profile: Profile, group: Hashable) -> None:
        """Take a case in, in place of what had its key."""
        self.remove(key)
        self._append(_Row(key, profile, self._number_of(group)))

    def _number_of(self, group: Hashable) -> int:
        return self._groups.setdefault(group, len(self._groups))

    def fill(self, cases: Iterable[tuple[str, Profile, Hashable]]) -> None:
        """Take many cases into an empty index at once. Errors: ValueError when it is not empty."""
        if self._rows:
            raise ValueError("only an empty index can be filled")
        rows = [_Row(key, profile, self._number_of(group)) for key, profile, group in cases]
        for row in rows:
            self._append_alone(row)
        self._implied = _postings([row.profile.closure for row in rows])
        self._stated = _postings([row.profile.observed for row in rows])

    def remove(self, key: str) -> None:
        """Forget a case; nothing happens when the key is unknown."""
        number = self._by_key.pop(key, None)
        if number is None:
            return
        row = self._rows[number]
        self._rows[number] = None
        for gene in row.profile.genes if row else ():
            self._genes[gene].discard(number)
        if len(self._rows) > _COMPACT_FROM and len(self._rows) > 2 * len(self._by_key):
            self._compact()

    def search(
        self,
        query: Profile,
        k: int,
        eligible: Callable[[Hashable], bool] = lambda _group: True,
        leave_out: frozenset[str] = frozenset(),
        minimum: float = 0.0,
    ) -> list[Hit]:
        """Return the best `k` cases by (score, best first; then key), of the groups that are `eligible`.

        Cases scoring 0, or below `minimum`, are no hits. Ties are exact: as if every case had been scored alone.
        """
        if not self._rows or k < 1:
            return []
        shared, evidence = self._shared(query), self._evidence(query)
        scores = np.where(self._eligible(eligible, leave_out), self._scores(query, shared, evidence), 0.0)
        found = np.flatnonzero((scores > 0.0) & (scores >= minimum))
        if len(found) > k:
            threshold = np.partition(scores[found], len(found) - k)[len(found) - k]
            found = found[scores[found] >= threshold]
        best = sorted((-scores[number], row.key, number) for number in found.tolist() if (row := self._rows[number]))
        return [self._hit(query, number, int(shared[number]), float(evidence[number])) for _, _, number in best[:k]]

    def _hit(self, query: Profile, number: int, shared: int, evidence: float) -> Hit:
        row = self._rows[number]
        if row is None:
            raise LookupError(f"row {number} was removed")
        similar = similarity(shared, query.self_information, row.profile.self_information)
        return Hit(row.key, row.profile, score_of(similar, evidence))

    def _evidence(self, query: Profile) -> NDArray[np.float64]:
        evidence = np.zeros(len(self._rows))
        for number in {number for gene in query.genes for number in self._genes.get(gene, ())}:
            if row := self._rows[number]:
                evidence[number] = genotype(query, row.profile)
        return evidence

    def _scores(self, query: Profile, shared: NDArray[np.int64], evidence: NDArray[np.float64]) -> NDArray[np.float64]:
        return combined_many(phenotype_part(self._raw(query, shared)), evidence)

    def _raw(self, query: Profile, shared: NDArray[np.int64]) -> NDArray[np.float64]:
        denominator = np.frombuffer(self._norms) * norm(query.self_information)
        raw = np.divide(shared / SCALE, denominator, out=np.zeros(len(shared)), where=denominator > 0)
        over = shared > np.minimum(np.frombuffer(self._information, np.int64), query.self_information)
        for number in np.flatnonzero(over).tolist():  # few: see phenotype.lsx
            information = self._information[number]
            raw[number] = similarity(int(shared[number]), query.self_information, information).raw
        return raw

    def _shared(self, query: Profile) -> NDArray[np.int64]:
        total = np.zeros(len(self._rows), np.int64)
        for term in query.closure:
            content = self._weights.content[term]
            if rows := self._implied.get(term):
                total[np.frombuffer(rows, np.int32)] += self._weights.link[term] + content * (term in query.observed)
            if rows := self._stated.get(term):
                total[np.frombuffer(rows, np.int32)] += content
        return total

    def _eligible(self, eligible: Callable[[Hashable], bool], leave_out: frozenset[str]) -> NDArray[np.bool_]:
        allowed = np.array([eligible(group) for group in self._groups], dtype=bool)
        mask: NDArray[np.bool_] = allowed[np.frombuffer(self._group_of, np.int32)]
        for number in (self._by_key[key] for key in leave_out if key in self._by_key):
            mask[number] = False
        for number, row in enumerate(self._rows) if len(self._rows) > len(self._by_key) else ():
            if row is None:
                mask[number] = False
        return mask

    def _append(self, row: _Row) -> None:
        number = self._append_alone(row)
        for term in row.profile.closure:
            self._implied.setdefault(term, array("i")).append(number)
        for term in row.profile.observed:
            self._stated.setdefault(term, array("i")).append(number)

    def _append_alone(self, row: _Row) -> int:
        """Append all of a row but its terms; return its number."""
        number = len(self._rows)
        self._rows.append(row)
        self._by_key[row.key] = number
        self._norms.append(norm(row.profile.self_information))
        self._information.append(row.profile.self_information)
        self._group_of.append(row.group)
        for gene in row.profile.genes:
            self._genes.setdefault(gene, set()).add(number)
        return number

    def _compact(self) -> None:
        cases = list(self.cases())
        self._clear()
        self.fill(cases)


def _postings(terms_of_rows: list[frozenset[int]]) -> "dict[int, array[int]]":
    """Return for each term the rows that have it, in order."""
    terms = np.fromiter((term for terms in terms_of_rows for term in terms), np.int32)
    rows = np.repeat(np.arange(len(terms_of_rows), dtype=np.int32), [len(terms) for terms in terms_of_rows])
    order = np.argsort(terms, kind="stable")
    found, starts = np.unique(terms[order], return_index=True)
    pieces = np.split(rows[order], starts[1:]) if len(found) else []
    return {term: array("i", piece.tobytes()) for term, piece in zip(found.tolist(), pieces, strict=True)}
