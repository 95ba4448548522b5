"""What must always hold of matches that are seen again and again. Each test quotes the sentence that it checks."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from matchmaker.policy.news import (
    BETTER_BY,
    Addressee,
    Details,
    Kin,
    Noted,
    Sighting,
    Thresholds,
    flag_of,
    noted,
    solved,
)
from matchmaker.records.alert import NOBODY, Alert, News, Role
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.match import Diagnosis, Event, Flag, Match, Other, SharedGene, Side, Solution, Status

SETTINGS = settings(max_examples=20, deadline=None)

# Few values of each kind: what is equal, or on the edge, then meets often, and that is where a rule is easily wrong.
SCORE = st.sampled_from((0.0, 0.1, 0.2, 0.25, 0.4, 0.45, 0.5, 0.55, 0.9, 1.0)) | st.floats(0, 1)
MAYBE_SCORE = st.none() | SCORE
THRESHOLDS = st.builds(Thresholds, SCORE, SCORE)
CHOICES = st.builds(
    Choices,
    frequency=st.sampled_from(Frequency),
    min_score=MAYBE_SCORE,
    min_score_by_phenotype=MAYBE_SCORE,
    only_shared_genes=st.booleans(),
    only_new=st.booleans(),
    muted=st.booleans(),
    muted_genes=st.lists(st.sampled_from("abc"), max_size=2).map(tuple),
    muted_nodes=st.lists(st.sampled_from(("spain", "ireland", "norway")), max_size=1).map(tuple),
    snoozed_until=st.none() | st.floats(0, 2_000),
)
ANYTHING = CHOICES | st.just(Choices())
ADDRESS = st.sampled_from(("roe@x", "doe@x", NOBODY))
OURS = st.builds(Addressee, ADDRESS, st.sampled_from(("one", "two")), ANYTHING, ANYTHING)
THEIRS = st.builds(Addressee, ADDRESS, st.just("one"), ANYTHING, role=st.just(Role.THEIRS), quoted=st.just("theirs"))
PEOPLE = st.lists(OURS | THEIRS, max_size=3).map(tuple)
GENES = st.dictionaries(st.sampled_from("ABC"), st.booleans(), max_size=3).map(
    lambda drawn: tuple(SharedGene(key=key, id=key, same_variant=same) for key, same in sorted(drawn.items()))
)
SOLUTION = st.none() | st.sampled_from(("one", "another")).map(lambda name: Solution(diagnosis=Diagnosis(label=name)))
FLAG = st.none() | st.sampled_from(Flag)
AT = st.floats(1, 10**6)


@st.composite
def matches(draw: st.DrawFn, *, here: bool, plain: bool = False) -> Match:
    """A match as it was just found. `plain`: of two patients, and hidden from nobody."""
    names = ("one", "two") if here else ("one",)
    hidden = st.just(value=False) if plain else st.booleans()
    sides = [
        Side(
            case=name,
            owner=f"owner of {name}",
            version=draw(st.integers(0, 2)),
            score=draw(MAYBE_SCORE),
            hidden=here and draw(hidden),
        )
        for name in names
    ]
    asked = draw(st.booleans())
    answer = {"answer": {"id": "theirs"}, "answered_at": draw(AT), "solution": draw(SOLUTION)} if asked else {}
    at = draw(AT)
    return Match(
        id="m",
        node="ireland" if here else "spain",
        sides=tuple(sides),
        other=None if here else Other.model_validate({"id": "theirs", "contact": {}, **answer}),
        score=draw(SCORE),
        peer_score=draw(SCORE) if asked else None,
        genes=draw(GENES),
        flag=None if plain else draw(FLAG),
        test=False if plain else draw(st.booleans()),
        asked=asked and not here,
        was_asked=not asked and not here,
        first_seen=at,
        last_seen=at,
        changed_at=at,
    )


@st.composite
def sightings(draw: st.DrawFn, *, plain: bool = False) -> list[Sighting]:
    """One pair of cases, seen again and again in any state, with anybody to alert."""
    here = draw(st.booleans())
    found = draw(st.lists(matches(here=here, plain=plain), min_size=1, max_size=4))
    return [Sighting(match, draw(PEOPLE), draw(THRESHOLDS)) for match in found]


def all_noted(seen: Sequence[Sighting]) -> list[Noted]:
    """What comes of each sighting after those before."""
    results: list[Noted] = []
    for one in seen:
        results.append(noted(results[-1].match if results else None, one))
    return results


def alerts_of(results: Sequence[Noted]) -> list[Alert]:
    return [alert for one in results for alert in one.alerts]


@SETTINGS
@given(sightings())
def test_seen_again_unchanged_it_is_no_news(seen: list[Sighting]) -> None:
    """ "Seen again unchanged it is no news" """
    known = all_noted(seen)[-1].match
    again = noted(known, seen[-1])
    assert again == Noted(known, (), changed=False)
    assert not noted(Match.parse(known.to_text()), seen[-1]).changed, "nor after a store has kept it"


@SETTINGS
@given(sightings(), st.lists(ANYTHING, min_size=1), THRESHOLDS)
def test_seen_again_unchanged_it_is_news_only_to_whom_was_never_alerted_whatever_was_chosen_meanwhile(
    seen: list[Sighting], chosen: list[Choices], thresholds: Thresholds
) -> None:
    """ "Whoever was never alerted of it is told as of a new one as soon as nothing keeps it quiet any more." """
    known = all_noted(seen)[-1].match
    people = tuple(Addressee("new@x", side.case, one) for side in known.sides for one in chosen)
    again = replace(seen[-1], addressees=people, thresholds=thresholds)
    result = noted(known, again)
    assert {alert.news for alert in result.alerts} <= {News.FOUND}
    assert {alert.case for alert in result.alerts} <= {side.case for side in known.sides if not side.alerted}
    assert noted(result.match, again).alerts == (), "and that once"
    looked_at = tuple(side.model_copy(update={"status": Status.CONTACTED}) for side in known.sides)
    assert noted(known.model_copy(update={"sides": looked_at}), again).alerts == (), "nor who has looked at it"


@SETTINGS
@given(sightings())
def test_nobody_is_told_twice_that_a_match_is_found(seen: list[Sighting]) -> None:
    """ "Hidden and revealed, weaker and stronger": each side's people are told of a match as of a new one once."""
    before = {side.case: False for side in seen[0].match.sides}
    for result in all_noted(seen):
        ours = [alert for alert in result.alerts if alert.role is Role.OURS and alert.recipient != NOBODY]
        # That the other side is solved is news whatever was told before, as it may be treatment.
        first, later = {News.FOUND, News.SOLVED}, {News.STRONGER, News.SOLVED}
        assert all(alert.news in (later if before[alert.case] else first) for alert in ours)
        after = {side.case: side.alerted for side in result.match.sides}
        assert all(after[case] for case, alerted in before.items() if alerted)
        assert {alert.case for alert in ours} <= {case for case, alerted in after.items() if alerted}
        before = after


