"""The index benchmark asks what it says, and finds its own mistakes."""

import json
import subprocess
import sys
from itertools import islice

import numpy as np

from benchmarks.index.brute_force import EveryCaseAlone
from benchmarks.index.cases import Source, cases, queries
from benchmarks.quality.task import DATA, published_cases
from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Knowledge
from matchmaker.matching.score import score
from matchmaker.ontology.information import disease_terms


def source(knowledge: Knowledge) -> Source:
    diseases = disease_terms(knowledge.ontology, REFERENCE_DATA / "phenotype.hpoa.gz")
    return Source(diseases, [case.profile for case in published_cases([DATA], knowledge)], knowledge)


def test_cases_are_always_the_same_and_queries_have_their_terms(real_knowledge: Knowledge) -> None:
    of = source(real_knowledge)
    once, again = list(cases(of, 50)), list(cases(of, 50))
    assert once == again
    assert once[:20] == list(islice(cases(of, 20), 20))
    for terms in (3, 10, 30):
        assert all(len(query.observed) == terms for query in queries(of, terms, 5))


def test_index_brute_force_and_the_score_itself_agree(real_knowledge: Knowledge) -> None:
    of = source(real_knowledge)
    drawn = list(cases(of, 3_000))
    brute = EveryCaseAlone(drawn, real_knowledge)
    index = CaseIndex(real_knowledge.information, real_knowledge.calibration)
    index.fill((key, case, key % 4, 0) for key, case in enumerate(drawn))
    for number, query in enumerate(q for terms in (3, 10, 30) for q in queries(of, terms, 30)):
        chosen = {number % 4, number % 3}
        hits = index.search(query, 20, lambda group, chosen=chosen: group in chosen)  # type: ignore[misc]  # mypy cannot infer a lambda's default
        assert [(hit.key, hit.score.value) for hit in hits] == brute.best(
            query, 20, np.isin(np.arange(len(drawn)) % 4, list(chosen))
        )
        for hit in hits:
            assert hit.score == score(query, drawn[hit.key], real_knowledge.information, real_knowledge.calibration)


def test_one_object_a_line_for_every_kind_of_query() -> None:
    command = [sys.executable, "-m", "benchmarks.index", "--cases", "300", "--queries", "5", "--checked", "3", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own program
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert [(row["query_terms"], row["threads"]) for row in rows] == [(n, t) for n in (3, 10, 30) for t in (1, 2)]
    names = {"cases", "query_terms", "threads", "p50_ms", "p95_ms", "p99_ms", "queries_per_s", "bytes_per_case",
             "build_s", "insert_us", "mismatches"}  # fmt: skip
    assert all(row.keys() >= names and row["mismatches"] == 0 for row in rows)
