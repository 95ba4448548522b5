"""Synthetic cases: drawn from disease profiles with noise. The same every time."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

from matchmaker.matching.profile import CandidateGene, Knowledge, Profile

SEED = 3
TERMS = (4, 20)  # of a disease's terms a case shows so many, as far as there are
RAISED, ADDED = 0.2, 0.1
GENES = 5_000
LIST = (0, 3)  # candidate genes of a case


def synthetic_cases(diseases: Sequence[frozenset[int]], knowledge: Knowledge, count: int) -> Iterator[Profile]:
    """Yield profiles of `count` cases: some of a disease's terms, some vaguer, some strange, and candidate genes."""
    chance = random.Random(SEED)  # noqa: S311 - a draw to be repeated, not to be secret
    told = [sorted(terms & knowledge.ontology.abnormalities) for terms in diseases]
    told = [terms for terms in told if len(terms) >= TERMS[0]]
    everything = sorted({term for terms in told for term in terms})
    genes = [CandidateGene(key, key, key) for key in (f"NCBIGene:{number}" for number in range(GENES))]
    for _ in range(count):
        terms = _case(chance.choice(told), everything, knowledge, chance)
        candidates = {gene.key: gene for gene in chance.sample(genes, chance.randint(*LIST))}
        yield replace(knowledge.profile_of_terms(terms), genes=candidates)


def _case(terms: Sequence[int], everything: Sequence[int], knowledge: Knowledge, chance: random.Random) -> list[int]:
    shown = chance.sample(terms, min(len(terms), chance.randint(*TERMS)))
    return [_changed(term, everything, knowledge, chance) for term in shown]


def _changed(term: int, everything: Sequence[int], knowledge: Knowledge, chance: random.Random) -> int:
    if chance.random() < ADDED:
        return chance.choice(everything)
    parents = [parent for parent in knowledge.ontology.parents(term) if parent in knowledge.ontology.abnormalities]
    return chance.choice(parents) if parents and chance.random() < RAISED else term


def queries(cases: Sequence[Profile], knowledge: Knowledge, terms: int, count: int) -> list[Profile]:
    """Return `count` queries of exactly `terms` terms each, taken from as many cases as that needs."""
    chance = random.Random(SEED + terms)  # noqa: S311 - as above
    found = []
    for _ in range(count):
        pooled: set[int] = set()
        while len(pooled) < terms:
            pooled |= chance.choice(cases).observed
        found.append(knowledge.profile_of_terms(chance.sample(sorted(pooled), terms)))
    return found
