"""Following a match up until it is a diagnosis or a no: listed, shown, changed, for the owner of a case of it."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from matchmaker.alerts.compose import strength
from matchmaker.exchange.config import Config
from matchmaker.exchange.disclosing import Disclosing
from matchmaker.exchange.following import Following
from matchmaker.exchange.match_messages import (
    AlertView,
    GeneShared,
    HistoryEntry,
    MatchChange,
    MatchDetail,
    MatchList,
    MatchView,
    OtherSide,
    PrefilledMessage,
    solved_of,
)
from matchmaker.exchange.noticing import Noticing, mail_address
from matchmaker.exchange.world import World
from matchmaker.mme.errors import InvalidRequest, NotFound, Problem
from matchmaker.mme.messages import Explanation, MatchResult
from matchmaker.mme.patient import Contact, Patient
from matchmaker.policy.consent import same_institution
from matchmaker.policy.names import name_for
from matchmaker.policy.news import Noted, Sighting, solved
from matchmaker.records.alert import NOBODY, Alert
from matchmaker.records.case import Case, KeptCase, key_of
from matchmaker.records.match import Event, Match, Side, Solution, Status
from matchmaker.records.party import Client
from matchmaker.records.person import address_of
from matchmaker.store.base import Store
from matchmaker.store.kept_matches import Wanted

_MOST_EVENTS = 500
_CURSOR = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)-([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which of an owner's matches are wanted, as asked over HTTP; None: any."""

    case: str | None = None
    status: Status | None = None
    node: str | None = None
    gene: str | None = None
    min_score: float | None = None
    since: float | None = None
    after: str | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class Holding:
    """Whose matches: those of all of an owner's cases, or of some of them (by public id), as one person may see.

    `reader` is as whom other cases are looked at, None: as the owner. A person who has some of an owner's cases is to
    that owner's others a colleague, and not the owner.
    """

    owner: Client
    cases: tuple[str, ...] | None = None
    reader: Client | None = None

    @property
    def seen_by(self) -> Client:
        """As whom other cases are looked at."""
        return self.reader or self.owner

    def learns_as(self, match: Match) -> Client:
        """Return as whom the other case of a match is looked at: the owner's, where both cases are held."""
        return self.owner if len(self.sides_of(match)) == len(match.sides) else self.seen_by

    def sides_of(self, match: Match) -> tuple[Side, ...]:
        """Return the sides of a match that are held."""
        sides = match.sides_of(self.owner.name)
        return sides if self.cases is None else tuple(side for side in sides if side.case in self.cases)


@dataclass(frozen=True, slots=True)
class Listed:
    """A match in a list: as it is told, the public id of the case through which it is seen, and its explanation."""

    view: MatchView
    case: str
    explanation: Explanation


