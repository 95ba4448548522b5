"""Configured reference files -> Knowledge: everything that scoring needs, with its versions."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from matchmaker import __version__, matching
from matchmaker.exchange.config import Config
from matchmaker.genome.genes import GenesUnreadable, load_genes
from matchmaker.genome.variants import ChainLift, ChainUnreadable
from matchmaker.matching.calibration import FILE_NAME, Calibration, CalibrationUnreadable, parse_calibration
from matchmaker.matching.profile import Knowledge
from matchmaker.ontology.files import replace_file
from matchmaker.ontology.information import FrequenciesUnreadable, disease_frequencies, information, read_frequencies
from matchmaker.ontology.load import OntologyUnreadable, load_ontology
from matchmaker.records.reference import Kind, ReferenceFile

UNREADABLE = (OntologyUnreadable, FrequenciesUnreadable, GenesUnreadable, ChainUnreadable, CalibrationUnreadable)
CALIBRATION = Path(matching.__file__).parent / FILE_NAME


def with_imported(config: Config, files: Sequence[ReferenceFile], folder: Path | None = None) -> Config:
    """Return the configuration with imported reference data in place of the files that it names.

    Each file is written once, under its hash, into `folder`, by default one in the data directory. Errors: OSError.
    """
    folder = folder or config.storage.data_dir / "reference"
    ontology: dict[str, Path] = {}
    genes: dict[str, Path | str] = {}
    for file in files:
        path = folder / f"{file.sha256}.{file.kind}.gz"
        if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != file.sha256:
            replace_file(path, file.content)
        if file.kind in {Kind.HPO, Kind.ANNOTATIONS}:
            ontology[file.kind.value] = path
        elif file.kind is Kind.GENES:
            genes.update(table=path, table_version=file.version)
        else:
            genes["chain"] = path
    update = {
        "ontology": config.ontology.model_copy(update=ontology),
        "genes": config.genes.model_copy(update=genes),
    }
    return config.model_copy(update=update)


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
