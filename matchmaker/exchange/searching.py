"""A search's plan and its merged answer: who is asked, who is not and why, and every outcome shown. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from matchmaker.exchange.config import Node
from matchmaker.exchange.messages import NodeReport, SearchAnswer, SearchResult
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.messages import MatchResult
from matchmaker.peers.fanout import Asked
from matchmaker.peers.outcome import PeerFailure, Status
from matchmaker.records.party import Peer

_LEFT_OUT = "invalid, the case itself, twice the same, or beyond the first thousand"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whether this node is searched, which peers are asked, and reports for those that are not."""

    here: bool
    peers: tuple[Peer, ...]
    not_asked: tuple[NodeReport, ...]


def plan(nodes: Sequence[str] | None, own: str, peers: Sequence[Peer], why_not: Callable[[Peer], str | None]) -> Wanted:
    """Decide who is asked about a case. `why_not` says what stands against asking a peer, None: nothing.

    Errors: InvalidRequest when `nodes` names one that nobody knows.
    """
    known = {own, *(peer.name for peer in peers)}
    if unknown := [n for n, name in enumerate(nodes or ()) if name not in known]:
        problems = (Problem(f"nodes[{n}]", f"no such node; known are {', '.join(sorted(known))}") for n in unknown)
        raise InvalidRequest(*problems)
    asked: list[Peer] = []
    left: list[NodeReport] = []
    for peer in peers:
        if nodes is not None and peer.name not in nodes:
            left.append(not_asked(peer, "not among the nodes named"))
        elif reason := why_not(peer):
            left.append(not_asked(peer, reason))
        else:
            asked.append(peer)
    return Wanted(nodes is None or own in nodes, tuple(asked), tuple(left))


def not_asked(peer: Peer, reason: str) -> NodeReport:
    """Report that a peer was not asked, and why."""
    return _report(peer.name, peer.country, Status.NOT_ASKED, reason=reason)


def _report(
    node: str,
    country: str | None,
    status: Status,
    found: int = 0,
    elapsed_ms: int = 0,
    reason: str | None = None,
) -> NodeReport:
    return NodeReport(node=node, country=country, status=status, results=found, elapsed_ms=elapsed_ms, reason=reason)


def own_report(own: Node, found: int, elapsed_seconds: float, *, here: bool) -> NodeReport:
    """Report on this node's own search."""
    if not here:
        return _report(own.name, own.country, Status.NOT_ASKED, reason="not among the nodes named")
    return _report(own.name, own.country, Status.ANSWERED, found, round(elapsed_seconds * 1000))


def without_echoes(asked: Asked, sent_as: str) -> Asked:
    """Leave out of a peer's results the case that was asked about, and each case after its first time.

    `sent_as` is the id under which it was.
    """
    outcome = asked.outcome
    if isinstance(outcome, PeerFailure):
        return asked
    first = {result.patient.id: result for result in reversed(outcome.results) if result.patient.id != sent_as}
    kept = tuple(result for result in outcome.results if first.get(result.patient.id) is result)
    dropped = outcome.dropped + len(outcome.results) - len(kept)
    return replace(asked, outcome=replace(outcome, results=kept, dropped=dropped))


def peer_report(asked: Asked) -> NodeReport:
    """Report on what became of a question to a peer."""
    outcome, peer = asked.outcome, asked.peer
    if isinstance(outcome, PeerFailure):
        return _report(peer.name, peer.country, outcome.status, 0, asked.elapsed_ms, outcome.reason)
    dropped = f"{outcome.dropped} of its results are left out: {_LEFT_OUT}" if outcome.dropped else None
    report = _report(peer.name, peer.country, Status.ANSWERED, len(outcome.results), asked.elapsed_ms, dropped)
    return report.model_copy(update={"disclaimer": outcome.disclaimer, "terms": outcome.terms})


def merge(
    own_name: str, own: Sequence[MatchResult], asked: Sequence[Asked], reports: tuple[NodeReport, ...]
) -> SearchAnswer:
    """Return every node's results, best first by the score shown, then by id and node, and all reports."""
    found = [_named(own_name, result) for result in own]
    for one in asked:
        if not isinstance(one.outcome, PeerFailure):
            found += [_named(one.peer.name, result) for result in one.outcome.results]
    found.sort(key=lambda result: (-result.score.patient, result.patient.id, result.node))
    return SearchAnswer(results=tuple(found), nodes=reports)


def _named(node: str, result: MatchResult) -> SearchResult:
    return SearchResult(
        node=node,
        score=result.score,
        patient=result.patient,
        parts=result.parts,
        explanation=result.explanation,
    )
