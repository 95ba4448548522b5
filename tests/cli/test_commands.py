"""The commands, from their arguments to their exit status. What needs a process of its own is in federation/."""

import contextlib
import gzip
import hashlib
import io
import json
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from matchmaker.cli import main
from matchmaker.store.sqlite.connecting import FILE_NAME
from tests.samples import official_patients, patient_json

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def ran(arguments: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run `matchmaker` in this process, which has read what a new one would read for a second."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code, on_sigterm = 0, signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["matchmaker", *arguments])
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            signal.signal(signal.SIGTERM, on_sigterm)
    told, said = (one.buffer.getvalue().decode() for one in (out, err))
    return subprocess.CompletedProcess(arguments, code, told, said)


@pytest.fixture
def run(tmp_path: Path, cache_dir: Path) -> Run:
    """Run `matchmaker` with arguments; the data directory is tmp_path/data unless said otherwise."""

    def call(
        *arguments: object, data_dir: Path | None = tmp_path / "data", **settings: str
    ) -> "subprocess.CompletedProcess[str]":
        where = ["--data-dir", str(data_dir)] if data_dir else []
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(tmp_path)
            for name, value in {"MATCHMAKER_ONTOLOGY__CACHE_DIR": str(cache_dir), "COLUMNS": "200", **settings}.items():
                patch.setenv(name, value)
            return ran([*map(str, arguments), *where])

    return call


def written(path: Path, *records: object) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def one_line(result: "subprocess.CompletedProcess[str]") -> str:
    """What a failure says: one line, no traceback."""
    assert result.returncode != 0
    lines = [line for line in result.stderr.splitlines() if line]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("matchmaker: ")
    return lines[0]


def test_load_keeps_the_good_and_names_the_bad(run: Run, tmp_path: Path) -> None:
    file = written(
        tmp_path / "cases.jsonl", patient_json("a"), patient_json("b", features=[{"id": "x"}]), patient_json("c")
    )
    loaded = run("load", "--share", "none", file)
    assert loaded.returncode == 1
    assert f"bad: {file}: line 2: features[0].id: expected an HPO id" in loaded.stderr
    assert loaded.stdout == "2 cases: 2 new, 0 changed, 0 unchanged; 1 bad records\n"
    again = run("load", "--share", "none", written(file, patient_json("a")))
    assert (again.returncode, again.stdout) == (0, "1 cases: 0 new, 0 changed, 1 unchanged; 0 bad records\n")


def test_with_whom_is_stated_never_guessed(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "cases.jsonl", patient_json())
    assert run("load", file).returncode == 2
    assert run("load", "--share", "everybody", file).returncode == 2
    assert not (tmp_path / "data" / FILE_NAME).exists()


def test_match_finds_the_official_partners_offline(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "official.json.gz"
    file.write_bytes(gzip.compress(json.dumps(official_patients()).encode()))
    assert run("load", "--share", "all", file).returncode == 0
    matched = run("match", "--json", "--top", 3, "--explain", file)
    lines = [json.loads(line) for line in matched.stdout.splitlines()]
    disorders = {patient["id"]: {d["id"] for d in patient["disorders"]} for patient in official_patients()}
    assert [line["query"] for line in lines] == [patient["id"] for patient in official_patients()]
    for line in lines:
        found, mine = [result["id"] for result in line["results"]], disorders[line["query"]]
        assert line["query"] not in found, "a case never matches itself"
        assert [r["score"] for r in line["results"]] == sorted((r["score"] for r in line["results"]), reverse=True)
        if any(mine & theirs for other, theirs in disorders.items() if other != line["query"]):
            assert mine & disorders[found[0]]
    assert "sharedTerms" in lines[0]["results"][0]["explanation"]
    shown = run("match", "--top", 2, "--explain", file)
    assert shown.stdout.count("Matches of") == 50
    assert "same gene NGLY1" in shown.stdout


def test_an_empty_store_is_said_to_be_empty(run: Run, tmp_path: Path) -> None:
    matched = run("match", written(tmp_path / "query.jsonl", patient_json("q")))
    assert matched.returncode == 0
    assert "there are no cases in" in matched.stderr


def test_match_ignores_sharing_and_reports_bad_queries(run: Run, tmp_path: Path) -> None:
    run("load", "--share", "none", written(tmp_path / "cases.jsonl", patient_json("a"), patient_json("t", test=True)))
    matched = run("match", "--json", written(tmp_path / "query.jsonl", {"patient": {}}, patient_json("q")))
    assert matched.returncode == 1
    assert "bad: " in matched.stderr
    (line,) = [json.loads(line) for line in matched.stdout.splitlines()]
    assert sorted(result["id"] for result in line["results"]) == ["a", "t"]


def test_a_strangers_text_cannot_write_to_the_terminal(run: Run, tmp_path: Path) -> None:
    hostile = patient_json("[red]a[/red]\u001b[31m"[:12])
    run("load", "--share", "all", written(tmp_path / "cases.jsonl", hostile))
    shown = run("match", "--explain", written(tmp_path / "query.jsonl", patient_json("q")))
    assert "\u001b[31m" not in shown.stdout
    assert "[red]a[/red]" in shown.stdout


def test_a_token_is_printed_once_alone_and_only_its_digest_kept(run: Run, tmp_path: Path) -> None:
    added = run("client", "add", "spain", "--role", "node", "--country", "ES", "--institution", "Hospital")
    token = added.stdout.strip()
    assert re.fullmatch(r"\S{40,254}\n", added.stdout)
    with sqlite3.connect(tmp_path / "data" / FILE_NAME) as connection:
        row = connection.execute("SELECT * FROM clients").fetchone()
    assert hashlib.sha256(token.encode()).hexdigest() in row
    assert all(
        token not in path.read_bytes().decode("latin-1") for path in (tmp_path / "data").iterdir() if path.is_file()
    )
    listed = run("client", "list").stdout
    assert "spain" in listed
    assert token not in listed
    assert "taken" in one_line(run("client", "add", "spain", "--role", "node"))
    assert run("client", "revoke", "spain").returncode == 0
    assert "no client" in one_line(run("client", "revoke", "spain"))


@pytest.mark.parametrize("name", ["two words", "", "-x", "a/b", "x" * 64])
def test_a_name_can_stand_anywhere(run: Run, name: str) -> None:
    assert run("client", "add", "--role", "node", "--", name).returncode != 0


def test_peers_are_added_listed_tested_and_removed(run: Run, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret\n", encoding="utf-8")
    options = ("--country", "ES", "--token-file", token)
    assert "https" in one_line(run("peer", "add", "spain", "--url", "http://es.example", *options))
    assert "before /match" in one_line(run("peer", "add", "spain", "--url", "https://es.example/match", *options))
    assert "this node itself" in one_line(run("peer", "add", "matchmaker", "--url", "https://es.example", *options))
    assert "cannot be read" in one_line(
        run("peer", "add", "x", "--url", "https://x.example", "--country", "ES", "--token-file", tmp_path / "none")
    )
    assert run("peer", "add", "spain", "--url", "http://127.0.0.1:1/", *options).returncode == 0
    listed = run("peer", "list").stdout
    assert "http://127.0.0.1:1" in listed
    assert "secret" not in listed
    tested = run("peer", "test", "spain")
    assert (tested.returncode, tested.stderr.split(":")[1].strip()) == (1, "unreachable")
    assert "known are: spain" in one_line(run("peer", "test", "france"))
    assert run("peer", "remove", "spain").returncode == 0


def test_doctor_tells_configuration_versions_and_what_is_wrong(run: Run, tmp_path: Path) -> None:
    well = run("doctor")
    assert well.returncode == 0
    for text in ("[server]", "port = 8080", "hpo = 2025-05-06", "nothing is wrong", "advice: node.contact_href"):
        assert text in well.stdout
    token = tmp_path / "token"
    token.write_text("secret", encoding="utf-8")
    run("peer", "add", "spain", "--url", "https://es.example", "--country", "ES", "--token-file", token)
    token.unlink()
    ill = run("doctor", MATCHMAKER_GENES__TABLE=str(tmp_path / "missing"))
    assert ill.returncode == 1
    assert "wrong: the genes" in ill.stdout
    assert "wrong: peer spain: the token file" in ill.stdout


@pytest.mark.parametrize(
    "command", [("client", "list"), ("peer", "list"), ("doctor",), ("match", "none.json"), ("load", "--share", "all", "none.json")]
)  # fmt: skip
def test_every_command_makes_an_empty_data_directory(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run(*command, data_dir=tmp_path / "new" / "data")
    assert "Traceback" not in result.stderr
    assert (tmp_path / "new" / "data" / FILE_NAME).is_file()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"MATCHMAKER_ONTOLOGY__HPO": "/nowhere/hp.obo"}, "the ontology /nowhere/hp.obo cannot be read"),
        ({"MATCHMAKER_ONTOLOGY__ANNOTATIONS": "/nowhere/x"}, "/nowhere/x cannot be read"),
        ({"MATCHMAKER_GENES__CHAIN": "/nowhere/x"}, "the assembly chain /nowhere/x is missing"),
        ({"MATCHMAKER_SERVER__PORT": "x"}, "server.port"),
        ({"MATCHMAKER_SERVER__PROT": "1"}, "server.prot: unknown"),
    ],
)
def test_what_keeps_a_node_from_starting_is_one_line(run: Run, settings: dict[str, str], says: str) -> None:
    assert says in one_line(run("serve", **settings))


def test_a_damaged_data_directory_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE_NAME).write_bytes(b"rubbish" * 1_000)
    for command in (("serve",), ("client", "list"), ("doctor",)):
        assert "restore it from a backup" in one_line(run(*command))


def test_the_version_is_told() -> None:
    command = [sys.executable, "-m", "matchmaker", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "0.1.0\n"  # noqa: S603 - our own program
