"""New reference data, or a store replaced as a whole: cases are profiled anew beside the old ones, then all at once."""

import asyncio
import gzip
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from matchmaker.exchange.assembly import open_place, open_store
from matchmaker.exchange.backup import restore, write_backup
from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.exchange.generation import Generation
from matchmaker.exchange.importing import ReferenceUnusable, changes_between, load_with, read_reference
from matchmaker.exchange.places import configured_place
from matchmaker.exchange.withdrawals import Withdrawal
from matchmaker.matching.profile import Knowledge
from matchmaker.records.case import KeptCase
from matchmaker.records.party import Role
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.records.sharing import Circle, Sharing
from tests.conftest import RunningNode, StartNode
from tests.samples import patient_json

SWITCHED_SECONDS = 60.0  # far beyond what it takes


def genes_with(*rows: str) -> bytes:
    """The shipped table of genes, and more rows."""
    table = gzip.decompress((REFERENCE_DATA / "genes.tsv.gz").read_bytes()).decode()
    return gzip.compress((table + "".join(f"{row}\n" for row in rows)).encode(), mtime=0)


NEW_GENE = "HGNC:99999\tNEWGENE1\t999999999\tENSG00000999999\tOLDNAME1\tprotein-coding\tnew gene 1"


def reference(kind: Kind, content: bytes, version: str = "2026-10") -> ReferenceFile:
    return ReferenceFile(kind, kind.value, version, hashlib.sha256(content).hexdigest(), 1.0, content)


async def put(node: RunningNode, owner: dict[str, str], case_id: str, gene: str) -> None:
    body = {"patient": patient_json(case_id, genomicFeatures=[{"gene": {"id": gene}}]), "sharing": {"with": "all"}}
    async with node.session.put(f"{node.url}/api/cases/{case_id}", json=body, headers=owner) as response:
        assert response.status == 201


async def shared(node: RunningNode, owner: dict[str, str], case_id: str) -> int:
    """How many matches share a gene with a case."""
    async with node.session.post(f"{node.url}/api/cases/{case_id}/search", headers=owner) as response:
        assert response.status == 200
        results: list[dict[str, Any]] = (await response.json())["results"]
    return sum(bool(result["_explanation"].get("sharedGenes")) for result in results)


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + SWITCHED_SECONDS
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def write(node: RunningNode, work: Callable[[Any], Awaitable[None]]) -> None:
    """Write into the node's store as a command beside it does."""
    store = await open_store(node.config)
    await work(store)
    await store.close()


