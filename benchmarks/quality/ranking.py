"""Measures -> the rank of the first relevant case of each query, and what that comes to with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.measures import Measure
from benchmarks.quality.task import PublishedCase

RESAMPLES = 2_000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Ranks:
    """For each query that has a relevant case: its gene's number and the rank of the first relevant case, from 1."""

    genes: NDArray[np.int64]
    ranks: NDArray[np.int64]

    @property
    def reciprocal(self) -> Floats:
        """1 / rank of each query, in percent."""
        result: Floats = 100 / self.ranks
        return result

    def hit(self, k: int) -> float:
        """The share of queries with a relevant case among the first k, in percent."""
        return float(100 * np.mean(self.ranks <= k))


def rank(
    cases: Sequence[PublishedCase], queries: Sequence[PublishedCase], measure: Measure, *, other_publications: bool
) -> Ranks:
    """Rank all cases for every query, the case itself left out, and with it its whole publication if asked.

    Ties go to the case that stands first. Queries without any relevant case are left out.
    """
    genes = np.unique([case.gene for case in cases], return_inverse=True)[1]
    publications = np.unique([case.publication for case in cases], return_inverse=True)[1]
    found = []
    for number, query in enumerate(queries):
        values = measure(query.profile)
        allowed = publications != publications[number] if other_publications else np.arange(len(cases)) != number
        relevant = allowed & (genes == genes[number])
        if relevant.any():
            best = int(np.flatnonzero(relevant)[np.argmax(values[relevant])])
            before = allowed & ((values > values[best]) | ((values == values[best]) & (np.arange(len(cases)) < best)))
            found.append((int(genes[number]), int(before.sum()) + 1))
    table = np.array(found)
    return Ranks(table[:, 0], table[:, 1])


def interval(values: Floats, genes: NDArray[np.int64], seed: int = 1) -> tuple[float, float, float]:
    """Return the mean and its 95 % interval, by a bootstrap that draws genes, not queries."""
    names, place = np.unique(genes, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    chance = np.random.default_rng(seed)
    draws = chance.integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(values.mean()), float(low), float(high)
