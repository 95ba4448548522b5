"""When a match is news, whom it alerts, and why it stays quiet."""

from dataclasses import replace
from typing import Any

import pytest

from matchmaker.policy.news import (
    BETTER_BY,
    NOBODY_TO_ALERT,
    Addressee,
    Details,
    Kin,
    Noted,
    Sighting,
    Thresholds,
    flag_of,
    noted,
    solved,
    why_quiet,
)
from matchmaker.records.alert import NOBODY, News, Role
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.match import (
    Diagnosis,
    Direction,
    Event,
    Flag,
    Match,
    Other,
    SharedGene,
    Side,
    Solution,
    Status,
    Treatment,
)

NOW, HOUR, DAY = 1_800_000_000.0, 3_600.0, 86_400.0
NODES = Thresholds(0.20, 0.40)
BCKDK = SharedGene(key="ENSG00000103507", id="ENSG00000103507", symbol="BCKDK")
TTN = SharedGene(key="ENSG00000155657", id="ENSG00000155657", symbol="TTN")
SAME_VARIANT = BCKDK.model_copy(update={"same_variant": True})
SOLVED = Solution(diagnosis=Diagnosis(id="MIM:614923"), helped=(Treatment(name="branched-chain amino acids"),))
ANSWER = {"id": "theirs", "features": [{"id": "HP:0001250"}]}


def answered(score: float = 0.5, *genes: SharedGene, at: float = NOW, **told: Any) -> Match:
    """A match that a peer's answer told of our case "ours"."""
    other = {"id": "theirs", "contact": {"name": "Dr Roe"}, "answer": ANSWER, "answered_at": at}
    if "solution" in told:
        other["solution"] = told.pop("solution")
    match = {
        "id": "m", "node": "spain", "sides": (Side(case="ours", owner="dublin"),), "other": Other.model_validate(other),
        "score": score, "peer_score": 0.7, "genes": genes, "asked": True, "disclaimer": "as is", "terms": "be kind",
        "first_seen": at, "last_seen": at, "changed_at": at,
    }  # fmt: skip
    return Match.model_validate({**match, **told})


def asked(score: float = 0.5, *genes: SharedGene, at: float = NOW, **told: Any) -> Match:
    """The same match, as the peer's own question tells of it."""
    other = Other(id="theirs", contact={"name": "Dr Roe, of the question"}, version="of the question")
    fewer = {"other": other, "asked": False, "was_asked": True, "peer_score": None, "disclaimer": None, "terms": None}
    return answered(score, *genes, at=at, **{**fewer, **told})


def here(score: float = 0.5, /, *genes: SharedGene, at: float = NOW, **second: Any) -> Match:
    """A match of two cases of this node, "ours" and "other"; what is said is of the second side."""
    sides = (Side(case="ours", owner="dublin"), Side.model_validate({"case": "other", "owner": "cork", **second}))
    return answered(score, *genes, at=at, sides=sides, other=None, asked=False, node="ireland", peer_score=None)


def to(address: str = "roe@dublin.example", case: str = "ours", **chosen: Any) -> Addressee:
    """Somebody to alert, with what it has chosen for itself."""
    return Addressee(address, case, Choices(**chosen))


def of_the_case(**chosen: Any) -> Addressee:
    """Somebody who has chosen nothing for itself, but something for the case."""
    return replace(to(), case_choices=Choices(**chosen))


CONTACT = Addressee("contact@spain.example", "ours", role=Role.THEIRS, quoted="theirs")
BOTH = (to("roe@dublin.example"), to("doe@cork.example", "other"))


def seen(known: Match | None, found: Match, *people: Addressee) -> Noted:
    return noted(known, Sighting(found, people or (to(),), NODES))


def first(found: Match, *people: Addressee) -> Match:
    """A match as it is kept after it was seen for the first time."""
    return seen(None, found, *people).match


def news_of(result: Noted) -> list[tuple[str, News]]:
    return [(alert.recipient, alert.news) for alert in result.alerts]


def reason(match: Match, to_whom: Addressee | None = None, news: News = News.FOUND, **side: Any) -> str | None:
    ours = match.sides[0].model_copy(update=side)
    return why_quiet(match, ours, news, to_whom or to(), NODES)


# ----------------------------------------------------------------------------------------- why a match stays quiet


def test_nothing_stands_against_a_good_match_of_two_patients() -> None:
    assert reason(answered(0.5, BCKDK)) is None
    assert reason(answered(0.5)) is None


QUIET = [
    ("one of the patients is a test", answered(1.0, SAME_VARIANT, test=True), to()),
    ("perhaps one family", answered(1.0, SAME_VARIANT, flag=Flag.FAMILY), to()),
    ("perhaps one person", answered(1.0, SAME_VARIANT, flag=Flag.PERSON), to()),
    ("the recipient wants no mails", answered(1.0, BCKDK), to(frequency=Frequency.NEVER)),
    ("the case is muted", answered(1.0, BCKDK), of_the_case(muted=True)),
    ("the node is muted", answered(1.0, BCKDK), to(muted_nodes=("norway", "spain"))),
    ("the node is muted", answered(1.0, BCKDK), of_the_case(muted_nodes=("spain",))),
    ("the shared gene is muted", answered(1.0, BCKDK), to(muted_genes=("ENSG00000103507",))),
    ("the shared gene is muted", answered(1.0, BCKDK), to(muted_genes=("bckdk",))),
    ("the shared gene is muted", answered(1.0, BCKDK), of_the_case(muted_genes=("BCKDK",))),
    ("the shared gene is muted", answered(1.0, SharedGene(key="k", id="My-Id")), to(muted_genes=("my-id",))),
    (
        "the shared gene is muted",
        answered(1.0, BCKDK, TTN),
        replace(to(muted_genes=("TTN",)), case_choices=Choices(muted_genes=("BCKDK",))),
    ),
    ("only matches that share a gene are wanted", answered(1.0), to(only_shared_genes=True)),
    ("only matches that share a gene are wanted", answered(1.0), of_the_case(only_shared_genes=True)),
    ("it is below the threshold", answered(0.19, BCKDK), to()),
    ("it is below the threshold", answered(0.89, BCKDK), to(min_score=0.9)),
    ("it is below the threshold", answered(0.89, BCKDK), of_the_case(min_score=0.9)),
    ("it is below the threshold for matches by phenotype alone", answered(0.39), to()),
    ("it is below the threshold for matches by phenotype alone", answered(0.89), to(min_score_by_phenotype=0.9)),
    (
        "it is below the threshold for matches by phenotype alone",
        answered(0.89),
        of_the_case(min_score_by_phenotype=0.9),
    ),
]


