"""Wrong passwords: five are free, then the wait doubles, up to an hour."""

import pytest

from matchmaker.accounts.throttle import Tries, after_wrong, wait_of

NOW = 1_800_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("count", "wait"),
    [(0, 0), (4, 0), (5, 60), (6, 120), (7, 240), (10, 1_920), (11, 3_600), (12, 3_600), (10**9, 3_600)],
)
def test_the_wait_doubles_up_to_an_hour(count: int, wait: float) -> None:
    assert wait_of(Tries(count, NOW), NOW) == wait


def test_who_has_tried_nothing_does_not_wait() -> None:
    assert wait_of(None, NOW) == 0


def test_waiting_helps() -> None:
    assert wait_of(Tries(5, NOW), NOW + 20) == 40
    assert wait_of(Tries(5, NOW), NOW + 60) == 0


def test_wrong_ones_are_counted() -> None:
    tries = None
    for _ in range(5):
        assert wait_of(tries, NOW) == 0
        tries = after_wrong(tries, NOW)
    assert tries == Tries(5, NOW)
    assert wait_of(tries, NOW) == 60
    assert after_wrong(tries, NOW + 60) == Tries(6, NOW + 60)


def test_all_is_forgotten_after_a_day() -> None:
    assert after_wrong(Tries(50, NOW), NOW + DAY) == Tries(1, NOW + DAY)
    assert after_wrong(Tries(50, NOW), NOW + DAY - 1).count == 51


def test_an_address_may_have_more_free_tries() -> None:
    assert wait_of(Tries(20, NOW), NOW, free=50) == 0
    assert wait_of(Tries(50, NOW), NOW, free=50) == 60


def test_a_clock_set_back_locks_nobody_out() -> None:
    assert wait_of(Tries(5, NOW + 3_600), NOW) == 60
    assert wait_of(Tries(5, NOW + 365 * DAY), NOW) == 0
    assert after_wrong(Tries(5, NOW + 365 * DAY), NOW) == Tries(1, NOW)
