"""Genes and phenotypes together, as clinicians ask: `python -m benchmarks.quality.genes`.

Every case gets a list of candidate genes: its causal gene with chance 0.8, and decoys. Decoys are drawn from 19,000
genes by a power law, as a few genes stand in many candidate lists. Ranked by phenotype alone, by shared genes alone,
and by the node's score, each at several lengths of the list; other publications only.
"""

from collections.abc import Callable

import numpy as np

from benchmarks.quality.measures import Floats
from benchmarks.quality.trials import World, world
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.genotype import CHANCE, SAME_GENE
from matchmaker.matching.score import phenotype_part

GENES = 19_000
TRUE_GENE = 0.8
LENGTHS = (0, 1, 2, 5, 10, 20, 50)
STEEPNESS = (0.6, 0.9)  # of the power law: how much the commonest candidates stand out
SEED = 7


def candidate_lists(causal: Floats, decoys: int, steepness: float) -> Floats:
    """Return cases x genes, 1 where a gene is a candidate of a case."""
    chance = np.random.default_rng(SEED + decoys)
    weights = np.random.default_rng(SEED).permutation(1 / np.arange(1, GENES + 1) ** steepness)
    lists: Floats = np.zeros((len(causal), GENES))
    for row, gene in enumerate(causal.astype(int)):
        lists[row, gene] = chance.random() < TRUE_GENE
        lists[row, chance.choice(GENES, decoys, replace=False, p=weights / weights.sum())] = 1
    return lists


def plain(_mine: Floats, _theirs: Floats) -> Floats:
    """Return the evidence of a shared gene, whatever else stands in the lists."""
    return np.full((len(_mine), len(_theirs.T)), SAME_GENE)


def diluted(mine: Floats, theirs: Floats) -> Floats:
    """Return the evidence of a shared gene as matching/genotype.py has it, for counts of unshared candidates."""
    result: Floats = SAME_GENE / (1 + mine * theirs / CHANCE)
    return result


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
    of = world(load_knowledge(load_config(None, {"ontology.cache_dir": user_cache_dir()}, {})))
    causal = np.unique([case.gene for case in of.drawn], return_inverse=True)[1].astype(float)
    phenotype = phenotype_part(of.lsx())
    alone = mean_reciprocal_rank(of, phenotype)
    print("| decoys | steepness | pairs sharing a gene | phenotype | genes | both, plain | both, as the node scores |")
    print("|---|---|---|---|---|---|---|")
    for steepness in STEEPNESS:
        for decoys in LENGTHS:
            _row(of, phenotype, alone, candidate_lists(causal, decoys, steepness), f"{decoys} | {steepness}")


def _row(of: World, phenotype: Floats, alone: float, lists: Floats, title: str) -> None:
    narrow = lists.astype(np.float32)  # exact for counts, and four times as fast
    shared = (narrow @ narrow.T).astype(float)
    count = lists.sum(axis=1)
    mine, theirs = count[:, None] - shared, count[None, :] - shared
    rules: tuple[Callable[[Floats, Floats], Floats], ...] = (plain, diluted)
    evidence = [np.where(shared > 0, rule(mine, theirs), 0.0) for rule in rules]
    figures = [mean_reciprocal_rank(of, evidence[0])]
    figures += [mean_reciprocal_rank(of, 1 - (1 - phenotype) * (1 - one)) for one in evidence]
    cells = " | ".join(f"{figure:.1f}" for figure in figures)
    print(f"| {title} | {100 * (shared > 0).mean():.1f} % | {alone:.1f} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