@SETTINGS
@given(sightings())
def test_stronger_is_what_is_better_than_all_that_was_told_before(seen: list[Sighting]) -> None:
    """ "Seen again unchanged it is no news; changed for the better it is." """
    results = all_noted(seen)
    for one, before, result in zip(seen[1:], results, results[1:], strict=False):
        found, known = one.match, before.match
        now = {name for gene in found.genes for name in (gene.key, f"{gene.key} variant")[: 1 + gene.same_variant]}
        better = found.score >= known.news_score + BETTER_BY or not now <= set(known.told)
        assert better or all(alert.news is not News.STRONGER for alert in result.alerts)
        assert result.match.news_score >= known.news_score
        assert set(result.match.told) >= set(known.told) | now


@SETTINGS
@given(sightings())
def test_nobody_is_alerted_twice_of_one_news(seen: list[Sighting]) -> None:
    """ "One match is a pair of cases": one alert an address and a number of the news."""
    alerts = [(alert.recipient, alert.number) for alert in alerts_of(all_noted(seen))]
    assert len(alerts) == len(set(alerts))


@SETTINGS
@given(sightings())
def test_first_and_last_seen_and_the_number_of_the_news_only_go_on(seen: list[Sighting]) -> None:
    """ "remembered with both sides' content versions, both scores, direction (we asked, or were asked), first and last
    seen" """
    results = all_noted(seen)
    for before, one, after in zip(results, seen[1:], results[1:], strict=False):
        assert after.match.first_seen == before.match.first_seen
        assert after.match.last_seen == one.match.last_seen
        assert after.match.news - before.match.news in {0, 1}
        assert set(before.match.directions) <= set(after.match.directions)
        assert [side.version for side in after.match.sides] == [side.version for side in one.match.sides]
        question = before.match.asked and one.match.was_asked
        assert after.match.score == (max(before.match.score, one.match.score) if question else one.match.score)
        assert after.match.peer_score is not None or before.match.peer_score is None
        assert all(alert.number == after.match.news for alert in after.alerts)


