"""Configuration: what is stronger goes last, and what nobody knows stops the start and is named."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from matchmaker.exchange.config import Config, ConfigInvalid, load_config

DELIVERED = Path(__file__).parents[2] / "config" / "matchmaker.toml"


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_listen_on_this_machine_only() -> None:
    assert load_config(None, {}, {}).server.host == "127.0.0.1"


def test_file_then_environment_then_options(tmp_path: Path) -> None:
    file = written(tmp_path, '[server]\nport = 1\nhost = "file"\n[node]\nname = "file"\n')
    environment = {"MATCHMAKER_SERVER__PORT": "2", "MATCHMAKER_NODE__NAME": "environment", "MATCHMAKER_HOME": "/x"}
    config = load_config(file, {"server.port": 3, "node.name": None}, environment)
    assert (config.server.host, config.node.name, config.server.port) == ("file", "environment", 3)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[server]\nprot = 1\n", r"server\.prot: unknown; known are host, port"),
        ("[sever]\nport = 1\n", r"sever: unknown; known are node, server"),
        ("[server]\nport = 70000\n", r"server\.port"),
        ('[server]\nport = "many"\n', r"server\.port"),
        ('[node]\ncountry = "Ireland"\n', r"node\.country"),
        ('[node]\ncontact_href = "javascript:x"\n', r"node\.contact_href"),
        ('[node]\nname = "no spaces"\n', r"node\.name"),
        ("[peers]\ndeadline_seconds = 0\n", r"peers\.deadline_seconds"),
        ("server = 5\n", "server"),
        ('[server]\nhost = ""\n', r"server\.host"),
        ("[server]\nport = true\n", r"server\.port"),
        ('[storage]\ndata_dir = ""\n', r"storage\.data_dir"),
        ('[storage]\ndata_dir = "a\\u0000b"\n', r"storage\.data_dir"),
        ("[server\n", "no TOML"),
    ],
)
def test_an_unknown_key_or_a_bad_value_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(ConfigInvalid, match=named):
        load_config(written(tmp_path, text), {}, {})


@pytest.mark.parametrize(
    ("name", "text"), [("MATCHMAKER_SERVER__PROT", "1"), ("MATCHMAKER_SEVER__PORT", "1"), ("MATCHMAKER_SERVER__PORT", "x")]
)  # fmt: skip
def test_the_environment_is_held_to_the_same(name: str, text: str) -> None:
    with pytest.raises(ConfigInvalid):
        load_config(None, {}, {name: text})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"missing\.toml"):
        load_config(tmp_path / "missing.toml", {}, {})


def test_the_delivered_file_explains_every_key_and_holds_the_defaults() -> None:
    """A commented key stands for a default that a file cannot say, such as none or a path within the package."""
    text = DELIVERED.read_text(encoding="utf-8")
    assert load_config(DELIVERED, {}, {}) == Config()
    uncommented = tomllib.loads(
        "\n".join(
            line.removeprefix("#") if line.startswith("#") and " = " in line else line for line in text.splitlines()
        )
    )
    known: dict[str, Any] = Config().model_dump()
    assert {section: set(keys) for section, keys in uncommented.items()} == {s: set(k) for s, k in known.items()}
