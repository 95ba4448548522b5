"""What a node acknowledges is on disk by then, and a disk that takes no more loses nothing of it."""

import asyncio
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from matchmaker.exchange.withdrawals import FILE_NAME as WITHDRAWALS
from matchmaker.mme.media import media_type
from matchmaker.records.party import Client, Role, token_digest
from matchmaker.store.sqlite.adapter import open_sqlite
from matchmaker.store.sqlite.connecting import FILE_NAME as STORE
from tests.federation.test_processes import STARTED_SECONDS, call, command, environment, free_port
from tests.samples import patient_json

__all__ = ["environment"]  # a fixture

LOG = f"{STORE}-wal"  # SQLite's log of changes: a change is durable when it is on disk there
OWNER = "dublin"
ASKERS = ("asker-a", "asker-b", "asker-c", "asker-d")
MME = media_type("1.1")
SYNCS = {"fsync", "fdatasync"}
TRACED = "write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync"
STRACE = ("-f", "--seccomp-bpf", "-y", "-xx", "-s", "200000", "-e", f"trace={TRACED}")
WITHOUT = "-dac_override,-dac_read_search"  # the capabilities by which root may write what is read-only
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Node:
    """A running node, as its depositor and those who ask it see it. A client's token is its name."""

    process: "subprocess.Popen[bytes]"
    url: str

    def deposit(self, case_id: str, contact: str = "Dr Byrne", page: str = "") -> Answer:
        patient = patient_json(case_id, contact={"name": contact, "href": f"https://hospital.example/{page}"})
        body = {"patient": patient, "sharing": {"with": "all"}}
        return call("PUT", f"{self.url}/api/cases/{case_id}", OWNER, body)

    def status_of(self, case_id: str) -> int:
        return call("GET", f"{self.url}/api/cases/{case_id}", OWNER)[0]

    def withdraw(self, case_id: str) -> Answer:
        return call("DELETE", f"{self.url}/api/cases/{case_id}", OWNER)

    def listed(self) -> set[str]:
        status, answer = call("GET", f"{self.url}/api/cases?limit=1000", OWNER)
        assert status == 200
        return {case["id"] for case in answer["cases"]}

    def ask(self, asker: str) -> Answer:
        body = json.dumps({"patient": patient_json("asked")}).encode()
        headers = {"X-Auth-Token": asker, "Content-Type": MME, "Accept": MME}
        request = urllib.request.Request(f"{self.url}/match", body, headers, method="POST")  # noqa: S310 - our own node
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own node
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def killed(self) -> str:
        """Kill the node; return what it logged."""
        self.process.kill()
        return self.process.communicate()[1].decode()


@contextlib.contextmanager
def running(data_dir: Path, environment: dict[str, str], before: Sequence[str] = ()) -> Iterator[Node]:
    """A node until the end of the block, killed there. `before` is the command that starts it, if any."""
    port = free_port()
    arguments = [*before, *command("serve", "--data-dir", data_dir, "--port", port)]
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - our own program
    node = Node(process, f"http://127.0.0.1:{port}")
    try:
        deadline = time.monotonic() + STARTED_SECONDS
        while call("GET", f"{node.url}/service-info")[0] != 200:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield node
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """The directory of a node that knows its clients."""

    async def fill() -> None:
        store = open_sqlite(tmp_path / "data")
        for name in (OWNER, *ASKERS):
            role = Role.DEPOSITOR if name == OWNER else Role.NODE
            await store.add_client(Client(name, role, token_digest(name)))
        await store.close()

    asyncio.run(fill())
    return tmp_path / "data"


# --- on disk before the answer goes out ---


@dataclass(frozen=True)
class Call:
    """A system call that did what it was asked. `began` and `ended` are lines of the trace, which is in order."""

    name: str
    place: str  # the file or socket
    data: bytes
    began: int
    ended: int


_BEGUN = re.compile(r"(\d+) +(\w+)\(\d+<([^>]*)>(.*)")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_DONE = re.compile(r"\) += \d+")


def _plain(text: str) -> bytes:
    """Return what strace wrote as \\x.. escapes; older versions leave the names of files as they are."""
    return bytes.fromhex(text.replace("\\x", "")) if text.startswith("\\x") else text.encode()


def calls_of(trace: str) -> list[Call]:
    """Return the calls of a trace. One that another thread's call came between has two lines, begun and resumed."""
    begun: dict[str, tuple[str, str, bytes, int]] = {}  # of each thread
    done: list[Call] = []
    for number, line in enumerate(trace.splitlines()):
        if start := _BEGUN.match(line):
            thread, name, place, rest = start.groups()
            data = b"".join(_plain(text) for text in _STRING.findall(rest))
            begun[thread] = (name, _plain(place).decode(), data, number)
        elif resumed := _RESUMED.match(line):
            thread, rest = resumed.groups()
        else:
            continue
        if _DONE.search(rest) and thread in begun:
            done.append(Call(*begun.pop(thread), number))
    return sorted(done, key=lambda one: one.began)


