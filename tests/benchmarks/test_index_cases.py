"""The index benchmark asks what it says, and finds its own mistakes."""

import json
import subprocess
import sys
from itertools import islice

from benchmarks.index.cases import queries, synthetic_cases
from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.information import disease_terms


def test_synthetic_cases_are_always_the_same_and_queries_have_their_terms(real_knowledge: Knowledge) -> None:
    diseases = disease_terms(real_knowledge.ontology, REFERENCE_DATA / "phenotype.hpoa.gz")
    once, again = (list(synthetic_cases(diseases, real_knowledge, 50)) for _ in range(2))
    assert once == again
    assert once[:20] == list(islice(synthetic_cases(diseases, real_knowledge, 20), 20))
    for terms in (3, 10, 30):
        assert all(len(query.observed) == terms for query in queries(once, real_knowledge, terms, 5))


def test_one_object_a_line_for_every_kind_of_query() -> None:
    command = [sys.executable, "-m", "benchmarks.index", "--cases", "300", "--queries", "5", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(row["query_terms"], row["threads"]) for row in rows] == [(n, t) for n in (3, 10, 30) for t in (1, 2)]
    names = {"cases", "query_terms", "threads", "p50_ms", "p95_ms", "p99_ms", "queries_per_s", "bytes_per_case",
             "build_s", "insert_us", "mismatches"}  # fmt: skip
    assert all(row.keys() == names and row["mismatches"] == 0 for row in rows)
