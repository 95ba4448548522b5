"""Passwords: which are taken, how they are kept, and that nobody learns who has an account."""

import time

import pytest
from argon2 import PasswordHasher, extract_parameters

from matchmaker.accounts.passwords import MOST, Passwords, problem_of

GOOD = "a quiet river in june"


@pytest.fixture(scope="module")
def passwords() -> Passwords:
    return Passwords(memory_kib=32, time_cost=1)


def test_a_password_fits_its_hash_and_no_other(passwords: Passwords) -> None:
    kept = passwords.hashed(GOOD)
    assert passwords.fits(kept, GOOD)
    assert not passwords.fits(kept, GOOD + " ")
    assert not passwords.fits(kept, "")


def test_a_hash_is_salted_and_holds_no_password(passwords: Passwords) -> None:
    one, other = passwords.hashed(GOOD), passwords.hashed(GOOD)
    assert one != other
    assert one.startswith("$argon2id$v=19$")
    assert "river" not in one


def test_the_default_is_the_second_recommended_option_of_rfc_9106() -> None:
    kept = extract_parameters(Passwords().hashed(GOOD))
    assert (kept.memory_cost, kept.time_cost, kept.parallelism) == (65_536, 3, 4)
    assert (kept.salt_len, kept.hash_len) == (16, 32)


@pytest.mark.parametrize("kept", [None, "", "no hash", "$argon2id$v=19$broken", "ü", "$2b$12$abcdefghijklmnopqrstuv"])
def test_what_is_no_hash_fits_nothing(passwords: Passwords, kept: str | None) -> None:
    assert not passwords.fits(kept, GOOD)
    assert not passwords.fits(kept, "nobody's password")


def test_an_account_that_does_not_exist_takes_as_long() -> None:
    passwords = Passwords(memory_kib=8_192, time_cost=2)
    kept = passwords.hashed(GOOD)

    def fastest(hash_: str | None) -> float:
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            passwords.fits(hash_, "a wrong password of mine")
            times.append(time.perf_counter() - begun)
        return min(times)

    assert fastest(None) > fastest(kept) / 3


@pytest.mark.parametrize(
    ("typed", "again"),
    [
        ("Z\u00fcrich and K\u00f6ln", "Zu\u0308rich and Ko\u0308ln"),  # composed or not
        ("a quiet river", "a\u00a0quiet river"),  # a blank is a blank
        ("\ud55c\uad6d" * 8, "\u1112\u1161\u11ab\u1100\u116e\u11a8" * 8),
    ],
)
def test_one_password_typed_on_two_keyboards_is_one(passwords: Passwords, typed: str, again: str) -> None:
    assert passwords.fits(passwords.hashed(typed), again)


def test_compatibility_characters_stay_different(passwords: Passwords) -> None:
    assert not passwords.fits(passwords.hashed("a quiet river no 2"), "a quiet river no ²")


@pytest.mark.parametrize("strange", ["\ud800" * 20, "\0" * 20, "x" * 1_000_000])
def test_strange_texts_do_not_raise(passwords: Passwords, strange: str) -> None:
    assert not passwords.fits(passwords.hashed(GOOD), strange)
    assert not passwords.fits(None, strange)


def test_other_parameters_are_outdated(passwords: Passwords) -> None:
    assert not passwords.is_outdated(passwords.hashed(GOOD))
    assert Passwords(memory_kib=64, time_cost=1).is_outdated(passwords.hashed(GOOD))
    assert passwords.is_outdated(PasswordHasher(1, 32, 4, 16).hash(GOOD))
    assert passwords.is_outdated("no hash")


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        "x7#Lq9!vT2$mK4&",  # 15
        "correct horse battery staple",
        "correct horse correct horse",  # what repeats is itself a password
        "密码是一条安静的河流在六月的早晨",
        "123456789012346",
        "abcdefghijklmna",
        "a quiet river in june" * 40,
        "anna@example.org likes rivers",
    ],
)
def test_good_passwords_are_taken(good: str) -> None:
    assert problem_of(good, "anna@example.org") is None


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "at least 15 characters; this one has 0"),
        ("x7#Lq9!vT2$mK4", "this one has 14"),
        ("A\u0308 quiet rive\u0301r.", "this one has 14"),  # 16 code points
        ("x7#Lq9!vT2$mK4&" * 69, "at most 1024 characters; this one has 1035"),
        ("x" * 1_000_000, "at most 1024"),
        ("aaaaaaaaaaaaaaaaaaa", "repeats"),
        ("aaaaaaaaaaaaaab", "repeats"),
        ("passwordpassword", "repeats"),
        ("PasswordpasswordPassw", "repeats"),
        ("123123123123123", "repeats"),
        ("123456789012345", "row"),
        ("098765432109876", "row"),
        ("abcdefghijklmno", "row"),
        ("qwertyuiopasdfghjkl", "row"),
        ("lkjhgfdsapoiuytrewq", "row"),
        ("Anna@Example.org", "your address"),
        ("anna@example.org1", "your address"),
        ("anna@example.orgANNA@example.org", "your address"),
        ("many people use this one", "many people use"),
        ("\ud800" + GOOD, "no text"),
    ],
)
def test_bad_passwords_are_refused_in_one_sentence(bad: str, why: str) -> None:
    problem = problem_of(bad, "anna@example.org", {"many people use this one"})
    assert problem is not None
    assert why in problem
    assert bad not in problem or not bad


def test_the_longest_password_is_taken() -> None:
    longest = ("a quiet river in june, " * 60)[:MOST]
    assert problem_of(longest, "") is None
    assert problem_of(longest + "x", "") is not None
