"""What compose.yaml runs once, before the nodes: `secrets` makes them, `initiate` begins the replica set.

Both may be run again: what is there stays as it is.
"""

import argparse
import base64
import os
import secrets
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

MONGODB_UID = 999  # who runs mongod in the official image
NODE_UID = 10_001  # who runs a node in ours
DATABASE = USER = "matchmaker"
SET_NAME = "rs0"
_SECONDS = 180.0  # within which members start and agree on a primary
_SELECTION_MS = 20_000  # longer than members take to agree for the first time
_DURABLE = {"w": "majority"}
_REFUSED, _NOT_ALLOWED = 18, 13  # AuthenticationFailed, Unauthorized


def make_secrets(folder: Path, members: str, mongodb_uid: int, node_uid: int) -> None:
    """Make the secrets that are not there, each a file of mode 400 that belongs to the one who reads it.

    By folders, as one container sees only its own: `members` has the key by which members know each other, `nodes` the
    connection string of the nodes, password included, `root` the password of MongoDB's own administrator.
    """
    password = secrets.token_hex(32)
    connection = f"mongodb://{USER}:{password}@{members}/{DATABASE}?replicaSet={SET_NAME}"
    _keep(folder / "members" / "keyfile", base64.b64encode(secrets.token_bytes(96)).decode(), mongodb_uid)
    _keep(folder / "nodes" / "mongodb", connection, node_uid)
    _keep(folder / "root" / "password", secrets.token_hex(32), node_uid)


def _keep(path: Path, text: str, owner: int) -> None:
    """Write a file that is not there, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        return
    begun = path.with_name(path.name + ".begun")
    begun.unlink(missing_ok=True)
    handle = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(handle)
        os.fchmod(handle, 0o400)
        os.fchown(handle, owner, -1)
    begun.rename(path)


def initiate(here: str, connection: Path, root: Path) -> None:
    """Begin the replica set of a connection string's members, of which one is `here`; make root and the nodes' user.

    A set that has no user yet listens to whoever is on the same machine (MongoDB's localhost exception).
    """
    uri = connection.read_text(encoding="ascii").strip()
    password = root.read_text(encoding="ascii").strip()
    told = parse_uri(uri)
    hosts = [f"{host}:{port}" for host, port in told["nodelist"]]
    # Members of equal right, but that the first is sure to become primary: root can be made there only.
    members = [{"_id": n, "host": host, "priority": 1 if n else 2} for n, host in enumerate(hosts)]
    as_root = {"host": hosts, "replicaSet": SET_NAME, "username": "root", "password": password}
    _insist("the replica set", lambda: _is_set(here, {"_id": SET_NAME, "members": members}))
    _insist("its root", lambda: _is_root(here, as_root))
    _insist("the nodes' user", lambda: _is_user(as_root, uri, told["password"]))


def _is_set(here: str, configuration: dict[str, Any]) -> None:
    with _opened(host=here, directConnection=True) as first:
        if not first.admin.command("hello").get("setName"):
            first.admin.command("replSetInitiate", configuration)


def _is_root(here: str, as_root: dict[str, Any]) -> None:
    if _enters(**as_root):
        return
    with _opened(host=here, directConnection=True) as first:
        try:
            first.admin.command("createUser", "root", pwd=as_root["password"], roles=["root"], writeConcern=_DURABLE)
        except OperationFailure as error:
            if error.code == _NOT_ALLOWED:
                sys.exit("MongoDB has a root already, whose password is another: bring back the volume that held it")
            raise


def _is_user(as_root: dict[str, Any], uri: str, password: str) -> None:
    """Let the nodes' user in: it may read and write its one database, and nothing else."""
    if _enters(host=uri):
        return
    with _opened(**as_root) as whole:
        command = "updateUser" if whole[DATABASE].command("usersInfo", USER)["users"] else "createUser"
        roles = [{"role": "readWrite", "db": DATABASE}]
        whole[DATABASE].command(command, USER, pwd=password, roles=roles, writeConcern=_DURABLE)


def _enters(**place: Any) -> bool:
    """Tell whether MongoDB knows the user and password of a place."""
    with _opened(**place) as client:
        try:
            client.admin.command("ping")
        except OperationFailure as error:
            if error.code == _REFUSED:
                return False
            raise
        return True


def _opened(**place: Any) -> MongoClient[dict[str, Any]]:
    """Open a client for one use: one that was refused knows no primary for ten seconds."""
    return MongoClient(**place, serverSelectionTimeoutMS=_SELECTION_MS)


def _insist(what: str, work: Callable[[], None]) -> None:
    """Do something until it is done: a member may not listen yet, or the set may have no primary yet."""
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            work()
        except PyMongoError as error:
            if time.monotonic() > deadline:
                sys.exit(f"{what} cannot be made: {error}")
            time.sleep(1)
        else:
            sys.stdout.write(f"{what}: there\n")
            return


def main() -> None:
    """Run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("secrets", help="make the secrets that are not there")
    making.add_argument("folder", type=Path)
    making.add_argument("--members", required=True, metavar="HOST:PORT,…")
    making.add_argument("--mongodb-uid", type=int, default=MONGODB_UID)
    making.add_argument("--node-uid", type=int, default=NODE_UID)
    beginning = commands.add_parser("initiate", help="begin the replica set, and let the nodes in")
    beginning.add_argument("--here", default="127.0.0.1:27017", metavar="HOST:PORT", help="the first member, from here")
    beginning.add_argument("--connection", type=Path, required=True, metavar="FILE", help="of the nodes")
    beginning.add_argument("--root", type=Path, required=True, metavar="FILE", help="holds root's password")
    given = parser.parse_args()
    if given.command == "secrets":
        make_secrets(given.folder, given.members, given.mongodb_uid, given.node_uid)
    else:
        initiate(given.here, given.connection, given.root)


if __name__ == "__main__":
    main()
