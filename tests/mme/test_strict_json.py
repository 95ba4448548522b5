"""What strangers send is JSON in UTF-8, or is refused with its path."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matchmaker.mme.errors import InvalidRequest, NotJson, RequestError
from matchmaker.mme.strict_json import MAX_DEPTH, inspect, parse, printable, read_shallow

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(TREES)
def test_every_plain_json_value_is_read_as_it_is(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "error", "path"),
    [
        (b"", NotJson, ""),
        (b"{", NotJson, ""),
        ("{}".encode("utf-16"), NotJson, ""),
        (b'{"a": "\xff"}', NotJson, ""),
        (b'{"a": [1, NaN]}', NotJson, "a[1]"),
        (b'{"a": {"b": -Infinity}}', NotJson, "a.b"),
        (b'{"a": 1, "b": 2, "a": 3}', InvalidRequest, "a"),
        (b'{"p": [{"id": 1, "id": 2}]}', InvalidRequest, "p[0].id"),
        (b'{"p": {"\\ud800": 1}}', InvalidRequest, "p.\\ud800"),
        (b'{"p": "\\udfff"}', InvalidRequest, "p"),
        (b'{"p": 1e999}', InvalidRequest, "p"),
        (b'{"p": [' + b"9" * 5000 + b"]}", InvalidRequest, "p[0]"),
    ],
)
def test_what_is_not_quite_json_is_refused_with_its_path(body: bytes, error: type[RequestError], path: str) -> None:
    with pytest.raises(error) as raised:
        parse(body)
    assert raised.value.problems[0].path == path


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 300, 100_000])
def test_nesting_is_refused_at_any_depth_with_the_path_where_it_went_too_deep(depth: int) -> None:
    body = b'{"patient": {"features": ' + b"[" * depth + b"]" * depth + b"}}"
    with pytest.raises(InvalidRequest) as raised:
        parse(body)
    assert raised.value.problems[0].path == "patient.features" + "[0]" * (MAX_DEPTH - 2)


def test_an_unclosed_string_costs_no_more_than_its_length() -> None:
    """By the square of its length, this one would cost a day."""
    body = b"[" * 2_000 + b'"' + b'\\"' * 500_000
    for parsing in (parse, lambda text: read_shallow(text, MAX_DEPTH)):
        with pytest.raises(RequestError):
            parsing(body)


def test_what_nests_too_deep_is_put_by_a_flaw_and_the_rest_is_read() -> None:
    deep = "[" * 50_000 + "]" * 50_000
    value = read_shallow(f'{{"a": [1, {deep}, {{"b": "]["}}, 2]}}'.encode(), MAX_DEPTH)
    assert (value["a"][0], value["a"][2], value["a"][3]) == (1, {"b": "]["}, 2)
    with pytest.raises(RequestError):
        inspect(value["a"][1], "a[1]")
    for unclosed in (b"[" * 16 + b"[]," + b"[" * 200_000, b'{"results": [' + b"[" * 200_000):
        with pytest.raises(RequestError):
            read_shallow(unclosed, MAX_DEPTH)


def test_sixteen_levels_are_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


@given(st.binary())
def test_no_bytes_whatever_raise_anything_else(body: bytes) -> None:
    try:
        parse(body)
    except RequestError:
        pass


@given(st.text())
def test_a_strangers_text_is_printable_once_escaped(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    shown.encode("utf-8")
