"""Configured reference files -> Knowledge: everything that scoring needs, with its versions."""

import hashlib
from pathlib import Path

from matchmaker import __version__, matching
from matchmaker.exchange.config import Config
from matchmaker.genome.genes import load_genes
from matchmaker.genome.variants import ChainLift
from matchmaker.matching.calibration import FILE_NAME, Calibration, CalibrationUnreadable, parse_calibration
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.information import disease_frequencies, information, read_frequencies
from matchmaker.ontology.load import load_ontology

CALIBRATION = Path(matching.__file__).parent / FILE_NAME


def load_knowledge(config: Config) -> Knowledge:
    """Read ontology, frequencies, genes, chain and calibration.

    Errors: OntologyUnreadable, FrequenciesUnreadable, GenesUnreadable, ChainUnreadable, CalibrationUnreadable.
    """
    ontology = load_ontology(config.ontology.hpo, config.cache_dir)
    diseases = disease_frequencies(ontology, config.ontology.annotations, config.cache_dir)
    cases = read_frequencies(config.ontology.frequencies)
    return Knowledge(
        ontology,
        information(ontology, {"annotations": diseases, "caseFrequencies": cases}),
        load_genes(config.genes.table, config.genes.table_version),
        ChainLift(config.genes.chain),
        load_calibration(),
        _fingerprint(config),
    )


def load_calibration(path: Path = CALIBRATION) -> Calibration:
    """Read the table that stands in the package. Errors: CalibrationUnreadable."""
    try:
        return parse_calibration(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationUnreadable(f"{path} cannot be read: {error}; install the package anew") from None


def _fingerprint(config: Config) -> str:
    """Return the SHA-256 of every file of reference data, and of the program's version."""
    digest = hashlib.sha256(__version__.encode())
    files = config.ontology, config.genes
    for path in (files[0].hpo, files[0].annotations, files[0].frequencies, files[1].table, files[1].chain, CALIBRATION):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
