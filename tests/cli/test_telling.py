"""Collections, agreements and the ledger, as the person who runs a node meets them."""

import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

from matchmaker.store.sqlite.connecting import FILE_NAME
from tests.cli.test_commands import Run, one_line, run, written
from tests.samples import patient_json

__all__ = ["run"]  # a fixture

PRODUCTION = {"MATCHMAKER_NODE__PRODUCTION": "true"}


def good(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_collection_is_begun_from_a_form_and_says_what_may_be_told(run: Run, tmp_path: Path) -> None:
    form = good(run("collection", "template", data_dir=None))
    file = tmp_path / "rare.toml"
    file.write_text(form, encoding="utf-8")
    assert "added; its cases may be told to nobody but their owners" in good(run("collection", "add", file))
    for key in ("legalBasis", "benefitOfOthers"):
        form = form.replace(f'{key} = "don\'t know"', f'{key} = "yes"')
    file.write_text(form, encoding="utf-8")
    assert "changed; its cases may be told for clinical use" in good(run("collection", "add", file))
    assert "rare-diseases" in good(run("collection", "list"))
    assert json.loads(good(run("collection", "show", "rare-diseases")))["legalBasis"] == "yes"
    load = ("load", "--share", "all", "--collection", "rare-diseases", "--level", "minimal", "--until", "2030-01-01")
    cases = written(tmp_path / "cases.jsonl", patient_json("a"))
    assert "Hospital of Dublin, the owner local of local" in one_line(run(*load, cases))
    good(run("client", "add", "dublin", "--role", "depositor", "--institution", "hospital of dublin"))
    good(run(*load, "--owner", "dublin", cases))
    again = run("load", "--share", "all", "--owner", "dublin", cases)
    for words in ("leaves the collection rare-diseases", "level standard, and was at minimal", "until 2030-01-01"):
        assert f"note: of 1 cases: it {words}" in again.stderr or words in again.stderr, words
    good(run("collection", "remove", "rare-diseases"))
    assert "no collections yet" in good(run("collection", "list"))
    assert "there is no collection" in one_line(run("collection", "remove", "rare-diseases"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "neither TOML nor JSON"),
        ('name = "x"', "institution: "),
        ('name = "x"\nlegal = "yes"', "legal: unknown; known are "),
        (
            'name = "x"\ninstitution = "y"\nlegalBasis = "maybe"\n[contact]\nname = "z"\nhref = "mailto:a@b.c"',
            "legalBasis",
        ),
        ('name = "x"\ninstitution = "y"\ndataUse = ["DUO:1"]\n[contact]\nname = "z"\nhref = "mailto:a@b.c"', "dataUse"),
    ],
)
def test_a_form_that_cannot_be_meant_is_one_line_that_names_the_field(
    run: Run, tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "form.toml"
    file.write_text(text, encoding="utf-8")
    assert says in one_line(run("collection", "add", file))


def test_in_production_an_agreement_and_a_collection_are_stated(run: Run, tmp_path: Path) -> None:
    add = ("client", "add", "spain", "--role", "node")
    assert "--per-month: say how many" in one_line(run(*add, **PRODUCTION))
    assert "--collection" in one_line(
        run("load", "--share", "all", written(tmp_path / "c.jsonl", patient_json()), **PRODUCTION)
    )
    good(run(*add, "--per-month", "40", **PRODUCTION))
    good(run("client", "add", "france", "--role", "node", "--per-month", "none", **PRODUCTION))
    listed = good(run("client", "list"))
    assert "0 of 40" in listed
    assert "0 of none" in listed


@pytest.mark.parametrize("number", ["0", "-1", "1.5", "many", "1000001", "١"])
def test_an_agreement_is_a_number_or_none(run: Run, number: str) -> None:
    assert "--per-month: expected" in one_line(run("client", "add", "x", "--role", "node", f"--per-month={number}"))


def test_a_depositor_has_no_agreement_and_a_contact_is_an_address(run: Run) -> None:
    said = one_line(run("client", "add", "x", "--role", "depositor", "--per-month", "3"))
    assert "nodes only" in said
    assert "--contact" in one_line(run("client", "add", "x", "--role", "node", "--contact", "nobody"))


def test_an_agreement_is_changed_and_the_token_stays(run: Run) -> None:
    good(run("client", "add", "spain", "--role", "node", "--per-month", "10"))
    said = good(run("client", "change", "spain", "--per-month", "60", "--contact", "team@madrid.example"))
    assert said == "spain: clinical, 10 -> 60 new profiles a month\n"
    assert "0 of 60" in good(run("client", "list"))
    assert "changed: clinical, 10 -> 60" in good(run("audit", "recent"))
    assert "say what" in one_line(run("client", "change", "spain"))
    assert "no client 'italy'" in one_line(run("client", "change", "italy", "--purpose", "research"))


def test_a_release_names_a_person_and_stands_in_the_ledger(run: Run) -> None:
    good(run("client", "add", "spain", "--role", "node", "--institution", "Hospital of Madrid"))
    assert "--by" in one_line(run("client", "release", "spain", "--by", " "))
    assert "no node 'atlantis'" in one_line(run("client", "release", "atlantis", "--by", "Ana"))
    assert (
        good(run("client", "release", "spain", "--by", "Ana García")) == "institution hospital of madrid is released\n"
    )
    recent = good(run("audit", "recent"))
    assert "by Ana García" in recent
    assert "granted" in recent
    good(run("client", "revoke", "spain"))
    assert "revoked" in good(run("audit", "recent"))


def test_a_ledger_that_was_changed_is_found_out(run: Run, tmp_path: Path) -> None:
    assert "there is no store" in one_line(run("audit", "verify"))
    for name in ("spain", "france"):
        good(run("client", "add", name, "--role", "node"))
    assert "none was changed, none is missing" in good(run("audit", "verify"))
    with sqlite3.connect(tmp_path / "data" / FILE_NAME) as file:
        file.execute("UPDATE ledger SET who = 'italy' WHERE who = 'spain'")
    file.close()
    verified = run("audit", "verify")
    assert (verified.returncode, "line 0 was changed" in verified.stderr) == (1, True)


def test_heads_that_were_noted_find_out_who_wrote_the_ledger_anew(run: Run, tmp_path: Path) -> None:
    heads = tmp_path / "heads.json"
    for name in ("spain", "france"):
        good(run("client", "add", name, "--role", "node"))
    good(run("audit", "verify", "--heads", heads))
    good(run("client", "add", "italy", "--role", "node"))
    good(run("audit", "verify", "--heads", heads))
    with sqlite3.connect(tmp_path / "data" / FILE_NAME) as file:
        (chain,) = file.execute("SELECT chain FROM ledger WHERE who = 'italy'").fetchone()
        for table, column in (("ledger", "chain"), ("chains", "name")):
            file.execute(f"DELETE FROM {table} WHERE {column} = ?", (chain,))
    file.close()
    assert "none is missing" in good(run("audit", "verify")), "nothing in the store itself tells of it"
    verified = run("audit", "verify", "--heads", heads)
    assert (verified.returncode, "noted, and is gone" in verified.stderr) == (1, True)
    heads.write_text("[]", encoding="utf-8")
    assert "--heads" in one_line(run("audit", "verify", "--heads", heads))


def test_every_fault_is_told_not_the_first_alone(run: Run, tmp_path: Path) -> None:
    good(run("load", "--share", "all", "--owner", "me", written(tmp_path / "c.jsonl", patient_json("p"))))
    for name in ("spain", "france"):
        good(run("client", "add", name, "--role", "node"))
    with sqlite3.connect(tmp_path / "data" / FILE_NAME) as file:
        file.execute("UPDATE ledger SET detail = 'x'")
    file.close()
    told = run("audit", "verify")
    assert (told.returncode, told.stderr.count("was changed"), "2 lines in 2 chains" in told.stdout) == (1, 2, True)
    assert "there is no directory" in one_line(run("audit", "verify", "--heads", tmp_path / "missing" / "heads"))


def test_who_changed_a_collection_and_how_stands_in_the_ledger(run: Run, tmp_path: Path) -> None:
    form = good(run("collection", "template", data_dir=None))
    file = tmp_path / "rare.toml"
    for legal in ("don't know", "yes"):
        file.write_text(form.replace('legalBasis = "don\'t know"', f'legalBasis = "{legal}"'), encoding="utf-8")
        good(run("collection", "add", file))
    good(run("collection", "remove", "rare-diseases"))
    recent = good(run("audit", "recent"))
    assert "legalBasis: don't know -> yes" in recent
    assert "rare-diseases removed" in recent


def test_a_node_is_one_in_both_directions(run: Run, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret", encoding="utf-8")
    peer = ("peer", "add", "spain", "--url", "https://es.example", "--token-file", token)
    good(run("client", "add", "spain", "--role", "node", "--country", "ES"))
    assert "--country: the client spain is of ES" in one_line(run(*peer, "--country", "FR"))
    good(run(*peer, "--country", "ES"))
    good(run("client", "revoke", "spain"))
    assert "is a peer, of ES" in one_line(run("client", "add", "spain", "--role", "node", "--country", "FR"))
    good(run("client", "add", "dublin", "--role", "depositor"))
    assert "is a depositor" in one_line(run("peer", "add", "dublin", *peer[3:], "--country", "IE"))


def test_doctor_says_what_is_told_without_a_collection_and_what_protects_less(run: Run, tmp_path: Path) -> None:
    good(run("load", "--share", "all", "--owner", "me", written(tmp_path / "c.jsonl", patient_json("p"))))
    good(run("load", "--share", "none", "--owner", "me", written(tmp_path / "d.jsonl", patient_json("q"))))
    told = good(run("doctor", MATCHMAKER_DISCLOSURE__STOP_SHARE="0.5", MATCHMAKER_DISCLOSURE__LEDGER_DAYS="1"))
    assert "1 cases are shared and belong to no collection" in told
    assert "disclosure.stop_share is weaker" in told
    assert "ledger is kept for less" in told
    assert "alarm_share" in one_line(run("doctor", MATCHMAKER_DISCLOSURE__ALARM_SHARE="0.5"))


def test_a_name_stays_with_its_institution(run: Run) -> None:
    add = ("client", "add", "spain", "--role", "node")
    good(run(*add, "--institution", "Hospital of Madrid"))
    good(run("client", "revoke", "spain"))
    assert "was a node of Hospital of Madrid" in one_line(run(*add))
    good(run(*add, "--institution", "hospital of madrid"))
    assert "this node itself" in one_line(run("client", "add", "matchmaker", "--role", "node"))


def test_a_report_on_one_patient_is_for_people_and_for_programs(run: Run, tmp_path: Path) -> None:
    good(run("load", "--share", "all", "--owner", "dublin", written(tmp_path / "c.jsonl", patient_json("p"))))
    assert "dublin's case p: 0 disclosures" in good(run("audit", "report", "dublin", "p"))
    told = json.loads(good(run("audit", "report", "dublin", "p", "--json")))
    assert (told["id"], told["withdrawn"], told["disclosures"]) == ("p", False, [])
    assert "'dublin' has no case 'q'" in one_line(run("audit", "report", "dublin", "q"))