@SETTINGS
@given(sightings(), st.sampled_from(Status))
def test_what_was_done_with_a_side_is_never_lost(seen: list[Sighting], status: Status) -> None:
    """A match is "remembered": its status and history survive whatever is seen."""
    known = noted(None, seen[0]).match
    history = (Event(at=1.0, who="owner", what="note", note="called"),)
    sides = tuple(side.model_copy(update={"status": status, "history": history}) for side in known.sides)
    match = known.model_copy(update={"sides": sides})
    for one in seen[1:]:
        match = noted(match, one).match
        assert {(side.status, side.history) for side in match.sides} == {(status, history)}


@SETTINGS
@given(st.data(), matches(here=False, plain=True) | matches(here=True, plain=True), THRESHOLDS, PEOPLE)
def test_a_lower_score_is_never_news(
    data: st.DataObject, found: Match, thresholds: Thresholds, people: tuple[Addressee, ...]
) -> None:
    """ "changed for the better it is" - and for the worse it is not, but to whom it was never told."""
    match = noted(None, Sighting(found, people, thresholds)).match
    for _ in range(3):
        lower = data.draw(st.floats(0, match.score))
        fewer = match.genes[: data.draw(st.integers(0, len(match.genes)))]
        again = found.model_copy(update={"score": lower, "genes": fewer, "last_seen": found.last_seen + 1})
        result = noted(match, Sighting(again, people, thresholds))
        assert {alert.news for alert in result.alerts} <= {News.FOUND}
        assert {alert.case for alert in result.alerts} <= {side.case for side in match.sides if not side.alerted}
        assert result.match.news == match.news + bool(result.alerts)
        match = result.match
        found = again


@SETTINGS
@given(sightings(), st.sampled_from(Flag) | st.just("test"))
def test_a_test_or_flagged_match_never_alerts(seen: list[Sighting], kind: Flag | str) -> None:
    """ "flagged as perhaps one family or one person: no alert" and "patient.test sends nothing." """
    update = {"test": True} if kind == "test" else {"flag": kind}
    marked = [replace(one, match=one.match.model_copy(update=update)) for one in seen]
    assert alerts_of(all_noted(marked)) == []
    assert solved(marked[0].match, marked[0], 1.0).alerts == ()


@SETTINGS
@given(sightings())
def test_a_flagged_match_stays_a_match_of_two_cases(seen: list[Sighting]) -> None:
    """ "never merged" """
    for one, result in zip(seen, all_noted(seen), strict=True):
        assert [side.case for side in result.match.sides] == [side.case for side in one.match.sides]
        assert (result.match.other is None) == (one.match.other is None)


@SETTINGS
@given(sightings())
def test_whoever_a_match_is_hidden_from_is_alerted_of_nothing(seen: list[Sighting]) -> None:
    """ "the other case is not shared with this one's owner, who learns nothing of the match" """
    for result in all_noted(seen):
        hidden = {side.case for side in result.match.sides if side.hidden}
        assert not hidden & {alert.case for alert in result.alerts}


@SETTINGS
@given(sightings(plain=True))
def test_a_side_is_quiet_exactly_when_none_of_its_people_is_alerted(seen: list[Sighting]) -> None:
    """ "Matches below the owner's threshold are kept quiet": and whatever stays quiet says why."""
    first = seen[0]
    result = noted(None, first)
    alerted = {alert.recipient for alert in result.alerts}
    for side in result.match.sides:
        its_people = [one for one in first.addressees if one.role is Role.OURS and one.case == side.case]
        if its_people and side.quiet is None:
            assert alerted & {one.address for one in its_people}
        if not alerted & {one.address for one in its_people}:
            assert not its_people or side.quiet is not None


