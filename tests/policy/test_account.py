"""What an organisation may still be told: agreements, the ten genes, coverage, whatever the order of its questions."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matchmaker.matching.profile import CandidateGene, Knowledge, Profile
from matchmaker.policy.account import Account, Reason, Ruling
from matchmaker.policy.agreement import SPAN_SECONDS, Agreement, Limits, shared_per_month
from matchmaker.policy.fingerprints import NEAR, ROWS, Fingerprints, Question, alike, packed, rows_of
from matchmaker.records.dealing import Dealing, Event
from matchmaker.records.party import Client, Role

DAY = 86_400.0
NO_LIMIT = Agreement(None, math.inf, math.inf)


def asked(name: int, genes: Sequence[int] = (), profile: int | None = None) -> Question:
    """A question; those with the same `profile` are near-identical."""
    number = name if profile is None else profile
    sketch = packed(np.random.default_rng(number).integers(0, 4, ROWS, dtype=np.uint8))
    return Question(f"{name}-{sorted(genes)}-{profile}", sketch, frozenset(genes), len(set(genes)))


def told(account: Account, question: Question, cases: Sequence[int], agreement: Agreement, now: float) -> Ruling:
    """Judge a question and take in what comes of it, as a store does."""
    ruling = account.judge(question, cases, agreement, "node spain", now)
    for dealing in ruling.dealings:
        account.last += 1
        account.take(dealing)
    return ruling


def test_so_many_new_profiles_a_month_and_the_same_again_at_no_cost() -> None:
    account, agreement = Account(), Agreement(3, math.inf, math.inf)
    for number in range(3):
        assert told(account, asked(number), [number], agreement, number * DAY).told == (number,)
    refused = told(account, asked(3), [3], agreement, 3 * DAY)
    assert refused.refusal
    assert refused.refusal.reason is Reason.MONTH
    assert refused.refusal.retry_after == SPAN_SECONDS - 3 * DAY, "until the first is a month old"
    assert refused.told == ()
    again = told(account, asked(1), [1], agreement, 3 * DAY)
    assert (again.told, again.refusal) == ((1,), None)
    assert told(account, asked(3), [3], agreement, SPAN_SECONDS + 1).told == (3,)


def test_ten_genes_with_one_profile_in_one_question_or_several() -> None:
    account = Account()
    assert told(account, asked(1, range(10)), [], NO_LIMIT, 0).refusal is None
    eleven = told(Account(), asked(1, range(11)), [1], NO_LIMIT, 0)
    assert eleven.refusal
    assert (eleven.refusal.reason, eleven.told, eleven.dealings) == (Reason.GENES, (), ())
    other = told(account, asked(2, [3, 99], profile=1), [1], NO_LIMIT, DAY)
    assert other.refusal
    assert other.refusal.reason is Reason.GENES
    assert told(account, asked(2, [3, 4], profile=1), [1], NO_LIMIT, DAY).refusal is None
    assert told(account, asked(5, [99]), [1], NO_LIMIT, DAY).refusal is None, "another profile has its own ten"
    assert told(account, asked(6, [98, 99], profile=1), [], NO_LIMIT, 32 * DAY).refusal is None, "a month later"


def test_it_is_stopped_at_its_share_and_released_by_a_named_person() -> None:
    account, agreement = Account(), Agreement(100, 5, 10)
    kinds = []
    for number in range(4):
        ruling = told(account, asked(number), range(3 * number, 3 * number + 3), agreement, number)
        kinds += [dealing.kind for dealing in ruling.dealings]
    assert kinds == [Event.ASKED, Event.ASKED, Event.ALARMED, Event.ASKED, Event.ASKED, Event.STOPPED]
    assert ruling.told == (9,), "cut to what is left, the best first"
    assert account.coverage(5) == 10
    stopped = told(account, asked(77), [99], agreement, 5)
    assert stopped.refusal
    assert stopped.refusal.reason is Reason.STOP
    assert told(account, asked(1), [3, 4, 99], agreement, 5).told == (3, 4), "the same answer, and nothing new"
    assert told(account, asked(77), [99], agreement, 40 * DAY).refusal, "it does not pass by itself"
    account.take(Dealing("node spain", 41 * DAY, Event.RELEASED))
    assert told(account, asked(77), [99], agreement, 41 * DAY).told == (99,)


def test_what_was_told_before_counts_once() -> None:
    account, agreement = Account(), Agreement(100, 5, 10)
    for number in range(50):
        assert told(account, asked(number), [1, 2, 3], agreement, number * 60).told == (1, 2, 3)
    assert account.coverage(3_600) == 3


def test_many_variants_of_one_profile_count_as_new_ones() -> None:
    account, agreement = Account(), Agreement(3, math.inf, math.inf)
    asked_all = (told(account, asked(number, profile=1), [], agreement, number * 60) for number in range(100))
    ends = [ruling.refusal is None for ruling in asked_all]
    assert ends.index(False) == 63, "three times one and twenty variants"
    assert not any(ends[63:])


def test_a_stop_and_every_limit_hold_in_an_account_made_anew_from_what_is_kept() -> None:
    """Questions are forgotten after a month; what else was dealt is not, nor what later questions rest on."""
    account, agreement, kept = Account(), Agreement(100, 5, 10), list[Dealing]()

    def ask(question: Question, cases: Sequence[int], day: float) -> Ruling:
        ruling = told(account, question, cases, agreement, day * DAY)
        kept.extend(ruling.dealings)
        return ruling

    ask(asked(1, range(9)), range(12), 0)
    assert account.stopped
    for day in (10, 20, 30, 40):
        ask(asked(1, range(9)), range(12), day)
    again = Account()
    for dealing in kept:
        if dealing.kind is not Event.ASKED or dealing.at > 9 * DAY:
            again.take(dealing)
    for each in (account, again):
        assert each.stopped
        assert each.coverage(40 * DAY) == 0
        assert each.profiles_since(40 * DAY) == []
        refused = each.judge(asked(2, [20, 21], profile=1), [99], agreement, "node spain", 40 * DAY).refusal
        assert refused
        assert refused.reason is Reason.GENES, "the profile is known by its sketch"
        bare = each.judge(Question("bare", "", frozenset({5}), 1), [], agreement, "node spain", 40 * DAY).refusal
        assert bare
        assert bare.reason is Reason.STOP, "a question without terms is near nothing but its like"


QUESTIONS = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.sets(st.integers(0, 20), max_size=12),
        st.integers(0, 5) | st.none(),
        st.lists(st.integers(0, 60), max_size=8, unique=True),
        st.floats(0, 5 * DAY),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=80)
@given(QUESTIONS, st.integers(1, 8), st.integers(1, 20))
def test_no_order_of_questions_learns_more_than_was_agreed(
    questions: list[tuple[int, set[int], int | None, list[int], float]], per_month: int, stop: int
) -> None:
    account, agreement, now = Account(), Agreement(per_month, stop / 2, stop), 0.0
    first_told: dict[int, float] = {}
    genes: dict[int, list[tuple[float, int]]] = {}
    for name, some, profile, cases, later in questions:
        now += later
        ruling = told(account, asked(name, sorted(some), profile), cases, agreement, now)
        assert set(ruling.told) <= set(cases)
        if ruling.refusal:
            assert ruling.told == ()
            continue
        for case in ruling.told:
            first_told.setdefault(case, now)
        key = name if profile is None else profile
        genes.setdefault(key, []).extend((now, gene) for gene in some)
        lately = {gene for at, gene in genes[key] if at > now - SPAN_SECONDS}
        assert len(lately) <= 10, "ten genes with one profile"
    for start in first_told.values():
        assert sum(start <= at < start + SPAN_SECONDS for at in first_told.values()) <= stop


@settings(deadline=None, max_examples=50)
@given(QUESTIONS)
def test_whoever_took_in_the_same_dealings_answers_alike(
    questions: list[tuple[int, set[int], int | None, list[int], float]],
) -> None:
    account, dealings, now, agreement = Account(), list[Dealing](), 0.0, Agreement(5, 5, 10)
    for name, some, profile, cases, later in questions:
        now += later
        ruling = account.judge(asked(name, sorted(some), profile), cases, agreement, "x", now)
        for dealing in ruling.dealings:
            account.take(dealing)
        dealings += ruling.dealings
        other = Account()
        for dealing in dealings:
            other.take(dealing)
        probe = asked(777, [1])
        assert other.judge(probe, [1, 2], agreement, "x", now) == account.judge(probe, [1, 2], agreement, "x", now)


@pytest.mark.parametrize(
    ("per_month", "cases", "alarm", "stop"),
    [(100, 2_000, 100, 200), (1_200, 2_000, 1_200, 2_400), (10, 2_000, 12.5, 25), (100, 10, 12.5, 25)],
)
def test_the_shares_are_scaled_by_the_agreement_and_never_under_25_cases(
    per_month: int, cases: int, alarm: float, stop: float
) -> None:
    agreement = Agreement.of(per_month, cases, Limits())
    assert (agreement.per_month, agreement.alarm, agreement.stop) == (per_month, alarm, stop)


def test_nodes_of_one_institution_share_the_largest_of_their_agreements() -> None:
    one, other = (Client(name, Role.NODE, name, "Hospital  of Madrid", per_month=n) for name, n in (("a", 5), ("b", 9)))
    assert one.organisation == replace(other, institution="hospital of madrid").organisation
    assert shared_per_month([one, other]) == 9
    assert shared_per_month([one, replace(other, per_month=None)]) is None
    assert shared_per_month([]) == 0
    assert Client("a", Role.NODE, "x").organisation != Client("b", Role.NODE, "y").organisation


def test_a_question_is_known_again_and_says_nothing_of_itself(real_knowledge: Knowledge) -> None:
    ontology = real_knowledge.ontology
    prints = Fingerprints("secret", ontology)
    terms = [ontology.number(one) for one in ("HP:0000252", "HP:0001250", "HP:0001263", "HP:0000729", "HP:0001270")]
    numbers = [number for number in terms if number is not None]
    profile = real_knowledge.profile_of_terms(numbers)
    with_gene = replace(profile, genes={"NCBIGene:1": CandidateGene("NCBIGene:1", "A1BG", "A1BG")})
    one, same, other = (prints.of(each, test=False) for each in (with_gene, with_gene, profile))
    assert one == same
    assert one.digest != other.digest
    assert one.sketch == other.sketch
    assert one.digest != Fingerprints("another secret", ontology).of(with_gene, test=False).digest
    assert prints.of(with_gene, test=True).digest != one.digest
    assert "A1BG" not in repr(one)

    def share(some: Profile) -> float:
        return float(alike(rows_of(prints.of(some, test=False).sketch)[None], rows_of(one.sketch))[0])

    finer = next(n for n in range(len(ontology)) if ontology.parents(n) == (numbers[1],))
    assert share(real_knowledge.profile_of_terms([*numbers, finer])) >= NEAR, "a term made finer"
    assert share(real_knowledge.profile_of_terms(numbers[:2])) < NEAR, "another patient"
    assert prints.of(Profile(), test=False).sketch == ""


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_sketch_estimates_how_much_of_two_profiles_is_the_same(
    real_knowledge: Knowledge, data: st.DataObject
) -> None:
    pool = sorted(real_knowledge.ontology.abnormalities)
    first = data.draw(st.sets(st.sampled_from(pool), min_size=3, max_size=20))
    second = data.draw(st.sets(st.sampled_from(pool), min_size=1, max_size=20)) | set(sorted(first)[::2])
    prints = Fingerprints("secret", real_knowledge.ontology)
    one, other = (real_knowledge.profile_of_terms(terms) for terms in (first, second))
    truth = len(one.closure & other.closure) / len(one.closure | other.closure)
    sketches = [rows_of(prints.of(each, test=False).sketch) for each in (one, other)]
    assert abs(float(alike(sketches[0][None], sketches[1])[0]) - truth) < 0.25, "256 rows, six deviations"
