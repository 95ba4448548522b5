"""When a mail is due, and what becomes of one that fails: times and states, without a clock or a store."""

from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.alerts.schedule import DAY, HOUR, WEEK, after_failure, due_at, empty, given_up, sent
from matchmaker.records.alert import Mail, MailKind, MailState, Waiting
from matchmaker.records.choices import Frequency

NOON = datetime(2027, 3, 10, 12, tzinfo=UTC).timestamp()  # a Wednesday
GATHER = 5.0
SIX_HOURS = 6 * HOUR


def waiting(*recent: tuple[float, int], alerts: int = 1, oldest: float = NOON) -> Waiting:
    """What waits for Ana; `recent` are her latest mails, newest first, in seconds before noon."""
    made = tuple((NOON - before, count) for before, count in recent)
    return Waiting(recipient="ana@hospital.example", alerts=alerts, oldest=oldest, recent=made)


def at_once(what: Waiting) -> float:
    due = due_at(what, Frequency.AT_ONCE, GATHER)
    assert due is not None
    return due - NOON


def mail(**changes: float) -> Mail:
    return Mail(id="m1", recipient="ana@hospital.example", kind=MailKind.MATCHES, created_at=NOON).model_copy(
        update=changes
    )


def test_what_comes_after_a_silence_goes_once_it_is_gathered() -> None:
    assert at_once(waiting()) == GATHER
    assert at_once(waiting(alerts=40)) == GATHER
    assert at_once(waiting((HOUR, 1), (HOUR + 1, 30), alerts=2)) == GATHER, "what is an hour old is no longer lately"


def test_three_single_ones_go_at_once_and_the_rest_waits_until_an_hour_after_the_newest() -> None:
    assert at_once(waiting((10, 1))) == GATHER
    assert at_once(waiting((10, 1), (900, 1))) == GATHER
    assert at_once(waiting((10, 1), (900, 1), (1_800, 1))) == HOUR - 10


def test_many_at_a_time_wait_until_an_hour_after_the_newest_mail() -> None:
    assert at_once(waiting((10, 1), alerts=2)) == HOUR - 10


def test_after_a_digest_the_next_mail_is_an_hour_later() -> None:
    assert at_once(waiting((10, 2))) == HOUR - 10
    assert at_once(waiting((10, 1), (1_800, 2))) == HOUR - 1_800
    assert at_once(waiting((HOUR - 1, 2))) == GATHER, "what is found is gathered first even so"


@pytest.mark.parametrize(
    ("frequency", "oldest", "due"),
    [
        (Frequency.HOURLY, "2027-03-10T12:00:01", "2027-03-10T13:00:00"),
        (Frequency.HOURLY, "2027-03-10T12:59:59", "2027-03-10T13:00:00"),
        (Frequency.HOURLY, "2027-03-10T13:00:00", "2027-03-10T14:00:00"),
        (Frequency.DAILY, "2027-03-10T06:59:59", "2027-03-10T07:00:00"),
        (Frequency.DAILY, "2027-03-10T07:00:00", "2027-03-11T07:00:00"),
        (Frequency.DAILY, "2027-12-31T23:00:00", "2028-01-01T07:00:00"),
        (Frequency.WEEKLY, "2027-03-15T06:59:59", "2027-03-15T07:00:00"),
        (Frequency.WEEKLY, "2027-03-15T07:00:00", "2027-03-22T07:00:00"),
        (Frequency.WEEKLY, "2027-03-10T12:00:00", "2027-03-15T07:00:00"),
    ],
)
def test_digests_come_at_the_full_hour_at_seven_and_on_mondays_at_seven(
    frequency: Frequency, oldest: str, due: str
) -> None:
    found, expected = (datetime.fromisoformat(f"{text}+00:00").timestamp() for text in (oldest, due))
    assert due_at(waiting((1, 9), alerts=7, oldest=found), frequency, GATHER) == expected


@given(st.floats(0, 4e9), st.sampled_from([(Frequency.HOURLY, HOUR), (Frequency.DAILY, DAY), (Frequency.WEEKLY, WEEK)]))
def test_a_digest_comes_within_its_span_at_its_time(oldest: float, frequency: tuple[Frequency, float]) -> None:
    due = due_at(waiting(oldest=oldest), frequency[0], GATHER)
    assert due is not None
    assert 0 < due - oldest <= frequency[1]
    at = datetime.fromtimestamp(due, UTC)
    assert (at.minute, at.second, at.microsecond) == (0, 0, 0)
    assert frequency[1] == HOUR or at.hour == 7
    assert frequency[1] != WEEK or at.isoweekday() == 1


def test_never_is_never() -> None:
    assert due_at(waiting(alerts=1_000), Frequency.NEVER, GATHER) is None