@dataclass(frozen=True)
class FollowUp:
    """Shows and changes matches."""

    config: Config
    store: Store
    following: Following
    disclosing: Disclosing
    noticing: Noticing
    world: World

    async def matches(self, owner: Client, wanted: Filter) -> MatchList:
        """Return a page of an owner's matches. Errors: NotFound, for a case that is not the owner's."""
        case = await self._case_named(owner, wanted.case) if wanted.case is not None else None
        found, more = await self.inbox([Holding(owner, (case.public_id,) if case else None)], wanted)
        return MatchList(matches=tuple(one.view for one in found), next=more)

    async def inbox(self, holdings: Sequence[Holding], wanted: Filter) -> tuple[list[Listed], str | None]:
        """Return a page of the matches of holdings, latest change first, and the `after` of the next page.

        Each match is there once. `wanted.case` is not looked at: it is the holdings that say which cases.
        """
        genes = self.following.current.knowledge.genes
        asked = Wanted(
            "",
            status=wanted.status,
            node=wanted.node,
            gene=genes.resolve(wanted.gene).key if wanted.gene else None,
            min_score=wanted.min_score,
            since=wanted.since,
            before=_position(wanted.after),
            limit=wanted.limit + 1,
        )
        found: dict[str, tuple[Match, Holding]] = {}
        for holding in holdings:
            if holding.cases != ():
                some = replace(asked, owner=holding.owner.name, cases=holding.cases)
                found.update({one.id: (one, holding) for one in await self.store.matches(some) if one.id not in found})
        ordered = sorted(found.values(), key=lambda one: (one[0].changed_at, one[0].id), reverse=True)
        page = ordered[: wanted.limit]
        cases = await self._cases_of(match for match, _ in page)
        listed = [self._listed(match, holding, asked, cases) for match, holding in page]
        last = page[-1][0] if len(ordered) > wanted.limit else None
        return [one for one in listed if one], f"{last.changed_at!r}-{last.id}" if last else None

    async def hidden(self, holding: Holding, limit: int) -> list[tuple[str, Status]]:
        """Return case and status of those matches within this node, of the latest, whose other case may not be seen."""
        some = Wanted(holding.owner.name, node=self.config.node.name, limit=limit, cases=holding.cases)
        found = await self.store.matches(some)
        cases = await self._cases_of(found)
        return [
            (side.case, side.status)
            for match in found
            if not self._may_see(holding, match, cases)
            for side in holding.sides_of(match)
        ]

    async def _cases_of(self, matches: Iterable[Match]) -> dict[str, KeptCase]:
        """Return the live cases of ours in matches, by public id, read all at once."""
        keys = {key_of(side.case) for match in matches for side in match.sides}
        found = await asyncio.to_thread(self.store.read_cases, sorted(keys)) if keys else {}
        return {case.public_id: case for case in found.values()}

    def _listed(self, match: Match, holding: Holding, wanted: Wanted, cases: Mapping[str, KeptCase]) -> Listed | None:
        """Return a match as a list shows it, None where it may not be seen any more."""
        if not holding.sides_of(match) or not self._may_see(holding, match, cases):
            return None
        side = _side_for(match, holding, wanted)
        explanation = Explanation.model_validate(match.explanation) if match.other else Explanation()
        return Listed(self._view(holding, match, side, cases), side.case, explanation)

    async def match(self, owner: Client, match_id: str) -> MatchDetail:
        """Return one match, whole. Errors: NotFound, for another's exactly as for a missing one."""
        return await self.seen(Holding(owner), match_id)

    async def seen(self, holding: Holding, match_id: str) -> MatchDetail:
        """Return one match, whole, as who holds one of its cases sees it. Errors: as `match`."""
        match, cases = await self._known(holding, match_id)
        side = holding.sides_of(match)[0]
        case = await self.store.case_known(side.case)
        if case is None or case.patient is None:
            raise _missing(match_id)
        view = self._view(holding, match, side, cases)
        explanation, parts, patient = await self._reasons(holding.learns_as(match), match, side, case)
        other = view.other.model_copy(update={"patient": patient})
        if match.other is None:
            other = other.model_copy(update={"contact": patient.contact if patient else None})
        return MatchDetail(
            **{**dict(view), "other": other},
            explanation=explanation,
            parts=parts,
            patient=case.patient,
            history=tuple(_entry(one) for one in side.history),
            alerts=tuple(await self._alerts(match, side)),
            message=self._message(match, case, other, cases),
            disclaimer=match.disclaimer,
            terms=match.terms,
        )

    async def change(self, owner: Client, match_id: str, change: MatchChange) -> MatchDetail:
        """Change one side of a match; tell the other side that it is solved, where the owner agrees.

        Errors: NotFound; InvalidRequest.
        """
        return await self.change_held(Holding(owner), match_id, change)

    async def change_held(self, holding: Holding, match_id: str, change: MatchChange) -> MatchDetail:
        """Change the side of a match that is held. Errors: as `change`."""
        owner = holding.owner
        match, _ = await self._known(holding, match_id)
        side = await self._side_named(holding, match, change.case)
        self._check(owner, side, change)
        by = address_of(change.by) if change.by else owner.name
        who = owner.name if by == owner.name else f"{owner.name}, {by}"
        others = await self._other_cases(match, side)
        now = self.world.now()

        def changed(known: Match) -> Noted:
            before = known.side_of(side.case) or side
            after = _changed(before, change, who, now)
            match = known.model_copy(update={"sides": tuple(after if s.case == side.case else s for s in known.sides)})
            if not after.tells or after.solution == before.told_as:
                return Noted(match)
            told = after.model_copy(update={"told_as": after.solution})
            match = match.model_copy(update={"sides": tuple(told if s.case == side.case else s for s in match.sides)})
            return solved(
                match, Sighting(match, self.noticing.addressees(match, others), self.noticing.thresholds), now
            )

        if await self.store.change_match(match_id, changed) is None:
            raise _missing(match_id)
        return await self.seen(holding, match_id)

    async def _other_cases(self, match: Match, side: Side) -> list[Any]:
        cases = [await self.store.case_known(one.case) for one in match.sides if one.case != side.case]
        return [case.kept for case in cases if case is not None]

    def _check(self, owner: Client, side: Side, change: MatchChange) -> None:
        problems = [*_status_problems(side, change), *_solution_problems(side, change)]
        if change.by and not self._is_colleague(owner, address_of(change.by)):
            problems.append(Problem("by", "is nobody of your institution here; see matchmaker user list"))
        if len(side.history) > _MOST_EVENTS:
            problems.append(Problem("note" if change.note else "status", "the history of this match is full"))
        if problems:
            raise InvalidRequest(*problems)

    def _is_colleague(self, owner: Client, address: str) -> bool:
        person = self.following.directory.people.get(address)
        institution = owner.institution or owner.name
        return person is not None and person.disabled_at is None and same_institution(person.institution, institution)

    async def _known(self, holding: Holding, match_id: str) -> tuple[Match, dict[str, KeptCase]]:
        match = await self.store.match(match_id)
        cases = await self._cases_of([match] if match else [])
        if match is None or not holding.sides_of(match) or not self._may_see(holding, match, cases):
            raise _missing(match_id)
        return match, cases

    def _may_see(self, holding: Holding, match: Match, cases: Mapping[str, KeptCase]) -> bool:
        """Tell whether an owner may still learn of the other case, where both are of this node: sharing may change."""
        if match.other is not None:
            return True
        mine = holding.sides_of(match)[0]
        own, other = (
            next(cases.get(one.case) for one in match.sides if (one.case == mine.case) is same)
            for same in (True, False)
        )
        return own is not None and other is not None and self.disclosing.may_learn(own, other, holding.learns_as(match))

    async def _side_named(self, holding: Holding, match: Match, case_id: str | None) -> Side:
        sides = holding.sides_of(match)
        if case_id is None:
            return sides[0]
        case = await self._case_named(holding.owner, case_id)
        side = match.side_of(case.public_id)
        if side is None or side not in sides:
            raise InvalidRequest(Problem("case", "is none of this match's"))
        return side

    async def _case_named(self, owner: Client, case_id: str) -> Case:
        case = await self.store.case(owner.name, case_id)
        if case is None or case.withdrawn:
            raise NotFound(f"there is no case {case_id!r} of yours")
        return case

    def _view(self, holding: Holding, match: Match, side: Side, cases: Mapping[str, KeptCase]) -> MatchView:
        case = cases.get(side.case)
        score = match.score_for(side)
        return MatchView(
            id=match.id,
            node=match.node,
            case=case.id if case else "",
            other=self._other(holding, match, side),
            status=side.status.value,
            reason=side.reason,
            solved=solved_of(side.solution),
            told_to_other_side=side.tells,
            score=score,
            peer_score=match.peer_score,
            strength=strength(score),
            shared_genes=_genes(match),
            directions=tuple(one.value for one in match.directions),
            flag=match.flag.value if match.flag else None,
            quiet=side.quiet,
            test=match.test or None,
            first_seen=_iso(match.first_seen),
            last_seen=_iso(match.last_seen),
            changed_at=_iso(match.changed_at),
        )

    def _other(self, holding: Holding, match: Match, side: Side) -> OtherSide:
        if match.other is not None:
            contact = Contact.model_validate(match.other.contact)
            return OtherSide(
                id=match.other.id, node=match.node, contact=contact, solved=solved_of(match.other.solution)
            )
        other = next(one for one in match.sides if one.case != side.case)
        return OtherSide(
            id=name_for(holding.seen_by.name, other.case),
            node=match.node,
            status=other.status.value,
            solved=solved_of(other.solution) if other.tells or other.owner == holding.seen_by.name else None,
        )

    async def _reasons(
        self, owner: Client, match: Match, side: Side, case: Case
    ) -> tuple[Explanation, dict[str, float] | None, Patient | None]:
        """Return why the cases are alike, the score's parts, and the other case as it is shown.

        Of two cases of this node as their levels are now; of another node's as it was shown last.
        """
        if match.other is not None:
            patient = Patient.model_validate(match.other.answer) if match.other.answer else None
            return Explanation.model_validate(match.explanation), match.parts, patient
        other = next(one for one in match.sides if one.case != side.case)
        result = await self.disclosing.compare(case.patient, key_of(other.case), owner) if case.patient else None
        if result is None:
            return Explanation(notes=("the other case is not shared with you any more",)), None, None
        shown = MatchResult.model_validate_json(result.json)
        parts = shown.parts.model_dump(include={"phenotype", "genotype", "raw", "cosine"}) if shown.parts else None
        return shown.explanation or Explanation(), parts, shown.patient

    async def _alerts(self, match: Match, side: Side) -> list[AlertView]:
        alerts = [one for one in await self.store.alerts_of([match.id]) if one.case == side.case]
        views = []
        for one in alerts:
            mail = await self.store.mail(one.mail) if one.mail else None
            views.append(
                AlertView(
                    to=one.recipient,
                    news=one.news.value,
                    at=_iso(one.at),
                    state=_state(one, mail.state.value if mail else None),  # type: ignore[arg-type]  # the states are the view's
                )
            )
        return views

    def _message(
        self, match: Match, case: Case, other: OtherSide, cases: Mapping[str, KeptCase]
    ) -> PrefilledMessage | None:
        """Return a message to the other side: it holds the ids by which both know the cases, nothing of a patient."""
        if other.contact is None:
            return None
        contact = other.contact.to_json()
        theirs = next((cases.get(one.case) for one in match.sides if one.case != case.public_id), None)
        reader = (theirs.person or theirs.owner) if theirs else match.node  # as whom the other side looks at ours
        known_as = name_for(reader, case.public_id)
        own = self.config.node.name
        subject = f"Matchmaker Exchange: a match between {own} and {match.node}"
        body = (
            f"Dear {other.contact.name},\n\nthe Matchmaker Exchange found a patient of ours to be like yours.\n\n"
            f"Yours is {other.id}, of {match.node}.\nOurs is known to you as {known_as}, of {own}.\n\n"
            "May we compare what we know of them?\n\n"
            f"Kind regards\n{case.patient.contact.name if case.patient else ''}\n"
        )
        address = mail_address(contact)
        query = f"subject={quote(subject)}&body={quote(body)}"
        mailto = f"mailto:{quote(address, safe='@')}?{query}" if address else None
        return PrefilledMessage(to=address or other.contact.href, subject=subject, body=body, mailto=mailto)


