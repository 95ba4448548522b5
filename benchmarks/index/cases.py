"""The cases of the benchmark: drawn from disease profiles with noise, and published ones perturbed, by turns.

The same every time.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate

from matchmaker.genome.variants import VariantKey
from matchmaker.matching.profile import CandidateGene, Knowledge, Profile

SEED = 3
TERMS = (4, 20)  # of a disease's terms a case shows so many, as far as there are
KEPT, RAISED, ADDED = 0.8, 0.2, 0.1  # of the terms; a published case keeps KEPT of its own
GENES = 5_000
LIST = (0, 3)  # candidate genes of a case
HAS_VARIANT, SPAN, DIAGNOSED = 0.8, 0.05, 0.1
DISORDERS = 7_000
_BASES = "ACGT"


@dataclass(frozen=True)
class Source:
    """What cases are drawn from: the terms of diseases, and of published cases."""

    diseases: Sequence[frozenset[int]]
    published: Sequence[Profile]
    knowledge: Knowledge

    @cached_property
    def told(self) -> list[list[int]]:
        """The terms of every disease that has enough of them."""
        told = [sorted(terms & self.knowledge.ontology.abnormalities) for terms in self.diseases]
        return [terms for terms in told if len(terms) >= TERMS[0]]

    @cached_property
    def everything(self) -> list[int]:
        """Every term that a disease has."""
        return sorted({term for terms in self.told for term in terms})

    @cached_property
    def parents(self) -> dict[int, list[int]]:
        """Of every such term, the parents that are phenotypic abnormalities."""
        ontology = self.knowledge.ontology
        known = {*self.everything, *(term for case in self.published for term in case.observed)}
        return {term: [one for one in ontology.parents(term) if one in ontology.abnormalities] for term in known}

    @cached_property
    def weights(self) -> list[float]:
        """How often each gene is a candidate, added up: a power law, as few genes stand in many lists."""
        return list(accumulate(1 / rank**0.6 for rank in range(1, GENES + 1)))


def cases(source: Source, count: int) -> Iterator[Profile]:
    """Yield profiles of `count` cases."""
    chance = random.Random(SEED)  # noqa: S311 - a draw to be repeated, not to be secret
    for number in range(count):
        terms = _synthetic(source, chance) if number % 2 else _perturbed(source, chance)
        yield _with_genes(source.knowledge.profile_of_terms(terms), source, chance)


def _synthetic(source: Source, chance: random.Random) -> list[int]:
    terms = chance.choice(source.told)
    return _noisy(chance.sample(terms, min(len(terms), chance.randint(*TERMS))), source, chance)


def _perturbed(source: Source, chance: random.Random) -> list[int]:
    terms = sorted(chance.choice(source.published).observed)
    return _noisy([term for term in terms if chance.random() < KEPT] or terms, source, chance)


def _noisy(terms: Sequence[int], source: Source, chance: random.Random) -> list[int]:
    return [_changed(term, source, chance) for term in terms]


def _changed(term: int, source: Source, chance: random.Random) -> int:
    if chance.random() < ADDED:
        return chance.choice(source.everything)
    parents = source.parents[term]
    return chance.choice(parents) if parents and chance.random() < RAISED else term


def _with_genes(profile: Profile, source: Source, chance: random.Random) -> Profile:
    drawn = set(chance.choices(range(GENES), cum_weights=source.weights, k=chance.randint(*LIST)))
    genes = {gene.key: gene for gene in (_gene(number, chance) for number in sorted(drawn))}
    disorders = frozenset({f"MIM:{chance.randrange(DISORDERS)}"} if chance.random() < DIAGNOSED else ())
    return replace(
        profile, genes=genes, disorders=disorders, inheritance=chance.randrange(6), onset=chance.randrange(8)
    )


def _gene(number: int, chance: random.Random) -> CandidateGene:
    variants: frozenset[VariantKey] = frozenset()
    if chance.random() < HAS_VARIANT:
        start = 100_000 * number + chance.randrange(5_000)
        if chance.random() < SPAN:
            variants = frozenset({VariantKey("GRCh38", "1", start, start + chance.randrange(500, 50_000), "", "<DEL>")})
        else:
            reference, alternate = chance.sample(_BASES, 2)
            variants = frozenset({VariantKey("GRCh38", "1", start, start + 1, reference, alternate)})
    key = f"NCBIGene:{number}"
    return CandidateGene(key, key, None, variants, chance.randrange(3))


def queries(source: Source, terms: int, count: int) -> list[Profile]:
    """Return `count` queries of exactly `terms` terms each, of as many cases as that needs, with genes of their own."""
    chance = random.Random(SEED + terms)  # noqa: S311 - as above
    found = []
    for _ in range(count):
        pooled: set[int] = set()
        while len(pooled) < terms:
            draw = _synthetic if chance.random() < 0.5 else _perturbed  # noqa: PLR2004 - one or the other
            pooled |= source.knowledge.profile_of_terms(draw(source, chance)).observed
        profile = source.knowledge.profile_of_terms(chance.sample(sorted(pooled), terms))
        found.append(_with_genes(profile, source, chance))
    return found
