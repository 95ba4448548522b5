"""Attack a served node over HTTP for thirty simulated days, and ask it as honest peers do; print what each learned.

    python -m benchmarks.privacy [--cases N] [--seed N] [--json]

Attackers have the default agreement, and ask as fast as they are answered, every day; when they are refused, they try
again the next day. `told` counts different cases of the node, whatever it tells of them; `beyond` the records that show
more than their case's level allows. `without` is what the same questions would have taken from a node that answers
every peer with its five best cases. The recall of an honest peer is the share of its questions about a patient whose
causal gene a case of the node shares, in which the answer holds such a case; `plain recall` that of the same questions
at a node that answers every peer with its five best cases.
"""

import argparse
import asyncio
import json
import platform
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.privacy.cases import Published, coding_symbols, different, divided, published, with_decoys
from benchmarks.privacy.node import DAY, START, Asker, Served, served
from matchmaker.exchange.config import load_config, user_cache_dir
from matchmaker.exchange.reference import load_knowledge
from matchmaker.matching.index import CaseIndex
from matchmaker.matching.profile import Knowledge
from matchmaker.mme.patient import Patient
from matchmaker.mme.validation import validate
from matchmaker.records.party import DEFAULT_PER_MONTH

DAYS = 30
PER_DAY = 60  # attempts that an attacker makes a day
CONTACT = {"name": "A doctor", "href": "mailto:doctor@spain.example"}
PLAIN_TOP = 5
OK = 200

Question = dict[str, Any]


@dataclass
class Row:
    """What one organisation asked, and learned."""

    who: str
    agreement: str
    questions: int
    answered: int
    refused: str
    told: int
    share: float
    beyond: int
    without: float | None = None
    recall: float | None = None
    plain_recall: float | None = None


@dataclass(frozen=True)
class Stage:
    """Everything the askers draw from."""

    node: list[Published]
    others: list[Published]
    genes: list[str]  # symbols or keys of all published causal genes
    terms: list[str]
    human: list[str]  # symbols of all human genes that code for a protein
    seed: int

    def chance(self, name: str) -> random.Random:
        """Return an asker's own chance."""
        return random.Random(f"{self.seed} {name}")  # noqa: S311 - a draw to be repeated, not to be secret


def gene_sweep(stage: Stage) -> Iterator[Question]:
    """Ask for every gene alone."""
    for number, gene in enumerate(stage.genes):
        yield {"id": f"g{number}", "contact": CONTACT, "genomicFeatures": [{"gene": {"id": gene}}]}


def smart_sweep(stage: Stage) -> Iterator[Question]:
    """Ask for ten genes at a time, each time with terms of another made-up patient."""
    chance = stage.chance("smart sweep")
    while True:
        genes = chance.sample(stage.genes, min(10, len(stage.genes)))
        features = [{"id": term} for term in chance.sample(stage.terms, 8)]
        listed = [{"gene": {"id": gene}} for gene in genes]
        yield {"id": f"s{chance.random()}", "contact": CONTACT, "features": features, "genomicFeatures": listed}


def single_terms(stage: Stage) -> Iterator[Question]:
    """Ask for every term alone, then with a gene that nobody has."""
    for number, term in enumerate(stage.terms):
        asked = {"id": f"t{number}", "contact": CONTACT, "features": [{"id": term}]}
        yield asked
        yield {**asked, "genomicFeatures": [{"gene": {"id": f"NOGENE{number}"}}]}


def mimicry(stage: Stage) -> Iterator[Question]:
    """Ask with published look-alikes: what a trusted peer can do best. First those whose genes are rarest met."""
    chance = stage.chance("mimicry")
    met: Counter[str] = Counter()
    pool = list(stage.others)
    chance.shuffle(pool)
    while pool:
        pool.sort(key=lambda case: met[case.gene])
        case = pool.pop(0)
        met[case.gene] += 1
        yield case.question(len(pool), [case.gene, *chance.sample(stage.genes, 9)], with_genes=True)


