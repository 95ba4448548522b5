"""Translations: whatever a page or a mail says is there in each language, with its places, and nothing besides."""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import resources
from io import BytesIO
from itertools import chain
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import Environment

import matchmaker
from matchmaker.alerts.catalogues import Catalogues
from matchmaker.alerts.compose import strength
from matchmaker.exchange.config import Node
from matchmaker.exchange.finding import ASKING
from matchmaker.mme.messages import Explanation, RelatedTerms, SharedTerm, ShownTerm
from matchmaker.peers.outcome import Status as Answer
from matchmaker.policy.levels import SHOWN
from matchmaker.records.alert import MailKind, MailState
from matchmaker.records.ledger import DISCLOSURES
from matchmaker.records.match import Direction, Flag, Status
from matchmaker.records.party import Purpose
from matchmaker.records.person import PersonRole
from matchmaker.records.sharing import Circle, Level
from matchmaker.web.pages.case_form import SEXES
from matchmaker.web.pages.errors import _TITLES
from matchmaker.web.pages.frame import rendered
from matchmaker.web.pages.numbers import _SHOWN
from matchmaker.web.pages.picture import picture
from matchmaker.web.pages.showing import _WORDS
from tests.tiny_world import tiny_ontology

PACKAGE = Path(matchmaker.__file__).parent
OURS = ("de", "es", "fr")
PARSER = Environment(extensions=["jinja2.ext.i18n"])  # noqa: S701 - it parses only
EXTRACT = PARSER.extract_translations  # type: ignore[attr-defined]  # added by the extension
MARKING = {"gettext", "ngettext", "N_"}
Message = tuple[str, ...]  # a text; or two, for one and for many

STRENGTHS = tuple(strength(score) for score in (1.0, 0.6, 0.3, 0.0))
ANSWERS = (*Answer, ASKING, "waiting")
BREAKER = ("closed", "open", "half open")
TOLD = tuple(chain.from_iterable(SHOWN.values()))
# What templates pass to gettext without spelling it out, and all that it may be.
PASSED: dict[str, Iterable[str]] = {
    "failed.status.value": ANSWERS,
    "label": [label for _, label in _SHOWN],
    "line.purpose": Purpose,
    "match.flag": Flag,
    "match.other.status": Status,
    "match.status": Status,
    "match.strength": STRENGTHS,
    "one": (*Status, *Direction, *TOLD),
    "one.breaker": BREAKER,
    "one.kind.value": MailKind,
    "one.purpose.value": Purpose,
    "one.role.value": PersonRole,
    "one.state": MailState,
    "one.state.value": MailState,
    "one.status": ANSWERS,
    "one.view.flag": Flag,
    "one.view.status": Status,
    "one.view.strength": STRENGTHS,
    "person.role.value": PersonRole,
    "role": PersonRole,
    "state.value": MailState,
    "what": TOLD,
}


@lru_cache(maxsize=1)
def said() -> frozenset[Message]:
    """All that the pages and mails say."""
    codes = {str(code) for code in chain(*PASSED.values(), _WORDS.values(), _TITLES.values())}
    return frozenset({(code,) for code in codes} | set(in_templates()) | set(in_code()))


def templates() -> list[Path]:
    return [file for room in ("alerts", "web") for file in sorted((PACKAGE / room / "templates").iterdir())]


def in_templates() -> Iterator[Message]:
    for file in templates():
        for _, function, texts in EXTRACT(file.read_text(encoding="utf-8")):
            given = [texts] if isinstance(texts, str) else [text for text in texts or () if text]
            if given:
                yield tuple(given[: 2 if function == "ngettext" else 1])


