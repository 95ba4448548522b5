"""The figures of what may be told, scaled down; whole in `make soak`."""

import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks.privacy.__main__ import Kind, measured
from matchmaker.records.party import Role
from tests.conftest import RunningNode
from tests.samples import patient_json
from tests.soak.damage import found_of
from tests.soak.racing import FEATURES, race
from tests.soak.telling import denied_or_absent, report_seconds


async def test_nothing_is_told_after_a_withdrawal_is_acknowledged(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    spain = await node.add_client("spain", per_month=None)
    raced = await race(node.url, owner, spain, 300)
    assert raced.told_before > 0
    assert raced.after > 0
    assert raced.told_after == 0


async def test_a_denied_case_is_answered_as_an_absent_one(tmp_path: Path) -> None:
    apart = await denied_or_absent(tmp_path, 60, 0.1)
    assert (apart.by_length, apart.differing) == (0.5, 0)


async def test_every_edit_and_removal_of_the_ledger_is_found(tmp_path: Path) -> None:
    found, missed = await found_of(tmp_path, 60, 2)
    assert (found, missed) == (60, [])


async def test_a_report_finds_its_lines_among_many(tmp_path: Path) -> None:
    _, lines = await report_seconds(tmp_path, 20_000)
    assert lines == 20


async def test_attackers_learn_no_more_than_agreed_and_honest_peers_find_their_partners() -> None:
    held, rows = await measured(200, 3, [Kind("8 a month", 100, 8, 10)])
    most = max(25 / held, 0.105)
    for row in rows:
        assert row.beyond == 0, f"{row.who}: records beyond their level"
        if row.recall is None:
            assert row.share <= most, row.who
        elif "with genes" in row.who:
            assert row.recall >= 0.95, row.who


def files_with(folder: Path, words: list[bytes]) -> list[str]:
    """Return which files hold one of the words, and which."""
    found = []
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            content = file.read_bytes()
            found += [f"{file.name}: {word!r}" for word in words if word in content]
    return found


async def test_of_a_withdrawn_case_nothing_is_left_within_a_minute(node: RunningNode) -> None:
    """Neither in the database, its log and freed pages, nor in the index kept beside it."""
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    spain = await node.add_client("spain")
    words = [b"UNIQUEGENE4711", b"very.special@address.example", b"Dr Quirin Unmistakable"]
    contact = {"name": "Dr Quirin Unmistakable", "href": "mailto:very.special@address.example"}
    patient = patient_json(
        "p", features=FEATURES, contact=contact, genomicFeatures=[{"gene": {"id": "UNIQUEGENE4711"}}]
    )
    folder = node.config.storage.data_dir

    async def call(method: str, path: str, headers: dict[str, str], body: Any = None) -> int:
        async with node.session.request(method, node.url + path, json=body, headers=headers) as response:
            await response.read()
            return response.status

    await call("PUT", "/api/cases/p", owner, {"patient": patient, "sharing": {"with": "all", "contact": "own"}})
    mme = {**spain, "Content-Type": "application/vnd.ga4gh.matchmaker.v1.0+json"}
    assert await call("POST", "/match", mme, {"patient": {**patient, "id": "q"}}) == 200
    await call("POST", "/api/cases/p/search", owner)
    assert files_with(folder, words), "the words are there to be erased"
    assert await call("DELETE", "/api/cases/p", owner) == 204
    deadline = time.monotonic() + 60
    while (left := files_with(folder, words)) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    assert left == []
