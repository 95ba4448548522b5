"""Print how fast the index answers, over synthetic cases.

    python -m benchmarks.index [--cases N] [--queries N] [--json]

One line for queries of 3, 10 and 30 terms and one and two threads. bytes_per_case is the growth of the process's
memory while the index is filled, over the cases; mismatches compares with scoring every case alone.
"""

import argparse
import json
import os
import platform
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index.cases import queries, synthetic_cases
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.matching.score import score
from matchmaker.ontology.information import disease_terms

BEST = 20
TERMS = (3, 10, 30)
THREADS = (1, 2)
INSERTED = 500
CHECKED = 5  # queries of each kind held against brute force, which takes seconds each


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="How fast the index answers.")
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--queries", type=int, default=100)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    config = load_config(None, {"ontology.cache_dir": user_cache_dir()}, {})
    knowledge = load_knowledge(config)
    diseases = disease_terms(knowledge.ontology, config.ontology.annotations)
    before = _resident()
    cases = list(synthetic_cases(diseases, knowledge, chosen.cases))
    started = time.perf_counter()
    index = CaseIndex(knowledge.information)
    index.fill((f"{number:08}", profile, None) for number, profile in enumerate(cases))
    built = time.perf_counter() - started
    common = {
        "cases": chosen.cases,
        "bytes_per_case": round((_resident() - before) / chosen.cases),
        "build_s": round(built, 2),
        "insert_us": _insert_us(index, cases),
    }
    if not chosen.json:
        print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores; {knowledge.versions}")
    for terms in TERMS:
        asked = queries(cases, knowledge, terms, chosen.queries)
        wrong = _mismatches(index, cases, asked[:CHECKED], knowledge)
        for threads in THREADS:
            row = {
                **common,
                "query_terms": terms,
                "threads": threads,
                **_timed(index, asked, threads),
                "mismatches": wrong,
            }
            print(json.dumps(row) if chosen.json else _told(row), flush=True)


def _insert_us(index: CaseIndex, cases: Sequence[Profile]) -> float:
    started = time.perf_counter()
    for number, profile in enumerate(cases[:INSERTED]):
        index.add(f"new{number}", profile, None)
    elapsed = time.perf_counter() - started
    for number in range(min(INSERTED, len(cases))):
        index.remove(f"new{number}")
    return round(1e6 * elapsed / min(INSERTED, len(cases)), 1)


def _timed(index: CaseIndex, asked: Sequence[Profile], threads: int) -> dict[str, float]:
    turn = threading.Lock()  # the index belongs to one thread at a time, as in a node

    def ask(query: Profile) -> float:
        started = time.perf_counter()
        with turn:
            index.search(query, BEST)
        return 1000 * (time.perf_counter() - started)

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        took = list(pool.map(ask, asked))
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(took, [50, 95, 99]))
    rate = round(len(asked) / (time.perf_counter() - started), 1)
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "queries_per_s": rate}


def _mismatches(index: CaseIndex, cases: Sequence[Profile], asked: Sequence[Profile], knowledge: Knowledge) -> int:
    wrong = 0
    for query in asked:
        scored = ((-score(query, case, knowledge.information).value, f"{n:08}") for n, case in enumerate(cases))
        expected = sorted(one for one in scored if one[0] < 0)[:BEST]
        found = [(-hit.score.value, hit.key) for hit in index.search(query, BEST)]
        wrong += found != expected
    return wrong


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _told(row: dict[str, Any]) -> str:
    return "  ".join(f"{name} {value}" for name, value in row.items())


if __name__ == "__main__":
    main()