def last_write(writes: list[Call], change: bytes) -> Call:
    """Return the write by which a change is whole: in SQLite's log, the one that ends its transaction.

    Each page there follows a header of 24 bytes, of which four are zero unless the page ends a transaction (SQLite's
    fileformat2, 4.1). A page is written anew by later transactions, so that the first one counts.
    """
    first = next(number for number, one in enumerate(writes) if change in one.data)
    if not writes[first].place.endswith(LOG):
        return writes[first]
    following = pairwise(writes[first - 1 :])
    return next(page for header, page in following if len(header.data) == 24 and any(header.data[4:8]))


def is_early(calls: list[Call], answer: Call, file: str, change: bytes) -> bool:
    """Whether an answer went out before the end of any sync that began after the change was written to the file."""
    there = [one for one in calls if one.place.endswith(file)]
    written = last_write([one for one in there if one.name not in SYNCS], change)
    syncs = [one for one in there if one.name in SYNCS]
    return not any(written.ended < sync.began and sync.ended < answer.began for sync in syncs)


def answers(calls: Iterable[Call], status: int, field: str = "") -> Iterator[tuple[Call, Any]]:
    """Yield the HTTP answers of a status whose JSON has a field, in the order in which they went out."""
    for one in calls:
        head, _, body = one.data.partition(b"\r\n\r\n")
        if one.place.startswith("socket:") and head.startswith(b"HTTP/1.1 %d " % status):
            content = json.loads(body or b"{}")
            if not field or field in content:
                yield one, content


WRITTEN = r'7 pwrite64(4</d/matchmaker.sqlite3-wal>, "{}", 24, 32) = 24'.format(
    r"\x00\x00\x00\x02\x00\x00\x00\x09" + r"\x00" * 16
)
PAGE = r'7 pwrite64(4<\x2f\x64\x2f\x6d\x61\x74\x63\x68\x6d\x61\x6b\x65\x72\x2e\x73\x71\x6c\x69\x74\x65\x33\x2d\x77\x61\x6c>, "\x68\x69", 2, 56) = 2'
SYNC = "7 fdatasync(4</d/matchmaker.sqlite3-wal>) = 0"
SYNC_BEGUN, SYNC_ENDED = "7 fdatasync(4</d/matchmaker.sqlite3-wal> <unfinished ...>", "7 <... fdatasync resumed>) = 0"
SYNC_FAILED = "7 fdatasync(4</d/matchmaker.sqlite3-wal>) = -1 EIO (Input/output error)"
TOLD = r'8 write(9<socket:[5]>, "\x48\x54\x54\x50\x2f\x31\x2e\x31\x20\x32\x30\x34\x20", 13) = 13'


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        ((WRITTEN, PAGE, SYNC, TOLD), False),
        ((WRITTEN, PAGE, SYNC_BEGUN, SYNC_ENDED, TOLD), False),
        ((WRITTEN, PAGE, SYNC_BEGUN, TOLD, SYNC_ENDED), True),
        ((WRITTEN, PAGE, TOLD, SYNC), True),
        ((WRITTEN, SYNC, PAGE, TOLD), True),
        ((WRITTEN, PAGE, SYNC_FAILED, TOLD), True),
        ((WRITTEN, PAGE, TOLD), True),
    ],
)
def test_an_answer_is_early_unless_a_sync_lies_between_the_write_and_it(lines: tuple[str, ...], early: bool) -> None:
    calls = calls_of("\n".join(lines))
    ((answer, _),) = answers(calls, 204)
    assert is_early(calls, answer, LOG, b"hi") == early


@pytest.fixture
def strace() -> str:
    """The path of strace, where it may trace."""
    path = shutil.which("strace")
    if path is None:
        pytest.skip("needs strace")
    tried = subprocess.run([path, *STRACE, "-o", os.devnull, "true"], capture_output=True, text=True, check=False)  # noqa: S603 - a tool of the system
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return path


