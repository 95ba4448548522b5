"""A person at work: which cases a signed-in clinician or curator may look into, and all that may be done with them.

A clinician sees the own cases: those deposited by the pages, and those of which the own hospital's system says so. A
curator sees those of the institution. An operator sees none. Whatever is asked here is done in the name of the owner
who keeps the case, by the rules for that owner.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from matchmaker.alerts.compose import N_
from matchmaker.exchange.follow_up import Filter, Holding, Listed
from matchmaker.exchange.match_messages import MatchChange, MatchDetail, NodeOutcomes, QuestionList
from matchmaker.exchange.messages import DisclosureList, NodePreview
from matchmaker.exchange.reporting import disclosures, known_among
from matchmaker.exchange.service import Exchange
from matchmaker.mme.errors import NotFound
from matchmaker.mme.patient import Patient
from matchmaker.policy.consent import same_institution
from matchmaker.records.case import Case, KeptCase, key_of
from matchmaker.records.inquiry import Inquiry
from matchmaker.records.match import Status
from matchmaker.records.party import Client
from matchmaker.records.person import Person, PersonRole
from matchmaker.records.sharing import Sharing
from matchmaker.records.work import Work
from matchmaker.store.base import Deposit
from matchmaker.store.kept_accounts import Told, Whose

_MOST_LINES = 10_000
_MOST_HIDDEN = 200  # matches of the cases on one page that are looked at
_PUBLIC = re.compile(r"[0-9a-f]{32}")  # by such ids every node knows cases of ours


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case in a list, how many matches of each status it has, and what came of asking each node about it."""

    case: Case
    matches: dict[Status, int]
    inquiries: tuple[Inquiry, ...]

    @property
    def new(self) -> int:
        """How many of its matches nobody has looked after yet."""
        return self.matches.get(Status.NEW, 0)

    @property
    def solved(self) -> bool:
        """Whether one of its matches came to a diagnosis."""
        return bool(self.matches.get(Status.SOLVED))


