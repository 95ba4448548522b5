"""Many workers over one store: what is written through one is seen through every other, whoever dies."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.federation.test_processes import STARTED_SECONDS, add_client, call, command, environment, free_port
from tests.samples import patient_json

__all__ = ["environment"]  # a fixture

NOTICED_SECONDS = 2.0  # promised; waiting longer than that is the failure, not slowness of the test
MME = {"Content-Type": "application/vnd.ga4gh.matchmaker.v1.1+json"}


@pytest.fixture(params=["sqlite", "mongodb"])
def store_environment(request: pytest.FixtureRequest, environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of commands over one store: a file, or a database."""
    if request.param == "sqlite":
        return environment
    file = tmp_path / "mongodb-uri"
    file.write_text(request.getfixturevalue("database_uri"), encoding="utf-8")
    return {**environment, "MATCHMAKER_STORAGE__MONGODB_FILE": str(file)}


@contextlib.contextmanager
def serving(
    data_dir: Path, environment: dict[str, str], *options: str
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Serve in a process of its own; yield the URL and the process."""
    port = free_port()
    arguments = command("serve", "--data-dir", data_dir, "--port", port, *options)
    with (data_dir.parent / f"log-{port}.txt").open("wb") as log:
        process = subprocess.Popen(arguments, env=environment, stdout=log, stderr=log)  # noqa: S603 - our own program
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: answers(url, process), STARTED_SECONDS)
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def answers(url: str, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "it ended by itself; see its log"
    return call("GET", f"{url}/service-info")[0] == 200


def eventually(holds: Callable[[], bool], within: float) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def put(url: str, token: str, case_id: str, **changes: Any) -> int:
    body = {"patient": patient_json(case_id, **changes), "sharing": {"with": "all"}}
    return call("PUT", f"{url}/api/cases/{case_id}", token, body)[0]


def found(url: str, token: str, case_id: str) -> int:
    """How many matches a search with a case has."""
    status, answer = call("POST", f"{url}/api/cases/{case_id}/search", token)
    assert status == 200, answer
    return len(answer["results"])


def workers_of(master: int) -> set[int]:
    children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii")
    return {int(child) for child in children.split()}


def test_what_is_done_at_one_worker_is_seen_at_every_other(tmp_path: Path, store_environment: dict[str, str]) -> None:
    here, there = tmp_path / "one", tmp_path / "two"
    if "MATCHMAKER_STORAGE__MONGODB_FILE" not in store_environment:
        there = here  # two processes of one machine
    with serving(here, store_environment) as (one, _), serving(there, store_environment) as (two, _):
        token = add_client(here, store_environment, "dublin", "depositor")
        for url in (one, two):  # a client that was added beside them is let in
            eventually(lambda url=url: call("GET", f"{url}/api/cases", token)[0] == 200, NOTICED_SECONDS)  # type: ignore[misc]  # mypy cannot infer a lambda's default
        assert put(one, token, "asks") == 201
        eventually(lambda: call("GET", f"{two}/api/cases/asks", token)[0] == 200, NOTICED_SECONDS)
        for number, (writer, reader) in enumerate([(one, two), (two, one)] * 3):
            assert put(writer, token, f"p{number}") == 201
            assert found(writer, token, "asks") == 1, "through its own worker at once"
            eventually(lambda reader=reader: found(reader, token, "asks") == 1, NOTICED_SECONDS)  # type: ignore[misc]  # mypy cannot infer a lambda's default
            assert call("DELETE", f"{writer}/api/cases/p{number}", token)[0] == 204
            assert found(writer, token, "asks") == 0, "through its own worker at once"
            eventually(lambda reader=reader: found(reader, token, "asks") == 0, NOTICED_SECONDS)  # type: ignore[misc]  # mypy cannot infer a lambda's default


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find the workers")
def test_workers_behind_one_port_share_cases_and_one_that_dies_is_replaced(
    tmp_path: Path, store_environment: dict[str, str]
) -> None:
    data = tmp_path / "data"
    token = add_client(data, store_environment, "dublin", "depositor")
    with serving(data, store_environment, "--workers", "2") as (url, master):
        eventually(lambda: len(workers_of(master.pid)) == 2, STARTED_SECONDS)
        first = workers_of(master.pid)
        for number in range(4):
            assert put(url, token, f"p{number}") == 201
        time.sleep(NOTICED_SECONDS)
        assert {found(url, token, "p0") for _ in range(20)} == {3}, "whichever worker answers"
        os.kill(min(first), signal.SIGKILL)
        eventually(lambda: len(workers_of(master.pid) - {min(first)}) == 2, STARTED_SECONDS)
        eventually(lambda: call("GET", f"{url}/service-info")[0] == 200, STARTED_SECONDS)
        for _ in range(20):  # connections that the dead one had taken are gone; the others' are not
            status, _ = call("GET", f"{url}/api/cases", token)
            assert status == 200
        last = workers_of(master.pid)
    eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in last), 10.0)
    assert master.returncode == 0
    log = next(tmp_path.glob("log-*.txt")).read_text(encoding="utf-8")
    assert "with 2 workers" in log
    assert "Traceback" not in log


def test_a_port_in_use_is_one_line_with_many_workers_too(tmp_path: Path, environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = command("serve", "--data-dir", tmp_path, "--port", taken.getsockname()[1], "--workers", 2)
        ended = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "is in use" in ended.stderr


def test_workers_that_cannot_start_are_one_line_and_not_started_for_ever(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    arguments = command("serve", "--data-dir", tmp_path / "file", "--port", free_port(), "--workers", 2)
    ended = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own program
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "cannot be used" in ended.stderr


def test_a_node_moves_from_its_file_to_a_database_and_is_served_by_many(
    tmp_path: Path, environment: dict[str, str], database_uri: str
) -> None:
    """README, "Outgrow one machine", from start to end."""
    data = tmp_path / "data"
    token = add_client(data, environment, "dublin", "depositor")
    with serving(data, environment) as (url, _):
        for number in range(3):
            assert put(url, token, f"p{number}") == 201
        assert call("DELETE", f"{url}/api/cases/p2", token)[0] == 204
    file = tmp_path / "mongodb-uri"
    file.write_text(database_uri + "\n", encoding="utf-8")
    for _ in range(2):  # may be repeated
        copying = command("store", "copy", "--from", data, "--to", f"@{file}")
        told = subprocess.run(copying, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
        assert told.returncode == 0, told.stderr
        assert "is a copy of" in told.stdout
        assert "case" in told.stdout
    moved = {**environment, "MATCHMAKER_STORAGE__MONGODB_FILE": str(file)}
    with (
        serving(data, moved, "--workers", "2") as (one, _),
        serving(tmp_path / "another-host", moved) as (two, _),
    ):
        assert found(two, token, "p0") == 1
        assert put(one, token, "p3") == 201
        eventually(lambda: found(two, token, "p0") == 2, NOTICED_SECONDS)
        assert put(two, token, "p2") == 410, "withdrawn ids stay withdrawn"
    copying = command("store", "copy", "--from", data, "--to", f"@{file}")
    again = subprocess.run(copying, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    assert again.returncode == 1
    assert "written to since" in again.stderr
