"""Every form of file gives its records, and an unreadable one says where."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from matchmaker.intake.records import Record, RecordFile, Unreadable

ONE, TWO = {"id": "a", "n": [1]}, {"id": "b"}
LINES = f"{json.dumps(ONE)}\n{json.dumps(TWO)}\n"


def read(path: Path, content: str | bytes) -> list[tuple[str, Any]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [(r.position, r.value if isinstance(r, Record) else str(r.problems[0])) for r in RecordFile(path)]


@pytest.mark.parametrize("name", ["cases.json", "cases.jsonl", "cases"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_one_record_a_line(tmp_path: Path, name: str, packed: bool) -> None:
    content = gzip.compress(LINES.encode()) if packed else LINES.encode()
    assert read(tmp_path / name, content) == [("line 1", ONE), ("line 2", TWO)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_of_records(tmp_path: Path, indent: int | None) -> None:
    assert read(tmp_path / "x.json", json.dumps([ONE, TWO], indent=indent)) == [("item 1", ONE), ("item 2", TWO)]


def test_one_bad_item_of_a_list_does_not_lose_the_others(tmp_path: Path) -> None:
    content = '[{"id": "a"}, {"n": NaN}, {"k": 1, "k": 2}, {"s": "\\ud800"}, {"id": "b"}]'
    found = read(tmp_path / "x.json", content)
    assert [place for place, _ in found] == [f"item {number}" for number in range(1, 6)]
    assert [value for _, value in found if isinstance(value, dict)] == [{"id": "a"}, {"id": "b"}]
    assert [problem.split(":")[0] for _, problem in found if isinstance(problem, str)] == ["n", "k", "s"]


@pytest.mark.parametrize(
    ("content", "places"),
    [('{"patient":\n{"id": "a"}\n}', [""]), ('{"a": {}\n,\n"b": {}}', [""]), ("{\n{}", ["line 1", "line 2"])],
)
def test_a_file_is_taken_for_lines_only_where_it_is_no_record_and_a_line_is(
    tmp_path: Path, content: str, places: list[str]
) -> None:
    assert [place for place, _ in read(tmp_path / "x.json", content)] == places


def test_one_record_over_many_lines(tmp_path: Path) -> None:
    assert read(tmp_path / "x.json", json.dumps(ONE, indent=2)) == [("", ONE)]


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_do_not_matter(tmp_path: Path) -> None:
    content = "\ufeff" + LINES.replace("\n", "\r\n\r\n")
    assert read(tmp_path / "x.jsonl", content) == [("line 1", ONE), ("line 3", TWO)]


@pytest.mark.parametrize("name", ["x.jsonl", "x.json"])
def test_a_bad_line_does_not_lose_the_others(tmp_path: Path, name: str) -> None:
    found = read(tmp_path / name, f'{{"bad"\n{LINES}{{"a": NaN}}\n')
    assert [position for position, _ in found] == ["line 1", "line 2", "line 3", "line 4"]
    assert "not JSON" in found[0][1]
    assert found[1][1] == ONE
    assert found[3][1].startswith("a: NaN")


def test_a_broken_off_gzip_gives_what_came_before(tmp_path: Path) -> None:
    many = "".join(json.dumps({"id": number}) + "\n" for number in range(50_000))
    path = tmp_path / "x.jsonl.gz"
    packed = gzip.compress(many.encode())
    for cut, lost in ((8, 0), (1, 0), (20_000, 20_000)):
        path.write_bytes(packed[:-cut])
        records = list(RecordFile(path))
        assert isinstance(records[-1], Unreadable)
        assert records[-1].position == "at its end"
        assert len([r for r in records if isinstance(r, Record)]) >= 50_000 - lost


def test_a_gzip_file_of_several_members_is_one(tmp_path: Path) -> None:
    content = b"".join(gzip.compress(line.encode()) for line in LINES.splitlines(keepends=True))
    assert read(tmp_path / "x.gz", content) == [("line 1", ONE), ("line 2", TWO)]


def test_a_list_on_one_line_gives_its_items(tmp_path: Path) -> None:
    content = f"{json.dumps([ONE, TWO])}\n{json.dumps(TWO)}\n"
    assert read(tmp_path / "x.jsonl", content) == [("line 1, item 1", ONE), ("line 1, item 2", TWO), ("line 2", TWO)]


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_is_said_to_be_empty(tmp_path: Path, content: bytes) -> None:
    ((position, problem),) = read(tmp_path / "x.json", content)
    assert position == ""
    assert "no records" in problem


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (only,) = RecordFile(tmp_path / "missing.json")
    assert isinstance(only, Unreadable)
    assert "No such file" in str(only.problems[0])
