"""Make the demo's stores: some hundreds of published cases each for Ireland and Spain, drawn with a fixed seed.

    python -m benchmarks.make_demo_cases PHENOPACKETS BCKDK_CASES

Spain also gets two of the three published families with BCKDK deficiency (PMID 22956686). The third family is
Martin's, told by matchmaker/demo/data/martin.json.
"""

import gzip
import json
import random
import sys
from pathlib import Path

TARGET = Path(__file__).parents[1] / "matchmaker" / "demo" / "data"
EACH = 350
SEED = 2012  # the year in which BCKDK deficiency was described
MARTINS_FAMILY = "1435_IV"
LONGEST = 8_000  # characters of a phenopacket: the demo needs no 45,000 bases written out


def main(cases: str, bckdk: str) -> None:
    """Draw and write."""
    with gzip.open(cases, "rt", encoding="utf-8") as lines:
        pool = [line.strip() for line in lines if len(line) < LONGEST]
    drawn = random.Random(SEED).sample(pool, 2 * EACH)  # noqa: S311 - a draw to be repeated, not to be secret
    family = [line.strip() for line in Path(bckdk).read_text(encoding="utf-8").splitlines() if line.strip()]
    spanish = [line for line in family if MARTINS_FAMILY not in json.loads(line)["id"]]
    _write("ireland", drawn[:EACH])
    _write("spain", drawn[EACH:] + spanish)


def _write(country: str, lines: list[str]) -> None:
    content = "".join(f"{line}\n" for line in sorted(lines)).encode("utf-8")
    (TARGET / f"{country}.jsonl.gz").write_bytes(gzip.compress(content, mtime=0))


if __name__ == "__main__":
    main(*sys.argv[1:3])
