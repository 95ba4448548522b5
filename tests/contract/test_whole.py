"""A store as a whole: exported as of one revision under writes, filled into any other kind, the same bytes again."""

import asyncio
import gzip
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from matchmaker.exchange.auditing import verify
from matchmaker.exchange.backup import BackupUnusable, contents_of, copy, restore, withdrawn_in, write_backup
from matchmaker.exchange.withdrawals import Withdrawal
from matchmaker.policy.news import Addressee, Noted, Sighting
from matchmaker.records.alert import NOBODY, MailState
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.collection import Collection
from matchmaker.records.dealing import Dealing, Event
from matchmaker.records.inquiry import PeerHealth
from matchmaker.records.match import Event as Done
from matchmaker.records.match import Other, Status
from matchmaker.records.party import Client, Peer, Role
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.reference import Kind, ReferenceFile
from matchmaker.records.sharing import Circle, Sharing
from matchmaker.records.work import Work
from matchmaker.store.base import SEARCH, Claim, Decision, Store, StoreBusy, StoreHasOthers, StoreUnusable
from matchmaker.store.entries import Digest, Entry, line_of
from matchmaker.store.kept_matches import MAIL, Wanted
from matchmaker.store.mongo import open_mongo
from matchmaker.store.sqlite.adapter import open_sqlite
from tests.contract.conftest import OpenStore
from tests.contract.test_store import draft
from tests.matches import (
    BYRNE,
    CONTACT,
    NUNEZ,
    gene,
    ids,
    inquiry,
    mail,
    pair,
    public_id,
    remote,
    side,
    sighted,
    unchanged,
    with_history,
)
from tests.samples import answered


def quiet(_done: int) -> None:
    """Tell nobody how far it is."""


async def none() -> list[Withdrawal]:
    """Return that nothing was withdrawn."""
    return []


async def unchecked(read: AsyncIterator[list[Entry]]) -> None:
    """Take whatever is read back."""
    async for _ in read:
        pass


async def furnished(store: Store) -> None:
    """Put something of every kind into a store."""
    strange = {"name": "Ünïcode 漢字 \U0001f9ec", "href": "mailto:a@b.example"}
    last = replace(draft("q", contact=strange, sharing="none"), person=BYRNE, family="F-ä")
    await store.deposit([draft(f"p{n}") for n in range(5)] + [last], 1.25)
    await store.deposit([draft("p1", sharing="country")], 2.1)
    await store.withdraw("dublin", "p2", 1e9 + 0.123456)
    await store.add_client(Client("spain", Role.NODE, "digest", "Hôpital", "ES", 1.0))
    await store.revoke_client("spain", 2.0)
    await store.add_client(Client("dublin", Role.DEPOSITOR, "other"))
    await store.add_peer(Peer("spain", "https://es.example", "ES", "/run/token", "1.1", "M", None, notify=True))
    for number in range(3):
        await store.settle(answered("spain", number, ("NCBIGene:1", "ä"), 3.0 - number))
    told = {"name": "rare", "institution": "Dublin", "contact": {"name": "Team", "href": "mailto:a@b.example"}}
    await store.put_collection(Collection.model_validate(told))
    dealing = Dealing("node spain", 1.0, Event.ASKED, "d", "d", "00", True, (1,), (2**62,), (3,))
    await store.settle(Claim("node spain", (), lambda _account, _offers: Decision((), (dealing,))))
    await with_matches(store)
    await store.set_reference([ReferenceFile(Kind.HPO, "hp.obo", "1", "00", 1.0, bytes(range(256)))])


SHOWN = Other(id="x1", contact=CONTACT, version="v", answer={"ä": [1, 2.5, None, {"b": 1e-9}]}, answered_at=4.5)
OF_P1 = remote("p1", genes=(gene(same_variant=True),), parts={"phenotype": 0.1}).model_copy(update={"other": SHOWN})
OF_P3 = remote("p3", "x2", node="france", was_asked=True, peer_score=1.0, disclaimer="漢")
OF_P0 = remote("p0", "x4")
BETWEEN = pair(side("p0", score=0.25), side("p4", hidden=True))


