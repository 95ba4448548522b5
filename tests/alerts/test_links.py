"""Links in mails: whoever holds one may choose for one address, and learns nothing of it."""

import string

from hypothesis import given
from hypothesis import strategies as st

from matchmaker.alerts.links import Links

LINKS = Links("https://ireland.example", "the-secret")
ANA, BEN = "ana@hospital.example", "ben@hospital.example"
ADDRESSES = st.text(string.ascii_lowercase + string.digits + "+-.", min_size=1).map(lambda name: f"{name}@x.example")


@given(st.sets(ADDRESSES, min_size=2, max_size=20))
def test_each_address_has_its_own_token_and_is_found_by_it(addresses: set[str]) -> None:
    tokens = {LINKS.token(one): one for one in addresses}
    assert len(tokens) == len(addresses)
    for token, address in tokens.items():
        assert LINKS.address_of(token, addresses) == address
        assert LINKS.address_of(token, addresses - {address}) is None


def test_a_token_stays_what_it_was() -> None:
    assert LINKS.token(ANA) == Links("https://moved.example", "the-secret").token(ANA)


def test_a_token_of_another_nodes_secret_is_nobodys() -> None:
    other = Links(LINKS.base, "another-secret").token(ANA)
    assert other != LINKS.token(ANA)
    assert LINKS.address_of(other, [ANA, BEN]) is None


def test_what_only_looks_like_a_token_is_nobodys() -> None:
    token = LINKS.token(ANA)
    for wrong in ("", ANA, token[:-1], token + "A", token.swapcase(), "A" * 24):
        assert LINKS.address_of(wrong, [ANA, BEN]) is None, wrong


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
