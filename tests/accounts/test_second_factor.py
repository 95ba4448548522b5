"""Codes by time, after the vectors of RFC 6238, and recovery codes."""

import base64
import re
import secrets
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pyotp
import pytest

from matchmaker.accounts.second_factor import digest_of, new_recovery_codes, new_secret, qr_svg, step_of, uri

SECRET = base64.b32encode(b"12345678901234567890").decode()  # RFC 6238, appendix B
NOW = 1_800_000_010.0
STEP = 60_000_000
OUTSIDE = 2


def code_at(step: int) -> str:
    return pyotp.TOTP(SECRET).generate_otp(step)


# RFC 6238, appendix B, SHA-1: the last six digits of the eight.
@pytest.mark.parametrize(
    ("now", "code"),
    [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_the_vectors_of_rfc_6238(now: float, code: str) -> None:
    assert step_of(SECRET, code, now, None) == now // 30


def test_a_new_secret_has_160_bits() -> None:
    secret = new_secret(secrets.token_bytes)
    assert len(base64.b32decode(secret)) == 20
    assert secret != new_secret(secrets.token_bytes)


@pytest.mark.parametrize("off", [-1, 0, 1])
def test_one_step_either_side_is_let_pass(off: int) -> None:
    assert step_of(SECRET, code_at(STEP + off), NOW, None) == STEP + off


@pytest.mark.parametrize("off", [-OUTSIDE, OUTSIDE])
def test_two_steps_are_not(off: int) -> None:
    assert step_of(SECRET, code_at(STEP + off), NOW, None) is None


def test_a_code_counts_once_and_none_before_it() -> None:
    """RFC 6238, 5.2: "The verifier MUST NOT accept the second attempt of the OTP"."""
    assert step_of(SECRET, code_at(STEP), NOW, STEP - 1) == STEP
    assert step_of(SECRET, code_at(STEP), NOW, STEP) is None
    assert step_of(SECRET, code_at(STEP - 1), NOW, STEP) is None
    assert step_of(SECRET, code_at(STEP + 1), NOW, STEP) == STEP + 1


def test_blanks_are_let_pass() -> None:
    code = code_at(STEP)
    assert step_of(SECRET, f" {code[:3]} {code[3:]}\n", NOW, None) == STEP


@pytest.mark.parametrize(
    "typed",
    ["", "12345", "1234567", "abcdef", "-12345", "１２３４５６", "١٢٣٤٥٦", "²²²²²²", "\ud800", "1" * 10_000_000],
)
def test_what_is_no_code_fits_nothing(typed: str) -> None:
    assert step_of(SECRET, typed, NOW, None) is None


def test_digits_of_other_scripts_are_refused_even_if_they_fit() -> None:
    wide = code_at(STEP).translate({ord("0") + digit: ord("０") + digit for digit in range(10)})
    assert step_of(SECRET, wide, NOW, None) is None


def test_a_clock_at_its_beginning_does_not_raise() -> None:
    assert step_of(SECRET, "000000", -1_000.0, None) is None
    assert step_of(SECRET, code_at(0), 0.0, None) == 0


def test_the_uri_names_the_node_and_the_person() -> None:
    parts = urlsplit(uri(SECRET, "anna+x@example.org", "Node: Ireland & co"))
    told = parse_qs(parts.query)
    assert (parts.scheme, parts.netloc) == ("otpauth", "totp")
    assert told["secret"] == [SECRET]
    assert told["issuer"] == ["Node: Ireland & co"]
    assert "anna%2Bx%40example.org" in parts.path


def test_the_qr_code_lives_under_a_strict_policy() -> None:
    svg = qr_svg(uri(SECRET, "anna@example.org", "Ireland"))
    elements = list(ET.fromstring(svg).iter())  # noqa: S314 - our own
    assert {element.tag for element in elements} == {"svg", "path"}
    attributes = {name for element in elements for name in element.attrib}
    assert attributes == {"viewBox", "class", "stroke", "fill", "d"}
    assert SECRET not in svg


def test_the_qr_code_is_black_on_white_with_its_quiet_zone() -> None:
    root = ET.fromstring(qr_svg("otpauth://totp/x"))  # noqa: S314 - our own
    side = int(root.attrib["viewBox"].split()[2])
    white, black = root.findall("path")
    assert (white.attrib["fill"], white.attrib["d"]) == ("#fff", f"M0 0h{side}v{side}h-{side}z")
    assert black.attrib["stroke"] == "#000"
    assert black.attrib["d"].startswith("M4 4.5h7")  # the corner's mark, four modules from the edge


def test_recovery_codes_are_many_and_readable() -> None:
    codes = new_recovery_codes(secrets.token_bytes)
    assert len(set(codes)) == 10
    for code in codes:
        assert re.fullmatch(r"([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", code)
    assert len(new_recovery_codes(secrets.token_bytes, count=3)) == 3


def test_recovery_codes_are_chance_alone() -> None:
    assert new_recovery_codes(bytes, 2) == ("aaaa-aaaa-aaaa-aaaa",) * 2
    letters = "".join(new_recovery_codes(secrets.token_bytes, 400)).replace("-", "")
    assert len(set(letters)) == 31


@pytest.mark.parametrize(
    "typed", ["K7QF-2M9X-ABCD-EFGH", " k7qf2m9xabcdefgh\n", "k7qf 2m9x abcd efgh", "k7qf–2m9x—abcd‑efgh"]
)
def test_a_recovery_code_is_known_however_typed(typed: str) -> None:
    assert digest_of(typed) == digest_of("k7qf-2m9x-abcd-efgh")


def test_another_recovery_code_is_another() -> None:
    assert digest_of("k7qf-2m9x-abcd-efgh") != digest_of("k7qf-2m9x-abcd-efgj")
    assert digest_of("\ud800") != digest_of("a")
    assert len(digest_of("")) == 64