@pytest.mark.parametrize(("expected", "match", "to_whom"), QUIET)
def test_whatever_stays_quiet_says_why(expected: str, match: Match, to_whom: Addressee) -> None:
    assert reason(match, to_whom) == expected
    result = seen(None, match, to_whom)
    assert result.alerts == ()
    assert result.match.sides[0].quiet == expected, "and the side keeps it"
    assert result.changed, "what is quiet is remembered all the same"


def test_what_was_found_to_be_no_match_stays_quiet_and_every_other_status_does_not() -> None:
    quiet = [status for status in Status if reason(answered(1.0, BCKDK), status=status)]
    assert quiet == [Status.NOT_A_MATCH]
    assert reason(answered(1.0, BCKDK), status=Status.NOT_A_MATCH) == "it was found to be no match"


@pytest.mark.parametrize("chosen", [to(only_new=True), of_the_case(only_new=True)])
@pytest.mark.parametrize("news", [News.STRONGER, News.SOLVED])
def test_who_wants_only_new_matches_is_told_of_no_change(chosen: Addressee, news: News) -> None:
    assert reason(answered(1.0, BCKDK), chosen, news) == "only new matches are wanted"
    assert reason(answered(1.0, BCKDK), chosen, News.FOUND) is None


def test_a_test_a_flag_and_a_no_are_told_before_what_was_chosen() -> None:
    never = to(frequency=Frequency.NEVER, min_score=1.0)
    assert reason(answered(0.0, test=True, flag=Flag.FAMILY), never) == "one of the patients is a test"
    assert reason(answered(0.0, flag=Flag.FAMILY), never, status=Status.NOT_A_MATCH) == "perhaps one family"
    assert reason(answered(0.0), never, status=Status.NOT_A_MATCH) == "it was found to be no match"
    assert reason(answered(0.0), never) == "the recipient wants no mails"


@pytest.mark.parametrize("genes", [(), (BCKDK,)])
def test_a_test_sends_nothing_whatever_the_news(genes: tuple[SharedGene, ...]) -> None:
    assert all(reason(answered(1.0, *genes, test=True), news=news) for news in News)


def test_a_muted_gene_does_not_hide_another_one_that_is_shared_too() -> None:
    assert reason(answered(1.0, BCKDK, TTN), to(muted_genes=("TTN",))) is None
    assert reason(answered(1.0, BCKDK, TTN), to(muted_genes=("TTN", "BCKDK"))) == "the shared gene is muted"


def test_a_muted_gene_has_no_say_in_a_match_by_phenotype() -> None:
    assert reason(answered(0.9), to(muted_genes=("TTN",))) is None


def test_a_muted_node_mutes_no_other() -> None:
    assert reason(answered(0.9, BCKDK), to(muted_nodes=("norway",))) is None


def test_a_match_at_the_threshold_itself_is_told() -> None:
    assert reason(answered(0.20, BCKDK)) is None
    assert reason(answered(0.40)) is None
    assert reason(answered(0.90, BCKDK), to(min_score=0.9)) is None


def test_matches_by_phenotype_alone_have_a_threshold_of_their_own() -> None:
    chosen = to(min_score=0.9, min_score_by_phenotype=0.1)
    assert reason(answered(0.5, BCKDK), chosen) == "it is below the threshold"
    assert reason(answered(0.5), chosen) is None


@pytest.mark.parametrize("genes", [(), (BCKDK,)])
def test_the_cases_threshold_goes_before_the_persons_and_that_before_the_nodes(genes: tuple[SharedGene, ...]) -> None:
    def both(at: float) -> Choices:
        return Choices(min_score=at, min_score_by_phenotype=at)

    match = answered(0.5, *genes)
    assert reason(match, Addressee("a", "ours", both(0.9), both(0.3))) is None
    assert reason(match, Addressee("a", "ours", both(0.3), both(0.9))) is not None
    assert reason(match, Addressee("a", "ours", both(0.9), Choices())) is not None
    weak = answered(0.01, *genes)
    assert reason(weak, Addressee("a", "ours", both(0.0), Choices())) is None, "nought is a choice, too"
    assert reason(weak, Addressee("a", "ours", both(0.9), both(0.0))) is None


def test_the_threshold_is_compared_with_the_score_that_the_side_may_know() -> None:
    assert reason(answered(0.9, BCKDK), score=0.1) == "it is below the threshold"
    assert reason(answered(0.1, BCKDK), score=0.9) is None


def test_what_the_other_side_came_to_is_told_below_the_threshold_too() -> None:
    assert reason(answered(0.01, BCKDK), news=News.SOLVED) is None
    assert reason(answered(0.01), news=News.SOLVED) is None
    assert reason(answered(0.01, BCKDK), news=News.STRONGER) == "it is below the threshold"


# ------------------------------------------------------------------------------------------------ seen first, and again


def test_the_first_time_is_news() -> None:
    result = seen(None, answered(0.5, BCKDK))
    assert news_of(result) == [("roe@dublin.example", News.FOUND)]
    assert (result.match.news, result.match.news_score) == (1, 0.5)
    assert (result.match.first_seen, result.match.last_seen, result.match.changed_at) == (NOW, NOW, NOW)
    assert result.match.sides[0].quiet is None
    assert result.changed


def test_an_alert_says_of_which_match_and_case_how_strong_and_when() -> None:
    (alert,) = seen(None, answered(0.5, BCKDK)).alerts
    assert (alert.match, alert.case, alert.node, alert.score, alert.number) == ("m", "ours", "spain", 0.5, 1)
    assert (alert.at, alert.due, alert.role, alert.quoted, alert.mail) == (NOW, NOW, Role.OURS, None, None)


def test_an_alert_holds_neither_a_gene_nor_anything_else_of_the_patients() -> None:
    (alert,) = seen(None, answered(0.5, SAME_VARIANT, solution=SOLVED)).alerts
    for secret in ("ENSG", "BCKDK", "HP:", "MIM", "amino", "Dr Roe"):
        assert secret not in alert.to_text(), secret


