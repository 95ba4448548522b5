"""Lists of candidate genes as a clinician brings them: the causal gene with chance 0.8, and decoys.

Decoys are drawn from 19,000 genes by a power law, as a few genes stand in many candidate lists.
"""

import numpy as np
from numpy.typing import NDArray

GENES = 19_000
TRUE_GENE = 0.8
LENGTHS = (0, 1, 2, 5, 10, 20, 50)  # decoys
STEEPNESS = (0.6, 0.9)  # of the power law: how much the commonest candidates stand out
SEED = 7


def candidate_lists(causal: NDArray[np.int64], decoys: int, steepness: float) -> NDArray[np.float32]:
    """Return cases x genes, 1 where a gene is a candidate of a case. Single precision: exact for counts, and fast."""
    chance = np.random.default_rng(SEED + decoys)
    weights = np.random.default_rng(SEED).permutation(1 / np.arange(1, GENES + 1) ** steepness)
    lists = np.zeros((len(causal), GENES), np.float32)
    for row, gene in enumerate(causal):
        lists[row, gene] = chance.random() < TRUE_GENE
        lists[row, chance.choice(GENES, decoys, replace=False, p=weights / weights.sum())] = 1
    return lists