ATTACKS: dict[str, Callable[[Stage], Iterator[Question]]] = {
    "gene sweep": gene_sweep,
    "smart sweep": smart_sweep,
    "single terms": single_terms,
    "mimicry": mimicry,
    "three nodes of one": mimicry,
}


async def attack(node: Served, askers: Sequence[Asker], questions: Iterator[Question]) -> list[Question]:
    """Ask for thirty days; return the questions that were asked."""
    asked: list[Question] = []
    for day in range(DAYS):
        node.clock.now = max(node.clock.now, START + day * DAY)
        for number in range(PER_DAY):
            question = next(questions, None)
            if question is None:
                return asked
            node.clock.now += DAY / (PER_DAY + 1)
            asker = askers[number % len(askers)]
            asked.append(question)
            before = asker.ends[OK]
            await node.ask(asker, question)
            if asker.ends[OK] == before and number >= 2 * len(askers):
                break  # refused: tomorrow is another day
    return asked


async def honest(
    node: Served, asker: Asker, cases: Sequence[Published], stage: Stage, *, with_genes: bool
) -> list[tuple[Question, str, bool]]:
    """Ask about so many patients over a month; of those with a partner: question, gene, whether one was found."""
    chance = stage.chance(asker.name)
    there = {case.gene for case in stage.node}
    found: list[tuple[Question, str, bool]] = []
    for number, case in enumerate(cases):
        node.clock.now = START + (number + chance.random()) * DAYS * DAY / len(cases)
        question = case.question(number, with_decoys(case, stage.human, chance), with_genes=with_genes)
        results = await node.ask(asker, question)
        if case.gene in there:
            hit = any(node.cases[public_id][0].gene == case.gene for public_id, _ in results)
            found.append((question, case.gene, hit))
    return found


def without_defence(knowledge: Knowledge, stage: Stage, questions: Sequence[Question]) -> float:
    """Return the share of cases that the same questions take from a node that shows every peer its five best."""
    index = _plain(knowledge, stage)
    told: set[int] = set()
    for question in questions:
        told |= {hit.key for hit in index.search(knowledge.profile(validate(Patient, question)), PLAIN_TOP)}
    return len(told) / len(stage.node)


def _plain(knowledge: Knowledge, stage: Stage) -> CaseIndex:
    index = CaseIndex(knowledge.information, knowledge.calibration)
    index.fill((n, knowledge.profile(case.patient), None, 0) for n, case in enumerate(stage.node))
    return index


def plain_recall(knowledge: Knowledge, stage: Stage, asked: Sequence[tuple[Question, str, bool]]) -> float:
    """Return the recall of the same questions at a node that shows every peer its five best."""
    index = _plain(knowledge, stage)
    hits = 0
    for question, gene, _ in asked:
        found = index.search(knowledge.profile(validate(Patient, question)), PLAIN_TOP)
        hits += any(stage.node[hit.key].gene == gene for hit in found)
    return hits / len(asked)


def row_of(name: str, askers: Sequence[Asker], cases: int, agreement: str) -> Row:
    """Return what askers learned together."""
    told = set().union(*(asker.told for asker in askers))
    ends = sum((asker.ends for asker in askers), Counter[int]())
    refused = ", ".join(f"{count} x {status}" for status, count in sorted(ends.items()) if status != OK)
    beyond = sum(asker.beyond for asker in askers)
    return Row(name, agreement, ends.total(), ends[OK], refused, len(told), len(told) / cases, beyond)


async def measured(count: int, seed: int, honest_kinds: Sequence["Kind"] | None = None) -> tuple[int, list[Row]]:
    """Return how many cases the node held, and a row for every asker; of honest peers those of some kinds."""
    knowledge = load_knowledge(load_config(None, {"ontology.cache_dir": user_cache_dir()}, {}))
    stage = _stage(published(knowledge.genes), count, seed)
    rows = []
    for name, questions in ATTACKS.items():
        nodes = 3 if name.startswith("three") else 1
        askers = [Asker(f"attacker-{n}", "Institute", DEFAULT_PER_MONTH) for n in range(nodes)]

        async def act(node: Served, askers: list[Asker] = askers, questions: Any = questions) -> list[Question]:
            return await attack(node, askers, questions(stage))

        asked = await _on_a_node(stage, askers, knowledge, act)
        row = row_of(name, askers, len(stage.node), str(DEFAULT_PER_MONTH))
        row.without = without_defence(knowledge, stage, asked)
        rows.append(row)
    wanted = [(kind, with_genes) for with_genes in (True, False) for kind in honest_kinds or HONEST]
    rows += [await _honest_row(kind, stage, knowledge, with_genes=with_genes) for kind, with_genes in wanted]
    return len(stage.node), rows


