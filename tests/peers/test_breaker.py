"""A peer that fails again and again rests, longer each time; one that answers is asked as ever."""

import pytest

from matchmaker.peers.breaker import MOST_FAILURES, after, described, is_open, probing, state_of
from matchmaker.peers.outcome import PeerAnswer, PeerFailure, Status
from matchmaker.records.inquiry import PeerHealth

NOW = 1_800_000_000.0  # 15 January 2027, 08:00 UTC
FRESH = PeerHealth(name="spain")
ANSWER = PeerAnswer(())
FAILURE = PeerFailure(Status.TIMEOUT, "no answer within 15 s")
UNASKED = PeerFailure(Status.NOT_ASKED, "its token cannot be read")
FAILURES = [status for status in Status if status not in {Status.ANSWERED, Status.NOT_ASKED}]


def failed(times: int, health: PeerHealth = FRESH, at: float = NOW) -> PeerHealth:
    """How a peer stands that fails so many times more, from `at` on, each time as soon as one is let through."""
    for _ in range(times):
        at = max(at, health.open_until or at)
        health = after(health, FAILURE, 0, at)
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


@pytest.mark.parametrize("takes", [0, 15, 59])
def test_the_waits_grow_to_an_hour_and_no_longer(takes: int) -> None:
    health, at, waits = failed(2), NOW, []
    for _ in range(7):
        health = after(health, FAILURE, takes * 1_000, at)
        assert health.open_until is not None
        waits.append(health.open_until - at)
        half_open = health.open_until
        health, at = probing(health, half_open), half_open + takes
    assert waits == [60, 300, 900, 3_600, 3_600, 3_600, 3_600]


def test_it_is_open_until_its_time_is_over_and_then_half_open() -> None:
    health = failed(3)
    for at, state in ((NOW, "open"), (NOW + 59.9, "open"), (NOW + 60, "half open"), (NOW + 10**6, "half open")):
        assert state_of(health, at) == state
        assert is_open(health, at) is (state == "open")


def test_half_open_lets_one_question_through() -> None:
    health = failed(3)
    assert not is_open(health, NOW + 60), "one is let through"
    let = probing(health, NOW + 60)
    assert is_open(let, NOW + 60), "and no other one after it"
    assert is_open(let, NOW + 119), "while it is under way"
    assert (let.failures, let.probed_at) == (3, NOW + 60)
    assert state_of(let, NOW + 60 + 330) == "half open", "if nothing ever comes of it, another one is let through"


@pytest.mark.parametrize("takes", [0.0, 0.02, 1.0, 15.0, 59.0])
def test_the_failure_of_the_one_that_was_let_through_opens_it_for_longer(takes: float) -> None:
    at = NOW + 60 + takes
    health = after(probing(failed(3), NOW + 60), FAILURE, round(takes * 1_000), at)
    assert (health.failures, health.open_until, health.probed_at) == (4, at + 300, None)
    assert is_open(health, at + 299)
    assert state_of(health, at + 300) == "half open"


@pytest.mark.parametrize("elapsed_ms", [100, 1_000, 15_000, 30_000])
def test_failures_of_questions_that_were_sent_before_it_opened_change_nothing(elapsed_ms: int) -> None:
    health = failed(3)
    for late in range(5):
        assert after(health, FAILURE, elapsed_ms + late * 1_000, NOW + late) == health


def test_questions_that_were_under_way_together_open_it_once() -> None:
    health = FRESH
    for n in range(20):
        health = after(health, FAILURE, 15_000, NOW + n / 100)
    assert (health.failures, health.open_until) == (3, NOW + 0.02 + 60)


def test_a_failure_from_before_does_not_stand_for_the_one_that_was_let_through() -> None:
    let = probing(failed(3), NOW + 60)
    assert after(let, FAILURE, 30_000, NOW + 61) == let


def test_an_answer_to_a_question_that_was_sent_before_it_opened_closes_it() -> None:
    assert state_of(after(failed(3), ANSWER, 5_000, NOW + 1), NOW + 1) == "closed"


def test_an_answer_to_the_one_that_was_let_through_closes_it() -> None:
    health = after(probing(failed(5), NOW + 1_260), ANSWER, 20, NOW + 1_261)
    assert health == PeerHealth(name="spain", last_success_at=NOW + 1_261, elapsed_ms=20)
    assert state_of(health, NOW + 1_261) == "closed"
    assert state_of(failed(2, health), NOW) == "closed", "two failures are few again"
    reopened = failed(3, health)
    assert reopened.open_until == NOW + 60, "and the waits begin anew"


def test_one_that_was_let_through_and_did_not_leave_says_nothing() -> None:
    let = probing(failed(3), NOW + 60)
    assert after(let, UNASKED, 0, NOW + 61) == let


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
    health = failed(4, after(FRESH, ANSWER, 20, NOW - 100))
    assert (health.last_success_at, health.failing_since, health.last_failure_at) == (NOW - 100, NOW, NOW + 60)


def test_a_description_names_the_failures_the_last_of_them_and_the_times() -> None:
    text = described(failed(4))
    assert "it has failed 4 times in a row" in text
    assert "since 2027-01-15 08:00 UTC" in text
    assert "(the last: timeout, no answer within 15 s)" in text
    assert "it is asked again from 2027-01-15 08:06 UTC" in text
    assert "or when it is named" in text


def test_a_description_is_never_the_one_of_an_answer_without_matches() -> None:
    assert described(failed(3)).startswith("its breaker is open")
    assert "match" not in described(failed(3))


def test_a_failure_that_takes_longer_than_it_was_open_changes_nothing_either() -> None:
    health = failed(3)
    assert after(health, FAILURE, 70_000, NOW + 65) == health


def test_a_question_that_was_let_through_and_takes_its_time_is_the_only_one() -> None:
    assert is_open(probing(failed(3), NOW + 60), NOW + 60 + 250), "a question may take 300 s"
