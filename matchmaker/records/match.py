"""Match: a pair of cases that were found alike, remembered, and followed up until it is a diagnosis or a no.

One of the cases is ours, the other one at another node; or both are ours. What is ours is a *side*: each has a status
and a history of its own, as two doctors may see one match differently.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field

from matchmaker.records.kept import Record


class Status(StrEnum):
    """How far the follow-up of one side is."""

    NEW = "new"
    CONTACTED = "contacted"
    IN_DISCUSSION = "in discussion"
    SAME_DISORDER = "same disorder"
    NOT_A_MATCH = "not a match"
    SOLVED = "solved"


class Flag(StrEnum):
    """Why a match may be none between two patients: nobody is alerted, and nothing is ever merged."""

    FAMILY = "perhaps one family"
    PERSON = "perhaps one person"


class Direction(StrEnum):
    """Which way a match came."""

    HERE = "both cases are here"
    ASKED = "we asked"
    WAS_ASKED = "we were asked"


class Treatment(Record):
    """What helped: by name, code (such as ATC or CHEBI), or both."""

    name: str | None = None
    code: str | None = None


class Diagnosis(Record):
    """A disorder by its id, such as MIM:614923, by name, or both."""

    id: str | None = None
    label: str | None = None


class Solution(Record):
    """What a solved case came to: the diagnosis, and what helped."""

    diagnosis: Diagnosis | None = None
    helped: tuple[Treatment, ...] = ()


class Event(Record):
    """Something that was done with a side of a match: by whom, at (seconds since 1970), what; and a note."""

    at: float
    who: str
    what: str
    note: str | None = None


class Side(Record):
    """The part of a match that is ours: the case by its public id, its owner and person, the version that was compared.

    `reason` goes with NOT_A_MATCH, `solution` with SOLVED; `tells`: the other side may see it, and was told `told_as`.
    `quiet` says why nobody was alerted of the last news, None: somebody was; `alerted`: somebody ever was. `score` is
    what this side's owner may know of it, None: as the match's. `hidden`: the other case is not shared with this one's
    owner, who learns nothing of the match.
    """

    case: str
    owner: str
    person: str | None = None
    version: int = 0
    status: Status = Status.NEW
    reason: str | None = None
    solution: Solution | None = None
    tells: bool = False
    told_as: Solution | None = None
    quiet: str | None = None
    alerted: bool = False
    score: float | None = None
    hidden: bool = False
    history: tuple[Event, ...] = ()


class Other(Record):
    """The case at another node: the id by which that node names it, and whom to write to.

    `version` is a digest of what it was shown as in an answer. `answer` is the patient as that showed it, for ninety
    days; of a question of it nothing is kept but what is shared. `solution` is what its owner told.
    """

    id: str
    contact: dict[str, Any]
    version: str = ""
    answer: dict[str, Any] | None = None
    answered_at: float | None = None
    solution: Solution | None = None


class SharedGene(Record):
    """A gene of both cases. `key` compares."""

    key: str
    id: str
    symbol: str | None = None
    same_variant: bool = False


class Match(Record):
    """A pair of cases. Times are seconds since 1970, scores in [0, 1].

    `score` is ours, of what both nodes show; `peer_score` that of the node that answered us. `explanation` and
    `parts` are those of the exchange's answers, with the first side as the query. `news` counts how often it was news,
    `changed_at` is when it last was; `news_score` is the best score so far, `told` the genes and variants so far.
    `contact_alerted`: the other node's contact was ever written to. `test`: one of the patients is none.
    """

    id: str
    node: str
    sides: tuple[Side, ...]
    other: Other | None = None
    score: float
    peer_score: float | None = None
    genes: tuple[SharedGene, ...] = ()
    explanation: dict[str, Any] = Field(default_factory=dict)
    parts: dict[str, Any] | None = None
    flag: Flag | None = None
    asked: bool = False
    was_asked: bool = False
    first_seen: float
    last_seen: float
    changed_at: float
    news: int = 1
    news_score: float = 0.0
    told: tuple[str, ...] = ()
    contact_alerted: bool = False
    disclaimer: str | None = None
    terms: str | None = None
    test: bool = False

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Which ways it came."""
        if self.other is None:
            return (Direction.HERE,)
        both = ((self.asked, Direction.ASKED), (self.was_asked, Direction.WAS_ASKED))
        return tuple(direction for came, direction in both if came)

    def side_of(self, case: str) -> Side | None:
        """Return the side of one of our cases, by its public id."""
        return next((side for side in self.sides if side.case == case), None)

    def sides_of(self, owner: str) -> tuple[Side, ...]:
        """Return the sides of an owner."""
        return tuple(side for side in self.sides if side.owner == owner and not side.hidden)

    def score_for(self, side: Side) -> float:
        """Return the score as a side may know it."""
        return self.score if side.score is None else side.score


def of_what_is_shared(explanation: Mapping[str, Any]) -> dict[str, Any]:
    """Return an explanation without what the other case alone has: of its terms, the ancestors that both share."""
    related = [{**one, "match": one["through"]} for one in explanation.get("relatedTerms", ())]
    kept = {name: explanation[name] for name in ("sharedTerms", "sharedGenes") if name in explanation}
    return {**kept, **({"relatedTerms": related} if related else {})}


def match_id(node: str, case: str, other: str) -> str:
    """Return the id of the match of a case of ours with another: always the same for the same pair.

    `node` is whose the other case is; where that is ourselves, `case` is the smaller of both ids. 32 hexadecimal
    digits, which nobody can guess who does not know the public id.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in (node, case, other):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()