def test_seen_again_unchanged_it_is_no_news_and_not_even_written() -> None:
    known = first(answered(0.5, SAME_VARIANT, solution=SOLVED))
    result = seen(known, answered(0.5, SAME_VARIANT, solution=SOLVED))
    assert result == Noted(known, (), changed=False)


def test_a_match_read_from_a_store_is_the_same_match() -> None:
    found = answered(0.5, SAME_VARIANT, solution=SOLVED, explanation={"sharedTerms": [{"id": "HP:1"}]}, parts={"a": 1})
    known = Match.parse(first(found).to_text())
    assert not seen(known, found).changed
    assert seen(known, found).match == known


def test_that_it_was_seen_again_is_written_once_a_day() -> None:
    match, written = first(asked(0.5, BCKDK)), []
    for hour in range(1, 24 * 5):
        result = seen(match, asked(0.5, BCKDK, at=NOW + hour * HOUR))
        assert result.alerts == ()
        if result.changed:
            match = result.match
            written.append(hour)
    assert written == [25, 50, 75, 100]
    assert match.last_seen == NOW + 100 * HOUR
    assert (match.first_seen, match.changed_at, match.news) == (NOW, NOW, 1)


def test_a_rise_of_the_score_is_news_from_a_twentieth_on() -> None:
    known = first(answered(0.5, BCKDK))
    result = seen(known, answered(0.5 + BETTER_BY, BCKDK, at=NOW + DAY))
    assert news_of(result) == [("roe@dublin.example", News.STRONGER)]
    assert (result.match.news, result.match.news_score, result.alerts[0].number) == (2, 0.55, 2)
    assert (result.match.first_seen, result.match.changed_at) == (NOW, NOW + DAY)
    assert seen(known, answered(0.549, BCKDK)).alerts == ()


def test_small_rises_add_up_from_the_score_that_was_told_last() -> None:
    match, told_at = first(answered(0.50, BCKDK)), []
    for score in (0.53, 0.54, 0.40, 0.56, 0.60, 0.50, 0.62):
        result = seen(match, answered(score, BCKDK))
        match = result.match
        assert match.score == score
        told_at += [score] if result.alerts else []
    assert (told_at, match.news_score) == ([0.56, 0.62], 0.62)


def test_a_lower_score_is_kept_and_no_news_nor_is_its_return() -> None:
    lower = seen(first(answered(0.9, BCKDK)), answered(0.3, BCKDK))
    assert (lower.alerts, lower.match.score, lower.match.news, lower.changed) == ((), 0.3, 1, True)
    assert seen(lower.match, answered(0.9, BCKDK)).alerts == ()


def test_another_shared_gene_is_news_even_at_a_lower_score() -> None:
    result = seen(first(answered(0.9, BCKDK)), answered(0.5, BCKDK, TTN))
    assert news_of(result) == [("roe@dublin.example", News.STRONGER)]
    assert (result.match.score, result.match.news_score) == (0.5, 0.9)


def test_the_old_score_after_a_gene_that_was_added_at_a_lower_one_is_no_second_news() -> None:
    added = seen(first(answered(0.9, BCKDK)), answered(0.5, BCKDK, TTN)).match
    result = seen(added, answered(0.9, BCKDK, TTN))
    assert (result.alerts, result.match.score, result.match.news) == ((), 0.9, 2)


def test_all_genes_and_variants_that_were_ever_shared_stay_told() -> None:
    match = first(answered(0.5, SAME_VARIANT))
    for genes in ((TTN,), (), (BCKDK,)):
        match = seen(match, answered(0.5, *genes)).match
    assert match.told == (BCKDK.key, f"{BCKDK.key} variant", TTN.key)
    for again in ((SAME_VARIANT,), (TTN,), (BCKDK, TTN), (SAME_VARIANT, TTN)):
        assert seen(match, answered(0.5, *again)).alerts == (), "each was told once"
    variant = TTN.model_copy(update={"same_variant": True})
    assert news_of(seen(match, answered(0.5, variant))) == [("roe@dublin.example", News.STRONGER)]


@pytest.mark.parametrize(("in_answers", "in_questions"), [((BCKDK,), ()), ((SAME_VARIANT,), (BCKDK,))])
@pytest.mark.parametrize("in_a_question", [0.3, 0.5, 0.6])
def test_a_pair_seen_in_turn_from_both_sides_is_news_once(
    in_answers: tuple[SharedGene, ...], in_questions: tuple[SharedGene, ...], in_a_question: float
) -> None:
    match, count = first(answered(0.6, *in_answers)), 0
    for week in range(1, 5):
        for found in (
            asked(in_a_question, *in_questions, at=NOW + 7 * week * DAY),
            answered(0.6, *in_answers, at=NOW + (7 * week + 1) * DAY),
        ):
            result = seen(match, found)
            match, count = result.match, count + len(result.alerts)
    assert (count, match.news) == (0, 1)


def test_a_pair_whose_question_came_first_is_stronger_once_it_is_answered_and_never_again() -> None:
    match, news = first(asked(0.5, BCKDK)), list[tuple[str, News]]()
    for _ in range(3):
        for found in (answered(0.5, SAME_VARIANT), asked(0.5, BCKDK)):
            result = seen(match, found)
            match, news = result.match, [*news, *news_of(result)]
    assert news == [("roe@dublin.example", News.STRONGER)]


def test_of_an_unchanged_pair_here_no_search_of_either_owner_is_news() -> None:
    def found(by: float) -> Match:
        sides = (Side(case="ours", owner="dublin", score=0.5), Side(case="other", owner="cork", score=0.6))
        return here(by, BCKDK).model_copy(update={"sides": sides})

    match, count = first(found(0.5), *BOTH), 0
    for by in (0.6, 0.5, 0.6, 0.5, 0.6):
        result = seen(match, found(by), *BOTH)
        match, count = result.match, count + bool(result.alerts)
    assert count == 0


def test_the_first_shared_gene_of_a_match_by_phenotype_is_news() -> None:
    assert news_of(seen(first(answered(0.5)), answered(0.5, BCKDK))) == [("roe@dublin.example", News.STRONGER)]


def test_the_same_variant_of_a_gene_that_was_shared_is_news() -> None:
    result = seen(first(answered(0.5, BCKDK)), answered(0.5, SAME_VARIANT))
    assert news_of(result) == [("roe@dublin.example", News.STRONGER)]


