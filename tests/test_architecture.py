"""The house stands: imports go down only, and foreign libraries are met at their one door."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "matchmaker"
LEVELS = {
    "mme": 0, "ontology": 0, "genome": 0,
    "matching": 1, "records": 1,
    "policy": 2,
    "peers": 3, "store": 3, "intake": 3, "alerts": 3, "accounts": 3,
    "exchange": 4,
    "web": 5, "demo": 5,
    "cli": 6,
}  # fmt: skip
DOORS = {
    "aiohttp": ("web/", "peers/client.py", "accounts/oidc.py", "exchange/assembly.py", "demo/"),
    "aiosmtplib": ("alerts/smtp.py",),
    "argon2": ("accounts/passwords.py",),
    "babel": ("alerts/catalogues.py",),
    "jinja2": ("alerts/compose.py", "web/pages/frame.py"),
    "joserfc": ("accounts/oidc.py",),
    "pyotp": ("accounts/second_factor.py",),
    "segno": ("accounts/second_factor.py",),
    "uvloop": ("cli/serve.py",),
    "numba": ("matching/compiled.py",),
    "motor": ("store/mongo.py",),
    "pymongo": ("store/mongo.py", "store/mongodb/"),
    "bson": ("store/mongodb/",),
    "gunicorn": ("web/workers.py",),
    "pronto": ("ontology/load.py",),
    "sqlite3": ("store/sqlite/", "ontology/search.py"),
    "phenopackets": ("intake/phenopacket.py",),
    "liftover": ("genome/variants.py",),
}
PURE = ("mme", "ontology", "genome", "matching", "records", "policy")
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{inside(path)} imports relatively"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def inside(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=inside)
def test_imports_go_down_only(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    if path.parent == PACKAGE:
        assert path.name in {"__init__.py", "__main__.py"}, "a file stands in a room"
        return
    assert room in LEVELS, f"{room} has no place in the house yet"
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "matchmaker" and len(parts) > 1 and parts[1] in LEVELS and parts[1] != room:
            assert LEVELS[parts[1]] < LEVELS[room], f"{inside(path)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=inside)
def test_foreign_libraries_are_met_at_their_door(path: Path) -> None:
    for name in imports(path):
        doors = DOORS.get(name.split(".")[0])
        assert doors is None or inside(path).startswith(doors), f"{inside(path)} imports {name}"


@pytest.mark.parametrize("path", [path for path in FILES if inside(path).split("/")[0] in PURE], ids=inside)
def test_pure_rooms_never_wait(path: Path) -> None:
    assert not any(isinstance(node, ast.AsyncFunctionDef) for node in ast.walk(tree(path)))


def test_the_environment_is_read_in_one_file() -> None:
    readers = {inside(path) for path in FILES if {"environ", "getenv"} & {
        node.attr for node in ast.walk(tree(path)) if isinstance(node, ast.Attribute)
    }}  # fmt: skip
    assert readers == {"exchange/config.py"}


def test_no_module_is_part_of_an_import_circle() -> None:
    modules = {"matchmaker." + inside(path)[:-3].replace("/", ".").removesuffix(".__init__"): path for path in FILES}
    waiting = {name: imports(path) & modules.keys() - {name, "matchmaker"} for name, path in modules.items()}
    while free := {name for name, needs in waiting.items() if not needs & waiting.keys()}:
        waiting = {name: needs for name, needs in waiting.items() if name not in free}
    assert not waiting, f"a circle within {sorted(waiting)}"


def test_an_incoming_query_cannot_become_an_outgoing_one() -> None:
    """Exchange.answer, and all of its own that it calls, do not touch Asking; Disclosing knows of no peers."""
    service = next(node for node in tree(PACKAGE / "exchange/service.py").body
                   if isinstance(node, ast.ClassDef) and node.name == "Exchange")  # fmt: skip
    methods = {node.name: node for node in service.body if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef)}
    reached, waiting = set[str](), ["answer"]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        touched = {
            node.attr
            for node in ast.walk(methods[name])
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
        }
        assert not touched & {"_asking"}, f"{name} reaches the peers"
        waiting += [other for other in touched & methods.keys() if other not in reached]
    told = imports(PACKAGE / "exchange/disclosing.py")
    assert not [name for name in told if name.startswith(("matchmaker.peers", "matchmaker.exchange.asking"))]
