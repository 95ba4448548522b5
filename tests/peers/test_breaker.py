"""A peer that fails again and again rests, longer each time; one that answers is asked as ever."""

import pytest

from matchmaker.peers.breaker import MOST_FAILURES, after, described, is_open, state_of
from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.records.inquiry import PeerHealth

NOW = 1_800_000_000.0  # 15 January 2027, 08:00 UTC
FRESH = PeerHealth(name="spain")
ANSWER = PeerAnswer(())
FAILURE = PeerFailure(Status.TIMEOUT, "no answer within 15 s")
UNASKED = PeerFailure(Status.NOT_ASKED, "its token cannot be read")
FAILURES = [status for status in Status if status not in {Status.ANSWERED, Status.NOT_ASKED}]


def failed(times: int, health: PeerHealth = FRESH, at: float = NOW) -> PeerHealth:
    """How a peer stands that fails so many times more, a second apart, the last time at `at`."""
    for left in reversed(range(times)):
        health = after(health, FAILURE, 15_000, at - left)
    return health


def test_a_peer_that_was_never_asked_has_a_closed_breaker() -> None:
    for health in (None, FRESH):
        assert state_of(health, NOW) == "closed"
        assert not is_open(health, NOW)


def test_three_failures_in_a_row_open_it_and_two_do_not() -> None:
    assert MOST_FAILURES == 3
    assert [state_of(failed(times), NOW) for times in range(5)] == ["closed", "closed", "closed", "open", "open"]
    assert [is_open(failed(times), NOW) for times in range(5)] == [False, False, False, True, True]


@pytest.mark.parametrize("status", FAILURES)
def test_every_kind_of_failure_counts(status: Status) -> None:
    health = FRESH
    for _ in range(3):
        health = after(health, PeerFailure(status, "so it was"), 7, NOW)
    assert is_open(health, NOW)
    assert (health.status, health.reason, health.elapsed_ms) == (status.value, "so it was", 7)


def test_an_answer_between_failures_begins_the_count_anew() -> None:
    health = after(failed(2), ANSWER, 20, NOW)
    assert health.failures == 0
    assert state_of(failed(2, health), NOW) == "closed"


def test_an_answer_without_results_is_an_answer() -> None:
    assert after(failed(3), PeerAnswer((), dropped=4), 20, NOW).failures == 0


def test_the_waits_grow_to_an_hour_and_no_longer() -> None:
    health, at, waits = failed(2), NOW, []
    for _ in range(7):
        health = after(health, FAILURE, 0, at)
        assert health.open_until is not None
        waits.append(health.open_until - at)
        at = health.open_until
    assert waits == [60, 300, 900, 3_600, 3_600, 3_600, 3_600]


def test_it_is_open_until_its_time_is_over_and_then_half_open() -> None:
    health = failed(3)
    for at, state in ((NOW, "open"), (NOW + 59.9, "open"), (NOW + 60, "half open"), (NOW + 10**6, "half open")):
        assert state_of(health, at) == state
        assert is_open(health, at) is (state == "open")


def test_half_open_lets_one_through_and_its_failure_opens_it_for_longer() -> None:
    health, at = failed(3), NOW + 60
    assert not is_open(health, at), "one is let through"
    health = after(health, FAILURE, 0, at)
    assert is_open(health, at), "and no other one after it"
    assert is_open(health, at + 299)
    assert state_of(health, at + 300) == "half open"


def test_an_answer_to_the_one_that_was_let_through_closes_it() -> None:
    health = after(failed(5), ANSWER, 20, NOW + 900)
    assert health == PeerHealth(name="spain", last_success_at=NOW + 900, elapsed_ms=20)
    assert state_of(health, NOW + 900) == "closed"
    assert state_of(failed(2, health), NOW) == "closed", "two failures are few again"
    reopened = failed(3, health)
    assert reopened.open_until == NOW + 60, "and the waits begin anew"


@pytest.mark.parametrize("health", [FRESH, failed(2), failed(3), failed(9), after(FRESH, ANSWER, 20, NOW)])
@pytest.mark.parametrize("at", [NOW, NOW + 60, NOW + 10**6])
def test_who_was_not_asked_stands_as_before(health: PeerHealth, at: float) -> None:
    assert after(health, UNASKED, 0, at) == health


def test_what_was_not_asked_between_failures_does_not_begin_the_count_anew() -> None:
    assert is_open(failed(1, after(failed(2), UNASKED, 0, NOW)), NOW)


def test_a_peer_that_answers_all_the_time_is_written_down_once_a_minute() -> None:
    health, written = FRESH, []
    for second in range(601):
        changed = after(health, ANSWER, 20 + second, NOW + second)
        if changed != health:
            written.append(second)
        health = changed
    assert written == list(range(0, 601, 60))
    assert health.last_success_at == NOW + 600


def test_the_first_answer_after_a_failure_is_written_at_once() -> None:
    answered = after(FRESH, ANSWER, 20, NOW)
    once = after(answered, FAILURE, 0, NOW + 1)
    assert after(once, ANSWER, 30, NOW + 2) == PeerHealth(name="spain", last_success_at=NOW + 2, elapsed_ms=30)


def test_a_failure_leaves_when_it_answered_last_and_since_when_it_fails() -> None:
    health = failed(4, after(FRESH, ANSWER, 20, NOW - 100), at=NOW)
    assert (health.last_success_at, health.failing_since, health.last_failure_at) == (NOW - 100, NOW - 3, NOW)


def test_a_description_names_the_failures_the_last_of_them_and_the_times() -> None:
    text = described(failed(4, at=NOW + 3))
    assert "it has failed 4 times in a row" in text
    assert "since 2027-01-15 08:00 UTC" in text
    assert "(the last: timeout, no answer within 15 s)" in text
    assert "it is asked again from 2027-01-15 08:05 UTC" in text
    assert "or when it is named" in text


def test_a_description_is_never_the_one_of_an_answer_without_matches() -> None:
    assert described(failed(3)).startswith("its breaker is open")
    assert "match" not in described(failed(3))