def in_code() -> Iterator[Message]:
    for file in sorted(PACKAGE.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        marking = MARKING | ({"words"} if file.parent.name == "pages" else set())
        if any(f"{name}(" in text for name in marking):
            for node in ast.walk(ast.parse(text)):
                if isinstance(node, ast.Call) and called(node) in marking:
                    yield from spelt_out(node)


def called(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def spelt_out(call: ast.Call) -> Iterator[Message]:
    """The texts within a call: those of ngettext are forms of one, others are one of several."""
    nodes = chain.from_iterable(ast.walk(one) for one in call.args)
    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if called(call) == "ngettext":
        yield from [tuple(texts)] if texts else []
    else:
        yield from ((text,) for text in texts)


def passed(source: str) -> Iterator[str]:
    """What a template passes to gettext without spelling it out."""
    tokens = [value for _, kind, value in PARSER.lex(source) if kind != "whitespace"]
    for at in (at for at, token in enumerate(tokens) if token == "gettext"):
        depth, given = 0, list[str]()
        for token in tokens[at + 1 :]:
            depth += {"(": 1, ")": -1}.get(token, 0)
            if depth == 0 or (depth == 1 and token == ","):
                break
            given.append(token)
        if len(given) != 2 or given[1][0] not in "\"'":
            yield re.sub(r" ?([.|]) ?", r"\1", " ".join(given[1:])).removesuffix(' or ""')


@lru_cache(maxsize=len(OURS))
def catalogue(language: str) -> Catalog:
    file = resources.files("matchmaker.alerts") / "catalogues" / f"{language}.po"
    return read_po(BytesIO(file.read_bytes()), abort_invalid=True)


def forms(texts: object) -> Message:
    return tuple(texts) if isinstance(texts, tuple | list) else (str(texts),)


@lru_cache(maxsize=len(OURS))
def translated(language: str) -> dict[Message, Message]:
    """Each text of a catalogue with its translations."""
    return {forms(one.id): forms(one.string) for one in catalogue(language) if one.id}


def texts_of(messages: Iterable[Message]) -> set[str]:
    return set(chain.from_iterable(messages))


def places(text: str) -> list[str]:
    return sorted(re.findall(r"%(?:\(\w+\))?.?", text))


def test_what_is_said_is_found_wherever_it_is_said() -> None:
    everything = said()
    for text in (
        "Cases", "in discussion", "perhaps one family", "we asked", "unreachable", "given up", "withdrawal", "curator",
        "half open", "research", "zygosity", "very strong", "stronger than before", "this country only", "female",
        "submitters", "Not for you", "An error of ours", "That did not work", "Alike through", "Only in the other case",
        "Both: %(mine)s, %(share)s.", "Look at the match",
    ):  # fmt: skip
        assert (text,) in everything, text
    assert ("%(num)d gene found", "%(num)d genes found") in everything


def test_it_is_known_what_each_template_may_pass_on() -> None:
    found = {given for file in templates() for given in passed(file.read_text(encoding="utf-8"))}
    assert {given for given in found if not given.endswith("|words")} == PASSED.keys()


def test_each_code_has_words() -> None:
    codes = [f"circle {one.value}" for one in Circle] + [f"level {one.word}" for one in Level]
    codes += [f"was {one.value}" for one in DISCLOSURES] + list(SEXES)
    assert sorted(codes) == sorted(_WORDS)


@pytest.mark.parametrize("language", OURS)
def test_everything_is_said_in_each_language(language: str) -> None:
    known = translated(language)
    assert texts_of(said()) - texts_of(known) == set(), "is not translated"
    assert {message for message in said() if len(message) > 1} - known.keys() == set(), "has not both forms"
    assert [texts for texts, strings in known.items() if not all(strings)] == [], "has no words"
    assert {len(strings) for texts, strings in known.items() if len(texts) > 1} == {catalogue(language).num_plurals}
    assert [one.id for one in catalogue(language) if one.id and one.fuzzy] == [], "what is fuzzy is not used"


@pytest.mark.parametrize("language", OURS)
def test_nothing_is_translated_that_nobody_says(language: str) -> None:
    assert texts_of(translated(language)) - texts_of(said()) == set()


@pytest.mark.parametrize("language", OURS)
def test_a_translation_has_the_places_of_its_text(language: str) -> None:
    for texts, strings in translated(language).items():
        assert {tuple(places(string)) for string in strings} == {tuple(places(text)) for text in texts}, texts


@pytest.mark.parametrize("language", OURS)
def test_a_translation_is_plain_text(language: str) -> None:
    """Pages take what a catalogue says as it is, within attributes too."""
    strings = list(chain.from_iterable(translated(language).values()))
    assert [string for string in strings if set('<>&"') & set(string)] == []
    assert [string for string in strings if string != string.strip()] == []


def test_the_catalogues_tell_the_same_in_the_same_order() -> None:
    orders = [list(translated(language)) for language in OURS]
    assert orders[0] == orders[1] == orders[2]


@pytest.mark.parametrize("language", OURS)
def test_pages_speak_each_language(language: str) -> None:
    words = Catalogues().of(language)
    frame = {"node": Node(name="Dublin"), "person": None, "csrf": "", "languages": OURS, "config": None}
    numbers = {**{key: 1234 for key, _ in _SHOWN}, "dateGenerated": "2026-11-29T10:41:00+00:00"}
    content = {"numbers": numbers, "shown": _SHOWN, "collections": (), "version": "1", "peers": [("Oslo", "NO")]}
    page = rendered("numbers.html", words, language, **frame, **content)
    assert f'<html lang="{language}">' in page
    for text in ("Sign in", "Other nodes that it asks", *(label for _, label in _SHOWN)):
        assert words.gettext(text) in page
    found = rendered("terms_found.html", words, language, terms=[], typed="x")
    assert words.gettext("no term found") in found


@pytest.mark.parametrize("language", OURS)
def test_the_picture_speaks_each_language(language: str) -> None:
    gettext = Catalogues().of(language).gettext
    ontology = tiny_ontology()
    explanation = Explanation(
        shared_terms=(SharedTerm(id="HP:0000252", weight=600),),
        related_terms=(
            RelatedTerms(
                query=ShownTerm(id="HP:0000504"),
                match=ShownTerm(id="HP:0000505"),
                through=ShownTerm(id="HP:0000478"),
                weight=100,
            ),
        ),
    )
    terms = ["HP:0000252", "HP:0000504", "HP:0000505"]
    drawn = picture(ontology, terms, terms, explanation, gettext, lambda term: ontology.label(term) or term)
    assert gettext("Both: %(mine)s, %(share)s.").split("%")[0] in drawn
    assert gettext("Share") in drawn
