"""Who may learn of a case: the rule, held against another telling of the same promises."""

import itertools
import random
from datetime import date
from typing import NamedTuple

import pytest

from matchmaker.policy.consent import Asker, Eligible, Home, Owner, as_asker, same_institution, why_not
from matchmaker.records.collection import DATA_USE, Collection
from matchmaker.records.party import Client, Peer, Purpose, Role
from matchmaker.records.sharing import Audience, Circle

TODAY = date(2026, 6, 1)
HOME = Home("ireland", "IE")
NOWHERE = Home("ireland", None)
DUBLIN = Owner("dublin", "Hospital of Dublin")


def collection(**answers: object) -> Collection:
    """A collection that allows everything, but for what is answered otherwise."""
    told = {
        "name": "rare",
        "institution": "Hospital of Dublin",
        "legalBasis": "yes",
        "futureResearch": "yes",
        "benefitOfOthers": "yes",
        "contact": {"name": "Team", "href": "mailto:team@dublin.example"},
    }
    return Collection.model_validate({**told, **answers})


class Asked(NamedTuple):
    """One combination: everything that the rule may look at, in plain words."""

    is_owner: bool
    is_node: bool
    same_house: bool
    country: str | None
    home: str | None
    circle: str
    countries: tuple[str, ...]
    nodes: tuple[str, ...]
    until: date | None
    test: bool
    test_query: bool
    purpose: str
    collection: dict[str, object] | None  # {}: the case names one that is not there


def allowed(asked: Asked) -> bool:
    """The promises of the project, told once more, by hand and in another order."""
    if asked.test and not asked.test_query:
        return False
    if asked.is_owner and not asked.is_node:
        return True
    own_country = asked.home is not None and asked.country == asked.home
    colleague = asked.same_house and not asked.is_node
    named = asked.country in asked.countries or ("spain" if asked.is_node else "ireland") in asked.nodes
    circles = {"none": False, "institution": colleague, "country": own_country, "named": named, "all": True}
    if not circles[asked.circle]:
        return False
    if asked.until and asked.until < TODAY:
        return False
    if asked.collection is None:
        return True
    named = asked.collection.get("institution", "Hospital of Dublin") == "Hospital of Dublin"
    return bool(asked.collection) and named and _collection_allows(asked, asked.collection, own_country, colleague)


def _collection_allows(asked: Asked, told: dict[str, object], own_country: bool, colleague: bool) -> bool:
    answer = {"clinical": "benefitOfOthers", "research": "futureResearch"}[asked.purpose]
    if told.get("legalBasis", "yes") != "yes" or told.get(answer, "yes") != "yes":
        return False
    if isinstance(until := told.get("until"), str) and until < "2026-06-01":
        return False
    codes = told.get("dataUse", ())
    assert isinstance(codes, tuple)
    for_purpose = {
        "no restriction": True,
        "general research use": asked.purpose == "research",
        "health or medical or biomedical research": asked.purpose == "research",
        "clinical care use": asked.purpose == "clinical",
        "disease specific research": False,
        "population origins or ancestry research only": False,
    }
    conditions = {
        "geographical restriction": own_country,
        "institution specific restriction": colleague,
        "time limit on use": "until" in told,
        "research specific restrictions": False,
        "not for profit, non commercial use only": False,
        "not for profit organisation use only": False,
        "ethics approval required": False,
        "user specific restriction": False,
        "project specific restriction": False,
    }
    words = [DATA_USE[code] for code in codes]
    stated = [for_purpose[word] for word in words if word in for_purpose]
    return (any(stated) or not stated) and all(conditions.get(word, True) for word in words)


PAIRS = itertools.islice(itertools.combinations(DATA_USE, 2), 0, None, 9)
CODES: list[dict[str, object]] = [{"dataUse": codes} for codes in (*((code,) for code in DATA_USE), *PAIRS)]
COLLECTIONS: tuple[dict[str, object] | None, ...] = (
    None,
    {},
    {"legalBasis": "yes"},
    {"institution": "Hospital of Cork"},
    {"legalBasis": "no"},
    {"legalBasis": "no, but re-consenting is possible"},
    {"legalBasis": "don't know"},
    {"benefitOfOthers": "no"},
    {"benefitOfOthers": "don't know"},
    {"futureResearch": "don't know"},
    {"until": "2026-05-31"},
    {"until": "2026-06-01"},
    {"dataUse": ("DUO:0000025",)},
    {"dataUse": ("DUO:0000025",), "until": "2027-01-01"},
    *CODES,
)


def combinations(count: int) -> list[Asked]:
    """So many combinations, drawn with a fixed seed from all there are."""
    chance = random.Random(5)  # noqa: S311 - a draw to be repeated, not to be secret
    some = chance.choice
    return [
        Asked(
            some([False, False, False, True]), some([True, False]), some([True, False]), some(["IE", "ES", None]),
            some(["IE", "IE", None]), some([circle.value for circle in Circle]), some([(), ("ES",), ("IE", "FR")]),
            some([(), ("spain",), ("ireland",), ("france",)]),
            some([None, None, date(2026, 5, 31), TODAY, date(2030, 1, 1)]),
            some([False, False, True]), some([False, True]), some(["clinical", "research"]), some(COLLECTIONS),
        )
        for _ in range(count)
    ]  # fmt: skip


