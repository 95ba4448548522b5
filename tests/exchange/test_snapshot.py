"""The snapshot is a cache: it never changes what is found, and anything wrong with it is as if there were none."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from matchmaker.exchange.assembly import SNAPSHOT_NAME
from matchmaker.exchange.snapshot import Snapshot, SnapshotUnreadable, read_snapshot, write_snapshot
from matchmaker.matching.blocks import Block
from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.case import key_of
from matchmaker.records.party import Role
from matchmaker.records.sharing import Audience, Circle
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.store.sqlite.connecting import FILE_NAME
from tests.conftest import RunningNode, StartNode
from tests.samples import official_patients, patient_json


def filled(knowledge: Knowledge) -> Snapshot:
    index = CaseIndex(knowledge.information, knowledge.calibration)
    day = date(2027, 1, 31)
    named = Audience("you", Circle.NAMED, False, ("ES",), ("spain", "france"), day, "rare")
    audiences = [Audience("me", Circle.ALL, test=True), named]
    for number, patient in enumerate(official_patients()):
        index.add(number, knowledge.profile(validate(Patient, patient)), audiences[number % 2], number + 7)
    return Snapshot(41, *index.blocks())


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path, real_knowledge: Knowledge) -> None:
    path = tmp_path / "snapshot"
    written = filled(real_knowledge)
    write_snapshot(path, "data", written)
    read = read_snapshot(path, "data")
    assert (read.revision, read.groups) == (written.revision, written.groups)
    for name in Block.__dataclass_fields__:
        (one,), (other,) = ([getattr(block, name) for block in kept.blocks] for kept in (written, read))
        assert one.dtype == other.dtype, name
        assert np.array_equal(one, other), name
    assert path.stat().st_mode & 0o077 == 0, "it holds health data"


def test_an_empty_snapshot_is_one(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "snapshot", "data", Snapshot(3, [], []))
    assert read_snapshot(tmp_path / "snapshot", "data") == Snapshot(3, [], [])


@pytest.mark.parametrize("damage", ["other data", "cut", "flipped", "empty", "missing", "rubbish", "a line"])
def test_a_snapshot_that_does_not_fit_is_none(tmp_path: Path, real_knowledge: Knowledge, damage: str) -> None:
    path = tmp_path / "snapshot"
    write_snapshot(path, "data", filled(real_knowledge))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= damage == "flipped"
    damaged = {"cut": bytes(content[:-5]), "empty": b"", "rubbish": b"{}\n" * 99, "a line": b"[1]\n"}
    path.write_bytes(damaged.get(damage, bytes(content)))
    if damage == "missing":
        path.unlink()
    with pytest.raises(SnapshotUnreadable):
        read_snapshot(path, "others" if damage == "other data" else "data")


async def searched(node: RunningNode, owner: dict[str, str]) -> list[tuple[str, float]]:
    async with node.session.post(f"{node.url}/api/cases/p0/search", headers=owner) as response:
        results: list[dict[str, Any]] = (await response.json())["results"]
    return [(result["patient"]["id"], result["score"]["patient"]) for result in results]


async def put(node: RunningNode, owner: dict[str, str], patient: dict[str, Any]) -> None:
    body = {"patient": patient, "sharing": {"with": "all"}}
    async with node.session.put(f"{node.url}/api/cases/{patient['id']}", json=body, headers=owner) as response:
        assert response.status in {200, 201}


def traces(data: Path, public_id: str, knowledge: Knowledge) -> list[str]:
    """The files in which a case of HP:0100543 and this public id can be found: as text, or as a row of the index."""
    found = [p.name for p in data.rglob("*") if p.is_file() and b"HP:0100543" in p.read_bytes()]
    key, term = np.array(divmod(key_of(public_id), 2**32), "<u4").tobytes(), knowledge.ontology.number("HP:0100543")
    assert term is not None
    for path in data.rglob(f"*{SNAPSHOT_NAME}*"):
        if key in path.read_bytes():
            found.append(path.name)
        kept = read_snapshot(path, knowledge.fingerprint)
        if any(block.stated_start[term] < block.stated_start[term + 1] for block in kept.blocks):
            found.append(path.name)
    return found


async def public_id_of(data: Path, case_id: str) -> str:
    store = open_sqlite(data)
    case = await store.case("dublin", case_id)
    await store.close()
    assert case
    return case.public_id


async def test_nothing_of_a_withdrawn_case_stays_in_the_whole_data_directory(
    start_node: StartNode, tmp_path: Path, real_knowledge: Knowledge
) -> None:
    data = tmp_path / "ireland"
    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await put(node, owner, patient_json("p0"))
        await put(node, owner, patient_json("p1", features=[{"id": "HP:0100543"}]))
        public_id = await public_id_of(data, "p1")
    assert traces(data, public_id, real_knowledge).count(SNAPSHOT_NAME) == 2
    async with start_node() as node:
        async with node.session.delete(f"{node.url}/api/cases/p1", headers=owner) as response:
            assert response.status == 204
        assert traces(data, public_id, real_knowledge) == []
    assert (data / SNAPSHOT_NAME).exists()
    assert traces(data, public_id, real_knowledge) == []


async def test_a_case_withdrawn_behind_the_nodes_back_leaves_the_snapshot_at_the_next_start(
    start_node: StartNode, tmp_path: Path, real_knowledge: Knowledge
) -> None:
    data = tmp_path / "ireland"
    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await put(node, owner, patient_json("p0"))
        await put(node, owner, patient_json("p1", features=[{"id": "HP:0100543"}]))
        public_id = await public_id_of(data, "p1")
    half = data / f".{SNAPSHOT_NAME}.x.part"
    half.write_bytes((data / SNAPSHOT_NAME).read_bytes())  # as a killed process leaves it
    store = open_sqlite(data)
    await store.withdraw("dublin", "p1", 1.0)
    await store.close()
    assert traces(data, public_id, real_knowledge)
    async with start_node() as node:
        assert await searched(node, owner) == []
        assert traces(data, public_id, real_knowledge) == []
    assert (data / SNAPSHOT_NAME).exists()
    assert traces(data, public_id, real_knowledge) == []


async def test_a_store_restored_from_a_backup_is_not_taken_for_the_one_of_the_snapshot(
    start_node: StartNode, tmp_path: Path
) -> None:
    data = tmp_path / "ireland"
    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await put(node, owner, patient_json("p0"))
        await put(node, owner, patient_json("p1"))
    backup = (data / FILE_NAME).read_bytes()
    async with start_node() as node:
        await put(node, owner, patient_json("p1", genomicFeatures=[{"gene": {"id": "TTN"}}]))
    later = (data / SNAPSHOT_NAME).read_bytes()
    (data / FILE_NAME).write_bytes(backup)
    async with start_node() as node:
        await put(node, owner, patient_json("p1", genomicFeatures=[{"gene": {"id": "USH2A"}}]))
        expected = await searched(node, owner)
    (data / SNAPSHOT_NAME).write_bytes(later)
    async with start_node() as node:
        assert await searched(node, owner) == expected


async def test_a_start_from_a_snapshot_finds_what_changed_since(start_node: StartNode, tmp_path: Path) -> None:
    snapshot = tmp_path / "ireland" / SNAPSHOT_NAME
    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        for number in range(6):
            await put(node, owner, patient_json(f"p{number}"))
    older = snapshot.read_bytes()
    async with start_node() as node:
        await put(node, owner, patient_json("p1", genomicFeatures=[{"gene": {"id": "TTN"}}]))
        await put(node, owner, patient_json("p6"))
        async with node.session.delete(f"{node.url}/api/cases/p2", headers=owner) as response:
            assert response.status == 204
        expected = await searched(node, owner)
    assert [case_id for case_id, _ in expected] == ["p3", "p4", "p5", "p6", "p1"]
    for content in (older, snapshot.read_bytes(), b"rubbish"):
        snapshot.write_bytes(content)
        async with start_node() as node:
            assert await searched(node, owner) == expected
