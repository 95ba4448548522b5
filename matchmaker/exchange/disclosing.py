"""Telling somebody of cases: found among those that the asker may learn of, cut to their levels, written down, told.

    who asks -> which cases it may learn of -> the best of those -> what its agreement allows -> the ledger -> the bytes

Bytes leave within PROMISE_SECONDS of the moment at which every case in them was as it was scored; a withdrawal is
acknowledged only after as long a wait. So nothing is told after it, whichever worker of the node tells.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from math import ceil

from matchmaker.exchange.answers import Result, body_of
from matchmaker.exchange.config import Config
from matchmaker.exchange.following import Following
from matchmaker.exchange.noticing import Noticing
from matchmaker.exchange.world import World
from matchmaker.matching.finding import Hit, Most
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.matching.score import score
from matchmaker.mme.errors import InvalidRequest, OverBudget, Problem
from matchmaker.mme.patient import Patient
from matchmaker.ontology.hpo import Ontology
from matchmaker.policy.account import Account, Reason, Refusal
from matchmaker.policy.agreement import MOST_GENES, Agreement, shared_per_month
from matchmaker.policy.consent import Asker, Eligible, Home
from matchmaker.policy.fingerprints import Fingerprints, Question, keyed
from matchmaker.policy.levels import evidence
from matchmaker.policy.names import name_for
from matchmaker.policy.telling import too_little_told, too_much_asked
from matchmaker.records.case import KeptCase
from matchmaker.records.dealing import Event
from matchmaker.records.ledger import Happened, LedgerLine
from matchmaker.records.match import Solution, match_id
from matchmaker.records.party import Client
from matchmaker.records.sharing import Level
from matchmaker.store.base import Claim, Decision, Offer, Store, StoreBusy
from matchmaker.store.entries import results_told

logger = logging.getLogger(__name__)

PROMISE_SECONDS = 0.25
_ATTEMPTS = 3  # at a consistent answer, while cases change
_VERIFICATIONS = 20
_MOST_SIZES = 256
_MOST_WITH_GENE = 100  # of which the few that are told are chosen
_WARNINGS = {Event.ALARMED: Happened.ALARMED, Event.STOPPED: Happened.STOPPED}


@dataclass(frozen=True, slots=True)
class _Found:
    """What a question would be told: `notice` says why nothing is, where its asker may know. `shareable` counts cases.

    `changed`: cases have changed since they were taken into the index.
    """

    results: tuple[Result, ...]
    question: Question
    shareable: int
    notice: str | None
    changed: bool


_NO_QUESTION = Question("", "", frozenset(), 0)  # of a user of the node, whose questions are not counted
_Find = Callable[[], _Found]


class Disclosing:
    """Tells askers of cases."""

    def __init__(
        self, config: Config, store: Store, following: Following, noticing: Noticing, secret: str, world: World
    ) -> None:
        self._config = config
        self._store = store
        self._following = following
        self._noticing = noticing
        self._secret = secret
        self._world = world
        self._fingerprints: Fingerprints | None = None
        self._sizes: dict[Eligible, tuple[tuple[int, int], int]] = {}  # at which change of the cases
        self.home = Home(config.node.name, config.node.country)

    def eligible(self, asker: Asker, *, test_query: bool) -> Eligible:
        """Return the rule by which an asker may learn of cases today."""
        directory = self._following.directory
        return Eligible(
            asker, self.home, self.today(), test_query, directory.number, directory.collections, directory.institutions
        )

    def today(self) -> date:
        """Return the day, in UTC."""
        return datetime.fromtimestamp(self._world.now(), UTC).date()

    async def answer(self, patient: Patient, client: Client) -> bytes:
        """Answer another node's question: a MatchResponse. Errors: InvalidRequest, OverBudget, where it is refused."""
        for attempt in range(_ATTEMPTS):
            found = await self._found(lambda: self._find_for_node(patient, client))
            started = self._world.clock()
            last = attempt == _ATTEMPTS - 1
            decision = await self._store.settle(self._claim(found, patient, client, last=last))
            if not decision.stale:
                break
            await self._following.catch_up()
        self._note(client, decision)
        results = await self._still_so([one for one in found.results if one.key in set(decision.told)], started)
        node = self._config.node
        told = {"disclaimer": node.disclaimer, "terms": node.terms, "_notice": found.notice}
        return body_of(results, {name: text for name, text in told.items() if text})

    async def look(
        self, patient: Patient, itself: set[int], client: Client, worth: Callable[[Result], bool] = lambda _: True
    ) -> tuple[Result, ...]:
        """Return what one of the node's own users finds with a case, which never matches `itself`.

        Only what is `worth` it is told, and written down as told.
        """
        return await self._told(lambda: self._find_for_user(patient, itself, client, worth), client)

    async def compare(self, patient: Patient, key: int, client: Client) -> Result | None:
        """Return how one case of this node looks beside a user's own; None where the user may not learn of it."""
        results = await self._told(lambda: self._find_one(patient, key, client), client)
        return results[0] if results else None

    async def _told(self, find: _Find, client: Client) -> tuple[Result, ...]:
        for attempt in range(_ATTEMPTS):
            found = await self._found(find)
            started = self._world.clock()
            decision = await self._store.settle(self._own_claim(found, client, last=attempt == _ATTEMPTS - 1))
            if not decision.stale:
                break
            await self._following.catch_up()
        return tuple(await self._still_so([one for one in found.results if one.key in set(decision.told)], started))

    async def _found(self, find: _Find) -> _Found:
        """Find, and again if a case changed meanwhile."""
        for _ in range(_ATTEMPTS):
            found = await self._following.compute(find)
            if not found.changed:
                break
            await self._following.catch_up()
        return found

    def _find_for_node(self, patient: Patient, client: Client) -> _Found:
        """Runs in a thread of its own, up to the bytes of the results: each change of threads has its price."""
        limits, generation = self._config.disclosure, self._following.current
        profile = generation.knowledge.profile(patient)
        if problem := too_much_asked(profile):
            raise InvalidRequest(Problem("patient.features", problem))
        question = self._fingerprints_of(generation.knowledge.ontology).of(profile, test=patient.test)
        eligible = self.eligible(Asker.of(client, self.home), test_query=patient.test)
        too_little = too_little_told(profile, generation.knowledge, limits.min_terms, limits.min_information)
        if too_little and not profile.genes:
            return _Found((), question, 0, too_little, changed=False)
        with_gene = limits.results_with_gene if profile.genes else 0
        without = 0 if too_little else limits.results_without_gene
        most = Most(
            _MOST_WITH_GENE + without, _MOST_WITH_GENE if with_gene else 0, without,
            limits.min_score_with_gene,
            limits.min_score_without_gene if profile.genes else limits.min_score_by_phenotype,
        )  # fmt: skip
        hits = generation.search(profile, (), most, eligible)
        good, changed = self._read(hits, eligible)
        kept = _first(good, profile, generation.knowledge, with_gene, without)
        # A peer may ask with a case that it once had from us; what else it is told does not depend on its id.
        others = [(hit, case) for hit, case in kept if name_for(client.name, case.public_id) != patient.id]
        collections = self._following.directory.collections
        solved = self._solved(patient, others, client)
        results = generation.answers.results(profile, others, client, collections, solved)
        shareable = self.shareable(client)
        return _Found(results, question, shareable, None, changed)

    def _solved(self, patient: Patient, hits: Sequence[tuple[Hit, KeptCase]], client: Client) -> dict[int, Solution]:
        """Return what the owners of cases want the asker to know, with whose patient they were found alike before."""
        pairs = {match_id(client.name, case.public_id, patient.id): case for _, case in hits}
        known = self._store.read_matches(list(pairs), told=True) if pairs else {}
        solved: dict[int, Solution] = {}
        for one, match in known.items():
            side = match.side_of(pairs[one].public_id)
            if side and side.tells and side.solution:
                solved[pairs[one].key] = side.solution
        return solved

    def shareable(self, client: Client) -> int:
        """Return how many cases a client may learn of."""
        eligible, at = self.eligible(Asker.of(client, self.home), test_query=False), self._following.changes
        known = self._sizes.get(eligible)
        if known is None or known[0] != at:
            if len(self._sizes) > _MOST_SIZES:
                self._sizes.clear()
            known = self._sizes[eligible] = (at, self._following.current.size(eligible))
        return known[1]

    def _find_for_user(
        self, patient: Patient, itself: set[int], client: Client, worth: Callable[[Result], bool]
    ) -> _Found:
        limits, generation = self._config.answers, self._following.current
        profile = generation.knowledge.profile(patient)
        eligible = self.eligible(Asker.of(client, self.home), test_query=patient.test)
        hits = generation.search(profile, itself, Most.best(limits.max_results, limits.min_score), eligible)
        good, changed = self._read(hits, eligible)
        results = generation.answers.results(profile, good, client, self._following.directory.collections)
        return _Found(tuple(filter(worth, results)), _NO_QUESTION, 0, None, changed)

    def _find_one(self, patient: Patient, key: int, client: Client) -> _Found:
        generation = self._following.current
        knowledge = generation.knowledge
        case = self._store.read_cases([key]).get(key)
        eligible = self.eligible(Asker.of(client, self.home), test_query=True)
        if case is None or not eligible(case.audience):
            return _Found((), _NO_QUESTION, 0, None, changed=False)
        profile = knowledge.profile(patient)
        theirs = knowledge.profile_of_content(evidence(case.content or {}, case.sharing.level))
        scored = score(profile, theirs, knowledge.information, knowledge.calibration)
        hit = Hit(key, case.version, scored, bool(profile.genes.keys() & theirs.genes.keys()))
        collections = self._following.directory.collections
        results = generation.answers.results(profile, [(hit, case)], client, collections)
        return _Found(results, _NO_QUESTION, 0, None, changed=False)

    def may_learn(self, owner: KeptCase, case: KeptCase, reader: Client | None = None) -> bool:
        """Tell whether the owner of one case, or who reads in its name, may learn of another one."""
        client = reader or self._following.directory.owner(owner.owner)
        return self.eligible(Asker.of(client, self.home), test_query=owner.audience.test)(case.audience)

    def _read(self, hits: Sequence[Hit], eligible: Eligible) -> tuple[list[tuple[Hit, KeptCase]], bool]:
        """Return hits with their cases, without those that are no more what was scored; and whether there are such."""
        cases = self._store.read_cases([hit.key for hit in hits])
        known = ((hit, cases.get(hit.key)) for hit in hits)
        good = [(hit, case) for hit, case in known if case and case.version == hit.version and eligible(case.audience)]
        return good, len(good) < len(hits)

    def _fingerprints_of(self, ontology: Ontology) -> Fingerprints:
        made = self._fingerprints
        if made is None or made.ontology is not ontology:
            made = self._fingerprints = Fingerprints(self._secret, ontology)
        return made

    def _claim(self, found: _Found, patient: Patient, client: Client, *, last: bool) -> Claim:
        """Return the claim of a node's answer. `last`: what changed meanwhile is left out, rather than found again."""
        organisation, now = client.organisation, self._world.now()
        per_month = shared_per_month(self._following.directory.nodes_of(organisation))
        agreement = Agreement.of(per_month, found.shareable, self._config.disclosure.limits)

        def decide(account: Account, live: Sequence[Offer]) -> Decision:
            if len(live) < len(found.results) and not last:
                return Decision(stale=True)
            if found.notice:
                line = LedgerLine(
                    now, Happened.ANSWERED, client.name, detail=f"{results_told(0)}, too little was asked"
                )
                return Decision(lines=(line,), questions=1)
            ruling = account.judge(found.question, [offer.key for offer in live], agreement, organisation, now)
            if ruling.refusal:
                line = LedgerLine(now, Happened.REFUSED, client.name, detail=ruling.refusal.reason)
                return Decision(lines=(line,), refusal=ruling.refusal)
            told = [one for one in found.results if one.key in ruling.told]
            warnings = [
                LedgerLine(now, kind, client.name, detail=organisation)
                for dealing in ruling.dealings
                if (kind := _WARNINGS.get(dealing.kind))
            ]
            lines = (*_lines(told, client, Happened.TOLD, now), *warnings)
            genes = tuple(sorted({keyed(self._secret, gene) for one in told for gene in one.genes}))
            sightings = self._noticing.asked(patient, client, told, now)
            return Decision(ruling.told, ruling.dealings, lines, 1, len(told), genes, sightings=sightings)

        return Claim(organisation, _offers(found.results), decide)

    def _own_claim(self, found: _Found, client: Client, *, last: bool) -> Claim:
        now = self._world.now()

        def decide(_account: Account, live: Sequence[Offer]) -> Decision:
            if len(live) < len(found.results) and not last:
                return Decision(stale=True)
            keys = tuple(offer.key for offer in live)
            others = [one for one in found.results if one.key in keys and not one.own]
            lines = _lines(others, client, Happened.SHOWN, now) if others else ()
            return Decision(keys, lines=lines)

        return Claim(None, _offers(found.results), decide)

    def _note(self, client: Client, decision: Decision) -> None:
        """Show a refusal, an alarm or a stop to the operator, and raise a refusal."""
        for line in decision.lines:
            if line.kind is Happened.ALARMED:
                logger.warning("%s was told of many of this node's cases; see: matchmaker client list", client.name)
            elif line.kind is Happened.STOPPED:
                release = f"matchmaker client release {client.name} --by NAME"
                logger.error("%s is stopped: it was told of too many cases; after a talk: %s", client.name, release)
        if decision.refusal:
            logger.warning("a question of %s is refused: %s", client.name, decision.refusal.reason)
            raise _error_of(decision.refusal, self._config.node.contact_href)

    async def _still_so(self, results: list[Result], since: float) -> list[Result]:
        """Return those results whose cases are as they were scored, at a moment less than PROMISE_SECONDS ago."""
        for _ in range(_VERIFICATIONS):
            if not results or self._world.clock() - since < PROMISE_SECONDS:
                return results
            since = self._world.clock()
            claim = Claim(None, _offers(results), lambda _account, live: Decision(tuple(offer.key for offer in live)))
            live = set((await self._store.settle(claim)).told)
            results = [one for one in results if one.key in live]
        raise StoreBusy("the store is too slow to tell in time what may be told")


