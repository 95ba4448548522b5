"""Noticing: what was found, told or answered -> sightings of matches, and whom each is to reach.

here       a case of this node's found another one of it: both owners learn of it
answered   a peer answered a question about a case: scored again by ourselves, as every node has a scale of its own
asked      a peer's question was told of a case: news for that case's owner
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from email.headerregistry import Address
from math import floor
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic_core import from_json, to_json

from matchmaker.exchange.answers import Result
from matchmaker.exchange.config import Config
from matchmaker.exchange.following import Directory, Following
from matchmaker.matching.genotype import SharedGene as MatchedGene
from matchmaker.matching.genotype import shared_genes
from matchmaker.matching.profile import Profile
from matchmaker.matching.score import Score, score
from matchmaker.mme.messages import MatchResult
from matchmaker.mme.patient import Patient
from matchmaker.peers.outcome import PeerAnswer
from matchmaker.policy.levels import evidence
from matchmaker.policy.news import NONE_CHOSEN, Addressee, Details, Kin, Sighting, Thresholds, flag_of
from matchmaker.records.alert import NOBODY, Role
from matchmaker.records.case import Case, KeptCase
from matchmaker.records.match import Flag, Match, Other, SharedGene, Side, Solution, match_id, of_what_is_shared
from matchmaker.records.party import Client, Peer
from matchmaker.records.person import address_of
from matchmaker.records.sharing import Level

MayLearn = Callable[[KeptCase, KeptCase], bool]
MOST_ANSWERS = 50  # of one peer's answer that are looked at, in its order
_LONGEST_ADDRESS = 254  # RFC 5321, 4.5.3.1.3
_PARTS = ("phenotype", "genotype", "raw", "cosine")


@dataclass(frozen=True, slots=True)
class Scored:
    """A peer's result as we score it ourselves."""

    result: MatchResult
    score: Score
    genes: tuple[MatchedGene, ...]
    explanation: dict[str, Any]
    alike: bool


