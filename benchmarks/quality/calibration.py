"""What a score has meant on published cases: `python -m benchmarks.quality.calibration [--write]`.

Every pair of cases of different publications is a trial: had they the same causal gene? An isotonic regression of
that on the raw value is the table that the node scores with; --write makes it anew. The figures printed are of
five-fold cross-validation by gene: no pair with a case of a gene has helped to judge that gene.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.candidates import LENGTHS, STEEPNESS, candidate_lists
from benchmarks.quality.measures import Floats, lsx
from benchmarks.quality.task import noisy
from benchmarks.quality.trials import World, world
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.exchange.reference import CALIBRATION, load_knowledge
from matchmaker.matching.calibration import Calibration
from matchmaker.matching.genotype import factors
from matchmaker.matching.phenotype import NAME, VERSION
from matchmaker.matching.profile import Knowledge
from matchmaker.matching.score import combined

FOLDS = 5
BINS = 10
LEAST_PAIRS = 200  # in a bin of scores, for it to count, and in a block of the regression
CAP = 0.48  # of the table; above its last knot a share goes on towards 0.5
SLOPE = 1e-4  # share a raw unit: nothing ties
STEPS = ((60_000, 50_000), (4_000, 2_000))  # blocks of so many pairs, up to so many before the most alike
Bools = NDArray[np.bool_]


def isotonic(raw: Floats, same: Bools) -> tuple[Floats, Floats]:
    """Return the mean raw value and the share of `same` of each block of the isotonic regression.

    Pool adjacent violators, over blocks that hold at least LEAST_PAIRS from the start. Source: Ayer et al. 1955,
    doi:10.1214/aoms/1177728423.
    """
    order = np.argsort(raw, kind="stable")
    raw, same = raw[order], same[order]
    pooled: list[tuple[float, float, int]] = []
    for start, end in _blocks(len(raw)):
        pooled.append((float(raw[start:end].sum()), float(same[start:end].sum()), end - start))
        while len(pooled) > 1 and pooled[-2][1] * pooled[-1][2] >= pooled[-1][1] * pooled[-2][2]:
            last, before = pooled.pop(), pooled.pop()
            pooled.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    sums = np.array(pooled)
    return sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 2]


def _blocks(count: int) -> Iterator[tuple[int, int]]:
    edges = list(range(0, max(0, count - STEPS[0][0]), STEPS[0][1]))
    edges += range(max(0, count - STEPS[0][0]), max(0, count - STEPS[1][0]), STEPS[1][1])
    edges += range(max(0, count - STEPS[1][0]), count - LEAST_PAIRS + 1, LEAST_PAIRS)
    return zip(edges, [*edges[1:], count], strict=True)


def fitted(raw: Floats, same: Bools) -> Calibration:
    """Return the calibration that pairs of these raw values teach."""
    knots, share = isotonic(raw[raw > 0], same[raw > 0])
    rising = np.minimum(share, CAP) + SLOPE * knots
    return Calibration("", (0.0, *knots.round(4).tolist()), (0.0, *rising.round(6).tolist()))


@dataclass(frozen=True)
class Pairs:
    """All ordered pairs of cases: whether they are of different publications, and of the same gene; folds by case."""

    of: World
    counted: Bools
    same: Bools
    folds: NDArray[np.int64]

    @classmethod
    def among(cls, of: World) -> "Pairs":
        """Return the pairs of the benchmark's cases."""
        genes = np.unique([case.gene for case in of.drawn], return_inverse=True)[1]
        publications = np.unique([case.publication for case in of.drawn], return_inverse=True)[1]
        return cls(of, publications[:, None] != publications, genes[:, None] == genes, genes % FOLDS)

    def fit(self, raw: Floats, left_out: int | None = None) -> Calibration:
        """Fit on every pair that has no case of a gene of the fold `left_out`."""
        kept = self.folds != left_out
        chosen = self.counted & np.triu(kept[:, None] & kept)
        return fitted(raw[chosen], self.same[chosen])

    def judged(self, raw: Floats, asked: Floats) -> Floats:
        """Return the share of every pair of `asked`, by the fit on `raw` without the query's fold."""
        shares = np.zeros_like(raw)
        for fold in range(FOLDS):
            rows = self.folds == fold
            shares[rows] = self.fit(raw, fold).shares(asked[rows])
        return shares