def _first(
    hits: Sequence[tuple[Hit, KeptCase]], asked: Profile, knowledge: Knowledge, with_gene: int, without_gene: int
) -> list[tuple[Hit, KeptCase]]:
    """Return the best hits that share a gene, and the best that share none, in their order.

    Of those that share a gene, first the best of each gene: the many cases of one candidate never hide the only one of
    another.
    """
    sharing = [one for one in hits if one[0].shares_gene]
    if len(sharing) > with_gene:
        met: set[str] = set()
        news: dict[int, bool] = {}
        for hit, case in sharing:
            genes, _ = knowledge.candidates(evidence(case.content or {}, Level.MINIMAL))
            shared = genes.keys() & asked.genes.keys()
            news[hit.key] = not shared <= met
            met |= shared
        sharing.sort(key=lambda one: not news[one[0].key])  # stable: the best of each kind stays the first
    others = [one for one in hits if not one[0].shares_gene]
    chosen = {hit.key for hit, _ in (*sharing[:with_gene], *others[:without_gene])}
    return [one for one in hits if one[0].key in chosen]


def _offers(results: Sequence[Result]) -> tuple[Offer, ...]:
    return tuple(Offer(one.key, one.version) for one in results)


def _lines(told: Sequence[Result], client: Client, kind: Happened, now: float) -> tuple[LedgerLine, ...]:
    """Return the lines of an answer: one for each case, one for the answer itself."""
    purpose = client.purpose.value
    cases = (LedgerLine(now, kind, client.name, one.public_id, one.level.word, purpose) for one in told)
    return (*cases, LedgerLine(now, Happened.ANSWERED, client.name, "", "", purpose, results_told(len(told))))


def _error_of(refusal: Refusal, contact: str) -> InvalidRequest | OverBudget:
    if refusal.reason is Reason.GENES:
        rule = f"at most {MOST_GENES} genes may be asked with one profile within 30 days, in one question or several"
        return InvalidRequest(Problem("patient.genomicFeatures", rule))
    if refusal.reason is Reason.STOP:
        told = f"stopped: so many cases were told that this node's operator is to release it; write to {contact}"
        return OverBudget(max(1, ceil(refusal.retry_after)), told)
    return OverBudget(max(1, ceil(refusal.retry_after)), "more new profiles were asked than were agreed on for 30 days")
