"""A session's token, what its forms carry, and when it is over."""

import secrets

import pytest

from matchmaker.accounts.sessions import csrf_of, digest, is_over, new_token, same

IDLE, MOST = 1_800.0, 43_200.0
NOW = 1_800_000_000.0


def test_a_token_has_256_bits_and_fits_a_cookie() -> None:
    token = new_token(secrets.token_bytes)
    assert len(token) == 43
    assert token.replace("-", "").replace("_", "").isalnum()
    assert token != new_token(secrets.token_bytes)


def test_what_is_kept_is_not_the_token() -> None:
    assert digest("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1


def test_forms_carry_what_only_the_session_knows() -> None:
    assert csrf_of("one") == csrf_of("one")
    assert csrf_of("one") != csrf_of("other")
    assert csrf_of("one") != digest("one")
    assert "one" not in csrf_of("one")


@pytest.mark.parametrize(("a", "b", "equal"), [("a", "a", True), ("a", "b", False), ("", "", True), ("a", "", False),
                                               ("ü€😀", "ü€😀", True), ("\u00e9", "e\u0301", False),
                                               ("\ud800", "\ud800", True), ("\ud800", "?", False)])  # fmt: skip
def test_texts_are_compared_whatever_is_in_them(a: str, b: str, equal: bool) -> None:
    assert same(a, b) is equal


@pytest.mark.parametrize(
    ("created", "seen", "over"),
    [
        (NOW, NOW, False),
        (NOW - 60, NOW - 1, False),
        (NOW - IDLE, NOW - IDLE + 1, False),
        (NOW - IDLE, NOW - IDLE, True),  # idle too long
        (NOW - MOST + 1, NOW - 1, False),
        (NOW - MOST, NOW - 1, True),  # too old, however busy
        (NOW, NOW + 60, False),  # two clocks differ a little
        (NOW + IDLE, NOW + IDLE, False),
        (NOW, NOW + IDLE + 1, True),  # the clock went back
        (NOW + IDLE + 1, NOW, True),
        (float("nan"), NOW, True),
        (NOW, float("nan"), True),
    ],
)
def test_a_session_is_over(created: float, seen: float, over: bool) -> None:
    assert is_over(created, seen, NOW, IDLE, MOST) is over
