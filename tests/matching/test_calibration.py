"""What a raw value means is strictly increasing, and a phenotype alone promises no more than a half."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaker.exchange.reference import CALIBRATION, load_calibration
from matchmaker.matching.calibration import CEILING, CalibrationUnreadable, parse_calibration
from matchmaker.matching.score import combined

SHIPPED = load_calibration()
RAW = st.integers(0, 10**8).map(lambda n: n / 1e6)


@given(RAW, RAW)
def test_within_a_query_the_score_is_strictly_increasing_in_the_raw_value(one: float, other: float) -> None:
    low, high = sorted((one, other))
    if low < high:
        assert SHIPPED.share_of(low) < SHIPPED.share_of(high)
        with_genes = combined(SHIPPED.shares(np.array([low, high])), np.array([601.0, 601.0]))
        assert with_genes[0] < with_genes[1]


@given(RAW)
def test_phenotypes_alone_never_promise_a_half(raw: float) -> None:
    assert 0 <= SHIPPED.share_of(raw) < CEILING
    assert (SHIPPED.share_of(raw) == 0) == (raw == 0)


@given(st.floats(0, 0.6), RAW)
def test_what_is_below_the_raw_value_of_a_score_is_below_the_score(minimum: float, raw: float) -> None:
    if raw < SHIPPED.raw_at(minimum):
        assert SHIPPED.share_of(raw) < minimum


def test_the_table_says_which_command_made_it() -> None:
    assert SHIPPED.version.startswith("LSX 1, phenopacket-store")
    made_by = json.loads(CALIBRATION.read_text(encoding="utf-8"))["made_by"]
    assert made_by == "python -m benchmarks.quality.calibration --write"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version": "x", "raw": [0, 1], "share": [0, 0.6]}', '{"version": "x", "raw": [0, 1], "share": [0]}',
     '{"version": "x", "raw": [0, 1, 1], "share": [0, 0.1, 0.2]}', '{"version": "x", "raw": [1, 2], "share": [0, 0.1]}',
     '{"version": "x", "raw": [0, "a"], "share": [0, 0.1]}', '{"version": "x", "raw": [0, NaN], "share": [0, 0.1]}'],
)  # fmt: skip
def test_what_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(CalibrationUnreadable):
        parse_calibration(text)