async def with_matches(store: Store) -> None:
    """Put people, matches, their alerts and mails, and what came of asking, into a store."""
    person = Person(email=BYRNE, institution="Hôpital", role=PersonRole.CURATOR, created_at=1.5, disabled_at=2.0)
    await store.put_person(person)
    for subject in (NUNEZ, public_id("p1"), public_id("p3")):
        await store.put_choices(subject, Choices(frequency=Frequency.DAILY, muted_genes=("ä",), min_score=0.1))
    await store.record([sighted(OF_P1, BYRNE, NUNEZ), sighted(OF_P3, NUNEZ), sighted(BETWEEN, BYRNE)])
    await store.record([sighted(OF_P0, NOBODY)])
    done = Done(at=2.5, who="dublin", what="note", note="Ünïcode 漢字 \U0001f9ec")
    await store.change_match(OF_P1.id, lambda known: Noted(with_history(known, done)))
    assert await store.gather([mail("m1", NUNEZ, token="token"), mail("m2", BYRNE)], 9.0) == 2
    snoozed = Addressee(BYRNE, public_id("p1"), Choices(snoozed_until=1e9 + 0.5))
    await store.record([Sighting(remote("p1", "x3"), (snoozed,))])
    sending = await store.claim([MAIL], "worker", 9.0, 60.0)
    assert sending
    assert sending.subject == "m1"
    settled = mail(
        "m1", NUNEZ, token="token", alerts=2, state=MailState.GIVEN_UP, attempts=3, settled_at=9.5, reason="550 ä"
    )
    await store.settle_mail(settled, sending)
    await store.note_inquiries([inquiry("p1"), inquiry("p3", at=3.0, asked_at=None, status="waiting"), inquiry("p4")])
    await store.note_health("spain", lambda _known: PeerHealth(name="spain", failures=3, open_until=7.5, reason="ä"))
    await store.queue_work([Work(SEARCH, public_id("p3"), 4, 7.0), Work("ask", f"{public_id('p3')} spain", 4, 7.0)])


