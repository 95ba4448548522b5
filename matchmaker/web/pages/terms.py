"""Terms and genes as people type, and terms that a pasted text speaks of: pieces of the case form."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from matchmaker.exchange.follow_up import Listed
from matchmaker.exchange.service import Exchange
from matchmaker.genome.genes import Gene
from matchmaker.ontology.search import TermFound, TermSearch
from matchmaker.ontology.suggesting import Suggestion, suggest
from matchmaker.web.pages.access import Visit

MOST = 12
MOST_TOLD = 3  # terms by which a list says why two cases are alike


@dataclass(frozen=True, slots=True)
class Named:
    """A term with its label in the reader's language; `machine`: a machine translated it."""

    id: str
    label: str
    translated: str | None = None
    machine: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.translated or self.label


async def get_terms(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /terms?term=…: a list of buttons, each of which adds a term to the form around it."""
    found = await find_terms(visit, request.query.get("term", ""))
    return visit.part("terms_found.html", terms=found, typed=request.query.get("term", "").strip())


async def get_genes(request: web.Request, visit: Visit) -> web.StreamResponse:
    """GET /genes?gene_typed=…: the same of genes."""
    typed = request.query.get("gene_typed", "").strip()
    return visit.part("genes_found.html", genes=find_genes(visit.exchange, typed), typed=typed)


async def find_terms(visit: Visit, text: str) -> list[TermFound]:
    """Return the terms that a text may mean. In the event loop: it takes about a millisecond."""
    search = await visit.exchange.vocabulary.search()
    return search.find(text, visit.language, MOST) if text.strip() else []


def find_genes(exchange: Exchange, typed: str) -> list[Gene]:
    """Return the genes that a text may mean."""
    return exchange.knowledge.genes.find(typed[:60], MOST) if typed else []


async def suggestions_of(visit: Visit, text: str) -> tuple[Suggestion, ...]:
    """Return the terms that a text speaks of."""
    search = await visit.exchange.vocabulary.search()
    return await asyncio.to_thread(suggest, text, search, visit.language)


async def names_of(visit: Visit, ids: Iterable[str]) -> dict[str, Named]:
    """Return terms by id, with their labels in the reader's language."""
    search = await visit.exchange.vocabulary.search() if visit.language != "en" else None  # English needs none
    return {one: named(visit.exchange, search, one, visit.language) for one in ids if one}


def terms_of(matches: Iterable[Listed]) -> set[str]:
    """Return the ids of the terms by which a list says why."""
    told = [one.explanation for one in matches]
    shared = {term.id for one in told for term in one.shared_terms[:MOST_TOLD]}
    return shared | {pair.through.id for one in told for pair in one.related_terms[:MOST_TOLD]}


def named(exchange: Exchange, search: TermSearch | None, term: str, language: str) -> Named:
    """Return a term with its label in a language; an id that nobody knows is its own label."""
    label = exchange.knowledge.ontology.label(term) or term
    translated = search.translated(term, language) if search else None
    return Named(term, label, *translated) if translated else Named(term, label)