@dataclass(frozen=True)
class Kind:
    """Honest peers of one kind: what was agreed, how many questions each asks a month, and how many peers there are."""

    name: str
    per_month: int
    questions: int
    peers: int


HONEST = (
    Kind("8 a month", DEFAULT_PER_MONTH, 8, 100),
    Kind("60 a month", DEFAULT_PER_MONTH, 60, 15),
    Kind("40 a day", 1_200, 1_200, 1),
)


async def _honest_row(kind: Kind, stage: Stage, knowledge: Knowledge, *, with_genes: bool) -> Row:
    """Let peers of a kind ask, each a hospital of its own; what is told is that of the one that was told most."""
    askers = [Asker(f"honest-{n}", f"Hospital {n}", kind.per_month) for n in range(kind.peers)]
    found: list[tuple[Question, str, bool]] = []

    async def ask(node: Served) -> list[Question]:
        pool = different(stage.others) if with_genes else list(stage.others)
        for asker in askers:
            stage.chance(f"{kind.name} {asker.name}").shuffle(pool)
            found.extend(await honest(node, asker, pool[: kind.questions], stage, with_genes=with_genes))
        return []

    await _on_a_node(stage, askers, knowledge, ask)
    how = "with genes" if with_genes else "phenotype alone"
    most = max(askers, key=lambda asker: len(asker.told))
    row = row_of(f"{kind.peers} x honest, {kind.name}, {how}", askers, len(stage.node), str(kind.per_month))
    row.told, row.share = len(most.told), len(most.told) / len(stage.node)
    row.recall = sum(hit for _, _, hit in found) / len(found)
    row.plain_recall = plain_recall(knowledge, stage, found)
    return row


def _stage(cases: list[Published], count: int, seed: int) -> Stage:
    node, others = divided(cases, count, seed)
    genes = sorted({case.gene for case in cases})
    terms = sorted({f.id for case in cases for f in case.patient.features if f.observed == "yes"})
    random.Random(seed).shuffle(terms)  # noqa: S311 - as above
    return Stage(node, others, genes, terms, coding_symbols(), seed)


async def _on_a_node(
    stage: Stage, askers: list[Asker], knowledge: Knowledge, act: Callable[[Served], Awaitable[list[Question]]]
) -> list[Question]:
    with tempfile.TemporaryDirectory(prefix="matchmaker-privacy-") as folder:
        async with served(Path(folder), stage.node, askers, knowledge) as node:
            return await act(node)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description="What askers learn of a node.")
    options.add_argument("--cases", type=int, default=2_000)
    options.add_argument("--seed", type=int, default=20260625)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    held, rows = asyncio.run(measured(chosen.cases, chosen.seed))
    if chosen.json:
        for row in rows:
            print(json.dumps({"cases": held, **row.__dict__}))
        return
    print(f"{held} published cases; {DAYS} simulated days; {platform.machine()}, Python {platform.python_version()}\n")
    columns = ["who", "agreed", "questions", "answered", "refused", "told", "share", "beyond", "without"]
    columns += ["recall", "plain recall"]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for row in rows:
        without = f"{100 * row.without:.1f} %" if row.without is not None else ""
        recall, plain = (f"{one:.3f}" if one is not None else "" for one in (row.recall, row.plain_recall))
        print(
            f"| {row.who} | {row.agreement} | {row.questions} | {row.answered} | {row.refused} | {row.told}"
            f" | {100 * row.share:.1f} % | {row.beyond} | {without} | {recall} | {plain} |"
        )


if __name__ == "__main__":
    main()
