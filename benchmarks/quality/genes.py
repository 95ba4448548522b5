"""Genes and phenotypes together, as clinicians ask: `python -m benchmarks.quality.genes`.

Every case gets a list of candidate genes (benchmarks/quality/candidates.py). Ranked by phenotype alone, by shared
genes alone, and by the node's score, each at several lengths of the list; other publications only.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.candidates import LENGTHS, STEEPNESS, candidate_lists
from benchmarks.quality.measures import Floats
from benchmarks.quality.trials import World, world
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.genotype import factors
from matchmaker.matching.score import combined

Rule = Callable[[Floats, Floats, Floats], Floats]


def plain(shared: Floats, mine: Floats, _theirs: Floats) -> Floats:
    """Return the factor of a shared gene, whatever else stands in the lists."""
    return diluted(shared, np.zeros_like(mine), np.zeros_like(mine))


def diluted(shared: Floats, mine: Floats, theirs: Floats) -> Floats:
    """Return the factor as matching/genotype.py has it, for counts of shared and unshared candidates."""
    none = np.zeros_like(shared, np.int64)
    return factors(shared.astype(np.int64), mine.astype(np.int64), theirs.astype(np.int64), none, none, none > 0)


def mean_reciprocal_rank(of: World, values: Floats) -> float:
    """Return the MRR over other publications, in percent; among equals, the mean place of the first relevant case."""
    genes = np.array([case.gene for case in of.drawn])
    publications = np.array([case.publication for case in of.drawn])
    found = []
    for row in range(len(genes)):
        allowed = publications != publications[row]
        relevant = allowed & (genes == genes[row])
        if relevant.any():
            best = values[row][relevant].max()
            before = (allowed & (values[row] > best)).sum()
            equal, good = (allowed & (values[row] == best)).sum(), (relevant & (values[row] == best)).sum()
            found.append(1 / (before + (equal + 1) / (good + 1)))
    return float(100 * np.mean(found))


def main() -> None:
    """Print the table."""
    knowledge = load_knowledge(load_config(None, {"ontology.cache_dir": user_cache_dir()}, {}))
    of = world(knowledge)
    causal = np.unique([case.gene for case in of.drawn], return_inverse=True)[1]
    phenotype = knowledge.calibration.shares(of.lsx())
    alone = mean_reciprocal_rank(of, phenotype)
    print("| decoys | steepness | pairs sharing a gene | phenotype | genes | both, plain | both, as the node scores |")
    print("|---|---|---|---|---|---|---|")
    for steepness in STEEPNESS:
        for decoys in LENGTHS:
            _row(of, phenotype, alone, candidate_lists(causal, decoys, steepness), f"{decoys} | {steepness}")


def _row(of: World, phenotype: Floats, alone: float, lists: NDArray[np.float32], title: str) -> None:
    shared = (lists @ lists.T).astype(float)
    count = lists.sum(axis=1)
    mine, theirs = count[:, None] - shared, count[None, :] - shared
    rules: tuple[Rule, ...] = (plain, diluted)
    factor = [rule(shared, mine, theirs) for rule in rules]
    figures = [mean_reciprocal_rank(of, factor[0])]
    figures += [mean_reciprocal_rank(of, combined(phenotype, one)) for one in factor]
    cells = " | ".join(f"{figure:.1f}" for figure in figures)
    print(f"| {title} | {100 * (shared > 0).mean():.1f} % | {alone:.1f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
