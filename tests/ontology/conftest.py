"""A search of a few terms, built in a moment, and the real one, built once a run."""

from pathlib import Path

import pytest

from matchmaker.exchange.config import REFERENCE_DATA
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.search import TermSearch, open_terms

OBO = """format-version: 1.2

[Term]
id: HP:0000252
name: Microcephaly
synonym: "Small \\"head\\"" BROAD layperson [https://orcid.org/0000-0001]
synonym: "Microcephaly" EXACT layperson []
synonym: "Long ago" EXACT obsolete_synonym []

[Term]
id: HP:0001250
name: Seizure
synonym: "Seizures" EXACT plural_form []

[Term]
id: HP:0000300
name: obsolete Many
is_obsolete: true
synonym: "Small" EXACT []
"""
SPANISH = """subject_id\tpredicate_id\ttranslation_value\ttranslation_status
HP:0009999\trdfs:label\tCabeza pequeña\tOFFICIAL
HP:0000252\trdfs:label\tMicrocefalia\tCANDIDATE
HP:0000005\trdfs:label\tModo de herencia\tOFFICIAL
HP:7777777\trdfs:label\tDe mañana\tOFFICIAL
"""


@pytest.fixture(scope="session")
def terms(real_knowledge: Knowledge, cache_dir: Path) -> TermSearch:
    """The search of the reference data shipped with the node."""
    return open_terms(real_knowledge.ontology, REFERENCE_DATA / "hp.obo.gz", REFERENCE_DATA / "translations", cache_dir)


@pytest.fixture
def sources(tmp_path: Path) -> tuple[Path, Path]:
    """The files of the tiny world's terms: HPO, and a folder of translations."""
    obo, folder = tmp_path / "hp.obo", tmp_path / "translations"
    folder.mkdir()
    obo.write_text(OBO, encoding="utf-8")
    (folder / "hp-es.babelon.tsv").write_text(SPANISH, encoding="utf-8")
    return obo, folder
