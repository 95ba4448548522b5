"""Make case-term-frequencies.tsv.gz: in how many published cases each HPO term occurs, ancestors counted in.

python ontologies/make_case_frequencies.py benchmarks/data/phenopackets.jsonl.gz VERSION
"""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from matchmaker.ontology.information import count_terms, write_frequencies
from matchmaker.ontology.load import load_ontology

HERE = Path(__file__).parent


def observed_terms(path: Path) -> Iterator[list[str]]:
    """Yield the observed terms of each phenopacket of a .jsonl.gz."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            features = json.loads(line).get("phenotypicFeatures", [])
            yield [feature["type"]["id"] for feature in features if not feature.get("excluded")]


def main(cases: str, version: str) -> None:
    """Count and write."""
    ontology = load_ontology(HERE / "hp.obo.gz")
    counted = count_terms(ontology, observed_terms(Path(cases)), version)
    write_frequencies(counted, HERE / "case-term-frequencies.tsv.gz")


if __name__ == "__main__":
    main(*sys.argv[1:3])
