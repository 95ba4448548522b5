"""Links in mails: whoever holds one may choose for one address, and learns nothing of it."""

import string

from hypothesis import given
from hypothesis import strategies as st

from matchmaker.alerts.links import Links

LINKS = Links("https://ireland.example", "the-secret")
ANA, BEN = "ana@hospital.example", "ben@hospital.example"
ADDRESSES = st.text(string.ascii_lowercase + string.digits + "+-.", min_size=1).map(lambda name: f"{name}@x.example")


@given(st.sets(ADDRESSES, min_size=2, max_size=20))
def test_each_address_has_its_own_token(addresses: set[str]) -> None:
    tokens = {LINKS.token(one) for one in addresses}
    assert len(tokens) == len(addresses)
    assert all(map(LINKS.is_token, tokens))


def test_a_token_stays_what_it_was() -> None:
    assert LINKS.token(ANA) == Links("https://moved.example", "the-secret").token(ANA)


def test_a_token_of_another_nodes_secret_is_nobodys() -> None:
    other = Links(LINKS.base, "another-secret")
    assert {other.token(ANA), other.token(BEN)}.isdisjoint({LINKS.token(ANA), LINKS.token(BEN)})


def test_what_cannot_be_a_token_is_told_without_looking_for_it() -> None:
    token = LINKS.token(ANA)
    for wrong in ("", ANA, token[:-1], token + "A", token[:-1] + "é", token[:-1] + "/", " " * 24):
        assert not LINKS.is_token(wrong), wrong


def test_links_lead_to_this_node_and_contain_neither_address_nor_secret() -> None:
    assert LINKS.choices(ANA) == f"https://ireland.example/alerts/{LINKS.token(ANA)}"
    assert LINKS.unsubscribe(ANA) == f"{LINKS.choices(ANA)}/unsubscribe"
    for link in (LINKS.choices(ANA), LINKS.unsubscribe(ANA)):
        assert not [part for part in ("ana", "hospital", "@", "%40", "the-secret") if part in link]


def test_a_token_needs_no_quoting_and_cannot_be_guessed() -> None:
    token = LINKS.token(ANA)
    assert set(token) <= set(string.ascii_letters + string.digits + "-_")
    assert len(token) * 6 >= 128


def test_the_id_of_a_match_cannot_leave_its_place_in_a_link() -> None:
    assert LINKS.match("0123abcd") == "https://ireland.example/matches/0123abcd"
    assert LINKS.match("../x?y#z") == "https://ireland.example/matches/..%2Fx%3Fy%23z"
