"""Patients for tests, in the exchange's JSON."""

import json
from pathlib import Path
from typing import Any

from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.store.base import Claim, Decision
from matchmaker.store.entries import results_told

DATA = Path(__file__).parent / "data"


def official_patients() -> list[dict[str, Any]]:
    """The fifty test patients of the Matchmaker Exchange API."""
    patients: list[dict[str, Any]] = json.loads((DATA / "benchmark_patients.json").read_text(encoding="utf-8"))
    return patients


def patient_json(patient_id: str = "p1", **changes: Any) -> dict[str, Any]:
    """A small valid patient; `changes` replace or, when None, remove its fields."""
    patient: dict[str, Any] = {
        "id": patient_id,
        "contact": {"name": "Dr Byrne", "href": "mailto:byrne@hospital.example"},
        "features": [{"id": "HP:0000252"}, {"id": "HP:0001250"}],
        "genomicFeatures": [{"gene": {"id": "BCKDK"}}],
    }
    for name, value in changes.items():
        if value is None:
            patient.pop(name, None)
        else:
            patient[name] = value
    return patient


def variant_json(**changes: Any) -> dict[str, Any]:
    """The BCKDK variant of PMID 22956686, on GRCh38."""
    variant = {
        "assembly": "GRCh38",
        "referenceName": "16",
        "start": 31110715,
        "end": 31110716,
        "referenceBases": "G",
        "alternateBases": "C",
    }
    return {key: value for key, value in {**variant, **changes}.items() if value is not None}


def answered(who: str, results: int, genes: tuple[str, ...] = (), at: float = 1.0) -> Claim:
    """A claim by which an answer of so many cases is written down."""
    line = LedgerLine(at, Happened.ANSWERED, who, detail=results_told(results))
    return Claim(None, (), lambda _account, _offers: Decision((), (), (line,), 1, results, genes))