class Noticing:
    """Makes sightings. Reads nothing but what the node holds in memory."""

    def __init__(self, config: Config, following: Following) -> None:
        self._config = config
        self._following = following
        alerts = config.alerts
        self._thresholds = Thresholds(alerts.min_score, alerts.min_score_by_phenotype)

    @property
    def _directory(self) -> Directory:
        return self._following.directory

    def is_remembered(self, value: float, genes: Sequence[object]) -> bool:
        """Tell whether a match of this score, that shares these genes, is worth remembering."""
        return bool(genes) or value >= self._config.matches.least_score

    def here(self, case: Case, results: Iterable[Result], may_learn: MayLearn, now: float) -> tuple[Sighting, ...]:
        """Return the sightings of a search of this node's own cases.

        `may_learn` tells whether the owner of a case may learn of another: who is found need not see who searched.
        """
        kept = case.kept
        worth = (result for result in results if self.is_remembered(result.score, result.shared))
        return tuple(self._here(kept, result, may_learn, now) for result in worth)

    def _here(self, case: KeptCase, result: Result, may_learn: MayLearn, now: float) -> Sighting:
        other = result.case
        hidden = not may_learn(other, case)
        theirs = None if hidden else self._seen_by_the_other(case, other)
        sides = {
            case.public_id: _side(case, score=result.score),
            other.public_id: _side(other, score=theirs, hidden=hidden),
        }
        first, second = sorted((case, other), key=lambda one: one.public_id)
        told = _told(result, turned=first is not case)
        match = Match(
            id=match_id(self._config.node.name, first.public_id, second.public_id),
            node=self._config.node.name,
            sides=(sides[first.public_id], sides[second.public_id]),
            score=result.score,
            genes=_genes(result.shared),
            flag=flag_of(self._kin(case), self._kin(other)),
            **_times(now),
            **told,
            test=_is_test(case) or _is_test(other),
        )
        return Sighting(match, (*self.owners_of(case), *self.owners_of(other)), self._thresholds)

    def _seen_by_the_other(self, case: KeptCase, other: KeptCase) -> float:
        """Return the score as the owner of `other` would find it: of what the level of `case` shows."""
        knowledge, level = self._following.current.knowledge, case.sharing.level
        theirs = knowledge.profile_of_content(other.content or {})
        ours = knowledge.profile_of_content(evidence(case.content or {}, level))
        value = score(theirs, ours, knowledge.information, knowledge.calibration).value
        minimal = level is Level.MINIMAL and other.owner != case.owner
        return floor(value * 10) / 10 if minimal else value

    def _kin(self, case: KeptCase) -> Kin:
        return Kin(case.owner, self._directory.institutions.get(case.owner), case.person, case.family)

    def asked(self, patient: Patient, client: Client, told: Iterable[Result], now: float) -> tuple[Sighting, ...]:
        """Return the sightings of a question that a node is told cases of. Of the question stays what is shared."""
        least = self._least_wanted()
        results = (one for one in told if one.shared or one.score >= least)
        return tuple(self._asked(patient, client, result, now) for result in results)

    def _least_wanted(self) -> float:
        """Return the score from which on anybody is alerted of a match by phenotype alone.

        What a question found below it stays out: there are many such, and each answer waits for what it writes.
        """
        chosen = (one.min_score_by_phenotype for one in self._directory.choices.values())
        least = min((one for one in chosen if one is not None), default=self._thresholds.min_score_by_phenotype)
        return max(self._config.matches.least_score, min(least, self._thresholds.min_score_by_phenotype))

    def _asked(self, patient: Patient, client: Client, result: Result, now: float) -> Sighting:
        case, contact = result.case, patient.contact.to_json()
        match = Match(
            id=match_id(client.name, case.public_id, patient.id),
            node=client.name,
            sides=(_side(case),),
            other=Other(id=patient.id, contact=contact),
            score=result.score,
            genes=_genes(result.shared),
            flag=Flag.PERSON if result.alike else None,
            was_asked=True,
            **_times(now),
            **_told(result, turned=True),
            test=patient.test or _is_test(case),
        )
        return Sighting(match, (*self.owners_of(case), *self._contact_of(match)), self._thresholds)

    def scored(self, case: Case, answer: PeerAnswer) -> tuple[Scored, ...]:
        """Return a peer's results as we score them ourselves, in its order. Takes a while: not in the event loop."""
        if case.patient is None:
            return ()
        knowledge = self._following.current.knowledge
        ours = knowledge.profile(case.patient)
        return tuple(self._scored(ours, result) for result in answer.results[:MOST_ANSWERS])

    def _scored(self, ours: Profile, result: MatchResult) -> Scored:
        generation = self._following.current
        knowledge = generation.knowledge
        theirs = knowledge.profile(result.patient)
        alike = _details(ours).alike(_details(theirs))
        told = generation.answers.explain(ours, theirs).to_json()
        genes = tuple(shared_genes(ours, theirs))
        return Scored(result, score(ours, theirs, knowledge.information, knowledge.calibration), genes, told, alike)

    def answered(
        self, case: Case, peer: Peer, answer: PeerAnswer, scored: Iterable[Scored], now: float
    ) -> tuple[Sighting, ...]:
        """Return the sightings of a peer's answer about a case."""
        worth = (one for one in scored if self.is_remembered(one.score.value, one.genes))
        return tuple(self._answered(case.kept, peer, answer, one, now) for one in worth)

    def _answered(self, case: KeptCase, peer: Peer, answer: PeerAnswer, one: Scored, now: float) -> Sighting:
        patient = one.result.patient
        shown = patient.to_json()
        solution = one.result.solved.model_dump(exclude_none=True) if one.result.solved else None
        match = Match(
            id=match_id(peer.name, case.public_id, patient.id),
            node=peer.name,
            sides=(_side(case),),
            other=Other(
                id=patient.id,
                contact=patient.contact.to_json(),
                version=_version(shown),
                answer=shown,
                answered_at=now,
                solution=Solution.model_validate(solution) if solution else None,
            ),
            score=one.score.value,
            peer_score=one.result.score.patient,
            genes=_genes(one.genes),
            explanation=one.explanation,
            parts={name: round(getattr(one.score, name), 6) for name in _PARTS},
            flag=Flag.PERSON if one.alike else None,
            asked=True,
            **_times(now),
            disclaimer=answer.disclaimer,
            terms=answer.terms,
            test=patient.test or _is_test(case),
        )
        return Sighting(match, (*self.owners_of(case), *self._contact_of(match)), self._thresholds)

    def owners_of(self, case: KeptCase) -> tuple[Addressee, ...]:
        """Return whom to alert of a case of ours: its owner among the people, else its institution's mailbox."""
        directory = self._directory
        person = directory.people.get(case.person or "")
        if person is not None and person.disabled_at is None:
            address = person.email
        else:
            address = self._mailbox_of(case) or NOBODY
        choices = directory.choices.get(address, NONE_CHOSEN)
        return (Addressee(address, case.public_id, choices, directory.choices.get(case.public_id, NONE_CHOSEN)),)

    def _mailbox_of(self, case: KeptCase) -> str | None:
        """Return the monitored address of a case's collection, else that of its owner."""
        collection = self._directory.collections.get(case.sharing.collection or "")
        if collection is not None and (address := mail_address(collection.contact.to_json())):
            return address
        contact = self._directory.owner(case.owner).contact
        return address_of(contact) if contact else None

    def _contact_of(self, match: Match) -> tuple[Addressee, ...]:
        """Return the other node's contact, where that node tells its own people of nothing."""
        peer = self._directory.peers.get(match.node)
        address = mail_address(match.other.contact) if match.other and peer and peer.notify else None
        if address is None or match.other is None:
            return ()
        choices = self._directory.choices.get(address, NONE_CHOSEN)
        return (Addressee(address, match.sides[0].case, choices, NONE_CHOSEN, Role.THEIRS, match.other.id),)

    def addressees(self, match: Match, cases: Iterable[KeptCase]) -> tuple[Addressee, ...]:
        """Return whom to alert of a match that is known, by the cases of ours."""
        owners = tuple(one for case in cases for one in self.owners_of(case))
        return (*owners, *self._contact_of(match))

    @property
    def thresholds(self) -> Thresholds:
        """The scores below which a match is kept quiet where nobody chose others."""
        return self._thresholds