def _status_problems(side: Side, change: MatchChange) -> list[Problem]:
    """Return what is wrong with a status and its reason."""
    status = Status(change.status) if change.status else side.status
    if status is Status.NOT_A_MATCH and not (change.reason or side.reason):
        return [Problem("reason", "say why it is not a match")]
    if change.reason and status is not Status.NOT_A_MATCH:
        return [Problem("reason", "goes with the status 'not a match'")]
    return []


def _solution_problems(side: Side, change: MatchChange) -> list[Problem]:
    """Return what is wrong with what a match came to."""
    status = Status(change.status) if change.status else side.status
    told = [name for name in ("diagnosis", "helped", "tell") if getattr(change, name) is not None]
    if status is not Status.SOLVED:
        return [Problem(told[0], "goes with the status 'solved'")] if told else []
    known = side.solution is not None and side.solution.diagnosis is not None
    if change.diagnosis is None and not known:
        return [Problem("diagnosis", "say what it is: an id such as MIM:614923, a label, or both")]
    if change.diagnosis and change.diagnosis.id is None and change.diagnosis.label is None:
        return [Problem("diagnosis", "expected an id, a label, or both")]
    empty = [n for n, one in enumerate(change.helped or ()) if one.name is None and one.code is None]
    return [Problem(f"helped[{n}]", "expected a name, a code, or both") for n in empty]


