"""Matches, sightings, alerts and mails for tests: of cases as tests.contract.test_store.draft makes them."""

from collections.abc import Sequence
from typing import Any

from matchmaker.policy.news import Addressee, Sighting
from matchmaker.records.alert import Alert, Mail, MailKind, News
from matchmaker.records.inquiry import Asked, Inquiry
from matchmaker.records.match import Event, Match, Other, SharedGene, Side, match_id

HOME = "ireland"  # the node whose store it is
CONTACT = {"name": "Dra. Núñez", "href": "mailto:nunez@hospital.example"}
BYRNE, NUNEZ = "byrne@hospital.example", "nunez@hospital.example"


def public_id(case_id: str = "p1", owner: str = "dublin") -> str:
    """The public id of a draft."""
    return f"public-{owner}-{case_id}"


def gene(key: str = "NCBIGene:10295", **changes: Any) -> SharedGene:
    """A gene of both cases."""
    return SharedGene(**{"key": key, "id": key, "symbol": "BCKDK", **changes})


def side(case_id: str = "p1", owner: str = "dublin", **changes: Any) -> Side:
    """The side of a draft."""
    return Side(case=public_id(case_id, owner), owner=owner, **changes)


def remote(
    case_id: str = "p1",
    other: str = "x1",
    *,
    node: str = "spain",
    owner: str = "dublin",
    now: float = 1.0,
    **changes: Any,
) -> Match:
    """A match of a draft with a case of another node, as it is found for the first time."""
    values: dict[str, Any] = {
        "id": match_id(node, public_id(case_id, owner), other),
        "node": node,
        "sides": (side(case_id, owner),),
        "other": Other(id=other, contact=CONTACT),
        "score": 0.5,
        "asked": True,
        **_times(now),
    }
    return Match(**{**values, **changes})


def pair(one: Side, two: Side, *, now: float = 1.0, **changes: Any) -> Match:
    """A match of two drafts."""
    first, second = sorted((one, two), key=lambda each: each.case)
    values: dict[str, Any] = {
        "id": match_id(HOME, first.case, second.case),
        "node": HOME,
        "sides": (first, second),
        "score": 0.5,
        **_times(now),
    }
    return Match(**{**values, **changes})


def _times(now: float) -> dict[str, float]:
    return {"first_seen": now, "last_seen": now, "changed_at": now}


def sighted(match: Match, *addresses: str) -> Sighting:
    """A sighting of which the addresses are to learn, as owners of the first side's case."""
    return Sighting(match, tuple(Addressee(one, match.sides[0].case) for one in addresses))


def alert(match: Match, recipient: str = BYRNE, **changes: Any) -> Alert:
    """The alert that a match's first sighting queues."""
    values: dict[str, Any] = {
        "match": match.id,
        "recipient": recipient,
        "number": match.news,
        "case": match.sides[0].case,
        "news": News.FOUND,
        "node": match.node,
        "score": match.score,
        "at": match.changed_at,
        "due": match.changed_at,
    }
    return Alert(**{**values, **changes})


def mail(mail_id: str = "m1", recipient: str = BYRNE, now: float = 2.0, **changes: Any) -> Mail:
    """A mail that is to carry what waits for a recipient."""
    values = {"id": mail_id, "recipient": recipient, "kind": MailKind.MATCHES, "created_at": now, "due": now}
    return Mail(**{**values, **changes})


def inquiry(case_id: str = "p1", node: str = "spain", at: float = 1.0, **changes: Any) -> Inquiry:
    """The outcome of asking a node about a draft."""
    return Inquiry(
        **{"case": public_id(case_id), "node": node, "at": at, "status": "answered", "asked_at": at, **changes}
    )


def first_kept(match: Match, *, alerted: bool = True) -> Match:
    """A match as it is kept once it was found for the first time, and the first side's people were alerted of it."""
    genes = {gene.key for gene in match.genes} | {f"{gene.key} variant" for gene in match.genes if gene.same_variant}
    first, *others = match.sides
    sides = (first.model_copy(update={"alerted": alerted}), *others)
    best = max(match.score_for(one) for one in match.sides)
    return match.model_copy(update={"sides": sides, "news_score": best, "told": tuple(sorted(genes))})


def unchanged(_asked: Asked, _known: Inquiry | None) -> None:
    """Take no turn at a node, but see how much it was asked."""


def with_history(match: Match, *events: Event) -> Match:
    """A match with events added to the history of its first side."""
    first, *others = match.sides
    longer = first.model_copy(update={"history": (*first.history, *events)})
    return match.model_copy(update={"sides": (longer, *others)})


def ids(matches: Sequence[Match]) -> list[str]:
    """The ids of matches, in their order."""
    return [match.id for match in matches]