def ruled(asked: Asked) -> bool:
    """What the rule says of a combination."""
    owner = Owner("dublin", "Hospital of Dublin")
    name = "dublin" if asked.is_owner else "spain" if asked.is_node else "cork"
    role = Role.NODE if asked.is_node else Role.DEPOSITOR
    institution = "hospital of  dublin" if asked.same_house else "Hospital of Cork"
    asker = Asker(name if not asked.is_node else "spain", role, institution, asked.country, Purpose(asked.purpose))
    if asked.is_owner and asked.is_node:  # a node that came to bear the owner's name
        asker = Asker("dublin", role, institution, asked.country, Purpose(asked.purpose))
    found = collection(**asked.collection) if asked.collection else None
    audience = Audience(
        "dublin", Circle(asked.circle), asked.test, asked.countries, asked.nodes, asked.until,
        None if asked.collection is None else "rare",
    )  # fmt: skip
    collections = {"rare": found} if found else {}
    home, institutions = Home("ireland", asked.home), {owner.name: owner.institution}
    return Eligible(asker, home, TODAY, asked.test_query, 1, collections, institutions)(audience)


def test_nothing_forbidden_is_told_and_nothing_allowed_is_kept_back_over_6000_combinations() -> None:
    drawn = [one for one in combinations(6_000) if not (one.is_owner and one.is_node and one.nodes)]
    assert len(drawn) > 5_000
    answers = [(one, allowed(one), ruled(one)) for one in drawn]
    forbidden = [one for one, may, does in answers if does and not may]
    assert not forbidden, f"{len(forbidden)} forbidden disclosures, such as {forbidden[0]}"
    kept_back = [one for one, may, does in answers if may and not does]
    assert not kept_back, f"{len(kept_back)} kept back, such as {kept_back[0]}"
    assert 500 < sum(does for _, _, does in answers) < 4_000, "the draw holds enough of both"


def may_learn(
    asker: Asker, audience: Audience, owner: Owner, found: Collection, home: Home, today: date, *, test_query: bool
) -> bool:
    return why_not(asker, audience, owner, found, home, today, test_query=test_query) is None


@pytest.mark.parametrize("answer", ["no", "no, but re-consenting is possible", "don't know"])
def test_only_a_legal_basis_that_is_there_counts(answer: str) -> None:
    audience = Audience("dublin", Circle.ALL, False, collection="rare")
    peer = Asker("spain", Role.NODE, None, "ES", Purpose.CLINICAL)
    assert may_learn(peer, audience, DUBLIN, collection(), HOME, TODAY, test_query=False)
    assert not may_learn(peer, audience, DUBLIN, collection(legalBasis=answer), HOME, TODAY, test_query=False)


def test_a_collection_of_which_nothing_is_answered_is_told_to_nobody_but_the_owner() -> None:
    bare = Collection.model_validate(
        {"name": "a", "institution": "b", "contact": {"name": "c", "href": "mailto:c@d.e"}}
    )
    audience = Audience("dublin", Circle.ALL, False, collection="a")
    colleague = Asker("cork", Role.DEPOSITOR, DUBLIN.institution, "IE", Purpose.CLINICAL)
    assert not may_learn(colleague, audience, DUBLIN, bare, HOME, TODAY, test_query=False)
    owner = Asker("dublin", Role.DEPOSITOR, None, None, Purpose.CLINICAL)
    assert may_learn(owner, audience, DUBLIN, bare, HOME, TODAY, test_query=False)


def test_a_depositor_without_a_country_belongs_to_its_nodes_and_a_remote_node_to_none() -> None:
    for role, country in ((Role.DEPOSITOR, "IE"), (Role.NODE, None)):
        assert Asker.of(Client("x", role, "y"), HOME).country == country


def test_a_peer_is_asked_with_the_purpose_that_was_agreed_with_its_client() -> None:
    peer = Peer("spain", "https://es.example", "ES", "/run/token")
    assert as_asker(peer, None).purpose is Purpose.CLINICAL
    client = Client("spain", Role.NODE, "x", purpose=Purpose.RESEARCH)
    assert as_asker(peer, client).purpose is Purpose.RESEARCH


def test_an_unknown_institution_is_nobodys() -> None:
    assert same_institution("A  b", " a B")
    assert not same_institution(None, None)
    assert not same_institution("", " ")


def test_equal_eligibilities_answer_alike_and_know_nothing_but_audiences() -> None:
    asker = Asker("spain", Role.NODE, None, "ES", Purpose.CLINICAL)
    one, two = (Eligible(asker, HOME, TODAY, False, 1, {}, {}) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert not one("something else")
    assert one(Audience("dublin", Circle.ALL, False))


def test_owners_are_told_why_a_peer_is_not_asked() -> None:
    peer = Asker("spain", Role.NODE, None, "ES", Purpose.CLINICAL)
    reasons = {
        Audience("dublin", Circle.NONE, False): "nobody",
        Audience("dublin", Circle.COUNTRY, False): "its own country only",
        Audience("dublin", Circle.ALL, False, until=date(2026, 5, 31)): "until 2026-05-31",
        Audience("dublin", Circle.ALL, False, collection="rare"): "no collection",
    }
    for audience, words in reasons.items():
        told = why_not(peer, audience, DUBLIN, None, HOME, TODAY, test_query=False)
        assert told is not None
        assert words in told
