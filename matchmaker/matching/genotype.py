"""Evidence from candidate genes, variants and diagnoses, as a factor on the odds that two cases have the same cause.

A plain documented rule on a few whole numbers of a pair of cases:

- Long lists share genes by chance: the more candidates are not shared, the less a shared one counts.
- The same variant counts far more than the same gene; two in one gene, as compound heterozygous, twice as much. A
  structural variant, of which start and end are known and no bases, counts by its reciprocal overlap above a half.
- Copies hit, inheritance and onset that agree make a shared gene count a little more, those that differ a little less.
- A diagnosis in common doubles the odds.

The strongest shared gene counts; a long list of candidates does not add up to certainty.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.genome.variants import VariantKey
from matchmaker.matching.profile import CandidateGene, Profile

# Fitted with python -m benchmarks.quality.calibration: see benchmarks/README.md.
PRIOR_ODDS = 2e-4  # of the same cause, for two cases whose phenotypes have nothing in common
SAME_GENE = 600.0  # the factor of a shared gene, where each case has no other candidate
# Not fitted: no published cases tell how often unrelated patients share a rare variant by chance.
SAME_VARIANT = 2e5
WHOLE = 1_024  # the strength of one variant in common
MOST_STRENGTH = 2 * WHOLE  # a gene has two copies
AGREEING = 1.25  # for each of copies hit, inheritance, onset that agrees; its inverse for each that differs
SAME_DISORDER = 2.0
LEVELS = 3
LEVEL_FACTORS = np.array([AGREEING**level for level in range(-LEVELS, LEVELS + 1)])


@dataclass(frozen=True, slots=True)
class SharedGene:
    """A gene among the candidates of both cases. `strength` is of its variants in common, in 1/1024, at most two."""

    gene: CandidateGene
    strength: int
    level: int

    @property
    def same_variant(self) -> bool:
        """Whether a whole variant is in common."""
        return self.strength >= WHOLE


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the score takes of two cases besides their phenotypes; whole numbers, so that it is the same everywhere.

    `shared` genes; `mine` and `theirs`, the candidates that the other has not; `strength` of the variants in common in
    the best gene; `level` from -3 to 3, of copies hit, inheritance and onset: agreeing less differing.
    """

    shared: int = 0
    mine: int = 0
    theirs: int = 0
    strength: int = 0
    level: int = 0
    disorder: bool = False

    @property
    def factor(self) -> float:
        """The factor on the odds, at least 1."""
        told = (self.shared, self.mine, self.theirs, self.strength, self.level)
        shared, mine, theirs, strength, level = (np.array([n]) for n in told)
        return float(factors(shared, mine, theirs, strength, level, np.array([self.disorder]))[0])


def factors(
    shared: NDArray[np.int64],
    mine: NDArray[np.int64],
    theirs: NDArray[np.int64],
    strength: NDArray[np.int64],
    level: NDArray[np.int64],
    disorder: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return 1 + gene + variants, doubled by a diagnosis in common, for arrays of equal length.

    gene = 600 k / ((1 + u)(1 + v))^1.25 where a gene is shared, k = 1.25^level; variants = 200,000 for each in common.
    """
    lists = (1.0 + mine) * (1.0 + theirs)
    diluted = lists * np.sqrt(np.sqrt(lists))  # to the power of 1.25: roots are exact everywhere, powers are not
    gene = SAME_GENE * LEVEL_FACTORS[level + LEVELS] / diluted
    variants = SAME_VARIANT * (strength / WHOLE)
    return (1.0 + np.where(shared > 0, gene + variants, 0.0)) * np.where(disorder, SAME_DISORDER, 1.0)


def shared_genes(query: Profile, case: Profile) -> Iterator[SharedGene]:
    """Yield the genes that both cases have, in the order of their keys."""
    for key in sorted(query.genes.keys() & case.genes.keys()):
        mine, theirs = query.genes[key], case.genes[key]
        yield SharedGene(
            theirs, common_strength(mine.variants, theirs.variants), agreement(mine.alleles, theirs.alleles)
        )


def evidence(query: Profile, case: Profile) -> Evidence:
    """Return the evidence of two cases. Symmetric; a gene added to both never lowers its factor."""
    genes = list(shared_genes(query, case))
    disorder = not query.disorders.isdisjoint(case.disorders)
    if not genes:
        return Evidence(disorder=disorder)
    return Evidence(
        shared=len(genes),
        mine=len(query.genes) - len(genes),
        theirs=len(case.genes) - len(genes),
        strength=max(gene.strength for gene in genes),
        level=max(gene.level for gene in genes) + course_level(query, case),
        disorder=disorder,
    )


def course_level(query: Profile, case: Profile) -> int:
    """Return from -2 to 2: inheritance and onset that agree, less those that differ."""
    return agreement(query.inheritance, case.inheritance) + onset_agreement(query.onset, case.onset)


def agreement(one: int, other: int) -> int:
    """Return 1 for equal, -1 for different, 0 where either is 0, not known."""
    return 0 if not one or not other else 1 if one == other else -1


def onset_agreement(one: int, other: int) -> int:
    """As `agreement`; neighbouring ages tell nothing."""
    return 0 if abs(one - other) == 1 else agreement(one, other)


def common_strength(mine: frozenset[VariantKey], theirs: frozenset[VariantKey]) -> int:
    """Return how much of two variants is in common, in 1/1024: 1024 for each that is the same, at most 2048.

    Summed over either case's variants, and the smaller sum taken: symmetric, whatever overlaps what.
    """
    same = mine & theirs
    sums = (WHOLE * len(same) + _spans(ones - same, others) for ones, others in ((mine, theirs), (theirs, mine)))
    return min(MOST_STRENGTH, *sums)


def _spans(ones: Iterable[VariantKey], others: Iterable[VariantKey]) -> int:
    """Return the sum of each span's best overlap with another of its kind."""
    spans = [one for one in ones if one.is_span]
    by_kind: defaultdict[str, list[VariantKey]] = defaultdict(list)
    for other in others if spans else ():
        if other.is_span:
            by_kind[other.kind].append(other)
    total = 0
    for one in spans:
        alike = by_kind.get(one.kind, ())
        total += max((span_strength(one.start, one.end, other.start, other.end) for other in alike), default=0)
    return total


def span_strength(start: int, end: int, other_start: int, other_end: int) -> int:
    """Return 2 r - 1 in 1/1024, r the reciprocal overlap: what both cover over the longer one. 0 below a half."""
    both = min(end, other_end) - max(start, other_start)
    longer = max(end - start, other_end - other_start)
    return max(0, 2 * WHOLE * max(0, both) // longer - WHOLE)
