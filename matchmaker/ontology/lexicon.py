"""The names that can be recognised in running text, by their words without endings. Knows one language at a time.

Not every name can: abbreviations stand only for themselves as written, and words that everybody uses are left out.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from matchmaker.ontology.names import Kind
from matchmaker.ontology.wording import stem

# Names of one word that in running text mostly mean something else: "the mole ratio", "wants to ...", a country.
ORDINARY = frozenset(
    stem(word)
    for word in """
    absence alzheimer anger angst anomia anomie arranging aloneness auras boil bouncing central cesarea choc corea corn
    cutting dullness falls fisting focal glattes gota goutte hopeless hopping hostile hostility inaction inercia inertia
    inertie jumping limp local macula manic mild mole mouthing oncology ordering panting piles position rosetas rosette
    sad shock shyness slowness squawks squint stimming tearing timidez tired trance twirling unruhe vallen wanen
    """.split()  # noqa: SIM905 - as a list it would fill a screen
)
_LEAST = 4  # letters of a synonym of one word; a label may have one fewer (tos, dor, tic)
_LONGEST_ABBREVIATION = 6


class Entry(NamedTuple):
    """A name: its number in the search file, as written, folded, and how well it stands for its term."""

    number: int
    said: str
    folded: str
    kind: int
    machine: bool


class Token(NamedTuple):
    """A word of a text: as written, folded, without its ending; where it stands."""

    written: str
    folded: str
    stem: str
    start: int
    end: int


class Lexicon:
    """The names of a language, by what they look like in a text."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        """Take entries in, the best first: of two names that look the same, the first counts."""
        self._phrases: dict[str, int] = {}
        self._abbreviations: dict[str, int] = {}
        self._longest: dict[str, int] = {}
        for entry in entries:
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        stems = [stem(word) for word in entry.folded.split()]
        if len(stems) == 1 and _is_abbreviation(entry.said):
            if len(entry.said) >= _LEAST - 1:
                self._abbreviations.setdefault(entry.said, entry.number)
        elif len(stems) > 1 or _tells(entry):
            self._phrases.setdefault(" ".join(stems), entry.number)
            self._longest[stems[0]] = max(len(stems), self._longest.get(stems[0], 0))

    def longest(self, tokens: Sequence[Token], at: int, end: int) -> tuple[int, int] | None:
        """Return the longest name that the tokens from `at`, before `end`, begin with: its words and its number."""
        first = tokens[at]
        for count in range(min(self._longest.get(first.stem, 0), end - at), 0, -1):
            phrase = " ".join([token.stem for token in tokens[at : at + count]])
            if (number := self._phrases.get(phrase)) is not None:
                return count, number
        number = self._abbreviations.get(first.written)
        return None if number is None else (1, number)


def _is_abbreviation(said: str) -> bool:
    return len(said) <= _LONGEST_ABBREVIATION and sum(map(str.isupper, said)) > 1


def _tells(entry: Entry) -> bool:
    """Tell whether a name of one word means its term in a clinical text, and not much else."""
    if stem(entry.folded) in ORDINARY or entry.folded.isdecimal():
        return False
    if entry.kind == Kind.LABEL:
        return len(entry.folded) >= _LEAST - 1
    return len(entry.folded) >= _LEAST and not entry.machine