@contextlib.contextmanager
def traced(data_dir: Path, environment: dict[str, str], strace: str, file: Path) -> Iterator[Node]:
    """A node whose calls are in the file when the block has ended."""
    before = (strace, "-D", *STRACE, "-o", str(file))  # -D: the process that is started is the node, not strace
    with running(data_dir, environment, before) as node:
        yield node
    deadline = time.monotonic() + 30
    while not re.search(rf"^{node.process.pid} +\+\+\+ (exited|killed)", file.read_text(), re.MULTILINE):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nothing_is_acknowledged_before_it_is_on_disk(
    data_dir: Path, tmp_path: Path, environment: dict[str, str], strace: str
) -> None:
    early_ids = [f"case-{number:02}" for number in range(15)]
    late_ids = [f"case-{number:02}" for number in range(15, 30)]
    changed, withdrawn = early_ids[:5], early_ids[5:10]
    with traced(data_dir, environment, strace, tmp_path / "trace") as node, ThreadPoolExecutor(8) as pool:
        # In each line several at once, though one asker after another, and one withdrawal.
        asked = pool.submit(lambda: [node.ask(name)[0] for name in ASKERS])
        assert {status for status, _ in pool.map(lambda name: node.deposit(name, f"Dr {name}"), early_ids)} == {201}
        gone = pool.submit(lambda: [node.withdraw(name)[0] for name in withdrawn])
        new = pool.map(lambda name: node.deposit(name, f"Dr {name}"), late_ids)
        again = pool.map(lambda name: node.deposit(name, f"Dr {name} anew"), changed)
        assert ({status for status, _ in new}, {status for status, _ in again}) == ({201}, {200})
        assert (asked.result(), gone.result()) == ([200] * len(ASKERS), [204] * len(withdrawn))

    calls = calls_of((tmp_path / "trace").read_text())
    deposits = list(answers(calls, 201, "publicId"))
    public_ids = {told["id"]: told["publicId"].encode() for _, told in deposits}
    changes = list(answers(calls, 200, "publicId"))
    matches = list(answers(calls, 200, "results"))
    withdrawals = list(answers(calls, 204))
    assert sorted(public_ids) == early_ids + late_ids
    assert sorted(told["id"] for _, told in changes) == changed
    assert [len(deposits), len(changes), len(matches), len(withdrawals)] == [30, 5, 4, 5]
    on_disk = [
        *((answer, LOG, f"Dr {told['id']}".encode()) for answer, told in deposits),
        *((answer, LOG, f"Dr {told['id']} anew".encode()) for answer, told in changes),
        *((answer, LOG, name.encode()) for (answer, _), name in zip(matches, ASKERS, strict=True)),  # in the ledger
        *(
            (answer, file, mark + public_ids[name])
            for (answer, _), name in zip(withdrawals, withdrawn, strict=True)
            for file, mark in ((LOG, b"withdrawn"), (WITHDRAWALS, b""))  # in the audit: what was done, and with which
        ),
    ]
    assert [(file, change) for answer, file, change in on_disk if is_early(calls, answer, file, change)] == []


# --- a disk that takes no more ---


def assert_refused(answer: Answer, status: int) -> None:
    assert answer[0] == status, answer
    assert {507: "nothing was stored, try again", 503: "cannot reach its records just now"}[status] in answer[1][
        "message"
    ]


def assert_stored_or_not_at_all(node: Node, acknowledged: set[str], refused: set[str]) -> None:
    assert node.listed() == acknowledged
    found = {name: node.status_of(name) for name in acknowledged | refused}
    assert found == dict.fromkeys(acknowledged, 200) | dict.fromkeys(refused, 404)


def assert_no_bug(log: str) -> None:
    assert "Traceback" not in log
    assert " bug " not in log


@contextlib.contextmanager
def files_end_at(size: int, node: Node) -> Iterator[None]:
    """No file of a running node grows beyond a size, as on a full disk, until the end of the block."""
    soft, hard = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (soft, hard))


needs_prlimit = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs limits of a running process")


@needs_prlimit
def test_a_full_disk_refuses_what_it_cannot_hold_and_is_used_again_without_a_restart(
    data_dir: Path, environment: dict[str, str]
) -> None:
    with running(data_dir, environment) as node:
        told = {"first": node.deposit("first")}
        with files_end_at((data_dir / LOG).stat().st_size + 200_000, node):
            for number in range(50):
                told[f"case-{number}"] = node.deposit(f"case-{number}")
            acknowledged = {name for name, (status, _) in told.items() if status == 201}
            refused = set(told) - acknowledged
            assert len(acknowledged) > 1
            assert refused
            for name in refused:
                assert_refused(told[name], 507)
            assert_stored_or_not_at_all(node, acknowledged, refused)
        with files_end_at(0, node):
            assert_refused(node.deposit("first", "Dr Other"), 507)
            assert_refused(node.withdraw("first"), 507)
            assert_refused(node.ask(ASKERS[0]), 507)  # an answer that is not in the ledger is not given
            assert_stored_or_not_at_all(node, acknowledged, refused)
        assert {node.deposit(name)[0] for name in refused} == {201}
        status, answer = node.ask(ASKERS[0])
        assert (status, bool(answer["results"])) == (200, True)
        assert_no_bug(node.killed())
    with running(data_dir, environment) as node:
        assert_stored_or_not_at_all(node, acknowledged | refused, set())


