"""The calibration benchmark measures what it says."""

import numpy as np
import pytest

from benchmarks.quality.calibration import Bins, fitted, isotonic


def test_an_isotonic_regression_of_a_rising_share_finds_it() -> None:
    chance = np.random.default_rng(5)
    raw = chance.random(200_000) * 4
    same = chance.random(200_000) < raw / 10
    knots, share = isotonic(raw, same)
    assert np.all(np.diff(share) > 0)
    assert np.abs(share - knots / 10).max() < 0.12
    made = fitted(raw, same)
    assert made.share_of(2.0) == pytest.approx(0.2, abs=0.02)


def test_the_error_is_unweighted_over_bins_that_hold_enough_pairs() -> None:
    bins = Bins.empty()
    bins.add(np.full(10_000, 0.05), np.zeros(10_000, bool))
    bins.add(np.full(200, 0.55), np.ones(200, bool))
    bins.add(np.full(199, 0.95), np.zeros(199, bool))
    assert bins.error() == pytest.approx((0.05 + 0.45) / 2)