@dataclass
class Bins:
    """Pairs by their score, in ten equal bins over [0, 1]."""

    pairs: Floats
    scores: Floats
    same: Floats

    @classmethod
    def empty(cls) -> "Bins":
        """Return bins without any pair."""
        return cls(*(np.zeros(BINS) for _ in range(3)))

    def add(self, scores: Floats, same: Bools) -> None:
        """Put pairs in."""
        place = np.minimum((scores * BINS).astype(int), BINS - 1)
        self.pairs += np.bincount(place, minlength=BINS)
        self.scores += np.bincount(place, scores, BINS)
        self.same += np.bincount(place, same, BINS)

    def error(self) -> float:
        """Return the mean distance of score and share over the bins that hold enough pairs, unweighted."""
        held = self.pairs >= LEAST_PAIRS
        return float(np.abs(self.scores[held] - self.same[held]).dot(1 / self.pairs[held]) / held.sum())

    def show(self, title: str) -> None:
        """Print the table."""
        print(f"\n{title}: calibration error {self.error():.3f}\n")
        print("| score | pairs | mean score | had the same gene |\n|---|---|---|---|")
        for number in np.flatnonzero(self.pairs):
            count, span = self.pairs[number], f"{number / BINS:.1f} to {(number + 1) / BINS:.1f}"
            few = "" if count >= LEAST_PAIRS else " (too few to count)"
            print(
                f"| {span} | {count:,.0f}{few} | {self.scores[number] / count:.3f} | {self.same[number] / count:.3f} |"
            )


def phenotypes_alone(pairs: Pairs, raw: Floats, asked: Floats, title: str) -> Floats:
    """Print how well calibrated phenotypes are; return the share of every pair."""
    shares = pairs.judged(raw, asked)
    bins = Bins.empty()
    bins.add(shares[pairs.counted], pairs.same[pairs.counted])
    bins.show(title)
    return shares


def with_genes(pairs: Pairs, shares: Floats) -> None:
    """Print how well calibrated scores of pairs are that share a candidate gene, over lists of every length."""
    causal = np.unique([case.gene for case in pairs.of.drawn], return_inverse=True)[1]
    bins = Bins.empty()
    for steepness in STEEPNESS:
        for decoys in LENGTHS:
            lists = candidate_lists(causal, decoys, steepness)
            shared = np.rint(lists @ lists.T).astype(np.int64)
            query, case = np.nonzero(pairs.counted & (shared > 0))
            both, count = shared[query, case], lists.sum(axis=1).astype(np.int64)
            none = np.zeros_like(both)
            factor = factors(both, count[query] - both, count[case] - both, none, none, none > 0)
            bins.add(combined(shares[query, case], factor), pairs.same[query, case])
    bins.show("sharing a candidate gene, lists of every length")


def main() -> None:
    """Print the tables; write the calibration, if asked to."""
    options = argparse.ArgumentParser(description="What a score has meant on published cases.")
    options.add_argument("--write", action="store_true", help=f"fit on all pairs and write {CALIBRATION.name}")
    chosen = options.parse_args()
    knowledge = load_knowledge(load_config(None, {"ontology.cache_dir": user_cache_dir()}, {}))
    pairs = Pairs.among(world(knowledge))
    raw = pairs.of.lsx()
    shares = phenotypes_alone(pairs, raw, raw, "by phenotype alone, clean queries")
    with_genes(pairs, shares)
    measure = lsx(pairs.of.cases, knowledge)
    asked = np.array([measure(case.profile) for case in noisy(pairs.of.drawn, knowledge)])
    phenotypes_alone(pairs, raw, asked, "by phenotype alone, noisy queries, judged by clean ones")
    if chosen.write:
        write(pairs.fit(raw), knowledge, CALIBRATION)


def write(made: Calibration, knowledge: Knowledge, path: Path) -> None:
    """Write the table."""
    version = f"{NAME} {VERSION}, {knowledge.information.versions['caseFrequencies']}"
    table = {
        "version": version,
        "made_by": "python -m benchmarks.quality.calibration --write",
        "raw": made.raw,
        "share": made.share,
    }
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"\nwrote {path}: {len(made.raw)} knots")


if __name__ == "__main__":
    main()
