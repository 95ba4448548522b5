"""What may go wrong for a known reason, and is then one line, without a traceback."""

import sys

from matchmaker.alerts.catalogues import CatalogueUnreadable
from matchmaker.exchange.backup import BackupUnusable
from matchmaker.exchange.config import ConfigInvalid
from matchmaker.exchange.importing import ReferenceUnusable
from matchmaker.exchange.withdrawals import WithdrawalsUnreadable
from matchmaker.genome.genes import GenesUnreadable
from matchmaker.genome.variants import ChainUnreadable
from matchmaker.matching.calibration import CalibrationUnreadable
from matchmaker.ontology.information import FrequenciesUnreadable
from matchmaker.ontology.load import OntologyUnreadable
from matchmaker.peers.client import TokenUnreadable
from matchmaker.store.base import StoreError
from matchmaker.web.serving import CannotListen

KNOWN = (
    BackupUnusable,
    CatalogueUnreadable,
    CannotListen,
    ChainUnreadable,
    CalibrationUnreadable,
    ConfigInvalid,
    FrequenciesUnreadable,
    GenesUnreadable,
    OntologyUnreadable,
    ReferenceUnusable,
    StoreError,
    TokenUnreadable,
    WithdrawalsUnreadable,
)


def say(error: Exception) -> None:
    """Print what went wrong."""
    print(f"matchmaker: {error}", file=sys.stderr)  # noqa: T201 - the command line speaks to people