def test_a_gene_or_variant_less_is_no_news() -> None:
    known = first(answered(0.5, SAME_VARIANT, TTN))
    for fewer in ((), (BCKDK, TTN), (SAME_VARIANT,)):
        result = seen(known, answered(0.5, *fewer))
        assert (result.alerts, result.match.news) == ((), 1)
        assert result.match.genes == fewer


def test_what_the_other_node_tells_that_its_case_came_to_is_news() -> None:
    result = seen(first(answered(0.5, BCKDK)), answered(0.5, BCKDK, solution=SOLVED))
    assert news_of(result) == [("roe@dublin.example", News.SOLVED)]
    assert result.match.other
    assert result.match.other.solution == SOLVED
    assert seen(result.match, answered(0.5, BCKDK, solution=SOLVED)).alerts == (), "told once"


def test_what_it_came_to_is_news_again_when_it_is_told_otherwise() -> None:
    known = first(answered(0.5, BCKDK, solution=Solution(diagnosis=Diagnosis(label="epilepsy"))))
    assert news_of(seen(known, answered(0.5, BCKDK, solution=SOLVED))) == [("roe@dublin.example", News.SOLVED)]


def test_solved_goes_before_stronger() -> None:
    result = seen(first(answered(0.5, BCKDK)), answered(0.9, BCKDK, TTN, solution=SOLVED))
    assert news_of(result) == [("roe@dublin.example", News.SOLVED)]


def test_a_case_that_was_solved_when_it_was_found_is_a_new_match() -> None:
    assert news_of(seen(None, answered(0.5, BCKDK, solution=SOLVED))) == [("roe@dublin.example", News.FOUND)]


def test_a_match_kept_quiet_is_a_new_one_when_it_gets_strong_enough() -> None:
    quiet = first(answered(0.1, BCKDK))
    assert (quiet.sides[0].quiet, quiet.sides[0].alerted) == ("it is below the threshold", False)
    result = seen(quiet, answered(0.3, BCKDK, at=NOW + DAY))
    assert news_of(result) == [("roe@dublin.example", News.FOUND)]
    assert (result.match.sides[0].quiet, result.match.sides[0].alerted) == (None, True)
    assert (result.match.news, result.alerts[0].number, result.match.changed_at) == (2, 2, NOW + DAY)


def test_why_it_was_quiet_stays_while_it_is_quiet_and_follows_what_keeps_it_so() -> None:
    quiet = first(answered(0.1, BCKDK))
    again = seen(quiet, answered(0.11, BCKDK))
    assert (again.alerts, again.match.sides[0].quiet) == ((), "it is below the threshold")
    muted = seen(quiet, answered(0.1, BCKDK), of_the_case(muted=True))
    assert (muted.alerts, muted.match.sides[0].quiet, muted.changed) == ((), "the case is muted", True)
    assert muted.match.news == 1, "that it is quiet is no news"


def test_a_side_whose_people_were_alerted_stays_so_whatever_keeps_later_news_quiet() -> None:
    result = seen(first(answered(0.5, BCKDK)), answered(0.9, BCKDK, TTN), of_the_case(muted=True))
    side = result.match.sides[0]
    assert (result.alerts, side.quiet, side.alerted) == ((), "the case is muted", True)
    assert seen(result.match, answered(0.9, BCKDK, TTN)).alerts == (), "what was quiet to the alerted stays so"


# ------------------------------------------------------------------------------ told once nothing keeps it quiet

GOOD = answered(0.5, BCKDK)
LIFTED = [
    ("a threshold crossed by little", answered(0.19, BCKDK), to(), answered(0.21, BCKDK), to()),
    ("a threshold lowered", GOOD, to(min_score=0.9), GOOD, to()),
    ("a flag cleared", answered(0.5, BCKDK, flag=Flag.PERSON), to(), GOOD, to()),
    ("a family told apart", answered(0.5, BCKDK, flag=Flag.FAMILY), to(), GOOD, to()),
    ("a test mark cleared", answered(0.5, BCKDK, test=True), to(), GOOD, to()),
    ("only new ones wanted, the first was weak", answered(0.19, BCKDK), to(), answered(0.9, BCKDK), to(only_new=True)),
    ("a mute of the case lifted", GOOD, of_the_case(muted=True), GOOD, to()),
    ("a mute of the node lifted", GOOD, to(muted_nodes=("spain",)), GOOD, to()),
    ("a mute of the gene lifted", GOOD, to(muted_genes=("BCKDK",)), GOOD, to()),
    ("mails wanted again", GOOD, to(frequency=Frequency.NEVER), GOOD, to()),
    ("a gene for whom wants no others", answered(0.5), to(only_shared_genes=True), GOOD, to(only_shared_genes=True)),
]
lifted = pytest.mark.parametrize(
    ("before", "chosen", "after", "then"), [case[1:] for case in LIFTED], ids=[case[0] for case in LIFTED]
)


@lifted
def test_whoever_was_never_alerted_is_told_as_of_a_new_one_once_nothing_keeps_it_quiet(
    before: Match, chosen: Addressee, after: Match, then: Addressee
) -> None:
    known = first(before, chosen)
    assert not known.sides[0].alerted
    result = seen(known, after, then)
    assert news_of(result) == [("roe@dublin.example", News.FOUND)]
    assert result.changed
    assert seen(result.match, after, then) == Noted(result.match, (), changed=False), "and told once"


@lifted
@pytest.mark.parametrize("status", [status for status in Status if status is not Status.NEW])
def test_an_owner_who_has_looked_at_a_quiet_match_already_is_not_told_that_it_is_found(
    before: Match, chosen: Addressee, after: Match, then: Addressee, status: Status
) -> None:
    result = seen(followed_up(first(before, chosen), status), after, then)
    assert News.FOUND not in [alert.news for alert in result.alerts]


def followed_up(match: Match, status: Status) -> Match:
    """A match on whose first side its owner has set a status."""
    side = match.sides[0].model_copy(update={"status": status, "reason": "another gene"})
    return match.model_copy(update={"sides": (side, *match.sides[1:])})


def test_an_owner_who_has_looked_at_a_quiet_match_is_told_when_it_gets_stronger() -> None:
    known = followed_up(first(answered(0.19, BCKDK)), Status.CONTACTED)
    assert seen(known, answered(0.21, BCKDK)).alerts == ()
    assert news_of(seen(known, answered(0.3, BCKDK))) == [("roe@dublin.example", News.STRONGER)]


