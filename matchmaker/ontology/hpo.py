"""The Human Phenotype Ontology as an immutable graph.

Terms are also numbered, in an order in which every term comes after its parents: scoring works on the numbers.
Knows terms only; never sees patients.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx

PHENOTYPIC_ABNORMALITY = "HP:0000118"


@dataclass(frozen=True)
class Term:
    """A live term: its canonical id, label, and the ids of its parents."""

    id: str
    label: str
    parents: tuple[str, ...]


class Ontology:
    """HPO's live terms, `is_a` edges from child to parent, and every old or alternative id of a live term.

    Build it from `terms` (in any order) and `aliases` (old id -> live id); it never changes afterwards.
    Errors: ValueError when the terms make a circle or name a parent that is none of them.
    """

    def __init__(self, version: str, terms: Iterable[Term], aliases: Mapping[str, str]) -> None:
        self.version = version
        self._terms = {term.id: term for term in terms}
        self._aliases = dict(aliases)
        self.ids: tuple[str, ...] = self._ordered()
        self._numbers = {term_id: number for number, term_id in enumerate(self.ids)}
        self._ancestors = self._closures()
        old = {alias: self._numbers[live] for alias, live in self._aliases.items() if alias not in self._terms}
        self.numbers: Mapping[str, int] = {**old, **self._numbers}  # by ids of any age
        self._shown = [{"id": term_id, "label": self._terms[term_id].label} for term_id in self.ids]

    @cached_property
    def graph(self) -> "nx.DiGraph[str]":
        """The terms' ids, each with an edge to its parents. Frozen."""
        import networkx as nx  # noqa: PLC0415 - slow to import, and a compiled ontology is in order already

        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_nodes_from(self._terms)
        for term in self._terms.values():
            for parent in term.parents:
                if parent not in self._terms:
                    raise ValueError(f"the parent {parent} of {term.id} is no live term")
                graph.add_edge(term.id, parent)
        return nx.freeze(graph)

    def _ordered(self) -> tuple[str, ...]:
        """Return the ids, parents before children: as given, if that is such an order."""
        seen: set[str] = set()
        for term in self._terms.values():
            if not seen.issuperset(term.parents):
                return self._sorted()
            seen.add(term.id)
        return tuple(self._terms)

    def _sorted(self) -> tuple[str, ...]:
        import networkx as nx  # noqa: PLC0415 - as above

        try:
            return tuple(nx.lexicographical_topological_sort(self.graph.reverse(copy=False)))
        except nx.NetworkXUnfeasible:
            raise ValueError("the ontology's is_a relations make a circle") from None

    def __len__(self) -> int:
        """Return the count of live terms."""
        return len(self.ids)

    def __contains__(self, term_id: str) -> bool:
        """Tell whether an id, old or current, names a live term."""
        return self.canonical(term_id) is not None

    def canonical(self, term_id: str) -> str | None:
        """Return the live id for an id of any age, None when nobody knows it."""
        if term_id in self._terms:
            return term_id
        return self._aliases.get(term_id)

    def term(self, term_id: str) -> Term:
        """Return the live term. Errors: KeyError when the id, old or current, is unknown."""
        return self._terms[self.canonical(term_id) or term_id]

    def label(self, term_id: str) -> str | None:
        """Return the label of a term, None when the id is unknown."""
        canonical = self.canonical(term_id)
        return self._terms[canonical].label if canonical else None

    def shown(self, number: int) -> dict[str, str]:
        """Return a term's id and label, as answers show it."""
        return self._shown[number]

    def number(self, term_id: str) -> int | None:
        """Return the term's number, parents before children; None when the id is unknown."""
        return self.numbers.get(term_id)

    def ancestors(self, number: int) -> frozenset[int]:
        """Return the numbers of a term's ancestors, itself included."""
        return self._ancestors[number]

    def closure(self, numbers: Iterable[int]) -> frozenset[int]:
        """Return the numbers of the terms and of all their ancestors."""
        return frozenset().union(*(self._ancestors[number] for number in numbers))

    def parents(self, number: int) -> tuple[int, ...]:
        """Return the numbers of a term's parents."""
        return tuple(self._numbers[parent] for parent in self._terms[self.ids[number]].parents)

    def children(self, number: int) -> tuple[int, ...]:
        """Return the numbers of the terms right below a term."""
        return self._children.get(number, ())

    @cached_property
    def _children(self) -> dict[int, tuple[int, ...]]:
        below: dict[int, list[int]] = {}
        for number in range(len(self.ids)):
            for parent in self.parents(number):
                below.setdefault(parent, []).append(number)
        return {parent: tuple(numbers) for parent, numbers in below.items()}

    @cached_property
    def abnormalities(self) -> frozenset[int]:
        """The numbers of the terms below phenotypic abnormality, itself left out: what a score counts."""
        root = self.number(PHENOTYPIC_ABNORMALITY)
        return frozenset(n for n in range(len(self.ids)) if root in self._ancestors[n] and n != root)

    def terms(self) -> tuple[Term, ...]:
        """Return every live term, parents before children."""
        return tuple(self._terms[term_id] for term_id in self.ids)

    @property
    def aliases(self) -> Mapping[str, str]:
        """Old and alternative ids, each with its live id."""
        return dict(self._aliases)

    def _closures(self) -> list[frozenset[int]]:
        closures: list[frozenset[int]] = []
        for number, term_id in enumerate(self.ids):
            parents = [closures[self._numbers[parent]] for parent in self._terms[term_id].parents]
            closures.append(frozenset((number,)).union(*parents))
        return closures
