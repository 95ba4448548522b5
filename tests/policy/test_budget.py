"""A budget is spent by questions and filled by time."""

from hypothesis import given
from hypothesis import strategies as st

from matchmaker.policy.budget import Bucket, Budget


def test_a_minutes_worth_may_be_asked_at_once_then_one_waits() -> None:
    budget, bucket = Budget(60), None
    for _ in range(60):
        bucket, wait = budget.spend(bucket, 100.0)
        assert wait == 0
    bucket, wait = budget.spend(bucket, 100.0)
    assert wait == 1
    assert budget.spend(bucket, 101.0)[1] == 0


def test_no_budget_means_no_limit() -> None:
    bucket: Bucket | None = None
    for _ in range(10_000):
        bucket, wait = Budget(0).spend(bucket, 0.0)
        assert wait == 0


@given(st.integers(1, 1_000), st.lists(st.floats(0, 10), min_size=1, max_size=200))
def test_nobody_ever_asks_more_than_the_budget_allows(per_minute: int, pauses: list[float]) -> None:
    budget, bucket, now, asked = Budget(per_minute), None, 0.0, 0
    for pause in pauses:
        now += pause
        bucket, wait = budget.spend(bucket, now)
        asked += not wait
        if wait:
            assert budget.spend(bucket, now + wait)[1] == 0, "who waits as long as told is served"
    assert asked <= per_minute + now * per_minute / 60 + 1e-6
