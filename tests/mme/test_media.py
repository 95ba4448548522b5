"""Versions are negotiated as search-api, Versioning, and real nodes ask for."""

import pytest

from matchmaker.mme.errors import NotAcceptable, UnsupportedMedia
from matchmaker.mme.media import media_type, negotiate, negotiate_answer

V10, V11 = media_type("1.0"), media_type("1.1")
PLAIN = "application/vnd.ga4gh.matchmaker+json"


@pytest.mark.parametrize(
    ("content_type", "accept", "expected"),
    [
        (V10, V10, "1.0"),
        (V11, V11, "1.1"),
        (V11, None, "1.1"),
        (V11, "*/*", "1.1"),
        (V10, "application/json", "1.0"),
        ("application/json", V10, "1.0"),
        ("application/json", PLAIN, "1.1"),
        ("application/json; charset=utf-8", V10, "1.0"),
        (f"{V11}; charset=UTF-8", V11, "1.1"),
        (V11, V10, "1.0"),
        ("application/vnd.ga4gh.matchmaker.v1.7+json", None, "1.1"),
        ("application/vnd.ga4gh.matchmaker.v1.99999+json", None, "1.1"),
        ("application/json", "application/vnd.ga4gh.matchmaker.v1.9+json", "1.1"),
        ("application/json", f"application/vnd.ga4gh.matchmaker.v2.0+json, {V10};q=0.5", "1.0"),
        ("application/json", f"{V10};q=0.2, {V11};q=0.9", "1.1"),
        ("APPLICATION/JSON", V10.upper(), "1.0"),
        (PLAIN, None, "1.1"),
    ],
)
def test_a_version_of_our_major_is_agreed(content_type: str, accept: str | None, expected: str) -> None:
    assert negotiate(content_type, accept) == expected


@pytest.mark.parametrize(
    ("content_type", "accept"),
    [
        ("application/json", None),
        ("application/json", "application/json"),
        ("application/json", "*/*"),
        ("application/json", "application/vnd.ga4gh.matchmaker.v2.0+json"),
        ("application/vnd.ga4gh.matchmaker.v2.0+json", None),
        ("application/vnd.ga4gh.matchmaker.v2.0+json", V10),
        ("application/vnd.ga4gh.matchmaker.v0.1+json", None),
        ("application/json", f"{V10};q=0"),
    ],
)
def test_another_major_or_no_version_is_not_acceptable(content_type: str, accept: str | None) -> None:
    with pytest.raises(NotAcceptable) as raised:
        negotiate(content_type, accept)
    assert raised.value.fields() == {"supportedVersions": ["1.0", "1.1"]}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/xml",
        "application/json, text/plain",
        "application/json; charset=utf-16",
        "application/vnd.ga4gh.matchmaker.v1+json",
    ],
)
def test_what_is_no_json_is_unsupported_before_it_is_unacceptable(content_type: str | None) -> None:
    with pytest.raises(UnsupportedMedia):
        negotiate(content_type, "application/vnd.ga4gh.matchmaker.v9.0+json")


def test_a_get_without_a_vendor_type_is_answered_in_our_latest() -> None:
    assert negotiate_answer(None) == negotiate_answer("application/json") == "1.1"
    assert negotiate_answer(V10) == "1.0"