@pytest.fixture(params=["sqlite", "motor"])
async def other(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store, of each kind."""
    if request.param == "sqlite":
        opened: Store = open_sqlite(tmp_path / "other")
    else:
        opened = await open_mongo(request.getfixturevalue("mongodb").format(f"test_{secrets.token_hex(8)}"))
    yield opened
    await opened.close()


async def test_a_copy_is_the_same_in_every_answer_and_every_byte(store: Store, other: Store) -> None:
    await furnished(store)
    told = await copy(store, other, quiet)
    assert {kind: figures["count"] for kind, figures in told.contents.items()} == {
        "case": 6, "client": 2, "peer": 1, "collection": 1, "audit": 8, "line": 3, "chain": 1, "dealing": 1, "gene": 2, "work": 4, "reference": 1,
        "person": 1, "choices": 3, "match": 5, "alert": 6, "mail": 2, "inquiry": 3, "health": 1,
    }  # fmt: skip
    for question in _QUESTIONS:
        assert await question(store) == await question(other)
    one, two = await store.revisions(), await other.revisions()
    assert (one.cases, one.parties, one.reference, one.identity) == (
        two.cases,
        two.parties,
        two.reference,
        two.identity,
    )
    assert one.epoch != two.epoch
    cases = [case async for batch in store.changes_since(-1) for case in batch]
    keys = [case.key for case in cases]
    found = ids([OF_P1, OF_P3, BETWEEN])
    assert await asyncio.to_thread(store.read_matches, found) == await asyncio.to_thread(other.read_matches, found)
    assert await asyncio.to_thread(store.read_cases, keys) == await asyncio.to_thread(other.read_cases, keys)
    (new,) = await other.deposit([draft("new")], 5.0)
    assert new.case.revision == one.cases + 1, "it goes on where the other one was"


_QUESTIONS: list[Callable[[Store], Any]] = [
    lambda store: store.cases_of("dublin", "", 100),
    lambda store: store.case("dublin", "p2"),
    lambda store: store.checksum(10**6),
    lambda store: store.clients(),
    lambda store: store.peers(),
    lambda store: store.ledger_totals(),
    lambda store: store.audit(0, 100),
    lambda store: store.queued(),
    lambda store: store.reference(),
    lambda store: store.people(),
    lambda store: store.choices(),
    lambda store: store.matches(Wanted("dublin")),
    lambda store: store.matches(Wanted("dublin", case=public_id("p1"), gene="NCBIGene:10295", node="spain")),
    lambda store: store.matches(Wanted("dublin", case=public_id("p0"), status=Status.NEW, min_score=0.3)),
    lambda store: store.alerts_of(ids([OF_P1, OF_P3, BETWEEN])),
    lambda store: store.waiting(1e10, 0.0),
    lambda store: store.unaddressed(),
    lambda store: store.carried("m1", 9),
    lambda store: store.mails([*MailState], 9),
    lambda store: store.count_mails(),
    lambda store: store.recipient("token"),
    lambda store: store.notices_of(public_id("p2")),
    lambda store: store.inquiries_of(public_id("p1")),
    lambda store: store.take_turn("spain", public_id("p3"), 0.5, unchanged),
    lambda store: store.healths(),
]


async def test_a_copy_goes_on_with_matches_and_mails_where_the_other_one_was(other: Store, tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "source")
    await furnished(store)
    await copy(store, other, quiet)
    for one in (store, other):
        assert await one.record([sighted(OF_P1, BYRNE)]) == [], "known"
        assert await one.gather([mail("m3", NUNEZ), mail("m4", BYRNE)], 9.0) == 0, "alerted"
        assert await one.gather([mail("m3", BYRNE)], 1e10) == 1, "not yet"
        assert await one.retry_mail("m1", 9.0) is True
        assert await one.forget_answers(5.0) == 1
        assert await one.forget_unseen(2.0) == 4, "all but the one that was looked after"
        assert await one.withdraw("dublin", "p1", 5.0)
        assert await one.matches(Wanted("dublin", case=public_id("p1"))) == []
    assert (await contents_of(store.export())).contents == (await contents_of(other.export())).contents
    await store.close()


async def test_a_copy_in_which_a_match_was_followed_up_is_not_overwritten(other: Store, tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "source")
    await furnished(store)
    await copy(store, other, quiet)
    done = Done(at=9.0, who="dublin", what="note", note="Dr Byrne called")
    kept = await other.change_match(OF_P1.id, lambda known: Noted(with_history(known, done)))
    with pytest.raises(StoreHasOthers):
        await copy(store, other, quiet)
    assert await other.match(OF_P1.id) == kept
    await store.close()


async def test_a_copy_may_be_repeated_until_somebody_writes_to_it(store: Store, other: Store) -> None:
    await furnished(store)
    first = await copy(store, other, quiet)
    assert await copy(store, other, quiet) == first
    await store.deposit([draft("later")], 9.0)
    again = await copy(store, other, quiet)
    assert again.contents["case"]["count"] == 7
    await other.deposit([draft("theirs")], 9.5)
    with pytest.raises(StoreHasOthers, match="written to since"):
        await copy(store, other, quiet)
    assert await other.case("dublin", "theirs")


async def test_another_nodes_store_is_never_overwritten(store: Store, other: Store) -> None:
    await furnished(store)
    await other.add_client(Client("ours", Role.DEPOSITOR, "x"))
    with pytest.raises(StoreHasOthers, match="another node"):
        await copy(store, other, quiet)
    assert [client.name for client in await other.clients()] == ["ours"]


async def test_a_filling_that_breaks_off_leaves_the_old_or_a_store_that_refuses(
    store: Store, other: Store, open_store: OpenStore
) -> None:
    await furnished(other)

    async def broken() -> AsyncGenerator[list[Entry]]:
        async for batch in other.export():
            yield batch
            if batch[0][0] == "case":
                raise OSError("the source is gone")

    with pytest.raises(OSError, match="gone"):
        await store.fill(broken(), unchecked)
    try:
        assert (await store.revisions()).cases == 0
        assert await store.count_cases() == 0
    except StoreBusy:
        with pytest.raises(StoreUnusable, match="broken off"):
            await open_store()
    await copy(other, store, quiet)
    assert await store.count_cases() == await other.count_cases()


async def test_an_export_under_writes_is_of_one_revision(open_store: OpenStore) -> None:
    """Writers add pairs of cases, both in one transaction, and change them together; no export tears a pair."""
    store, writer = await open_store(), await open_store()
    going = True

    async def write() -> None:
        number = 0
        while going:
            number += 1
            sharing = "all" if number % 2 else "none"
            await writer.deposit([draft(f"a{number}"), draft(f"b{number}"), draft("x", sharing=sharing)], 1.0)
            await writer.deposit([draft("x", sharing="country"), draft("y", sharing=sharing)], 1.0)
            await writer.settle(answered("spain", 1, (), 1.0))

    writing = asyncio.create_task(write())
    try:
        for _ in range(8):
            entries = [entry async for batch in store.export() for entry in batch]
            revision = next(values[1] for kind, values in entries if kind == "facts")
            revisions = [values[7] for kind, values in entries if kind == "case"]
            audited = [values[0] for kind, values in entries if kind == "audit"]
            assert audited == list(range(1, revision + 1)), "gapless, and not beyond the revision"
            assert revisions == sorted(revisions)
            assert not revisions or revisions[-1] == revision
            ids = {values[1] for kind, values in entries if kind == "case"}
            assert {one[1:] for one in ids if one[0] == "a"} == {one[1:] for one in ids if one[0] == "b"}
            requests = next(values[4] for kind, values in entries if kind == "facts")
            assert requests == sum(kind == "line" for kind, _ in entries)
            await asyncio.sleep(0.02)
    finally:
        going = False
        await writing
        await store.close()
        await writer.close()


async def test_a_backup_under_writes_is_restored_less_every_withdrawal_made_since(
    store: Store, other: Store, tmp_path: Path
) -> None:
    await furnished(store)
    going = True

    async def write() -> None:
        number = 0
        while going:
            number += 1
            await store.deposit([draft(f"w{number}", owner="cork")], 5.0)

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.05)
    told = await write_backup(store, tmp_path / "backup", "now", quiet)
    going = False
    await writing
    await store.withdraw("dublin", "p3", 7.0)
    await store.deposit([draft("since")], 8.0)
    left = await store.withdraw("dublin", "since", 9.0)
    assert left
    logged = Withdrawal("dublin", "p4", "public-dublin-p4", 10.0)  # known from the log alone

    async def withdrawals() -> list[Withdrawal]:
        return [*await withdrawn_in(store), logged]

    restored = await restore(other, tmp_path / "backup", withdrawals, 11.0, replace=False, progress=quiet)
    assert restored.withdrawn == 3, "p2 was withdrawn before the backup"
    assert restored.told.revision == told.revision + 3
    ids = {case.id for case in await other.cases_of("dublin", "", 100)}
    assert ids == {"p0", "p1", "q"}
    gone = await other.case("dublin", "since")
    assert gone
    assert gone.withdrawn, "its id is never used again"
    assert gone.public_id == left.public_id
    lines = await other.audit(told.revision, 10)
    assert [(line.action, line.public_id) for line in lines] == [
        ("withdrawn", "public-dublin-p3"),
        ("withdrawn", "public-dublin-since"),
        ("withdrawn", "public-dublin-p4"),
    ]
    everything = [entry async for batch in other.export() for entry in batch]
    assert not any("Dr Byrne" in str(v) for k, v in everything if k == "case" and v[1] in {"p2", "p3", "p4", "since"})


async def test_a_restore_leaves_out_what_was_known_of_cases_withdrawn_since(other: Store, tmp_path: Path) -> None:
    store = open_sqlite(tmp_path / "source")
    await furnished(store)
    await write_backup(store, tmp_path / "backup", "now", quiet)
    await store.withdraw("dublin", "p3", 7.0)
    logged = Withdrawal("dublin", "p4", public_id("p4"), 10.0)

    async def withdrawals() -> list[Withdrawal]:
        return [*await withdrawn_in(store), logged]

    await restore(other, tmp_path / "backup", withdrawals, 11.0, replace=False, progress=quiet)
    left = await other.matches(Wanted("dublin"))
    assert ids(left) == sorted(ids([OF_P0, OF_P1, remote("p1", "x3")]), reverse=True)
    alerts = await other.alerts_of(ids([OF_P0, OF_P1, OF_P3, BETWEEN, remote("p1", "x3")]))
    assert {one.match for one in alerts} == set(ids(left))
    assert [one.match for one in await other.carried("m1", 9)] == [OF_P1.id]
    assert set(await other.choices()) == {NUNEZ, public_id("p1")}
    for case in ("p3", "p4"):
        assert await other.inquiries_of(public_id(case)) == []
    assert await other.inquiries_of(public_id("p1")) == [inquiry("p1")]
    assert (await other.take_turn("spain", public_id("p1"), 0.0, unchanged)).waiting == 0
    subjects = [one.subject for one in await other.queued()]
    assert subjects == ["m2", public_id("p2")], "the mail that waits, and the sweep from before"
    kinds = {"person", "choices", "match", "alert", "mail", "work"}
    entries = [one async for batch in other.export() for one in batch if one[0] in kinds]
    assert not any(public_id(case) in f"{values}" for _, values in entries for case in ("p3", "p4"))
    await store.close()


async def test_a_backup_is_equal_to_the_store_at_one_revision(store: Store, other: Store, tmp_path: Path) -> None:
    await furnished(store)
    told = await write_backup(store, tmp_path / "backup", "now", quiet)
    await restore(other, tmp_path / "backup", none, 1.0, replace=False, progress=quiet)
    assert (await contents_of(other.export())).contents == told.contents == (await contents_of(store.export())).contents
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o600
    with pytest.raises(BackupUnusable, match="exists already"):
        await write_backup(store, tmp_path / "backup", "now", quiet)


async def test_a_backup_of_the_version_before_is_brought_up_to_date(other: Store, tmp_path: Path) -> None:
    """As it was written before there were agreements, collections and chains."""
    patient = json.dumps(draft("p1").patient.to_json())
    entries: list[Entry] = [
        ("facts", ["identity", 1, 2, 0, 2, 3]),
        ("case", ["dublin", "p1", "0" * 32, "all", patient, 1.0, 1.0, 1]),
        ("client", ["spain", "node", "digest", None, "ES", 1.0, None]),
        ("peer", ["spain", "https://x", "ES", "file", "1.0", "MT"]),
        ("audit", [1, 1.0, "dublin", "deposited", "0" * 32]),
        ("line", [1.0, "spain", 3, '["NCBIGene:1"]']),
        ("line", [2.0, "spain", 0, "[]"]),
        ("gene", ["NCBIGene:1"]),
    ]
    digest = Digest()
    digest.add(entries)
    head = {"matchmaker-backup": 1, "version": "0.1.0", "made_at": "then"}
    lines = [json.dumps(head).encode() + b"\n", *map(line_of, entries), json.dumps({"end": digest.told()}).encode()]
    (tmp_path / "former").write_bytes(gzip.compress(b"".join(lines)))
    await restore(other, tmp_path / "former", none, 5.0, replace=False, progress=quiet)
    case = await other.case("dublin", "p1")
    assert case
    assert case.sharing == Sharing(Circle.ALL)
    assert (case.person, case.family) == (None, None)
    assert await other.clients() == [Client("spain", Role.NODE, "digest", None, "ES", 1.0)]
    assert await other.peers() == [Peer("spain", "https://x", "ES", "file", per_month=100, notify=False)]
    found = await verify(other, quiet)
    assert (found.faults, found.lines) == ((), 2)
    totals = await other.ledger_totals()
    assert (totals.requests, totals.results, totals.unique_genes) == (2, 3, 1)
    assert "NCBIGene" not in str([entry async for batch in other.export() for entry in batch if entry[0] == "gene"])
    assert len(await other.secret()) == 64


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "no end", "missing", "rubbish"])
async def test_a_damaged_backup_is_refused_before_anything_is_touched(tmp_path: Path, damage: str) -> None:
    store, file = open_sqlite(tmp_path / "a"), tmp_path / "backup"
    await furnished(store)
    await write_backup(store, file, "now", quiet)
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    if damage == "no end":
        lines = gzip.decompress(bytes(content)).splitlines(keepends=True)
        content = bytearray(gzip.compress(b"".join(lines[:-1])))
    file.write_bytes({"cut": bytes(content[:-20]), "empty": b"", "rubbish": b"rubbish"}.get(damage, bytes(content)))
    if damage == "missing":
        file.unlink()
    before = await contents_of(store.export())
    with pytest.raises(BackupUnusable):
        await restore(store, file, none, 1.0, replace=True, progress=quiet)
    assert await contents_of(store.export()) == before
    await store.close()


async def test_a_withdrawal_while_a_restore_reads_its_backup_is_not_undone(
    store: Store, open_store: OpenStore, tmp_path: Path
) -> None:
    """Nobody else writes from before the withdrawals are looked up until the restored store is open."""
    await furnished(store)
    beside = await open_store()
    await write_backup(store, tmp_path / "backup", "now", quiet)
    asked = asyncio.Event()

    async def withdrawals() -> list[Withdrawal]:
        asked.set()
        await asyncio.sleep(0.2)
        return await withdrawn_in(store)

    restoring = asyncio.create_task(restore(store, tmp_path / "backup", withdrawals, 1.0, replace=True, progress=quiet))
    await asked.wait()
    withdrawing = asyncio.create_task(beside.withdraw("dublin", "p3", 7.0))
    await restoring
    try:
        assert await withdrawing, "it waited for the restore, and is done in what was restored"
        left = await store.case("dublin", "p3")
        assert left
        assert left.withdrawn
    except StoreBusy as error:
        assert "being filled" in str(error), "it was refused, and can be asked for again"
        assert await beside.withdraw("dublin", "p3", 7.0)
    await beside.close()


async def test_a_token_revoked_since_the_backup_stays_revoked(store: Store, tmp_path: Path) -> None:
    await store.add_client(Client("one", Role.NODE, "a"))
    await store.add_client(Client("two", Role.NODE, "b"))
    await store.add_client(Client("three", Role.NODE, "c"))
    await write_backup(store, tmp_path / "backup", "now", quiet)
    await store.revoke_client("one", 2.0)
    await store.revoke_client("two", 2.0)
    await store.add_client(Client("two", Role.NODE, "another"))
    done = await restore(store, tmp_path / "backup", none, 9.0, replace=True, progress=quiet)
    assert done.revoked == 2
    assert {(c.name, c.revoked_at) for c in await store.clients()} == {("one", 9.0), ("two", 9.0), ("three", None)}


async def test_what_is_read_back_otherwise_is_not_kept(store: Store, other: Store) -> None:
    await furnished(store)

    async def refuse(read: AsyncIterator[list[Entry]]) -> None:
        await unchecked(read)
        raise BackupUnusable("it is not the same")

    with pytest.raises(BackupUnusable):
        await other.fill(store.export(), refuse)
    try:
        assert (await other.revisions()).cases == 0
        assert await other.count_cases() == 0
    except StoreBusy:
        await copy(store, other, quiet)
        assert await other.count_cases() == 5


async def test_a_store_is_never_copied_onto_itself(store: Store, other: Store, open_store: OpenStore) -> None:
    """Also where it is an untouched copy, which another source might overwrite."""
    await furnished(other)
    await copy(other, store, quiet)
    again = await open_store()
    with pytest.raises(StoreHasOthers, match="the source itself"):
        await copy(store, again, quiet)
    assert await again.count_cases() == 5
    await again.close()