def mail_address(contact: dict[str, Any]) -> str | None:
    """Return the first e-mail address of a contact; None when it has none."""
    email = contact.get("email")
    if isinstance(email, list):
        email = email[0] if email else None
    if not email and str(contact.get("href", "")).startswith("mailto:"):
        email = unquote(urlsplit(contact["href"]).path.split(",")[0])
    return address_of(email) if email and is_mailable(email) else None


def is_mailable(address: str) -> bool:
    """Tell whether a mail can be written to an address (RFC 5322, 3.4.1), in ASCII."""
    if len(address) > _LONGEST_ADDRESS or not address.isascii() or not address.isprintable() or " " in address:
        return False  # first: the parser takes its time with long ones
    try:
        Address(addr_spec=address)
    except Exception:  # noqa: BLE001 - the parser of the standard library raises whatever it likes on strange ones
        return False
    return True


def _side(case: KeptCase, *, score: float | None = None, hidden: bool = False) -> Side:
    return Side(
        case=case.public_id, owner=case.owner, person=case.person, version=case.version, score=score, hidden=hidden
    )


def _is_test(case: KeptCase) -> bool:
    return bool(case.content and case.content.get("test", False))


def _times(now: float) -> dict[str, float]:
    return {"first_seen": now, "last_seen": now, "changed_at": now}


def _genes(genes: Iterable[MatchedGene]) -> tuple[SharedGene, ...]:
    return tuple(
        SharedGene(key=one.gene.key, id=one.gene.shown_id, symbol=one.gene.symbol, same_variant=one.same_variant)
        for one in genes
    )


def _told(result: Result, *, turned: bool) -> dict[str, Any]:
    """Return the explanation and the parts that a result was told with.

    `turned`: with the case found as the query, and nothing that the one who asked has alone.
    """
    told = from_json(result.json)
    explanation = told.get("_explanation", {})
    if turned:
        related = [{**one, "query": one["match"], "match": one["query"]} for one in explanation.get("relatedTerms", ())]
        explanation = of_what_is_shared({**explanation, "relatedTerms": related})
    parts = {name: told["_score"][name] for name in _PARTS} if "_score" in told else None
    return {"explanation": explanation, "parts": parts}


def _version(content: dict[str, Any]) -> str:
    """Return a digest of what a case was shown as, its contact left out."""
    told = {key: value for key, value in content.items() if key != "contact"}
    return hashlib.blake2b(to_json(dict(sorted(told.items()))), digest_size=8).hexdigest()


def _details(profile: Profile) -> Details:
    return Details(profile.observed, profile.denied, frozenset(profile.genes))
