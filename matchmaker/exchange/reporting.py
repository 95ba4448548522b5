"""What the ledger shows of one case: who was told what, when; and which case is meant by an id that is quoted."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from matchmaker.exchange.following import Directory
from matchmaker.exchange.match_messages import NodeOutcome, NodeOutcomes, QuestionList, QuestionView
from matchmaker.exchange.messages import DisclosureList, DisclosureView
from matchmaker.peers import breaker
from matchmaker.policy.levels import SHOWN
from matchmaker.policy.names import name_for
from matchmaker.records.alert import MailState
from matchmaker.records.case import Case
from matchmaker.records.inquiry import Inquiry, PeerHealth
from matchmaker.records.ledger import LedgerLine
from matchmaker.records.party import Client
from matchmaker.store.base import Store

MOST_LINES = 1_000_000


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A case, the lines of the ledger about it, oldest first, and who is to be told that it was withdrawn."""

    case: Case
    lines: tuple[LedgerLine, ...]
    notices: tuple[str, ...]


async def report_on(store: Store, case: Case, limit: int = MOST_LINES, skip: int = 0) -> Disclosed:
    """Return what the ledger shows of a case: at most `limit` lines, from behind the first `skip`."""
    lines = await store.lines_of(case.public_id, limit, skip)
    begun = f"{case.public_id} "
    notices = await store.notices_of(case.public_id)
    unsent = await store.mails([MailState.WAITING, MailState.GIVEN_UP], MOST_LINES)
    notices += [mail.about.removeprefix(begun) for mail in unsent if mail.about and mail.about.startswith(begun)]
    return Disclosed(case, tuple(lines), tuple(sorted(set(notices))))


def disclosures(told: Disclosed, after: int = 0, limit: int = MOST_LINES) -> DisclosureList:
    """Return a page of a report, of which one line more was read than is shown, if there is one."""
    case = told.case
    views = tuple(
        DisclosureView(
            at=_iso(line.at),
            who=line.who,
            what=line.kind.value,  # type: ignore[arg-type]  # the kinds of DISCLOSURES are those of the view
            level=line.level,
            purpose=line.purpose,
            seen_as=name_for(line.who, case.public_id),
        )
        for line in told.lines[:limit]
    )
    more = after + limit if len(told.lines) > limit else None
    return DisclosureList(
        id=case.id,
        public_id=case.public_id,
        withdrawn=case.withdrawn,
        disclosures=views,
        notices=told.notices,
        next=more,
    )


async def questions_told(
    store: Store, directory: Directory, owner: Client, case: Case | None, limit: int, skip: int
) -> QuestionList:
    """Return the questions of other nodes that were told of an owner's cases (of `case`, where one is meant)."""
    lines = await store.questions_told(owner.name, case.public_id if case else None, limit + 1, skip)
    views = []
    for line in lines[:limit]:
        known = await store.case_known(line.case)
        views.append(
            QuestionView(
                at=_iso(line.at),
                who=line.who,
                institution=directory.institutions.get(line.who),
                case=known.id if known else "",
                seen_as=name_for(line.who, line.case),
                level=line.level,
                purpose=line.purpose,
                shown=SHOWN.get(line.level, ()),
            )
        )
    return QuestionList(queries=tuple(views), next=skip + limit if len(lines) > limit else None)


def outcomes(inquiries: Iterable[Inquiry], healths: Mapping[str, PeerHealth], now: float) -> NodeOutcomes:
    """Return what came of asking nodes about a case, and how their breakers are."""
    return NodeOutcomes(
        nodes=tuple(
            NodeOutcome(
                node=one.node,
                status=one.status,
                reason=one.reason,
                at=_iso(one.at),
                results=one.results,
                asked_at=_iso(one.asked_at) if one.asked_at else None,
                answered_at=_iso(one.answered_at) if one.answered_at else None,
                failures=one.failures,
                breaker=breaker.state_of(healths[one.node], now) if one.node in healths else None,  # type: ignore[arg-type]  # the view's words
            )
            for one in inquiries
        )
    )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


async def known_as(store: Store, directory: Directory, owner: Client, quoted: str) -> str | None:
    """Return the owner's id of the case that somebody knows by the id `quoted`; None when it is none of the owner's.

    Somebody: whoever holds or held a token, and every peer.
    """
    names = sorted({*directory.institutions, *directory.peers})
    cases = await store.ids_of(owner.name)
    return await asyncio.to_thread(_found, cases, names, quoted.strip().lower())


def known_among(public_ids: Iterable[str], names: list[str], quoted: str) -> str | None:
    """Return which of some cases, by public id, one of the names knows by the id `quoted`. Takes a while for many."""
    return _found(((one, one) for one in public_ids), names, quoted)


def _found(cases: Iterable[tuple[str, str]], names: list[str], quoted: str) -> str | None:
    for case_id, public_id in cases:
        if quoted == public_id or any(name_for(name, public_id) == quoted for name in names):
            return case_id
    return None
