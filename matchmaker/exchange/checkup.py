"""What is wrong with a node as configured: every check a sentence, for the person who runs it alone."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from matchmaker.exchange.config import Config, Disclosure, Node
from matchmaker.exchange.reference import load_knowledge
from matchmaker.genome.genes import GenesUnreadable
from matchmaker.genome.variants import ChainUnreadable
from matchmaker.matching.calibration import CalibrationUnreadable
from matchmaker.ontology.information import FrequenciesUnreadable
from matchmaker.ontology.load import OntologyUnreadable
from matchmaker.peers.client import TokenUnreadable, read_token
from matchmaker.records.party import Client, Peer, Role

_OTHERS_MAY_READ = 0o044
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@dataclass(frozen=True)
class Checkup:
    """`versions` of the data in use, `wrong` what keeps the node from working, `advice` what should be better."""

    versions: dict[str, str]
    wrong: tuple[str, ...]
    advice: tuple[str, ...]


def check(config: Config, clients: list[Client], peers: list[Peer]) -> Checkup:
    """Check reference data, peers' tokens, and what of the configuration is still as delivered."""
    versions: dict[str, str] = {}
    wrong: list[str] = []
    try:
        versions = load_knowledge(config).versions
    except (
        OntologyUnreadable,
        FrequenciesUnreadable,
        GenesUnreadable,
        ChainUnreadable,
        CalibrationUnreadable,
    ) as error:
        wrong.append(str(error))
    wrong += [
        f"peer {peer.name} bears this node's own name; remove it" for peer in peers if peer.name == config.node.name
    ]
    wrong += [problem for peer in peers if (problem := _token_problem(peer))]
    advice = [*_node_advice(config), *_disclosure_advice(config), *_party_advice(clients, peers)]
    advice += _version_advice(versions)
    return Checkup(versions, tuple(wrong), tuple(advice))


def _token_problem(peer: Peer) -> str | None:
    try:
        read_token(Path(peer.token_file))
    except TokenUnreadable as error:
        return f"peer {peer.name}: {error}"
    return None


def _node_advice(config: Config) -> list[str]:
    node, fresh = config.node, Node()
    advice = []
    if node.contact_href == fresh.contact_href:
        advice.append("node.contact_href is as delivered: nobody can write to you about a phenopacket's match")
    if node.name == fresh.name:
        advice.append("node.name is as delivered: peers should know you by a name of your own")
    if config.storage.mongodb_file and _readable_by_others(config.storage.mongodb_file):
        file = config.storage.mongodb_file
        advice.append(f"storage.mongodb_file holds a password and can be read by others; chmod 600 {file}")
    if node.country is None:
        advice.append("node.country is not set: cases shared with the country are shown to nobody else")
    if config.server.host not in _LOOPBACK:
        advice.append("server.host is open to the network: put a proxy with TLS in front, tokens travel in a header")
    return advice


def _disclosure_advice(config: Config) -> list[str]:
    """Say which figures of [disclosure] protect less than those delivered."""
    fresh, advice = Disclosure(), []
    for key in ("per_month", "alarm_share", "stop_share", "least_stop"):
        larger = getattr(config.disclosure, key) > getattr(fresh, key)
        if larger != (key == "per_month") and getattr(config.disclosure, key) != getattr(fresh, key):
            advice.append(f"disclosure.{key} is weaker than delivered ({getattr(fresh, key)})")
    if config.disclosure.ledger_days < fresh.ledger_days:
        advice.append(f"disclosure.ledger_days: the ledger is kept for less than {fresh.ledger_days} days")
    return advice


def _party_advice(clients: list[Client], peers: list[Peer]) -> list[str]:
    advice = []
    nodes = [client for client in clients if client.role is Role.NODE and client.revoked_at is None]
    asking = {client.name for client in nodes}
    for client in nodes:
        if client.contact is None:
            advice.append(f"client {client.name} has no --contact: nobody there hears that a case was withdrawn")
        if client.per_month is None:
            advice.append(f"client {client.name} may ask about as many profiles as it likes, and is never stopped")
    for peer in peers:
        if peer.name not in asking:
            advice.append(f"peer {peer.name} may be asked but may not ask us: no client of that name")
        if urlsplit(peer.url).scheme == "http" and urlsplit(peer.url).hostname not in _LOOPBACK:
            advice.append(f"peer {peer.name} is asked over http: its token travels unencrypted")
        if _readable_by_others(Path(peer.token_file)):
            advice.append(f"peer {peer.name}: its token file can be read by others; chmod 600 {peer.token_file}")
    return advice


def _readable_by_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & _OTHERS_MAY_READ)
    except OSError:
        return False


def _version_advice(versions: dict[str, str]) -> list[str]:
    hpo, annotations = versions.get("hpo"), versions.get("annotations")
    if hpo != annotations:
        return [f"HPO is of {hpo}, its annotations of {annotations}: take both of one release"]
    return []