@SETTINGS
@given(sightings())
def test_no_alert_is_due_before_its_time(seen: list[Sighting]) -> None:
    """ "snooze until" belongs "to each person and each case" """
    for one, result in zip(seen, all_noted(seen), strict=True):
        for alert in result.alerts:
            theirs = [who for who in one.addressees if (who.address, who.case) == (alert.recipient, alert.case)]
            times = [max(who.choices.snoozed_until or 0, who.case_choices.snoozed_until or 0) for who in theirs]
            assert alert.due >= alert.at == one.match.last_seen
            assert alert.due in {max(alert.at, time) for time in times}


def raised(chosen: Choices, by: float) -> Choices:
    """Choices with higher thresholds, where there are any."""
    update = {
        name: value + by
        for name in ("min_score", "min_score_by_phenotype")
        if (value := getattr(chosen, name)) is not None
    }
    return chosen.model_copy(update=update)


def more_asked(sighting: Sighting, by: tuple[float, float, float]) -> Sighting:
    """A sighting where the node's, the persons' and the cases' thresholds are higher."""
    node, person, case = by
    before = sighting.thresholds
    people = tuple(
        replace(one, choices=raised(one.choices, person), case_choices=raised(one.case_choices, case))
        for one in sighting.addressees
    )
    higher = Thresholds(before.min_score + node, before.min_score_by_phenotype + node)
    return replace(sighting, addressees=people, thresholds=higher)


@SETTINGS
@given(sightings(), st.tuples(SCORE, SCORE, SCORE))
def test_a_higher_threshold_never_adds_an_alert(seen: list[Sighting], by: tuple[float, float, float]) -> None:
    """ "Matches below the owner's threshold are kept quiet; phenotype-only matches have their own threshold" """
    known = None
    for one, result in zip(seen, all_noted(seen), strict=True):
        other = noted(known, more_asked(one, by))
        assert {alert.recipient for alert in other.alerts} <= {alert.recipient for alert in result.alerts}
        known = result.match


@SETTINGS
@given(sightings(), st.tuples(SCORE, SCORE, SCORE))
def test_a_higher_threshold_never_has_anybody_alerted_sooner(
    seen: list[Sighting], by: tuple[float, float, float]
) -> None:
    """ "Matches below the owner's threshold are kept quiet" """
    before, after = all_noted(seen), all_noted([more_asked(one, by) for one in seen])
    for one, other in zip(before, after, strict=True):
        for side, stricter in zip(one.match.sides, other.match.sides, strict=True):
            assert side.alerted or not stricter.alerted


@SETTINGS
@given(sightings(), st.floats(0, 1))
def test_nothing_below_what_its_owner_chose_is_told_but_what_it_came_to(seen: list[Sighting], chosen: float) -> None:
    """ "Matches below the owner's threshold are kept quiet" """
    asks = Choices(min_score=chosen, min_score_by_phenotype=1.0)
    wanting = [
        replace(one, addressees=tuple(replace(who, case_choices=asks) for who in one.addressees)) for one in seen
    ]
    for result in all_noted(wanting):
        least = chosen if result.match.genes else 1.0
        assert all(alert.score >= least for alert in result.alerts if alert.news is not News.SOLVED)


NAME = st.sampled_from(("a", "A", " a", "b"))
KIN = st.builds(Kin, st.sampled_from("xyz"), st.none() | NAME, st.none() | NAME, st.none() | NAME)
TERMS = st.frozensets(st.integers(0, 5))
DETAILS = st.builds(Details, TERMS, TERMS, st.frozensets(st.sampled_from("ABC")))


@SETTINGS
@given(KIN, KIN)
def test_a_flag_does_not_depend_on_who_is_named_first(one: Kin, other: Kin) -> None:
    """ "Two cases of one owner, of one family ... are flagged" """
    assert flag_of(one, other) is flag_of(other, one)
    assert flag_of(one, one) is Flag.FAMILY


@SETTINGS
@given(DETAILS, DETAILS)
def test_alike_are_only_equals(one: Details, other: Details) -> None:
    """ "alike to the last detail at two nodes" """
    assert one.alike(other) == other.alike(one)
    assert not one.alike(other) or one == other
    assume(one.observed and len(one.observed) + len(one.denied) + len(one.genes) > 5)
    assert one.alike(replace(one))
