"""Hits -> what an asker is shown: results, each cut to what others may see, with its reasons in words.

In the exchange's JSON from end to end: an answer has hundreds of small values, and most of a node's time would go into
making objects of them only to write them down again.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from matchmaker.matching import phenotype
from matchmaker.matching.explanation import Asked as AskedTerms
from matchmaker.matching.explanation import Explainer
from matchmaker.matching.finding import Hit
from matchmaker.matching.genotype import SharedGene, shared_genes
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.matching.score import Score
from matchmaker.mme.messages import Explanation
from matchmaker.policy.consent import outward_content, owns
from matchmaker.records.case import KeptCase
from matchmaker.records.party import Client

MOST_BYTES = 1_000_000  # of results in one answer; our own nodes cut at 2 MiB, others may sooner

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Results in JSON, each of them a whole MatchResult, and the keys of the genes that they share with the query."""

    results: tuple[bytes, ...]
    genes: tuple[str, ...]

    def body(self, told: Mapping[str, str]) -> bytes:
        """Return the body of a MatchResponse: the results, and what else is `told`."""
        rest = to_json(told)[1:-1]
        return b'{"results":[' + b",".join(self.results) + b"]" + (b"," + rest if rest else b"") + b"}"


class Answers:
    """Makes results of hits."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._explanations = Explanations(Explainer(knowledge.ontology, knowledge.information))
        told = {"measure": phenotype.NAME, "version": phenotype.VERSION, "data": knowledge.versions}
        self._versions = to_json(told)[1:]

    def warm_up(self) -> None:
        """Explain something, so that what is compiled is compiled, or read, before anybody waits for it."""
        self._explanations.of(Profile(), Profile())

    def results(self, profile: Profile, hits: Iterable[tuple[Hit, KeptCase]], asker: Client) -> Answer:
        """Return the results for hits, in their order, as far as one answer holds them.

        The asker's own cases keep its ids. Nodes cut an answer that is too long and then have nothing: so where space
        runs out, explanations go first, then the results from there on.
        """
        written: list[bytes] = []
        genes: set[str] = set()
        left = MOST_BYTES
        asked = self._explanations.asked(profile)
        for hit, case in hits:
            shared = self._shared_genes(profile, hit, case)
            plain = b'{"score":{"patient":%s},"patient":%s,"_score":%s' % (
                b"%a" % hit.score.value,
                to_json(self._shown(case, asker)),
                self._score_parts(hit.score),
            )
            result = b'%s,"_explanation":%s}' % (plain, self._explanation(asked, case, shared))
            if len(result) > left:
                result = plain + b"}"
            if len(result) > left:
                break
            left -= len(result)
            written.append(result)
            genes.update(one.gene.key for one in shared)
        return Answer(tuple(written), tuple(sorted(genes)))

    def _shown(self, case: KeptCase, asker: Client) -> Json:
        patient = outward_content(case, self._knowledge.genes)
        return {**patient, "id": case.id} if owns(asker, case.owner) else patient

    def _score_parts(self, score: Score) -> bytes:
        """Return `_score` (a ScoreParts): the parts, the measure, and the versions of the data."""
        parts = (score.phenotype, score.genotype, score.raw, score.cosine)
        return b'{"phenotype":%a,"genotype":%a,"raw":%a,"cosine":%a,%s' % (
            *(round(part, 6) for part in parts),
            self._versions,
        )

    def _shared_genes(self, profile: Profile, hit: Hit, case: KeptCase) -> tuple[SharedGene, ...]:
        if hit.score.factor <= 1.0 or case.content is None:
            return ()
        genes, _ = self._knowledge.candidates(case.content)
        return tuple(shared_genes(profile, Profile(genes=genes)))

    def _explanation(self, asked: "Asked", case: KeptCase, genes: tuple[SharedGene, ...]) -> bytes:
        observed, denied = self._knowledge.observed_and_denied(case.content or {})
        return self._explanations.written(asked, observed, denied, genes)


class Explanations:
    """Writes `_explanation`: what two cases share, in words."""

    def __init__(self, explainer: Explainer) -> None:
        self._explainer = explainer
        self._begun: dict[int, bytes] = {}  # of each term met, its id and label, without the closing brace

    def of(self, query: Profile, case: Profile) -> Explanation:
        """Return the explanation of two profiles."""
        genes = tuple(shared_genes(query, case))
        return Explanation.model_validate_json(self.written(self.asked(query), case.observed, case.denied, genes))

    def asked(self, query: Profile) -> "Asked":
        """Return a query as `written` takes it."""
        return Asked(self._explainer.asked(query), to_json(query.notes))

    def written(
        self, asked: "Asked", observed: Collection[int], denied: Collection[int], genes: Iterable[SharedGene]
    ) -> bytes:
        """Return the explanation in JSON; the case is given by its terms, observed and denied."""
        shared, related = asked.terms.terms(observed, denied)
        term = self._term
        return b'{"sharedTerms":[%s],"relatedTerms":[%s],"sharedGenes":%s,"notes":%s}' % (
            b",".join([b'%s,"weight":%d}' % (term(number), weight) for _, _, number, weight in shared]),
            b",".join(
                [
                    b'{"query":%s},"match":%s},"through":%s},"weight":%d}'
                    % (term(one), term(other), term(through), weight)
                    for one, other, through, weight in related
                ]
            ),
            to_json([_gene(one) for one in genes]),
            asked.notes,
        )

    def _term(self, number: int) -> bytes:
        if number not in self._begun:
            self._begun[number] = to_json(self._explainer.ontology.shown(number))[:-1]
        return self._begun[number]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query to be explained, and its notes in JSON."""

    terms: AskedTerms
    notes: bytes


def _gene(shared: SharedGene) -> Json:
    symbol = {"symbol": shared.gene.symbol} if shared.gene.symbol else {}
    return {"id": shared.gene.shown_id, **symbol, "sameVariant": shared.same_variant}
