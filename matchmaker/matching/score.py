"""Score: knows two profiles and what terms tell. Never sees names, peers or databases.

The score is the chance that two cases have the same cause, as published cases teach it: the calibrated raw value of
the phenotypes gives odds, and the evidence of genes, variants and diagnoses multiplies them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from matchmaker.matching.calibration import Calibration
from matchmaker.matching.genotype import PRIOR_ODDS, Evidence, evidence
from matchmaker.matching.phenotype import Similarity, lsx
from matchmaker.matching.profile import Profile
from matchmaker.ontology.information import Information

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Score:
    """`value` in [0, 1) orders results; `phenotype` and `genotype` in [0, 1) are what either part alone would give.

    `raw` and `cosine` are those of LSX, `factor` that of the evidence.
    """

    value: float
    phenotype: float
    genotype: float
    raw: float
    cosine: float
    factor: float


def score(query: Profile, case: Profile, weights: Information, calibration: Calibration) -> Score:
    """Return how likely two cases have the same cause. Nothing shared is 0; shared evidence never lowers the value."""
    return score_of(lsx(query, case, weights), evidence(query, case), calibration)


def score_of(similar: Similarity, found: Evidence, calibration: Calibration) -> Score:
    """Return the score of two cases that are so similar by phenotype and have this evidence besides."""
    phenotype = calibration.share_of(similar.raw)
    value, genotype = (combined_one(part, found.factor) for part in (phenotype, 0.0))
    return Score(value, phenotype, genotype, similar.raw, similar.cosine, found.factor)


def combined_one(phenotype: float, factor: float) -> float:
    """Return `combined` of one pair: the same figure to the last bit."""
    return float(combined(np.array([phenotype]), np.array([factor]))[0])


def combined(phenotype: Floats, factor: Floats) -> Floats:
    """Return o / (1 + o), o = (p / (1 - p) + 0.0002) factor; p itself where the factor is 1: nothing but phenotypes.

    Strictly increasing in either argument.
    """
    odds = (phenotype / (1.0 - phenotype) + PRIOR_ODDS) * factor
    return np.where(factor > 1.0, odds / (1.0 + odds), phenotype)