def is_left(content: str, data_dir: Path) -> bool:
    return any(content.encode() in (data_dir / name).read_bytes() for name in (STORE, LOG))


@needs_prlimit
def test_a_withdrawal_is_acknowledged_though_its_traces_can_only_be_swept_later(
    data_dir: Path, environment: dict[str, str]
) -> None:
    names = [f"case-{number:02}" for number in range(50)]
    *kept, emptying, withdrawn = names
    with running(data_dir, environment) as node:
        for name in names:
            assert node.deposit(name, f"Dr {name}", "x" * 2_000)[0] == 201
        assert node.withdraw(emptying) == (204, None)
        room = 100_000  # in SQLite's log, empty now, for a withdrawal; not at the end of the file where it is moved to
        assert (data_dir / STORE).stat().st_size > 2 * room
        with files_end_at(room, node):
            assert node.withdraw(withdrawn) == (204, None)
            assert is_left(f"Dr {withdrawn}", data_dir)
            assert_stored_or_not_at_all(node, set(kept), {emptying, withdrawn})
        logged = [json.loads(line)["id"] for line in (data_dir / WITHDRAWALS).read_text().splitlines()]
        assert logged == [emptying, withdrawn]
        deadline = time.monotonic() + 20
        while is_left(f"Dr {withdrawn}", data_dir):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert is_left(f"Dr {kept[0]}", data_dir)
        assert_no_bug(node.killed())


@pytest.fixture
def bound(tmp_path: Path) -> tuple[str, ...]:
    """What starts a program that permissions bind, as they bind everybody but root."""
    path = shutil.which("setpriv")
    if os.geteuid() == 0 and path is None:
        pytest.skip("needs setpriv: permissions do not bind root")
    before = (path, f"--bounding-set={WITHOUT}", f"--inh-caps={WITHOUT}") if os.geteuid() == 0 and path else ()
    (tmp_path / "tried").touch(0o444)
    told = "import os, sys; sys.exit(os.access(sys.argv[1], os.W_OK))"
    tried = subprocess.run([*before, sys.executable, "-c", told, tmp_path / "tried"], check=False)  # noqa: S603 - our own program
    if tried.returncode:
        pytest.skip("permissions do not bind here")
    return before


@contextlib.contextmanager
def read_only(path: Path) -> Iterator[None]:
    mode = path.stat().st_mode
    path.chmod(mode & 0o555)
    try:
        yield
    finally:
        path.chmod(mode)


def test_a_store_made_read_only_refuses_deposits_until_it_may_be_written_again(
    data_dir: Path, environment: dict[str, str], bound: tuple[str, ...]
) -> None:
    with running(data_dir, environment, bound) as node:
        assert node.deposit("first")[0] == 201
        acknowledged = {"first"}
        for path in (data_dir / STORE, data_dir):
            with read_only(path):
                assert_refused(node.deposit(path.name), 503)
                assert_refused(node.deposit("first", "Dr Other"), 503)
                assert_refused(node.withdraw("first"), 503)
                assert_refused(node.ask(ASKERS[0]), 503)
                assert_stored_or_not_at_all(node, acknowledged, {path.name})
            assert node.deposit(path.name)[0] == 201
            assert node.ask(ASKERS[0])[0] == 200
            acknowledged.add(path.name)
        assert_no_bug(node.killed())
    with running(data_dir, environment, bound) as node:
        assert_stored_or_not_at_all(node, acknowledged, set())


@pytest.mark.parametrize("left", ["by a kill", "by an end", "empty"])
def test_a_node_does_not_start_on_a_read_only_directory_and_says_so_in_one_line(
    tmp_path: Path, data_dir: Path, environment: dict[str, str], bound: tuple[str, ...], left: str
) -> None:
    used = tmp_path / "empty" if left == "empty" else data_dir
    used.mkdir(exist_ok=True)
    if left != "empty":
        with running(used, environment, bound) as node:
            assert node.deposit("first")[0] == 201
            if left == "by an end":
                node.process.send_signal(signal.SIGTERM)
                node.process.communicate(timeout=30)
    with read_only(used):
        arguments = [*bound, *command("serve", "--data-dir", used, "--port", free_port())]
        ended = subprocess.run(  # noqa: S603 - our own program
            arguments, env=environment, capture_output=True, text=True, check=False, timeout=STARTED_SECONDS
        )
    assert ended.returncode == 1
    assert re.fullmatch(rf"matchmaker: {re.escape(str(used))}.* (permissions|writable).*\n", ended.stderr)
    with running(used, environment, bound) as node:
        assert node.status_of("first") == (401 if left == "empty" else 200)
