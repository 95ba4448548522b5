"""Real nodes as real processes: ports, signals, and Martin's story. What a kill leaves: test_crash.py."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.samples import patient_json

STARTED_SECONDS = 60


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "matchmaker", *map(str, arguments)]


@pytest.fixture
def environment(cache_dir: Path) -> dict[str, str]:
    return {**os.environ, "MATCHMAKER_ONTOLOGY__CACHE_DIR": str(cache_dir), "MATCHMAKER_NODE__COUNTRY": "IE"}


@contextlib.contextmanager
def serving(data_dir: Path, port: int, environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    arguments = command("serve", "--data-dir", data_dir, "--port", port)
    process = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # noqa: S603 - our own program
    try:
        deadline = time.monotonic() + STARTED_SECONDS
        while call("GET", f"http://127.0.0.1:{port}/service-info")[0] != 200:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate()


def call(method: str, url: str, token: str = "", body: Any = None) -> tuple[int, Any]:
    headers = {"X-Auth-Token": token, "Content-Type": "application/json"}
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - our own node
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - our own node
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")
    except OSError:
        return 0, None


def add_client(data_dir: Path, environment: dict[str, str], name: str, role: str) -> str:
    arguments = command("client", "add", name, "--role", role, "--data-dir", data_dir)
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_port_in_use_is_one_line(tmp_path: Path, environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = command("serve", "--data-dir", tmp_path, "--port", port)
        ended = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert ended.returncode == 1
    assert ended.stderr == f"matchmaker: port {port} on 127.0.0.1 is in use; choose another with --port\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_ends_when_told_to_and_logs_no_case(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
) -> None:
    port = free_port()
    token = add_client(tmp_path, environment, "dublin", "depositor")
    with serving(tmp_path, port, environment) as process:
        body = {"patient": patient_json("secret-id"), "sharing": {"with": "all"}}
        assert call("PUT", f"http://127.0.0.1:{port}/api/cases/secret-id", token, body)[0] == 201
        process.send_signal(number)
        out, log = process.communicate(timeout=30)
        assert process.returncode == 0
    assert b"listens on" in out
    assert b"PUT /api/cases/{id} 201" in log
    for secret in (b"secret-id", b"HP:0000252", b"Byrne", token.encode()):
        assert secret not in log + out


@pytest.fixture
def demo_environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a demo whose nodes can be told from those of any other."""
    return {**os.environ, "TMPDIR": str(tmp_path)}


def nodes_of_the_demo(folder: Path) -> set[str]:
    """Processes that serve below a folder."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().split(b"\0")
            if b"serve" in words and any(word.startswith(bytes(folder / "matchmaker-demo-")) for word in words):
                found.add(path.parent.name)
    return found


needs_proc = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to look for strays")


@needs_proc
def test_the_spanish_case_comes_first_for_martin(tmp_path: Path, demo_environment: dict[str, str]) -> None:
    told = subprocess.run(command("demo", "--once"), env=demo_environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert told.returncode == 0, told.stderr
    for text in ("BCKDK", "spain", "answered", "same gene BCKDK (ENSG00000103507)", "both: Microcephaly"):
        assert text in told.stdout
    first = next(line for line in told.stdout.splitlines() if "│ 1 │" in line)
    assert "spain" in first
    assert "BCKDK" in first
    assert nodes_of_the_demo(tmp_path) == set()


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", ["Each starts", "Both nodes stay up"])
def test_a_demo_that_is_ended_leaves_nothing_behind(
    tmp_path: Path, demo_environment: dict[str, str], number: signal.Signals, after: str
) -> None:
    demo = subprocess.Popen(command("demo"), env=demo_environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    assert demo.stdout
    shown = ""
    for line in demo.stdout:
        if after in line:
            break
        shown += line
    assert ("curl -sS" in shown) == (after == "Both nodes stay up")
    if after == "Both nodes stay up":
        assert len(nodes_of_the_demo(tmp_path)) == 2
    demo.send_signal(number)
    demo.communicate(timeout=60)
    assert demo.returncode == (130 if after == "Each starts" else 0)
    assert nodes_of_the_demo(tmp_path) == set()