async def test_new_reference_data_are_switched_to_without_a_query_failing(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    await put(node, owner, "p1", "NEWGENE1")
    await put(node, owner, "p2", "OLDNAME1")
    await put(node, owner, "gone", "OLDNAME1")
    assert await shared(node, owner, "p1") == 0
    await write(node, lambda store: store.set_reference([reference(Kind.GENES, genes_with(NEW_GENE))]))
    following = node.exchange._following  # noqa: SLF001 - to write while the new generation is made

    async def begun() -> bool:
        await shared(node, owner, "p1")
        return following.renewing

    await eventually(begun)
    await put(node, owner, "meanwhile", "OLDNAME1")
    async with node.session.delete(f"{node.url}/api/cases/gone", headers=owner) as response:
        assert response.status == 204

    async def switched() -> bool:
        return await shared(node, owner, "p1") > 0

    await eventually(switched)
    assert await shared(node, owner, "p1") == 2, "p2, and what came meanwhile; not what has gone"
    await write(node, lambda store: store.clear_reference())

    async def back() -> bool:
        return await shared(node, owner, "p1") == 0

    await eventually(back)


async def test_a_restart_scores_with_what_was_imported(start_node: StartNode) -> None:
    async with start_node() as node:
        owner = await node.add_client("dublin", Role.DEPOSITOR)
        await put(node, owner, "p1", "NEWGENE1")
        await put(node, owner, "p2", "OLDNAME1")
        await write(node, lambda store: store.set_reference([reference(Kind.GENES, genes_with(NEW_GENE))]))
    async with start_node() as node:
        assert await shared(node, owner, "p1") == 1
        assert node.exchange._following.current.knowledge.versions["genes"] == "2026-10"  # noqa: SLF001 - what it uses


async def test_data_that_cannot_be_used_leave_the_old_ones_in_use(node: RunningNode) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    await put(node, owner, "p1", "NEWGENE1")
    await put(node, owner, "p2", "OLDNAME1")
    following = node.exchange._following  # noqa: SLF001 - to see that it was tried
    await write(node, lambda store: store.set_reference([reference(Kind.GENES, b"rubbish")]))
    before = following._made_for  # noqa: SLF001 - as above

    async def tried() -> bool:
        return following._made_for != before  # noqa: SLF001 - as above

    await eventually(tried)
    assert await shared(node, owner, "p1") == 0
    await write(node, lambda store: store.set_reference([reference(Kind.GENES, genes_with(NEW_GENE))]))

    async def switched() -> bool:
        return await shared(node, owner, "p1") == 1

    await eventually(switched)


async def test_a_store_restored_beside_a_running_node_is_answered_from(node: RunningNode, tmp_path: Path) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    await put(node, owner, "p1", "BCKDK")
    await put(node, owner, "p2", "BCKDK")
    store = await open_place(configured_place(node.config.storage), to_fill=True)
    await write_backup(store, tmp_path / "backup", "now", lambda _done: None)
    await put(node, owner, "since", "BCKDK")
    assert await shared(node, owner, "p1") == 2

    async def none() -> list[Withdrawal]:
        return []

    await restore(store, tmp_path / "backup", none, 1.0, replace=True, progress=lambda _done: None)
    await store.close()

    async def restored() -> bool:
        return await shared(node, owner, "p1") == 1

    await eventually(restored)
    await put(node, owner, "again", "BCKDK")
    assert await shared(node, owner, "p1") == 2, "it goes on from there"


HGNC = (
    "hgnc_id\tsymbol\tname\tlocus_group\tlocus_type\tstatus\talias_symbol\tprev_symbol\tdate_modified\tentrez_id\tensembl_gene_id\n"
    'HGNC:16902\tBCKDK\tbranched chain keto acid dehydrogenase kinase\tprotein-coding gene\tgene with protein product\tApproved\t"BDK|BCKDKD"\t\t2026-10-05\t10295\tENSG00000103507\n'
    "HGNC:99998\tNOENTREZ\tno entrez\tother\tunknown\tApproved\t\tFORMERLY\t2026-09-01\t\t\n"
    "HGNC:1\tOLD\twithdrawn\tother\tunknown\tEntry Withdrawn\t\t\t2001-01-01\t1\t\n"
)


def test_files_are_recognised_by_what_is_in_them(tmp_path: Path) -> None:
    (tmp_path / "genes").write_text(HGNC, encoding="utf-8")
    genes = read_reference(tmp_path / "genes", 1.0)
    assert (genes.kind, genes.version) == (Kind.GENES, "2026-10-05")
    rows = gzip.decompress(genes.content).decode().splitlines()
    assert rows[1].split("\t")[:5] == ["HGNC:16902", "BCKDK", "10295", "ENSG00000103507", "BDK|BCKDKD"]
    assert len(rows) == 3
    for name, kind in (
        ("hp.obo.gz", Kind.HPO), ("phenotype.hpoa.gz", Kind.ANNOTATIONS), ("genes.tsv.gz", Kind.GENES),
        ("GRCh37_to_GRCh38.chain.gz", Kind.CHAIN),
    ):  # fmt: skip
        read = read_reference(REFERENCE_DATA / name, 1.0)
        assert read.kind is kind
        assert hashlib.sha256(read.content).hexdigest() == read.sha256
    assert read_reference(REFERENCE_DATA / "hp.obo.gz", 1.0).version == "2025-05-06"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"rubbish", "none of what can be imported"),
        (b"", "none of what can be imported"),
        (b"\x1f\x8brubbish", "damaged"),
        (b"\xff\xfe", "damaged"),
        (b"format-version: 1.2\n\n[Term]\nid: GO:0000001\n", "not HPO"),
        (b"chain 1 1 248956422 + 0 9 1 249250621 + 0 9 1\n", "no chain from GRCh37 to GRCh38"),
        (HGNC.splitlines(keepends=True)[0].encode(), "no approved gene"),
    ],
)
def test_what_is_no_reference_data_is_refused_and_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ReferenceUnusable, match=reason):
        read_reference(tmp_path / "file", 1.0)


async def test_what_an_import_changes_is_told_before_it_is_done(
    node: RunningNode, real_knowledge: Knowledge, tmp_path: Path
) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    await put(node, owner, "p1", "NEWGENE1")
    await put(node, owner, "p2", "BCKDK")
    files = [reference(Kind.GENES, genes_with(NEW_GENE))]
    new = load_with(node.config, files, tmp_path / "folder")
    store = await open_store(node.config)
    changes = await changes_between(real_knowledge, new, [Kind.GENES], store)
    await store.close()
    assert (changes.cases, changes.touched) == (2, 1)
    assert changes.by_identifier == {"NEWGENE1": 1}
    assert changes.versions["genes"] == (real_knowledge.versions["genes"], "2026-10")
    assert (changes.terms, changes.added) == ([], 0)


async def test_an_own_write_that_comes_late_never_hides_a_newer_one(real_knowledge: Knowledge) -> None:
    """What one's own worker wrote may be taken in after what another one wrote later was read from the store."""
    generation = Generation(real_knowledge, lambda work: work())
    older, newer = (replace(CASE, revision=revision, version=revision) for revision in (10, 11))
    generation.take_in([newer])
    generation.reach(11)
    generation.take_in([older], ahead=True)
    assert generation.checksum() == (1, 11)


CASE = KeptCase("dublin", "p1", "0" * 32, Sharing(Circle.ALL), patient_json("p1"), 1, 1)


async def test_a_renewal_that_fails_for_a_passing_reason_is_tried_again(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await node.add_client("dublin", Role.DEPOSITOR)
    await put(node, owner, "p1", "NEWGENE1")
    await put(node, owner, "p2", "OLDNAME1")
    monkeypatch.setattr("matchmaker.exchange.following._AGAIN_SECONDS", 0.1)
    following = node.exchange._following  # noqa: SLF001 - its disk is full, once
    real, failures = following._load, iter([OSError(28, "no space"), MemoryError()])  # noqa: SLF001 - as above

    def load(files: Any) -> Knowledge:
        for failure in failures:
            raise failure
        return real(files)

    monkeypatch.setattr(following, "_load", load)
    await write(node, lambda store: store.set_reference([reference(Kind.GENES, genes_with(NEW_GENE))]))

    async def switched() -> bool:
        return await shared(node, owner, "p1") == 1

    await eventually(switched)
