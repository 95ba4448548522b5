"""Print how fast the index answers, and what it holds.

    python -m benchmarks.index [--cases N] [--queries N] [--checked N] [--json]

A line for queries of 3, 10 and 30 terms and one and two threads. bytes_per_case is all that the index holds in memory,
with what a searching thread writes to, over the cases; resident_per_case the growth of the process while it is filled,
which Python's own leftovers take part in; mismatches counts the checked queries, half of them among only a part of the
cases, that differ from scoring every case alone, ties included.
"""

import argparse
import ctypes
import gc
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index.brute_force import EveryCaseAlone
from benchmarks.index.cases import Source, cases, queries
from benchmarks.quality.task import DATA, published_cases
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Profile
from matchmaker.ontology.information import disease_terms

BEST = 20
TERMS = (3, 10, 30)
THREADS = (1, 2)
CHANGED = 5_000
GROUPS = 4


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="How fast the index answers.")
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--queries", type=int, default=400, help="of each kind, timed")
    options.add_argument("--checked", type=int, default=100, help="of each kind, held against scoring every case")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    source = _source()
    knowledge = source.knowledge
    if not chosen.json:
        print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores; {knowledge.versions}")
    index, measured = _filled(source, chosen.cases)
    asked = {terms: queries(source, terms, max(chosen.queries, chosen.checked)) for terms in TERMS}
    index.search(asked[TERMS[0]][0], BEST)  # compiled by now
    timed = {
        (terms, threads): _timed(index, asked[terms][: chosen.queries], threads)
        for terms in TERMS
        for threads in THREADS
    }
    brute = EveryCaseAlone(_told(cases(source, chosen.cases), chosen.cases, "for the check"), knowledge)
    for terms in TERMS:
        wrong = _mismatches(index, brute, asked[terms][: chosen.checked], chosen.cases)
        for threads in THREADS:
            row = {"query_terms": terms, "threads": threads, **timed[terms, threads], **measured}
            row = {"cases": chosen.cases, **row, "mismatches": wrong, "checked": chosen.checked}
            if not chosen.json and (terms, threads) == (TERMS[0], THREADS[0]):
                print(f"| {' | '.join(row)} |\n|{'---|' * len(row)}")
            print(json.dumps(row) if chosen.json else f"| {' | '.join(map(str, row.values()))} |", flush=True)


def _source() -> Source:
    config = load_config(None, {"ontology.cache_dir": user_cache_dir()}, {})
    knowledge = load_knowledge(config)
    published = [case.profile for case in published_cases([DATA], knowledge)]
    return Source(disease_terms(knowledge.ontology, config.ontology.annotations), published, knowledge)


def _filled(source: Source, count: int) -> tuple[CaseIndex, dict[str, Any]]:
    """Return the index with all cases, and what its building and its changes cost. Group n is that of key n mod 4."""
    knowledge = source.knowledge
    warm = CaseIndex(knowledge.information, knowledge.calibration)
    drawn = list(cases(source, CHANGED))
    warm.fill((n, case, n % GROUPS, 0) for n, case in enumerate(drawn))
    warm.search(drawn[0], BEST)
    del warm
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    index = CaseIndex(knowledge.information, knowledge.calibration)
    before, drawing = _resident(), 0.0

    def timed_cases() -> Any:
        nonlocal drawing
        started = time.perf_counter()
        for number, case in enumerate(_told(cases(source, count), count, "to be indexed")):
            drawing += time.perf_counter() - started
            yield number, case, number % GROUPS, 0
            started = time.perf_counter()

    started = time.perf_counter()
    index.fill(timed_cases())
    index.current()
    built = time.perf_counter() - started - drawing
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed is not held
    held = _resident() - before
    return index, {
        "bytes_per_case": round(index.held_bytes / count, 1),
        "resident_per_case": round(held / count, 1),
        "build_s": round(built, 2),
        **_changed(index, drawn, count),
    }


def _changed(index: CaseIndex, drawn: Sequence[Profile], count: int) -> dict[str, float]:
    """Insert and remove cases, all that it sets off included; return what one took, in microseconds."""
    started = time.perf_counter()
    for number, case in enumerate(drawn):
        index.add(count + number, case, 0)
    inserted = time.perf_counter()
    for number in range(len(drawn)):
        index.remove(count + number)
    removed = time.perf_counter()
    took = {"insert_us": inserted - started, "remove_us": removed - inserted}
    return {name: round(1e6 * seconds / len(drawn), 1) for name, seconds in took.items()}


def _timed(index: CaseIndex, asked: Sequence[Profile], threads: int) -> dict[str, float]:
    def ask(query: Profile) -> float:
        started = time.perf_counter()
        index.search(query, BEST)
        return 1000 * (time.perf_counter() - started)

    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        took = list(pool.map(ask, asked))
    elapsed = time.perf_counter() - started
    p50, p95, p99 = (round(float(value), 2) for value in np.percentile(took, [50, 95, 99]))
    return {"p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "queries_per_s": round(len(asked) / elapsed, 1)}


def _mismatches(index: CaseIndex, brute: EveryCaseAlone, asked: Sequence[Profile], count: int) -> int:
    groups = np.arange(count) % GROUPS
    wrong = 0
    for number, query in enumerate(asked):
        chosen = set(range(GROUPS)) if number % 2 else {number // 2 % GROUPS}
        found = [(hit.key, hit.score.value) for hit in index.search(query, BEST, lambda group: group in chosen)]  # noqa: B023 - called at once
        wrong += found != brute.best(query, BEST, np.isin(groups, list(chosen)))
    return wrong


def _told(items: Any, count: int, why: str) -> Any:
    """Yield the items; tell on standard error how far it is, as drawing a million cases takes a minute or two."""
    for number, item in enumerate(items):
        if number % 50_000 == 0 and count > 50_000 and sys.stderr.isatty():  # noqa: PLR2004 - now and then
            print(f"\rdrawing cases {why}: {number:,} of {count:,}", end="", file=sys.stderr)
        yield item
    if count > 50_000 and sys.stderr.isatty():  # noqa: PLR2004 - as above
        print(file=sys.stderr)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    main()
