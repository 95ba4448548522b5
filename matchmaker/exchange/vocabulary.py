"""The names of terms in people's languages, ready when first somebody types; and which term would sharpen a case."""

import asyncio
import math
from collections.abc import Collection
from dataclasses import dataclass

from matchmaker.exchange.config import Config
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.ontology.information import SCALE
from matchmaker.ontology.search import TermSearch, open_terms

_MOST_CHILDREN = 4
_LEAST_GAIN = 0.5  # nat: a term that tells little more than the one that is there is no hint


@dataclass(frozen=True, slots=True)
class Sharper:
    """A term of a case that could be said more exactly: by one of `children`, each with what it would add, in nat."""

    term: str
    children: tuple[tuple[str, float], ...]


class Vocabulary:
    """Opens the search of terms once, in a thread: the first time its file is made, which takes some seconds."""

    def __init__(self, config: Config, knowledge: Knowledge) -> None:
        self._config = config
        self._knowledge = knowledge
        self._opening: asyncio.Task[TermSearch] | None = None

    def begin(self) -> asyncio.Task[TermSearch]:
        """Begin to open it, unless that was begun."""
        if self._opening is None:
            self._opening = asyncio.create_task(asyncio.to_thread(self._open))
        return self._opening

    async def search(self) -> TermSearch:
        """Return the search. Errors: OntologyUnreadable, TranslationsUnreadable."""
        try:
            return await asyncio.shield(self.begin())
        except asyncio.CancelledError:
            raise
        except Exception:
            self._opening = None  # the next one tries again
            raise

    def _open(self) -> TermSearch:
        files = self._config.ontology
        ontology, content = self._knowledge.ontology, self._knowledge.information.content
        rarity = {ontology.ids[number]: content[number] / SCALE for number in ontology.abnormalities}
        return open_terms(ontology, files.hpo, files.translations, self._config.cache_dir, rarity)


def sharper(patient: Patient, knowledge: Knowledge, most: int = 2) -> tuple[Sharper, ...]:
    """Return the observed terms that could be said more exactly to most avail, the best first.

    A more exact term adds g nat, and is true of exp(-g) of those with the term that is there: what asking for it tells
    on average is g exp(-g) (Shannon's entropy of one answer, doi:10.1002/j.1538-7305.1948.tb01338.x).
    """
    ontology = knowledge.ontology
    numbers = {ontology.number(one.id): one.observed == "yes" for one in patient.features}
    observed = {number for number, shown in numbers.items() if shown and number in ontology.abnormalities}
    said_better = {above for number in observed for above in ontology.ancestors(number) if above != number}
    denied = {number for number, shown in numbers.items() if not shown and number is not None}
    found = [_sharper(number, numbers.keys(), denied, knowledge) for number in observed - said_better]
    good = [one for one in found if one is not None]
    return tuple(sorted(good, key=lambda one: (-_avail(one), one.term))[:most])


def _avail(one: Sharper) -> float:
    return sum(gain * math.exp(-gain) for _, gain in one.children)


def _sharper(number: int, stated: Collection[int | None], denied: set[int], knowledge: Knowledge) -> Sharper | None:
    ontology, content = knowledge.ontology, knowledge.information.content
    gains = [
        (ontology.ids[child], (content[child] - content[number]) / SCALE)
        for child in ontology.children(number)
        if child not in stated and not ontology.ancestors(child) & denied
    ]
    telling = [gain for gain in gains if gain[1] >= _LEAST_GAIN]
    telling.sort(key=lambda gain: (-gain[1] * math.exp(-gain[1]), gain[0]))
    return Sharper(ontology.ids[number], tuple(telling[:_MOST_CHILDREN])) if telling else None
