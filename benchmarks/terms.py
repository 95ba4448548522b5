"""Print how fast terms are found while somebody types, and suggested from a pasted text.

    python -m benchmarks.terms [--labels N] [--texts N] [--json]

Labels in English, Spanish and French are drawn with a fixed seed and typed letter by letter, each beginning a search
for twelve terms; slips are labels with a letter left out. Texts hold 20,000 characters of names, every fourth denied.
Times are of one thread, its connection and words read before; cpu_p99_ms is what the thread itself worked, and does not
depend on who else runs. build_s and open_s are of the search file, first_ms of the first text in a language.
"""

import argparse
import json
import platform
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from matchmaker.exchange.config import REFERENCE_DATA, user_cache_dir
from matchmaker.ontology.hpo import Ontology
from matchmaker.ontology.load import load_ontology
from matchmaker.ontology.search import TermSearch, open_terms
from matchmaker.ontology.suggesting import MOST_CHARACTERS, suggest

LANGUAGES = {"en": "no", "es": "sin", "fr": "pas de"}
OBO, TRANSLATIONS = REFERENCE_DATA / "hp.obo.gz", REFERENCE_DATA / "translations"
Result = TypeVar("Result")
SEED = 17
LONGEST = 30  # letters typed of a label; few people type more


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="How fast terms are found and suggested.")
    options.add_argument("--labels", type=int, default=200, help="of each language, typed letter by letter")
    options.add_argument("--texts", type=int, default=20, help="of each language")
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    ontology = load_ontology(OBO, user_cache_dir())
    print(f"HPO {ontology.version}, {len(list(TRANSLATIONS.glob('*.gz')))} files of translations; {_machine()}")
    with tempfile.TemporaryDirectory() as folder:
        for row in _measured(ontology, Path(folder), chosen.labels, chosen.texts):
            print(json.dumps(row) if chosen.json else "  ".join(f"{name} {value}" for name, value in row.items()))


def _measured(ontology: Ontology, cache: Path, labels: int, texts: int) -> Iterable[dict[str, Any]]:
    opening = partial(open_terms, ontology, OBO, TRANSLATIONS, cache)
    build_s, _ = _seconds(opening)
    open_s, search = _seconds(opening)
    size = sum(path.stat().st_size for path in cache.iterdir())
    yield {"build_s": round(build_s, 2), "open_s": round(open_s, 3), "file_mb": round(size / 1e6, 1)}
    for language in LANGUAGES:
        yield from _asked(search, _labels(ontology, search, language), language, labels, texts)


def _asked(search: TermSearch, names: list[str], language: str, labels: int, texts: int) -> Iterable[dict[str, Any]]:
    drawn = random.Random(SEED).sample(names, labels)  # noqa: S311 - drawn for a benchmark
    typed = [label[:end] for label in drawn for end in range(1, min(LONGEST, len(label)) + 1)]
    slips = [label[:4] + label[5:] for label in drawn if len(label.split()[0]) > len("slips")]
    for what, queries in (("find", typed), ("find_slips", slips)):
        search.find(f"{queries[-1]}zzzz", language)  # reads the words of the languages
        asked = _percentiles(partial(search.find, query, language) for query in queries)
        yield {"what": what, "language": language, **asked}
    pasted = [_text(names, LANGUAGES[language], seed) for seed in range(texts)]
    first, _ = _seconds(partial(suggest, pasted[0], search, language))
    row = {"what": "suggest", "language": language, "first_ms": round(first * 1e3, 1)}
    yield {**row, **_percentiles(partial(suggest, text, search, language) for text in pasted)}


def _labels(ontology: Ontology, search: TermSearch, language: str) -> list[str]:
    """Return the labels of a language below phenotypic abnormality."""
    terms = [ontology.term(ontology.ids[number]) for number in sorted(ontology.abnormalities)]
    told = ((search.translated(term.id, language) or ("",))[0] if language != "en" else term.label for term in terms)
    return [label for label in told if label]


def _text(names: list[str], denial: str, seed: int) -> str:
    """Return a text that speaks of many terms."""
    chance = random.Random(seed)  # noqa: S311 - as above
    said, length = list[str](), 0
    while length < MOST_CHARACTERS:
        name = chance.choice(names).lower()
        said.append(f"{denial} {name}." if chance.randrange(4) == 0 else f"The patient, seen again, had {name}.")
        length += len(said[-1]) + 1
    return " ".join(said)[:MOST_CHARACTERS]


def _seconds(work: Callable[[], Result]) -> tuple[float, Result]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def _percentiles(works: Iterable[Callable[[], object]]) -> dict[str, Any]:
    """Run each, and return how long they took."""
    took = np.array([_wall_and_worked(work) for work in works]) * 1e3
    p50, p95, p99 = np.percentile(took[:, 0], (50, 95, 99)).round(3).tolist()
    worked = round(float(np.percentile(took[:, 1], 99)), 3)
    return {"count": len(took), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99, "cpu_p99_ms": worked}


def _wall_and_worked(work: Callable[[], object]) -> tuple[float, float]:
    worked = time.thread_time()
    seconds, _ = _seconds(work)
    return seconds, time.thread_time() - worked


def _machine() -> str:
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{platform.system()} {platform.machine()}, {versions}"


if __name__ == "__main__":
    main()