class Desk:
    """What one person may see and do."""

    def __init__(self, exchange: Exchange, person: Person) -> None:
        self.person = person
        self._exchange = exchange
        self._store = exchange.store
        self._directory = exchange.directory

    @property
    def own(self) -> Client:
        """As whom the person deposits cases."""
        return self._directory.owner(self.person.email)

    def _owners(self) -> list[Client]:
        """Return whose cases may be the person's: the own ones, and those of the institution's systems or people."""
        if self.person.role is PersonRole.OPERATOR:
            return []
        institution = self.person.institution
        ours = [one for one in self._directory.owners.values() if same_institution(one.institution, institution)]
        if self.person.role is PersonRole.CURATOR:
            return ours
        return [one for one in ours if one.name == self.person.email or one.name not in self._directory.people]

    def _whose(self, owner: Client) -> Whose:
        everybody = self.person.role is PersonRole.CURATOR
        return Whose(owner.name, None if everybody else self.person.email)

    def _sees(self, case: Case | KeptCase) -> Client | None:
        """Return the owner in whose name the person looks at a case; None: it is none of the person's."""
        owner = next((one for one in self._owners() if one.name == case.owner), None)
        mine = self.person.role is PersonRole.CURATOR or case.person == self.person.email
        return owner if mine else None

    async def cases(self, before: tuple[float, str] | None, limit: int) -> list[CaseRow]:
        """Return the person's cases, latest change first, at most `limit`, from behind a change and public id."""
        found: list[Case] = []
        for owner in self._owners():
            found += await self._store.latest_cases(self._whose(owner), before, limit)
        found.sort(key=lambda case: (case.updated_at, case.public_id), reverse=True)
        return await self._rows(found[:limit])

    async def _rows(self, cases: Sequence[Case]) -> list[CaseRow]:
        ids = [case.public_id for case in cases]
        counts, asked = await self._store.count_matches(ids), await self._store.inquiries_about(ids)
        hidden = await self._hidden(cases)
        return [
            CaseRow(
                case,
                {status: n - hidden[case.public_id, status] for status, n in counts.get(case.public_id, {}).items()},
                tuple(asked.get(case.public_id, ())),
            )
            for case in cases
        ]

    async def _hidden(self, cases: Sequence[Case]) -> Counter[tuple[str, Status]]:
        """Count matches with colleagues' cases that the person may not see, by case and status: the latest of them."""
        hidden: Counter[tuple[str, Status]] = Counter()
        for owner in self._owners():
            own = tuple(case.public_id for case in cases if case.owner == owner.name)
            if own and owner.name != self.person.email and self.person.role is PersonRole.CLINICIAN:
                held = Holding(owner, own, self._reader(owner))
                hidden.update(await self._exchange.follow_up.hidden(held, _MOST_HIDDEN))
        return hidden

    async def count(self) -> int:
        """Return how many cases are the person's."""
        return sum([await self._store.count_cases_of(self._whose(owner)) for owner in self._owners()])

    async def find(self, quoted: str) -> Case | None:
        """Return the person's case by its own id, its public id, or an id that somebody else knows it by."""
        for owner in self._owners():
            case = await self._store.case(owner.name, quoted)
            if case is not None and not case.withdrawn and self._sees(case):
                return case
        wanted = quoted.lower()
        if not _PUBLIC.fullmatch(wanted):
            return None
        names = sorted({*self._directory.institutions, *self._directory.peers})
        for owner in self._owners():
            ids = await self._store.public_ids_of(self._whose(owner))
            if public_id := await asyncio.to_thread(known_among, ids, names, wanted):
                return await self._store.case_known(public_id)
        return None

    async def case(self, public_id: str) -> Case:
        """Return one of the person's cases. Errors: NotFound, for another's exactly as for a missing one."""
        return (await self._held(public_id))[0]

    async def _held(self, public_id: str) -> tuple[Case, Client]:
        case = await self._store.case_known(public_id)
        owner = self._sees(case) if case is not None and not case.withdrawn else None
        if case is None or owner is None:
            raise NotFound(N_("there is no such case of yours"))
        return case, owner

    async def deposit(self, patient: Patient, sharing: Sharing, family: str | None) -> Deposit:
        """Keep a new case of the person, or the own one of that id. Errors: those of Exchange.deposit."""
        return await self._exchange.deposit(self.own, patient, sharing, self.person.email, family)

    async def is_taken(self, case_id: str) -> bool:
        """Tell whether the person has, or had, a case of an id."""
        return await self._store.case(self.own.name, case_id) is not None

    async def change(self, public_id: str, patient: Patient, sharing: Sharing, family: str | None) -> Deposit:
        """Keep a case as it is now. Errors: NotFound; those of Exchange.deposit."""
        case, owner = await self._held(public_id)
        same = patient.model_copy(update={"id": case.id})
        return await self._exchange.deposit(owner, same, sharing, case.person, family)

    async def withdraw(self, public_id: str) -> None:
        """Erase a case. Errors: NotFound."""
        case, owner = await self._held(public_id)
        await self._exchange.withdraw(owner, case.id)

    def notes(self, case: Case) -> tuple[str, ...]:
        """Return what its owner should know of a case."""
        return self._exchange.notes(case.patient, case.sharing) if case.patient else ()

    async def preview(self, public_id: str) -> tuple[NodePreview, ...]:
        """Return exactly what each node would be sent of a case. Errors: NotFound."""
        case, owner = await self._held(public_id)
        return (await self._exchange.preview(owner, case.id, None, None)).nodes

    async def preview_of(
        self, patient: Patient, sharing: Sharing, known: Case | None = None
    ) -> tuple[NodePreview, ...]:
        """Return exactly what each node would be sent of a case as it is in the form. Nothing is stored."""
        if known is not None:
            return self._exchange.preview_of(replace(known, sharing=sharing, patient=patient))
        case = Case(self.own.name, patient.id, "0" * 32, sharing, patient, 0.0, 0.0, 0, self.person.email)
        return self._exchange.preview_of(case)

    async def search_again(self, public_id: str) -> None:
        """Queue a search with a case: here and at every node that may be asked. Errors: NotFound."""
        case, owner = await self._held(public_id)
        self._exchange.charge(owner)
        await self._exchange.queue_search(case)

    async def progress(self, public_id: str) -> tuple[NodeOutcomes, list[Work]]:
        """Return what came of asking each node about a case, and the work that waits. Errors: NotFound."""
        case, owner = await self._held(public_id)
        return await self._exchange.outcomes(owner, case.id), await self._store.work_about(public_id)

    async def report(self, public_id: str) -> DisclosureList:
        """Return who was told of a case, oldest first. Errors: NotFound."""
        case, owner = await self._held(public_id)
        return disclosures(await self._exchange.report(owner, case.id, _MOST_LINES, 0))

    async def questions(self, public_id: str) -> QuestionList:
        """Return the questions of other nodes that were told of a case, latest first. Errors: NotFound."""
        case, owner = await self._held(public_id)
        return await self._exchange.questions(owner, case.id, 100, 0)

    async def matches(self, wanted: Filter) -> tuple[list[Listed], str | None]:
        """Return a page of matches; `wanted.case` is a public id. Errors: NotFound."""
        if wanted.case is not None:
            case, owner = await self._held(wanted.case)
            holding = Holding(owner, (case.public_id,), self._reader(owner))
            return await self._exchange.follow_up.inbox([holding], wanted)
        return await self._exchange.follow_up.inbox([await self._holding(owner) for owner in self._owners()], wanted)

    async def _holding(self, owner: Client) -> Holding:
        whose = self._whose(owner)
        ids = tuple(await self._store.public_ids_of(whose)) if whose.person else None
        return Holding(owner, ids, self._reader(owner))

    def _reader(self, owner: Client) -> Client:
        """Return as whom the person looks at other cases: a clinician as a colleague, a curator as the owner."""
        return owner if self.person.role is PersonRole.CURATOR else replace(owner, name=self.person.email)

    async def match(self, match_id: str) -> tuple[MatchDetail, Case]:
        """Return one match, whole, and the person's case of it. Errors: NotFound."""
        case, holding = await self._holding_of(match_id)
        return await self._exchange.follow_up.seen(holding, match_id), case

    async def change_match(self, match_id: str, change: MatchChange) -> MatchDetail:
        """Change the person's side of a match, in the person's name. Errors: NotFound; InvalidRequest."""
        _, holding = await self._holding_of(match_id)
        told = change.model_copy(update={"by": self.person.email})
        return await self._exchange.follow_up.change_held(holding, match_id, told)

    async def _holding_of(self, match_id: str) -> tuple[Case, Holding]:
        match = await self._store.match(match_id)
        held: list[tuple[Case, Client]] = []
        for side in match.sides if match else ():
            case = await self._store.case_known(side.case)
            owner = self._sees(case) if case and not case.withdrawn and not side.hidden else None
            held += [(case, owner)] if case and owner else []
        if not held:
            raise NotFound(N_("there is no such match of yours"))
        case, owner = held[0]
        ids = tuple(one.public_id for one, its in held if its.name == owner.name)
        return case, Holding(owner, ids, self._reader(owner))

    async def ids_of(self, public_ids: Sequence[str]) -> dict[str, str]:
        """Return the own ids of those of some cases that are the person's, by public id."""
        keys = sorted({key_of(public_id) for public_id in public_ids})
        known = await asyncio.to_thread(self._store.read_cases, keys) if keys else {}
        return {case.public_id: case.id for case in known.values() if self._sees(case)}

    async def told(self, rows: Sequence[CaseRow]) -> Mapping[str, Sequence[Told]]:
        """Return who was told of cases, or asked about them, by public id."""
        return await self._store.told_of([row.case.public_id for row in rows])
