"""Terms that a pasted clinical text seems to speak of, for a clinician to confirm: names found in it as they stand.

A dictionary, no reading: it knows the names of HPO in English and the language of the text, and who denies. What it
gives is a suggestion, never an observation.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from matchmaker.ontology.lexicon import Token
from matchmaker.ontology.negation import Cues
from matchmaker.ontology.search import TermFound, TermSearch
from matchmaker.ontology.wording import spans, stem

MOST_CHARACTERS = 20_000
# Between two words: a full stop before a space or a capital, or a new line that does not go on in small letters.
_ENDS = re.compile(r"[.!?](?:\s|$)|[.!?]$|;|•|\n\s*\n|\n\s*[-*\u2013]")
_ASKS = re.compile(r"[:=?(\-\u2013]\s*$")
_CLOSES = re.compile(r"^\s*[,.;)!\n]")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A term, and where the text speaks of it first: `quote` is text[start:end]. `negated`: it says only that not."""

    start: int
    end: int
    quote: str
    term: TermFound
    negated: bool


@dataclass(frozen=True, slots=True)
class _Mention:
    """Where a name stands: the numbers of its first word and of the one behind it."""

    first: int
    behind: int
    language: str
    name: int


def suggest(text: str, search: TermSearch, language: str) -> tuple[Suggestion, ...]:
    """Return the terms that a text names, in the order of the text, each once.

    The longest name counts, and names do not overlap. A term that is denied in one place and affirmed in another is
    affirmed, and shown where it is. Only the first 20,000 characters are read; no text is an error.
    """
    text = text[:MOST_CHARACTERS]
    tokens = [Token(text[start:end], word, stem(word), start, end) for word, start, end in spans(text)]
    cues = Cues(search.spoken(language))
    terms: dict[tuple[int, str], TermFound] = {}
    found: dict[str, Suggestion] = {}
    for first, behind in _parts(text, tokens, 0, len(tokens), _sentence_ends):
        pieces = _parts(text, tokens, first, behind, _names_end)
        mentions = [one for piece in pieces for one in _mentions(tokens, *piece, search, language)]
        denied = _denied(text, tokens, first, behind, mentions, cues) if mentions else frozenset[int]()
        for mention in mentions:
            start, end = tokens[mention.first].start, tokens[mention.behind - 1].end
            name = mention.name, mention.language
            term = terms[name] = terms.get(name) or search.named(*name, language)
            one = Suggestion(start, end, text[start:end], term, mention.first in denied)
            if term.id not in found or (found[term.id].negated and not one.negated):
                found[term.id] = one
    return tuple(sorted(found.values(), key=lambda one: one.start))


def _parts(
    text: str, tokens: Sequence[Token], first: int, behind: int, apart: Callable[[str, str], bool]
) -> Iterator[tuple[int, int]]:
    """Yield the numbers of the first word of each part, and of the one behind its last.

    `apart` judges what stands between two words, and the word behind it.
    """
    for number in range(first + 1, behind):
        if apart(text[tokens[number - 1].end : tokens[number].start], tokens[number].written):
            yield first, number
            first = number
    if first < behind:
        yield first, behind


def _names_end(between: str, _following: str) -> bool:
    return ":" in between or "|" in between


def _sentence_ends(between: str, following: str) -> bool:
    if between in {" ", ", ", "-"}:  # nearly all
        return False
    if match := _ENDS.search(between):
        return match[0][-1].isspace() or match[0] not in {".", "!", "?"} or following[0].isupper()
    return "\n" in between and not following[0].islower()


def _mentions(
    tokens: Sequence[Token], first: int, behind: int, search: TermSearch, language: str
) -> Iterator[_Mention]:
    """Yield the longest names of a piece of a sentence, from left to right; of equals, in the language of the text."""
    lexicons = [(spoken, search.lexicon(spoken)) for spoken in search.spoken(language)]
    at = first
    while at < behind:
        longest = 0
        for spoken, lexicon in lexicons:
            name = lexicon.longest(tokens, at, behind)
            if name and name[0] > longest:
                longest, mention = name[0], _Mention(at, at + name[0], spoken, name[1])
        if longest:
            yield mention
        at += longest or 1


def _denied(
    text: str, tokens: Sequence[Token], first: int, behind: int, mentions: Sequence[_Mention], cues: Cues
) -> frozenset[int]:
    """Return the numbers of the words of a sentence that it denies."""
    taken = {number - first for mention in mentions for number in range(mention.first, mention.behind)}
    answers = {number - first for number in range(first + 1, behind) if _answers(text, tokens, number)}
    denied = cues.denied([token.folded for token in tokens[first:behind]], taken, answers)
    return frozenset(place + first for place in denied)


def _answers(text: str, tokens: Sequence[Token], number: int) -> bool:
    """Tell whether a word stands alone behind a question: "seizures: no, ataxia: yes"."""
    between = text[tokens[number - 1].end : tokens[number].start]
    if between == " " or not _ASKS.search(between):  # the former is nearly all, and soon told
        return False
    following = tokens[number + 1].start if number + 1 < len(tokens) else len(text)
    rest = text[tokens[number].end : following]
    return (not rest.strip() and number + 1 == len(tokens)) or bool(_CLOSES.match(rest))
