"""Loading keeps every good record and tells every bad one."""

import json
from collections.abc import Sequence
from pathlib import Path

from matchmaker.exchange.loading import Loaded, Telling, load_files, record_files
from matchmaker.exchange.world import World
from matchmaker.intake.patients import Reading
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Contact
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.store.base import Outcome
from matchmaker.store.sqlite.adapter import open_sqlite
from tests.samples import patient_json


def counting() -> World:
    ids = iter(range(10**6))
    return World(now=lambda: 1.0, clock=lambda: 1.0, new_id=lambda: f"public-{next(ids)}")


async def load(
    tmp_path: Path, knowledge: Knowledge, lines: Sequence[object], withdraw: str = ""
) -> tuple[Loaded, list[str], list[int], list[str]]:
    file = tmp_path / "in" / "cases.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), "utf-8")
    told: list[str] = []
    progress: list[int] = []
    store = open_sqlite(tmp_path / "data")
    if withdraw:
        await store.withdraw("me", withdraw, 1.0)
    tell = Telling(progress.append, lambda bad: told.append(str(bad)), told.append)
    reading = Reading(knowledge.genes, Contact(name="x", href="mailto:x@y.example"))
    loaded = await load_files(
        store, reading, record_files([file.parent]), "me", Sharing(Circle.COUNTRY), counting(), tell
    )
    ids = [case.id for case in await store.cases_of("me", "", 5_000) if case.sharing == Sharing(Circle.COUNTRY)]
    await store.close()
    return loaded, told, progress, ids


async def test_good_records_are_kept_and_bad_ones_told(tmp_path: Path, tiny: Knowledge) -> None:
    lines = [patient_json("a"), {"patient": {}}, "{", patient_json("b")]
    loaded, told, progress, ids = await load(tmp_path, tiny, lines)
    assert ids == ["a", "b"]
    assert (loaded.kept, loaded.bad) == (2, 2)
    assert [line.split(": ")[1] for text in told for line in text.splitlines()] == ["line 2", "line 2", "line 3"]
    assert progress[-1] > 0
    again, _, _, _ = await load(tmp_path, tiny, [patient_json("a"), patient_json("b", sex="MALE"), patient_json("c")])
    assert again.outcomes == {Outcome.UNCHANGED: 1, Outcome.CHANGED: 1, Outcome.NEW: 1}


async def test_an_id_that_stands_twice_is_told_and_the_later_one_kept(tmp_path: Path, tiny: Knowledge) -> None:
    loaded, told, _, ids = await load(tmp_path, tiny, [patient_json("a"), patient_json("a", sex="MALE")])
    assert (ids, loaded.bad) == (["a"], 0)
    assert "line 2: the id stands in this load before" in told[0]


async def test_a_withdrawn_id_is_told_and_not_stored(tmp_path: Path, tiny: Knowledge) -> None:
    await load(tmp_path, tiny, [patient_json("a")])
    loaded, told, _, ids = await load(tmp_path, tiny, [patient_json("a"), patient_json("b")], withdraw="a")
    assert (ids, loaded.bad) == (["b"], 1)
    assert "line 1: id: this case was withdrawn" in told[0]


async def test_many_records_are_kept_in_several_transactions(tmp_path: Path, tiny: Knowledge) -> None:
    loaded, _, progress, ids = await load(tmp_path, tiny, [patient_json(f"p{n:04}") for n in range(1_200)])
    assert loaded.kept == len(ids) == 1_200
    assert progress == sorted(progress)
    assert len(progress) == 3