def _changed(side: Side, change: MatchChange, who: str, now: float) -> Side:
    """Return a side with a change, and what was done in its history."""
    status = Status(change.status) if change.status else side.status
    events = []
    if status is not side.status or (change.reason and change.reason != side.reason):
        events.append(Event(at=now, who=who, what=f"status: {side.status.value} -> {status.value}", note=change.reason))
    solution = _solution(side, change, status)
    if solution != side.solution:
        events.append(Event(at=now, who=who, what="what it came to" if solution else "what it came to: taken back"))
    tells = status is Status.SOLVED and (side.tells if change.tell is None else change.tell)
    if tells != side.tells:
        events.append(Event(at=now, who=who, what="told to the other side" if tells else "told to nobody"))
    if change.note:
        events.append(Event(at=now, who=who, what="note", note=change.note))
    reason = (change.reason or side.reason) if status is Status.NOT_A_MATCH else None
    update = {"status": status, "reason": reason, "solution": solution, "tells": tells}
    return side.model_copy(update={**update, "history": (*side.history, *events)})


def _solution(side: Side, change: MatchChange, status: Status) -> Solution | None:
    if status is not Status.SOLVED:
        return None
    before = side.solution.model_dump() if side.solution else {}
    stated = change.model_dump(include={"diagnosis", "helped"}, exclude_none=True)
    return Solution.model_validate({**before, **stated})


def _side_for(match: Match, holding: Holding, wanted: Wanted) -> Side:
    """Return the side through which a match was wanted."""
    sides = holding.sides_of(match)
    return next((one for one in sides if wanted.status is None or one.status is wanted.status), sides[0])


def _genes(match: Match) -> tuple[GeneShared, ...]:
    variants = match.other is not None  # of two cases of this node, each owner's view is made anew
    return tuple(
        GeneShared(id=one.id, symbol=one.symbol, same_variant=variants and one.same_variant) for one in match.genes
    )


def _state(alert: Alert, mail: str | None) -> str:
    if alert.recipient == NOBODY:
        return "nobody"
    return mail or ("sent" if alert.mail else "waiting")  # a mail that is forgotten was settled long ago


def _entry(event: Event) -> HistoryEntry:
    return HistoryEntry(at=_iso(event.at), who=event.who, what=event.what, note=event.note)


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def _position(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    read = _CURSOR.fullmatch(cursor)
    if read is None:
        raise InvalidRequest(Problem("after", "expected the `next` of the page before"))
    return float(read[1]), read[2]


def _missing(match_id: str) -> NotFound:
    return NotFound(f"there is no match {match_id!r} of yours")
