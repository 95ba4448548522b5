"""Evidence from candidate genes and variants.

A plain rule: the same variant is strong evidence, the same gene without it is weaker, different genes are none. The
strongest shared gene counts; a long list of candidates does not add up to certainty. Two long lists share genes by
chance: the more candidates that are not shared stand in both, the less a shared one counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from matchmaker.matching.profile import CandidateGene, Profile

SAME_VARIANT = 0.96
SAME_GENE = 0.5
CHANCE = 100.0  # pairs of unshared candidates at which a shared gene counts half: two lists of some ten genes


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
    """Return the evidence in [0, 1]: 0.96 for a shared variant, 0.5 / (1 + u v / 100) for a shared gene, 0 for none.

    u and v count the candidates of either case that the other has not: of u v pairs, some are equal by chance.
    Symmetric; a gene added to both cases never lowers it. Measured by `python -m benchmarks.quality.genes`.
    """
    shared = list(shared_genes(query, case))
    if not shared:
        return 0.0
    if any(gene.same_variant for gene in shared):
        return SAME_VARIANT
    pairs = (len(query.genes) - len(shared)) * (len(case.genes) - len(shared))
    return SAME_GENE / (1 + pairs / CHANCE)