def mails_of(found: list[float], gather: float, looks_every: float) -> list[tuple[float, int, float]]:
    """The mails about what is found at some times: when each went, of how many, and how long the oldest had waited."""
    made: list[tuple[float, int, float]] = []
    held: list[float] = []
    coming = sorted(found)
    while coming or held:
        due = inf
        if held:
            recent = tuple((at, count) for at, count, _ in made)
            what = Waiting(recipient="ana@hospital.example", alerts=len(held), oldest=held[0], recent=recent)
            due = ceil((due_at(what, Frequency.AT_ONCE, gather) or inf) / looks_every) * looks_every
        if coming and coming[0] <= due:
            held.append(coming.pop(0))
        else:
            made.insert(0, (due, len(held), due - held[0]))
            held = []
    return made[::-1]


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.one_of(st.floats(0, 20), st.floats(0, 1_800), st.floats(0, 2 * HOUR)), min_size=1, max_size=60),
    st.sampled_from([0.0, 5.0, 600.0, HOUR]),
    st.sampled_from([0.25, 1.0, 60.0]),
)
def test_in_a_flood_nobody_gets_more_than_a_digest_an_hour_and_nobody_waits_longer(
    gaps: list[float], gather: float, looks_every: float
) -> None:
    found = [NOON + sum(gaps[: count + 1]) for count in range(len(gaps))]
    found = [at for at in found if at < NOON + DAY]
    mails = mails_of(found, gather, looks_every)
    times, digests = [at for at, _, _ in mails], [at for at, count, _ in mails if count > 1]
    assert sum(count for _, count, _ in mails) == len(found), "each is told once"
    assert all(later - at >= HOUR for at, later in pairwise(digests))
    assert not [at for digest in digests for at in times if 0 < at - digest < HOUR], "a digest is followed by nothing"
    assert all(later - at >= HOUR for at, later in zip(times, times[3:], strict=False)), "three mails an hour at most"
    assert all(waited <= HOUR + gather + looks_every for _, _, waited in mails)


def test_waits_double_from_the_first_up_to_six_hours() -> None:
    one, waits = mail(), []
    for _ in range(12):
        failed = after_failure(one, "451 later", NOON, 0.5, 60.0, inf)
        waits.append(failed.due - NOON)
        one = failed
    assert waits == [60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, SIX_HOURS, SIX_HOURS, SIX_HOURS]
    assert (one.state, one.attempts, one.reason) == (MailState.WAITING, 12, "451 later")
    assert after_failure(mail(), "", NOON, 0.5, DAY, inf).due == NOON + DAY, "unless the first wait is longer"


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0.1, DAY))
def test_a_wait_is_jittered_by_a_quarter_at_most(attempts: int, chance: float, first: float) -> None:
    plain = after_failure(mail(attempts=attempts), "", NOON, 0.5, first, inf).due - NOON
    wait = after_failure(mail(attempts=attempts), "", NOON, chance, first, inf).due - NOON
    assert 0.75 * plain - 1e-6 <= wait <= 1.25 * plain + 1e-6
    assert plain <= max(first, SIX_HOURS) + 1e-6


def test_two_mails_that_fail_together_are_not_tried_together() -> None:
    assert len({after_failure(mail(), "", NOON, chance / 10, 60.0, inf).due for chance in range(10)}) == 10


def test_a_mail_is_given_up_at_last_with_the_last_answer() -> None:
    one, tried = mail(due=NOON), []
    while one.state is MailState.WAITING:
        tried.append(one.due)
        one = after_failure(one, f"451 no {len(tried)}", one.due, 0.5, 60.0, 5 * DAY)
    assert one.state is MailState.GIVEN_UP
    assert one.reason == f"tried {len(tried)} times; the last answer: 451 no {len(tried)}"
    assert one.settled_at == tried[-1]
    assert 5 * DAY - SIX_HOURS < tried[-1] - NOON <= 5 * DAY, "it was tried for as long as it was to be"


def test_a_mail_that_is_tried_anew_has_all_its_tries_again() -> None:
    late = NOON + 8 * DAY
    again = given_up(mail(attempts=30), "tried 30 times", late).again(late)
    assert (again.state, again.attempts, again.due) == (MailState.WAITING, 0, late)
    assert (again.settled_at, again.reason, again.id) == (None, None, "m1")
    failed = after_failure(again, "451 greylisted", late, 0.5, 60.0, 5 * DAY)
    assert (failed.state, failed.due) == (MailState.WAITING, late + 60)


def test_what_became_of_a_mail_is_noted_with_its_time() -> None:
    tried = mail(attempts=2).model_copy(update={"reason": "451 later"})
    done = sent(tried, NOON + 9)
    assert (done.state, done.settled_at, done.attempts, done.reason) == (MailState.SENT, NOON + 9, 3, None)
    lost = given_up(tried, "550 nobody", NOON + 9)
    assert (lost.state, lost.settled_at, lost.reason) == (MailState.GIVEN_UP, NOON + 9, "550 nobody")
    assert (empty(tried, NOON + 9).state, empty(tried, NOON + 9).settled_at) == (MailState.EMPTY, NOON + 9)
