"""Evidence from candidate genes and variants.

A plain rule: the same variant is strong evidence, the same gene without it is weaker, different genes are none.
The strongest shared gene counts; a long list of candidates does not add up to certainty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from matchmaker.matching.profile import CandidateGene, Profile

SAME_VARIANT = 0.96
SAME_GENE = 0.5


@dataclass(frozen=True, slots=True)
class SharedGene:
    """A gene among the candidates of both cases."""

    gene: CandidateGene
    same_variant: bool


def shared_genes(query: Profile, case: Profile) -> Iterator[SharedGene]:
    """Yield the genes that both cases have, in the order of their keys."""
    for key in sorted(query.genes.keys() & case.genes.keys()):
        mine, theirs = query.genes[key], case.genes[key]
        yield SharedGene(theirs, not mine.variants.isdisjoint(theirs.variants))


def genotype(query: Profile, case: Profile) -> float:
    """Return the evidence in [0, 1]: 0.96 for a shared variant, 0.5 for a shared gene, 0 for none."""
    evidence = 0.0
    for shared in shared_genes(query, case):
        evidence = max(evidence, SAME_VARIANT if shared.same_variant else SAME_GENE)
    return evidence