def test_one_side_that_was_never_alerted_is_told_alone() -> None:
    known = first(here(0.5, BCKDK), BOTH[0], to("doe@cork.example", "other", min_score=0.9))
    result = seen(known, here(0.5, BCKDK), *BOTH)
    assert news_of(result) == [("doe@cork.example", News.FOUND)]
    stronger = seen(known, here(0.9, BCKDK, TTN), *BOTH)
    assert news_of(stronger) == [("roe@dublin.example", News.STRONGER), ("doe@cork.example", News.FOUND)]


def test_what_is_found_to_its_owner_does_not_reach_the_other_nodes_contact_again() -> None:
    known = first(answered(0.5, BCKDK), to(frequency=Frequency.NEVER), CONTACT)
    assert news_of(seen(known, answered(0.5, BCKDK), to(), CONTACT)) == [("roe@dublin.example", News.FOUND)]


# ----------------------------------------------------------------------------------------- what is kept from before


def test_directions_add_up() -> None:
    match = first(asked(0.5, BCKDK))
    assert match.directions == (Direction.WAS_ASKED,)
    result = seen(match, answered(0.5, BCKDK))
    assert result.match.directions == (Direction.ASKED, Direction.WAS_ASKED)
    assert (result.alerts, result.changed) == ((), True), "one match all the same"
    assert seen(result.match, asked(0.5, BCKDK)).match.directions == (Direction.ASKED, Direction.WAS_ASKED)
    assert first(here()).directions == (Direction.HERE,)


def test_a_follow_up_survives_that_the_match_is_seen_again() -> None:
    followed = {
        "status": Status.SOLVED, "solution": SOLVED, "tells": True, "reason": "none",
        "history": (Event(at=NOW, who="dublin", what="note", note="called them"),),
    }  # fmt: skip
    known = first(answered(0.5, BCKDK))
    known = known.model_copy(update={"sides": (known.sides[0].model_copy(update=followed),)})
    for again in (answered(0.5, BCKDK, at=NOW + DAY), answered(0.9, BCKDK, TTN, at=NOW + DAY)):
        side = seen(known, again).match.sides[0]
        assert {name: getattr(side, name) for name in followed} == followed


def test_a_side_is_of_the_case_as_it_is_now() -> None:
    now = Side(case="ours", owner="cork", person="roe@cork.example", version=7, score=0.4)
    result = seen(first(answered(0.5, BCKDK)), answered(0.5, BCKDK, sides=(now,)))
    assert result.match.sides == (now.model_copy(update={"alerted": True}),)
    assert (result.alerts, result.changed) == ((), True)


def test_another_version_of_the_other_case_alone_is_no_news_and_is_kept() -> None:
    known, other = first(answered(0.5, BCKDK)), Other(id="theirs", contact={}, version="2")
    result = seen(known, answered(0.5, BCKDK, other=other))
    assert (result.alerts, result.changed) == ((), True)
    assert result.match.other
    assert result.match.other.version == "2"


def test_a_later_question_leaves_the_peers_score_and_terms_as_its_answer_told_them() -> None:
    result = seen(first(answered(0.5, BCKDK)), asked(0.4, BCKDK, at=NOW + DAY))
    assert (result.match.peer_score, result.match.disclaimer, result.match.terms) == (0.7, "as is", "be kind")


EXPLAINED: dict[str, Any] = {"explanation": {"sharedTerms": [{"id": "HP:0001250"}]}, "parts": {"phenotype": 0.5}}


@pytest.mark.parametrize(("score", "genes"), [(0.4, ()), (0.4, (BCKDK,)), (0.5, ()), (0.5, (SAME_VARIANT,))])
def test_a_question_that_shows_less_takes_nothing_from_what_an_answer_showed(
    score: float, genes: tuple[SharedGene, ...]
) -> None:
    known = first(answered(0.5, SAME_VARIANT, TTN, **EXPLAINED))
    match = seen(known, asked(score, *genes, explanation={"sharedTerms": []}, at=NOW + DAY)).match
    assert (match.score, match.genes) == (0.5, (SAME_VARIANT, TTN))
    assert {"explanation": match.explanation, "parts": match.parts} == EXPLAINED
    assert (match.last_seen, match.was_asked) == (NOW + DAY, True)


def test_a_question_that_shows_more_than_an_answer_is_kept_and_news() -> None:
    result = seen(first(answered(0.5, BCKDK)), asked(0.9, SAME_VARIANT))
    assert news_of(result) == [("roe@dublin.example", News.STRONGER)]
    assert (result.match.score, result.match.genes) == (0.9, (SAME_VARIANT,))


def test_a_later_answer_replaces_what_was_in_common_also_by_less() -> None:
    known = first(answered(0.5, SAME_VARIANT, TTN, **EXPLAINED))
    match = seen(seen(known, asked(0.4)).match, answered(0.3, BCKDK, explanation={"sharedTerms": []})).match
    assert (match.score, match.genes, match.explanation, match.parts) == (0.3, (BCKDK,), {"sharedTerms": []}, None)


def test_a_match_that_only_questions_have_told_of_is_as_the_last_one_shows_it() -> None:
    match = seen(first(asked(0.9, BCKDK, TTN)), asked(0.5, BCKDK)).match
    assert (match.score, match.genes) == (0.5, (BCKDK,))


@pytest.mark.parametrize("found", [answered, asked])
def test_a_question_never_takes_away_that_it_is_perhaps_one_person(found: Any) -> None:
    known = first(found(0.9, BCKDK, flag=Flag.PERSON))
    for question in (asked(0.9, BCKDK), asked(0.5), asked(1.0, SAME_VARIANT)):
        result = seen(known, question)
        assert (result.match.flag, result.alerts) == (Flag.PERSON, ())


def test_an_answer_takes_away_that_it_is_perhaps_one_person_and_a_question_may_say_so() -> None:
    assert seen(first(answered(0.9, BCKDK, flag=Flag.PERSON)), answered(0.9, BCKDK)).match.flag is None
    assert seen(first(answered(0.9, BCKDK)), asked(0.9, BCKDK, flag=Flag.PERSON)).match.flag is Flag.PERSON


