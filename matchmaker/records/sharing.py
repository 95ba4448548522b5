"""Sharing: with whom a case may be matched, until when, how much of it is shown, and which of its genes may leave."""

import json
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum
from functools import lru_cache

MOST_GENES = 10  # of one case that may leave the node in a question


class Circle(StrEnum):
    """With whom a case may be matched, besides its owner."""

    NONE = "none"
    INSTITUTION = "institution"
    COUNTRY = "country"
    NAMED = "named"
    ALL = "all"


class Level(IntEnum):
    """How much of a case is shown; each level holds all that is below it.

    MINIMAL   contact and what is shared with the question
    STANDARD  observed and negated terms, gene names, inheritance, disorders, species (the exchange's consent level 1)
    FULL      variants, zygosity, sex, onset, label too (consent level 2: explicit consent)
    """

    MINIMAL = 0
    STANDARD = 1
    FULL = 2

    @property
    def word(self) -> str:
        """The level as people and the API write it."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Level":
        """Return the level of a word. Errors: ValueError."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"no level: {word!r}") from None


@dataclass(frozen=True, slots=True)
class Sharing:
    """What an owner allows of a case.

    `countries` (ISO 3166-1 alpha-2) and `nodes` are those of a NAMED circle; `until` is the last day, in UTC;
    `collection` the name of the one that the case belongs to. `own_contact`: the case's own contact is shown rather
    than its collection's. `genes` are the candidate genes that may leave in a question, None: as many as may.
    """

    circle: Circle = Circle.NONE
    level: Level = Level.STANDARD
    countries: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    until: date | None = None
    collection: str | None = None
    own_contact: bool = False
    genes: tuple[str, ...] | None = None

    def to_text(self) -> str:
        """Return the sharing as a store keeps it: the circle alone, where nothing else is said."""
        if self == Sharing(self.circle):
            return self.circle.value
        told = {
            "with": self.circle.value,
            "level": self.level.word,
            "countries": list(self.countries),
            "nodes": list(self.nodes),
            "until": self.until.isoformat() if self.until else None,
            "collection": self.collection,
            "ownContact": self.own_contact,
            "genes": list(self.genes) if self.genes is not None else None,
        }
        return json.dumps(
            {key: value for key, value in told.items() if value not in (None, [], False) or key == "genes"}
        )

    @staticmethod
    @lru_cache(maxsize=4_096)
    def parse(text: str) -> "Sharing":
        """Return the sharing that a store keeps. Errors: ValueError."""
        if not text.startswith("{"):
            return Sharing(Circle(text))
        try:
            told = json.loads(text)
            return Sharing(
                Circle(told["with"]),
                Level.of(told["level"]),
                tuple(told.get("countries", ())),
                tuple(told.get("nodes", ())),
                date.fromisoformat(told["until"]) if "until" in told else None,
                told.get("collection"),
                bool(told.get("ownContact", False)),
                tuple(told["genes"]) if told.get("genes") is not None else None,
            )
        except (KeyError, TypeError, AttributeError):
            raise ValueError("no sharing") from None


@dataclass(frozen=True, slots=True)
class Audience:
    """What decides who may learn of a case: all cases with equal audiences are treated alike."""

    owner: str
    circle: Circle
    test: bool
    countries: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    until: date | None = None
    collection: str | None = None

    @classmethod
    def of(cls, owner: str, sharing: Sharing, *, test: bool) -> "Audience":
        """Return the audience of a case that is shared so."""
        return cls(owner, sharing.circle, test, sharing.countries, sharing.nodes, sharing.until, sharing.collection)
