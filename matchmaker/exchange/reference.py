"""Configured reference files -> Knowledge: everything that scoring needs, with its versions."""

import hashlib

from matchmaker import __version__
from matchmaker.exchange.config import Config
from matchmaker.genome.genes import load_genes
from matchmaker.genome.variants import ChainLift
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.information import disease_frequencies, information, read_frequencies
from matchmaker.ontology.load import load_ontology


def load_knowledge(config: Config) -> Knowledge:
    """Read ontology, frequencies, genes and chain.

    Errors: OntologyUnreadable, FrequenciesUnreadable, GenesUnreadable, ChainUnreadable.
    """
    ontology = load_ontology(config.ontology.hpo, config.cache_dir)
    diseases = disease_frequencies(ontology, config.ontology.annotations, config.cache_dir)
    cases = read_frequencies(config.ontology.frequencies)
    return Knowledge(
        ontology,
        information(ontology, {"annotations": diseases, "caseFrequencies": cases}),
        load_genes(config.genes.table, config.genes.table_version),
        ChainLift(config.genes.chain),
        _fingerprint(config),
    )


def _fingerprint(config: Config) -> str:
    """Return the SHA-256 of every file of reference data, and of the program's version."""
    digest = hashlib.sha256(__version__.encode())
    files = config.ontology, config.genes
    for path in (files[0].hpo, files[0].annotations, files[0].frequencies, files[1].table, files[1].chain):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()