def test_an_answer_takes_back_a_solution_that_the_other_node_no_longer_tells() -> None:
    result = seen(first(answered(0.5, BCKDK, solution=SOLVED)), answered(0.5, BCKDK, at=NOW + DAY))
    assert result.match.other
    assert (result.match.other.solution, result.alerts, result.changed) == (None, (), True)


def test_a_later_answer_replaces_the_peers_score_and_terms() -> None:
    later = answered(0.5, BCKDK, peer_score=0.8, disclaimer=None, terms="be kinder")
    result = seen(first(answered(0.5, BCKDK)), later)
    assert (result.match.peer_score, result.match.disclaimer, result.match.terms) == (0.8, None, "be kinder")


def test_a_later_question_leaves_what_the_answer_showed_and_told() -> None:
    result = seen(first(answered(0.5, BCKDK, solution=SOLVED)), asked(0.5, BCKDK, at=NOW + DAY))
    other = result.match.other
    assert other
    assert (other.answer, other.answered_at, other.solution) == (ANSWER, NOW, SOLVED)
    assert other.contact == {"name": "Dr Roe, of the question"}, "whom to write to is as it was told last"
    assert result.alerts == ()


def test_a_later_answer_replaces_what_the_first_showed() -> None:
    known, shown = first(asked(0.5, BCKDK)), {"id": "theirs", "features": []}
    assert known.other
    assert known.other.answer is None, "of a question nothing is kept but what is shared"
    other = Other(id="theirs", contact={}, answer=shown, answered_at=NOW + DAY)
    result = seen(seen(known, answered(0.5, BCKDK)).match, answered(0.5, BCKDK, other=other))
    assert result.match.other
    assert (result.match.other.answer, result.match.other.answered_at) == (shown, NOW + DAY)


# ----------------------------------------------------------------------------------------- whom it reaches


def test_both_sides_people_learn_of_a_match_of_two_cases_here() -> None:
    result = seen(None, here(0.5, BCKDK), *BOTH)
    assert [(one.recipient, one.case) for one in result.alerts] == [
        ("roe@dublin.example", "ours"),
        ("doe@cork.example", "other"),
    ]


def test_each_side_is_told_the_score_that_it_may_know() -> None:
    result = seen(None, here(0.57, BCKDK, score=0.5), *BOTH)
    assert [one.score for one in result.alerts] == [0.57, 0.5]


def test_who_is_on_both_sides_is_alerted_once() -> None:
    same = (to("roe@dublin.example"), to("roe@dublin.example", "other"))
    result = seen(None, here(0.5, BCKDK), *same)
    assert [(one.recipient, one.case) for one in result.alerts] == [("roe@dublin.example", "ours")]
    assert [(side.quiet, side.alerted) for side in result.match.sides] == [(None, True)] * 2, "both sides' owner knows"


@pytest.mark.parametrize("snoozed", ["ours", "other"])
def test_who_is_on_both_sides_is_alerted_at_the_earlier_of_both_times(snoozed: str) -> None:
    until = {"ours": 2 * DAY, "other": 2 * DAY, snoozed: 3 * DAY}
    same = [
        Addressee("roe@dublin.example", case, case_choices=Choices(snoozed_until=NOW + wait))
        for case, wait in until.items()
    ]
    for people in (same, same[::-1]):
        (alert,) = seen(None, here(0.5, BCKDK), *people).alerts
        assert (alert.due, alert.case) == (NOW + 2 * DAY, "other" if snoozed == "ours" else "ours")


def test_who_is_on_both_sides_is_alerted_for_the_one_that_is_not_quiet() -> None:
    muted = replace(to("roe@dublin.example"), case_choices=Choices(muted=True))
    result = seen(None, here(0.5, BCKDK), muted, to("roe@dublin.example", "other"))
    assert [(one.recipient, one.case) for one in result.alerts] == [("roe@dublin.example", "other")]
    assert [side.quiet for side in result.match.sides] == ["the case is muted", None]


def test_what_keeps_one_side_quiet_leaves_the_other_alone() -> None:
    result = seen(None, here(0.5, BCKDK), to(min_score=0.9), BOTH[1])
    assert news_of(result) == [("doe@cork.example", News.FOUND)]
    assert [side.quiet for side in result.match.sides] == ["it is below the threshold", None]


def test_one_of_a_cases_people_who_learns_of_it_is_enough_for_it_not_to_be_quiet() -> None:
    never = to("doe@dublin.example", frequency=Frequency.NEVER)
    for people in ((never, to()), (to(), never)):
        result = seen(None, answered(0.5, BCKDK), *people)
        assert news_of(result) == [("roe@dublin.example", News.FOUND)]
        assert result.match.sides[0].quiet is None


def test_a_case_without_an_address_is_an_alert_for_the_operator_once_and_quiet_until_there_is_one() -> None:
    result = seen(None, answered(0.5, BCKDK), to(NOBODY))
    assert news_of(result) == [(NOBODY, News.FOUND)]
    side = result.match.sides[0]
    assert (side.quiet, side.alerted) == (NOBODY_TO_ALERT, False)
    assert seen(result.match, answered(0.9, BCKDK, TTN), to(NOBODY)).alerts == ()
    assert news_of(seen(result.match, answered(0.5, BCKDK), to())) == [("roe@dublin.example", News.FOUND)]


def test_the_contact_at_a_node_that_tells_nobody_is_alerted_with_the_id_that_it_knows() -> None:
    result = seen(None, answered(0.5, BCKDK), to(), CONTACT)
    assert [(one.recipient, one.role, one.quoted) for one in result.alerts] == [
        ("roe@dublin.example", Role.OURS, None),
        ("contact@spain.example", Role.THEIRS, "theirs"),
    ]


def test_another_nodes_contact_does_not_make_our_side_loud_nor_quiet() -> None:
    alone = seen(None, answered(0.5, BCKDK), to(frequency=Frequency.NEVER), CONTACT)
    assert news_of(alone) == [("contact@spain.example", News.FOUND)]
    assert alone.match.sides[0].quiet == "the recipient wants no mails"
    unsubscribed = replace(CONTACT, choices=Choices(frequency=Frequency.NEVER))
    ours = seen(None, answered(0.5, BCKDK), to(), unsubscribed)
    assert news_of(ours) == [("roe@dublin.example", News.FOUND)]
    assert ours.match.sides[0].quiet is None


