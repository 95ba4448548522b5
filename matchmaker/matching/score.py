"""Score: knows two profiles and what terms tell. Never sees names, peers or databases."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.genotype import genotype
from matchmaker.matching.phenotype import Similarity, lsx
from matchmaker.matching.profile import Profile
from matchmaker.ontology.information import Information

DIGITS = 6  # scores are rounded before they are compared: the order is that of the figures shown
PHENOTYPE_CEILING = 0.5  # different genes can look alike: a phenotype alone promises no more than this
HALF_RAW = 4.0  # the raw value at which half of the ceiling is reached; three specific terms in common give 4 to 5

Numbers = TypeVar("Numbers", float, NDArray[np.float64])


@dataclass(frozen=True, slots=True)
class Score:
    """`value` in [0, 1] orders results; `phenotype` and `genotype` in [0, 1] are its parts; raw, cosine as in LSX."""

    value: float
    phenotype: float
    genotype: float
    raw: float
    cosine: float


def score(query: Profile, case: Profile, weights: Information) -> Score:
    """Return how alike two cases are. Nothing shared is 0; evidence added to both never lowers the value."""
    return score_of(lsx(query, case, weights), genotype(query, case))


def score_of(similar: Similarity, evidence: float) -> Score:
    """Return the score of two cases that are so similar by phenotype and have this evidence from genes."""
    phenotype = phenotype_part(similar.raw)
    return Score(combined(phenotype, evidence), phenotype, evidence, similar.raw, similar.cosine)


def phenotype_part(raw: Numbers) -> Numbers:
    """Return 0.5 raw / (raw + 4): strictly increasing in the raw value, below 0.5."""
    return PHENOTYPE_CEILING * raw / (raw + HALF_RAW)


def combined(phenotype: float, evidence: float) -> float:
    """Return 1 - (1 - phenotype)(1 - genotype), rounded: either part is enough, both are more."""
    return float(np.round(1.0 - (1.0 - phenotype) * (1.0 - evidence), DIGITS))


def combined_many(phenotype: NDArray[np.float64], evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `combined` for arrays of the same length."""
    return np.round(1.0 - (1.0 - phenotype) * (1.0 - evidence), DIGITS)
