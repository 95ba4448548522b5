"""The snapshot is a cache: it never changes what is found, and anything wrong with it is as if there were none."""

from pathlib import Path
from typing import Any

import pytest

from matchmaker.exchange.assembly import SNAPSHOT_NAME
from matchmaker.exchange.snapshot import Entry, read_snapshot, write_snapshot
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.case import Audience, Sharing
from matchmaker.records.party import Role
from matchmaker.store.sqlite import FILE_NAME, open_sqlite
from tests.conftest import RunningNode, StartNode
from tests.samples import official_patients, patient_json


def entries(knowledge: Knowledge) -> list[Entry]:
    patients = [validate(Patient, patient) for patient in official_patients()]
    audience = Audience("me", Sharing.ALL, test=True)
    return [Entry(f"public-{p.id}", n, n + 0.5, p.id, audience, knowledge.profile(p)) for n, p in enumerate(patients)]


def test_a_snapshot_is_read_as_it_was_written(tmp_path: Path, real_knowledge: Knowledge) -> None:
    path = tmp_path / "snapshot"
    written = entries(real_knowledge)
    write_snapshot(path, "data", written)
    assert list(read_snapshot(path, "data").values()) == written
    assert path.stat().st_mode & 0o077 == 0, "it holds health data"


@pytest.mark.parametrize("damage", ["other data", "cut", "flipped", "empty", "missing"])
def test_a_snapshot_that_does_not_fit_is_none(tmp_path: Path, real_knowledge: Knowledge, damage: str) -> None:
    path = tmp_path / "snapshot"
    write_snapshot(path, "data", entries(real_knowledge))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= damage == "flipped"
    path.write_bytes({"cut": bytes(content[:-5]), "empty": b""}.get(damage, bytes(content)))
    if damage == "missing":
        path.unlink()
    assert read_snapshot(path, "others" if damage == "other data" else "data") == {}


async def searched(node: RunningNode, owner: dict[str, str]) -> list[tuple[str, float]]:
    async with node.session.post(f"{node.url}/api/cases/p0/search", headers=owner) as response:
        results: list[dict[str, Any]] = (await response.json())["results"]
    return [(result["patient"]["id"], result["score"]["patient"]) for result in results]


async def put(node: RunningNode, owner: dict[str, str], patient: dict[str, Any]) -> None:
    body = {"patient": patient, "sharing": {"with": "all"}}
    async with node.session.put(f"{node.url}/api/cases/{patient['id']}", json=body, headers=owner) as response:
        assert response.status in {200, 201}


async def test_nothing_of_a_withdrawn_case_stays_in_the_whole_data_directory(
    start_node: StartNode, tmp_path: Path
) -> None:
    def found() -> list[str]:
        return [p.name for p in (tmp_path / "ireland").rglob("*") if p.is_file() and b"HP:0100543" in p.read_bytes()]

    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await put(node, owner, patient_json("p0"))
        await put(node, owner, patient_json("p1", features=[{"id": "HP:0100543"}]))
    assert SNAPSHOT_NAME in found()
    async with start_node() as node:
        async with node.session.delete(f"{node.url}/api/cases/p1", headers=owner) as response:
            assert response.status == 204
        assert found() == []
    assert found() == []


async def test_a_case_withdrawn_behind_the_nodes_back_leaves_the_snapshot_at_the_next_start(
    start_node: StartNode, tmp_path: Path
) -> None:
    data = tmp_path / "ireland"
    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await put(node, owner, patient_json("p0"))
        await put(node, owner, patient_json("p1", features=[{"id": "HP:0100543"}]))
    half = data / f".{SNAPSHOT_NAME}.x.part"
    half.write_bytes((data / SNAPSHOT_NAME).read_bytes())  # as a killed process leaves it
    store = open_sqlite(data)
    await store.withdraw("dublin", "p1", 1.0)
    await store.close()
    assert b"HP:0100543" in (data / SNAPSHOT_NAME).read_bytes()
    async with start_node() as node:
        assert await searched(node, owner) == []
        assert [p.name for p in data.iterdir() if p.is_file() and b"HP:0100543" in p.read_bytes()] == []
    assert [p.name for p in data.iterdir() if p.is_file() and b"HP:0100543" in p.read_bytes()] == []


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