def test_who_belongs_to_no_side_is_alerted_of_nothing() -> None:
    assert seen(None, answered(0.5, BCKDK), to(case="another")).alerts == ()


def test_a_snoozed_alert_waits_until_the_later_of_both_times() -> None:
    for mine, cases, due in ((DAY, None, DAY), (None, DAY, DAY), (2 * DAY, DAY, 2 * DAY), (DAY, 2 * DAY, 2 * DAY)):
        chosen = Choices(snoozed_until=NOW + mine if mine else None)
        of_case = Choices(snoozed_until=NOW + cases if cases else None)
        (alert,) = seen(None, answered(0.5, BCKDK), Addressee("a@x", "ours", chosen, of_case)).alerts
        assert (alert.at, alert.due) == (NOW, NOW + due)


def test_a_snooze_that_is_over_delays_nothing() -> None:
    (alert,) = seen(None, answered(0.5, BCKDK), to(snoozed_until=NOW - DAY)).alerts
    assert alert.due == NOW


# ----------------------------------------------------------------------------------------- hidden from one side


def test_whoever_a_match_is_hidden_from_learns_nothing() -> None:
    result = seen(None, here(0.5, BCKDK, hidden=True), *BOTH)
    assert news_of(result) == [("roe@dublin.example", News.FOUND)]
    assert result.match.sides_of("cork") == ()
    assert news_of(seen(result.match, here(0.9, BCKDK, TTN, hidden=True), *BOTH)) == [
        ("roe@dublin.example", News.STRONGER)
    ]


def test_a_match_that_was_hidden_is_new_to_that_sides_people_and_to_no_others() -> None:
    known = first(here(0.5, BCKDK, hidden=True), *BOTH)
    result = seen(known, here(0.5, BCKDK, at=NOW + DAY), *BOTH)
    assert news_of(result) == [("doe@cork.example", News.FOUND)]
    assert (result.match.news, result.alerts[0].number, result.match.changed_at) == (2, 2, NOW + DAY)
    assert seen(result.match, here(0.5, BCKDK, at=NOW + 2 * DAY), *BOTH).alerts == ()


def test_a_match_that_is_no_longer_hidden_may_still_be_quiet() -> None:
    known = first(here(0.5, BCKDK, hidden=True), *BOTH)
    result = seen(known, here(0.5, BCKDK), BOTH[0], to("doe@cork.example", "other", muted_nodes=("ireland",)))
    assert result.alerts == ()
    assert [side.quiet for side in result.match.sides] == [None, "the node is muted"]
    assert news_of(seen(result.match, here(0.5, BCKDK), *BOTH)) == [("doe@cork.example", News.FOUND)]


@pytest.mark.parametrize("only_new", [False, True])
def test_a_match_that_is_revealed_and_stronger_at_once_is_new_to_whom_it_was_hidden_from(*, only_new: bool) -> None:
    known = first(here(0.5, BCKDK, hidden=True), *BOTH)
    people = (BOTH[0], to("doe@cork.example", "other", only_new=only_new))
    assert news_of(seen(known, here(0.9, BCKDK), *people)) == [
        ("roe@dublin.example", News.STRONGER),
        ("doe@cork.example", News.FOUND),
    ]


def test_hiding_and_revealing_again_tells_nobody_twice() -> None:
    match, news = first(here(0.5, BCKDK, hidden=True), *BOTH), list[tuple[str, News]]()
    for hidden in (False, True, False, True, False):
        result = seen(match, here(0.5, BCKDK, hidden=hidden), *BOTH)
        match, news = result.match, [*news, *news_of(result)]
    assert news == [("doe@cork.example", News.FOUND)]


def test_a_match_that_gets_hidden_is_no_news() -> None:
    result = seen(first(here(0.5, BCKDK), *BOTH), here(0.5, BCKDK, hidden=True), *BOTH)
    assert (result.alerts, result.changed) == ((), True)
    assert result.match.sides_of("cork") == ()


# ----------------------------------------------------------------------------------------- told of a follow-up


def test_a_side_that_was_solved_and_tells_is_news_to_the_other_sides_people() -> None:
    match = first(here(0.01, BCKDK), *BOTH)
    result = solved(match, Sighting(match, BOTH[1:], NODES), NOW + DAY)
    assert news_of(result) == [("doe@cork.example", News.SOLVED)]
    assert (result.alerts[0].at, result.alerts[0].number) == (NOW + DAY, match.news + 1)
    assert (result.match.news, result.match.changed_at) == (match.news + 1, NOW + DAY)
    assert [side.quiet for side in result.match.sides] == ["it is below the threshold", None]
    assert [side.alerted for side in result.match.sides] == [False, True]
    assert result.changed


def test_a_side_that_was_solved_and_tells_is_news_to_the_contact_at_a_node_that_tells_nobody() -> None:
    match = first(answered(0.5, BCKDK), to(), CONTACT)
    result = solved(match, Sighting(match, (CONTACT,), NODES), NOW + DAY)
    assert news_of(result) == [("contact@spain.example", News.SOLVED)]
    assert (result.alerts[0].role, result.alerts[0].quoted) == (Role.THEIRS, "theirs")


def test_that_a_side_was_solved_counts_as_news_where_everybody_stays_quiet_too() -> None:
    match = first(here(0.5, BCKDK), *BOTH)
    result = solved(match, Sighting(match, (to("doe@cork.example", "other", only_new=True),), NODES), NOW + DAY)
    assert (result.alerts, result.match.news, result.match.changed_at) == ((), 2, NOW + DAY)
    assert result.match.sides[1].quiet == "only new matches are wanted"


def test_that_a_side_was_solved_is_told_to_nobody_whom_the_match_is_hidden_from() -> None:
    match = first(here(0.5, BCKDK, hidden=True), *BOTH)
    assert solved(match, Sighting(match, BOTH[1:], NODES), NOW + DAY).alerts == ()


def test_whoever_tells_what_its_case_came_to_is_not_told_so_itself() -> None:
    known = first(answered(0.5, BCKDK), to(), CONTACT)
    result = seen(known, answered(0.5, BCKDK, solution=SOLVED), to(), CONTACT)
    assert news_of(result) == [("roe@dublin.example", News.SOLVED)]
    assert seen(None, answered(0.5, BCKDK, solution=SOLVED), CONTACT).alerts, "but that it is found, it is told"


