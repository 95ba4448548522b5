"""Turns: a peer is asked about as many cases as was agreed with it, first come first asked, and nobody waits for ever."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from matchmaker.policy.agreement import SPAN_SECONDS
from matchmaker.policy.turns import Turn, gives_way, may_ask, retry_at, search_at, share, turn, turn_at
from matchmaker.records.inquiry import Asked, Inquiry
from matchmaker.store.deciding import WAITS_FOR_ITS_TURN, asked_of

NOW, HOUR, DAY = 1_800_000_000.0, 3_600.0, 86_400.0


def lately(count: int, *, among: bool = False, waiting: int = 0, before: int = 0) -> Asked:
    """A peer that was asked about so many cases: one a day, the last one today."""
    times = tuple(NOW - (count - 1 - n) * DAY for n in range(count))
    return Asked(times=times, among=among, waiting=waiting, before=before)


# ----------------------------------------------------------------------------------------- whose turn it is


def test_without_an_agreement_every_case_may_be_asked_about() -> None:
    assert may_ask(lately(500, waiting=9, before=9), None)


def test_a_case_may_be_asked_about_while_there_are_places() -> None:
    assert may_ask(lately(9), 10)
    assert not may_ask(lately(10), 10)
    assert may_ask(Asked(), 1)


def test_more_than_was_agreed_leaves_no_place() -> None:
    assert not may_ask(lately(12), 10)


def test_those_that_have_waited_longer_come_first() -> None:
    assert may_ask(lately(7, waiting=5, before=2), 10)
    assert not may_ask(lately(7, waiting=5, before=3), 10)


def test_who_came_later_takes_nobodys_place() -> None:
    assert may_ask(lately(9, waiting=100, before=0), 10)


def test_a_case_that_was_asked_about_lately_costs_nothing_more() -> None:
    assert may_ask(lately(10, among=True, waiting=5, before=5), 10)


def test_a_case_that_was_asked_about_lately_gives_way_where_others_wait_for_its_place() -> None:
    assert gives_way(lately(10, among=True, waiting=1), 10)
    assert gives_way(lately(12, among=True, waiting=1), 10)


@pytest.mark.parametrize(
    ("asked", "per_month"),
    [
        (lately(10, among=True, waiting=0), 10),
        (lately(9, among=True, waiting=1), 10),
        (lately(10, among=False, waiting=1), 10),
        (lately(10, among=True, waiting=1), None),
    ],
    ids=["nobody waits", "there is a place", "it waits itself", "no agreement"],
)
def test_else_it_does_not(asked: Asked, per_month: int | None) -> None:
    assert not gives_way(asked, per_month)


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize(
    ("asked", "per_month"),
    [(lately(500, waiting=9, before=9), None), (lately(9, waiting=9), 10), (lately(10, among=True), 10)],
    ids=["no agreement", "a place is free", "it has one"],
)
def test_the_turn_of_a_case_comes_while_there_is_a_place_for_it(
    asked: Asked, per_month: int | None, *, failed: bool
) -> None:
    assert turn(asked, per_month, failed=failed) is Turn.COMES


@pytest.mark.parametrize("failed", [False, True])
def test_a_case_without_a_place_waits_also_when_its_last_question_failed(*, failed: bool) -> None:
    assert turn(lately(10, waiting=1), 10, failed=failed) is Turn.WAITS
    assert turn(lately(7, waiting=5, before=3), 10, failed=failed) is Turn.WAITS


def test_a_case_that_was_asked_about_lately_gives_way_and_one_whose_last_question_failed_never() -> None:
    for count in (10, 12):
        asked = lately(count, among=True, waiting=3, before=3)
        assert turn(asked, 10, failed=False) is Turn.GIVES_WAY
        assert turn(asked, 10, failed=True) is Turn.COMES


# ----------------------------------------------------------------------------------------- when its turn comes


def test_the_first_that_waits_has_its_turn_when_the_first_question_is_thirty_days_old() -> None:
    asked = lately(10, waiting=3, before=0)
    assert turn_at(asked, 10, NOW) == asked.times[0] + 30 * DAY


def test_each_of_those_behind_waits_for_the_next_place() -> None:
    for before in range(10):
        asked = lately(10, waiting=9, before=before)
        assert turn_at(asked, 10, NOW) == asked.times[before] + 30 * DAY


def test_with_as_many_before_it_as_there_are_places_it_waits_thirty_days_longer() -> None:
    for rounds in (1, 2, 3):
        asked = lately(10, waiting=99, before=10 * rounds + 4)
        assert turn_at(asked, 10, NOW) == asked.times[4] + 30 * DAY * (1 + rounds)


def test_places_that_are_free_go_to_those_before_it() -> None:
    asked = lately(7, waiting=9, before=3)
    assert turn_at(asked, 10, NOW) == asked.times[0] + 30 * DAY
    assert turn_at(lately(7, waiting=9, before=5), 10, NOW) == asked.times[2] + 30 * DAY


def test_a_turn_is_never_in_the_past() -> None:
    assert turn_at(Asked(times=(NOW - 40 * DAY,)), 1, NOW) == NOW


def test_where_nothing_was_asked_and_others_wait_it_looks_again_tomorrow() -> None:
    assert turn_at(Asked(waiting=12, before=12), 10, NOW) == NOW + DAY


def test_an_agreement_over_nothing_is_no_error() -> None:
    assert turn_at(lately(1), 0, NOW) > NOW
    assert not may_ask(Asked(), 0)


@pytest.mark.parametrize(("count", "before"), [(10, 0), (11, 0), (12, 0), (25, 0)])
def test_where_more_was_asked_than_agreed_a_turn_comes_when_that_is_over(count: int, before: int) -> None:
    asked = lately(count, waiting=1, before=before)
    due = turn_at(asked, 10, NOW)
    assert due == asked.times[-10] + SPAN_SECONDS
    left = tuple(at for at in asked.times if at > due - SPAN_SECONDS)
    assert may_ask(Asked(times=left), 10)


# ----------------------------------------------------------------------------------------- again, and again


def test_a_case_is_searched_with_again_in_about_a_week() -> None:
    waits = [search_at(f"case {n}", 7, NOW) - NOW for n in range(1_000)]
    assert all(6.3 * DAY <= wait < 7.7 * DAY for wait in waits)
    assert abs(statistics.mean(waits) - 7 * DAY) < 0.05 * DAY


def test_cases_that_came_together_are_spread_out() -> None:
    hours = [int((search_at(f"case {n}", 7, NOW) - NOW) / HOUR) for n in range(1_000)]
    assert set(hours) >= set(range(152, 184)), "no hour of a day and a half is empty"
    assert max(hours.count(hour) for hour in hours) < 1_000 / 33.6 * 2


def test_another_rhythm_is_kept_as_well() -> None:
    assert all(0.9 * DAY <= search_at(f"case {n}", 1, NOW) - NOW < 1.1 * DAY for n in range(100))


def test_a_peer_that_fails_is_asked_again_with_growing_waits() -> None:
    waits = [retry_at(failures, 0.5, NOW) - NOW for failures in range(1, 9)]
    assert waits == [300, 1_200, 4_800, 19_200, DAY, DAY, DAY, DAY]


def test_waits_are_jittered_by_a_quarter_each_way() -> None:
    for failures, wait in ((1, 300), (3, 4_800), (50, DAY)):
        assert retry_at(failures, 0.0, NOW) - NOW == 0.75 * wait
        assert 1.24 * wait < retry_at(failures, 0.999, NOW) - NOW < 1.25 * wait


def test_a_question_that_did_not_leave_waits_as_after_one_failure() -> None:
    assert retry_at(0, 0.5, NOW) == retry_at(1, 0.5, NOW)


def test_a_share_looks_made_by_chance_and_is_the_same_all_day() -> None:
    morning = 20_000 * DAY
    shares = [share(f"case {n}", morning) for n in range(1_000)]
    assert all(0 <= one < 1 for one in shares)
    assert abs(statistics.mean(shares) - 0.5) < 0.05
    assert len(set(shares)) == 1_000
    assert shares == [share(f"case {n}", morning + DAY - 1) for n in range(1_000)]
    assert share("case 1", morning) != share("case 1", morning + DAY)


# ----------------------------------------------------------------------------------------- a hundred and twenty days

FRESH = 0.8 * 7 * DAY  # who answered within it is not asked again yet
SPREAD_OVER = 6 * HOUR  # the week's questions
MOST_STEPS = 20_000


@dataclass
class Node:
    """A node that searches with its cases, and asks one peer about them as background work does.

    `queue` says when each piece of work is due: a search with a case, or a question about it. The peer fails `down`
    from one time to another; `answers` are those of the questions that it answered.
    """

    per_month: int | None
    down: tuple[float, float] = (NOW, NOW)
    now: float = NOW
    inquiries: dict[str, Inquiry] = field(default_factory=dict)
    queue: dict[tuple[str, str], float] = field(default_factory=dict)
    questions: list[tuple[float, str]] = field(default_factory=list)
    answers: list[tuple[float, str]] = field(default_factory=list)

    def run(self, until: float) -> None:
        """Do all that is due until then, in its order."""
        for _ in range(MOST_STEPS):
            due, kind, case = min((due, *piece) for piece, due in self.queue.items())
            if due > until:
                return
            self.now = max(self.now, due)
            del self.queue[kind, case]
            {"search": self.search, "ask": self.ask}[kind](case)
        raise AssertionError("it turns round and round")

    def search(self, case: str) -> None:
        known = self.inquiries.get(case)
        if not self._is_fresh(known):
            due = self.now + (share(f"{case} peer", self.now) * SPREAD_OVER if known else 0.0)
            self.queue["ask", case] = min(due, self.queue.get(("ask", case), due))
        self.queue["search", case] = search_at(case, 7, self.now)

    def ask(self, case: str) -> None:
        known = self.inquiries.get(case)
        if self._is_fresh(known):
            return
        before = known or Inquiry(case=case, node="peer", at=self.now, status="")
        what = turn(self.asked(case), self.per_month, failed=before.failures > 0)
        if what is Turn.WAITS and self.per_month is not None:
            since = before.at if before.status == WAITS_FOR_ITS_TURN else self.now
            self.inquiries[case] = before.model_copy(update={"at": since, "status": WAITS_FOR_ITS_TURN})
            self.queue["ask", case] = turn_at(self.asked(case), self.per_month, self.now)
        if what is Turn.COMES:
            self._question(case, before)

    def _question(self, case: str, before: Inquiry) -> None:
        self.questions.append((self.now, case))
        told: dict[str, object] = {"at": self.now, "asked_at": self.now}
        if self.down[0] <= self.now < self.down[1]:
            told |= {"status": "timeout", "failures": before.failures + 1}
            self.queue["ask", case] = retry_at(before.failures + 1, share(case, self.now), self.now)
        else:
            told |= {"status": "answered", "failures": 0, "answered_at": self.now}
            self.answers.append((self.now, case))
        self.inquiries[case] = before.model_copy(update=told)

    def asked(self, case: str) -> Asked:
        kept = self.inquiries.values()
        rows = sorted((one.asked_at or 0.0, one.case == case) for one in kept)
        within = [row for row in rows if row[0] > self.now - SPAN_SECONDS]
        waiting = {one.case: one.at for one in kept if one.status == WAITS_FOR_ITS_TURN}
        own = waiting.pop(case, None)
        before = [one for one, at in waiting.items() if own is None or (at, one) < (own, case)]
        return asked_of(within, len(waiting), len(before))

    def _is_fresh(self, known: Inquiry | None) -> bool:
        if known is None or known.answered_at is None or known.failures:
            return False
        return self.now - known.answered_at < FRESH


def after_days(
    days: float, cases: int, per_month: int | None, gap: float, down: tuple[float, float] = (NOW, NOW)
) -> Node:
    """A node after so many days, to which a case came every `gap` seconds: case 00, case 01, …"""
    node = Node(per_month, down, queue={("search", f"case {n:02}"): NOW + n * gap for n in range(cases)})
    node.run(NOW + days * DAY)
    return node


def in_every_month(node: Node) -> Iterator[set[str]]:
    """Which cases were asked about within the thirty days before each question."""
    for at, _ in node.questions:
        yield {case for then, case in node.questions if at - SPAN_SECONDS < then <= at}


GAPS = pytest.mark.parametrize("gap", [0.0, 60.0, HOUR, 10 * HOUR, DAY], ids=["0", "minute", "hour", "10 hours", "day"])


@GAPS
def test_within_any_thirty_days_a_peer_is_asked_about_no_more_cases_than_agreed(gap: float) -> None:
    months = list(in_every_month(after_days(120, 30, 10, gap)))
    assert max(map(len, months)) == 10, "no more, and all that may be"


@GAPS
def test_cases_are_asked_about_in_the_order_in_which_they_came(gap: float) -> None:
    node = after_days(120, 30, 10, gap)
    order = list(dict.fromkeys(case for _, case in node.questions))
    assert order[:10] == [f"case {n:02}" for n in range(10)], "the first ten"
    assert order == [f"case {n:02}" for n in range(30)], "and all the others after them"


@GAPS
def test_the_first_ten_do_not_wait(gap: float) -> None:
    node = after_days(120, 30, 10, gap)
    first = {case: at for at, case in reversed(node.questions)}
    assert [first[f"case {n:02}"] for n in range(10)] == [NOW + n * gap for n in range(10)]


@GAPS
def test_every_case_is_asked_about_within_three_months_and_again_after_as_long(gap: float) -> None:
    node = after_days(240, 30, 10, gap)
    for n in range(30):
        asked = [NOW + n * gap, *(at for at, case in node.questions if case == f"case {n:02}"), NOW + 240 * DAY]
        assert len(asked) > 3
        waits = [later - sooner for sooner, later in pairwise(asked)]
        assert max(waits) < 100 * DAY


@pytest.mark.parametrize("per_month", [None, 10, 8])
def test_where_there_are_places_for_all_each_is_asked_about_every_week(per_month: int | None) -> None:
    node = after_days(120, 8, per_month, HOUR)
    assert not [one for one in node.inquiries.values() if one.status == WAITS_FOR_ITS_TURN]
    for n in range(8):
        asked = [at for at, case in node.questions if case == f"case {n:02}"]
        waits = [later - sooner for sooner, later in pairwise(asked)]
        assert len(waits) >= 14
        assert all(6 * DAY < wait < 8 * DAY for wait in waits)


def test_a_case_that_comes_when_all_places_are_taken_has_the_next_that_is_free() -> None:
    node = after_days(30, 10, 10, HOUR)
    node.queue["search", "late"] = node.now
    came = node.now
    node.run(NOW + 90 * DAY)
    (first, *_) = (at for at, case in node.questions if case == "late")
    assert came < first < came + 30 * DAY
    assert max(map(len, in_every_month(node))) == 10


DOWN = pytest.mark.parametrize(
    ("since", "days"), [(0, 0.5), (0, 5), (29, 3), (20, 45)], ids=["at first", "five days", "a month on", "six weeks"]
)


@DOWN
def test_a_peer_that_fails_for_a_while_is_asked_about_no_more_cases_than_agreed(since: float, days: float) -> None:
    node = after_days(120, 30, 10, HOUR, (NOW + since * DAY, NOW + (since + days) * DAY))
    assert max(map(len, in_every_month(node))) == 10


@DOWN
def test_a_case_keeps_its_place_at_a_peer_that_fails_until_it_is_answered(since: float, days: float) -> None:
    node = after_days(120, 30, 10, HOUR, (NOW + since * DAY, NOW + (since + days) * DAY))
    failed = set(node.questions) - set(node.answers)
    assert failed
    for at, case in failed:
        again = min(then for then, other in node.questions if other == case and then > at)
        assert again - at <= 1.25 * DAY, "a failed question is asked again, and gives way to nobody"


@DOWN
def test_every_case_is_answered_in_the_order_in_which_they_came_once_a_peer_no_longer_fails(
    since: float, days: float
) -> None:
    node = after_days(200, 30, 10, HOUR, (NOW + since * DAY, NOW + (since + days) * DAY))
    order = list(dict.fromkeys(case for _, case in node.answers))
    tens = [set(order[n : n + 10]) for n in (0, 10, 20)]
    assert tens == [{f"case {n + m:02}" for m in range(10)} for n in (0, 10, 20)], "ten by ten"