# ----------------------------------------------------------------------------------------- one person, or one family

SIX = Details(frozenset({1, 2, 3}), frozenset({4, 5}), frozenset("A"))


def test_cases_alike_in_six_details_are_perhaps_one_person() -> None:
    assert SIX.alike(replace(SIX))
    assert Details(frozenset(range(6)), frozenset(), frozenset()).alike(
        Details(frozenset(range(6)), frozenset(), frozenset())
    )


def test_five_details_are_alike_by_chance() -> None:
    five = replace(SIX, genes=frozenset())
    assert not five.alike(five)


def test_without_an_observed_term_nothing_is_alike() -> None:
    genes = Details(frozenset(), frozenset(range(6)), frozenset("ABC"))
    assert not genes.alike(genes)


@pytest.mark.parametrize(
    "other",
    [
        replace(SIX, observed=frozenset({1, 2})),
        replace(SIX, observed=frozenset({1, 2, 9})),
        replace(SIX, denied=frozenset({4, 5, 6})),
        replace(SIX, genes=frozenset("B")),
        Details(SIX.observed | SIX.denied, frozenset(), SIX.genes),
    ],
)
def test_one_detail_that_differs_is_another_person(other: Details) -> None:
    assert not SIX.alike(other)
    assert not other.alike(SIX)


def flags(one: Kin, other: Kin) -> Flag | None:
    """The flag of two cases, whichever is named first."""
    assert flag_of(one, other) is flag_of(other, one)
    return flag_of(one, other)


def test_two_cases_of_one_owner_are_perhaps_one_family() -> None:
    assert flags(Kin("dublin", None, None, None), Kin("dublin", None, None, None)) is Flag.FAMILY
    roe = Kin("dublin", "Temple Street", "roe@dublin.example", None)
    assert flags(roe, roe) is Flag.FAMILY
    assert flags(roe, replace(roe, owner="cork")) is Flag.FAMILY, "one person, at two hospitals"


def test_two_doctors_of_one_hospital_have_patients_of_two_families() -> None:
    roe = Kin("dublin", "Temple Street", "roe@dublin.example", None)
    assert flags(roe, replace(roe, person="doe@dublin.example")) is None
    assert flags(Kin("dublin", None, None, None), Kin("cork", None, None, None)) is None


def test_a_case_with_a_doctor_and_one_of_the_hospital_alone_have_two_owners() -> None:
    alone = Kin("dublin", "Temple Street", None, None)
    assert flags(alone, replace(alone, person="roe@dublin.example")) is None


def test_one_family_is_named_alike_by_one_institution() -> None:
    roe = Kin("dublin", "Temple  Street", "roe@dublin.example", "F12")
    doe = Kin("dublin-2", "temple street", "doe@dublin.example", "f12")
    assert flags(roe, doe) is Flag.FAMILY
    assert flags(roe, replace(doe, family="F13")) is None
    assert flags(roe, replace(doe, family=None)) is None
    assert flags(roe, replace(doe, institution="Cork")) is None, "another institution's F12 is another family"


@pytest.mark.parametrize("family", ["F12", "f12", " F12", "F12 ", "\tf12\n"])
def test_blanks_and_case_at_the_ends_of_a_familys_name_do_not_count(family: str) -> None:
    roe = Kin("dublin", "Temple Street", "roe@dublin.example", "F12")
    assert flags(roe, replace(roe, person="doe@dublin.example", family=family)) is Flag.FAMILY


@pytest.mark.parametrize("family", ["", " ", "F 12", "F1 2", "F123"])
def test_another_familys_name_and_a_blank_one_are_of_no_family(family: str) -> None:
    roe = Kin("dublin", "Temple Street", "roe@dublin.example", "F12")
    doe = replace(roe, person="doe@dublin.example", family=family)
    assert flags(roe, doe) is None
    assert family.strip() or flags(doe, replace(doe, person="poe@dublin.example")) is None


def test_an_owner_without_an_institution_stands_for_itself() -> None:
    one = Kin("dublin", None, "roe@dublin.example", "F12")
    assert flags(one, replace(one, person="doe@dublin.example")) is Flag.FAMILY
    assert flags(one, Kin("cork", None, "doe@cork.example", "F12")) is None


def test_cases_without_a_family_are_of_no_family() -> None:
    one = Kin("dublin", "Temple Street", "roe@dublin.example", None)
    assert flags(one, replace(one, person="doe@dublin.example")) is None


# ----------------------------------------------------------------------------------------- not yet so


def test_a_gene_that_a_question_adds_at_a_lower_score_is_told_and_shown() -> None:
    result = seen(first(answered(0.5, BCKDK)), asked(0.45, BCKDK, TTN))
    assert news_of(result) == [("roe@dublin.example", News.STRONGER)]
    assert set(result.match.genes) == {BCKDK, TTN}


def test_a_question_of_a_higher_score_takes_no_gene_from_what_an_answer_showed() -> None:
    assert seen(first(answered(0.5, SAME_VARIANT)), asked(0.6)).match.genes == (SAME_VARIANT,)


def test_what_the_other_side_came_to_is_told_of_a_match_that_was_below_the_threshold_till_now() -> None:
    assert seen(first(answered(0.1, BCKDK)), answered(0.1, BCKDK, solution=SOLVED)).alerts


def test_the_contact_at_a_node_that_tells_nobody_is_told_once_nothing_keeps_it_quiet() -> None:
    known = first(answered(0.19, BCKDK), to(), CONTACT)
    assert "contact@spain.example" in dict(news_of(seen(known, answered(0.21, BCKDK), to(), CONTACT)))


def test_a_solution_that_is_taken_back_and_told_again_is_told_once() -> None:
    match = first(answered(0.5, BCKDK))
    for solution in (SOLVED, None):
        match = seen(match, answered(0.5, BCKDK, solution=solution)).match
    assert seen(match, answered(0.5, BCKDK, solution=SOLVED)).alerts == ()


def test_two_owners_who_search_in_turn_for_one_unchanged_pair_are_alerted_once() -> None:
    sides = (Side(case="ours", owner="dublin", score=0.5), Side(case="other", owner="cork", score=0.6))
    known = first(here(0.5, BCKDK).model_copy(update={"sides": sides}), *BOTH)
    assert seen(known, here(0.6, BCKDK).model_copy(update={"sides": sides}), *BOTH).alerts == ()
