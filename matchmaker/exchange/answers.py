"""Hits -> what an asker is shown: results, each cut to what its case's level allows, with its reasons in words.

In the exchange's JSON from end to end: an answer has hundreds of small values, and most of a node's time would go into
making objects of them only to write them down again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
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
from matchmaker.policy.consent import owns
from matchmaker.policy.levels import contact_of, evidence, shown, shown_minimal
from matchmaker.policy.names import name_for
from matchmaker.policy.news import Details
from matchmaker.records.case import KeptCase
from matchmaker.records.collection import Collection as CaseCollection
from matchmaker.records.match import Solution
from matchmaker.records.party import Client
from matchmaker.records.sharing import Level

MOST_BYTES = 1_000_000  # of results in one answer; our own nodes cut at 2 MiB, others may sooner

Json = dict[str, Any]
Lines = list[list[int]]  # query's term, case's term, through, weight: of Asked.terms


@dataclass(frozen=True, slots=True)
class Result:
    """One case as the asker would be shown it, a whole MatchResult in JSON; and what of it is written in the ledger.

    `genes` are the keys of those that it shares with the query; `own`: it is the asker's own case. `alike`: it is as
    the query to the last detail, at its level.
    """

    key: int
    version: int
    public_id: str
    level: Level
    own: bool
    genes: tuple[str, ...]
    json: bytes
    score: float
    case: KeptCase
    shared: tuple[SharedGene, ...] = ()
    alike: bool = False


def body_of(results: Iterable[Result], told: Mapping[str, str]) -> bytes:
    """Return the body of a MatchResponse: the results, and what else is `told`."""
    rest = to_json(told)[1:-1]
    return b'{"results":[' + b",".join(one.json for one in results) + b"]" + (b"," + rest if rest else b"") + b"}"


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

    def results(
        self,
        profile: Profile,
        hits: Iterable[tuple[Hit, KeptCase]],
        asker: Client,
        collections: Mapping[str, CaseCollection],
        solved: Mapping[int, Solution] | None = None,
    ) -> tuple[Result, ...]:
        """Return the results for hits, in their order, as far as one answer holds them.

        The asker's own cases keep its ids and all that is known of them. `solved` is what owners of some cases, by
        key, tell this asker of them. Nodes cut an answer that is too long and then
        have nothing: so where space runs out, explanations go first, then the results from there on.
        """
        written: list[Result] = []
        left = MOST_BYTES
        asked = self._explanations.asked(profile)
        for hit, case in hits:
            result = self._result(profile, asked, hit, case, asker, collections, (solved or {}).get(hit.key), left)
            if result is None:
                break
            left -= len(result.json)
            written.append(result)
        return tuple(sorted(written, key=lambda one: -one.score))

    def _result(
        self,
        profile: Profile,
        asked: "Asked",
        hit: Hit,
        case: KeptCase,
        asker: Client,
        collections: Mapping[str, CaseCollection],
        solved: Solution | None,
        left: int,
    ) -> Result | None:
        own, level = owns(asker, case.owner), case.sharing.level
        seen = evidence(case.content or {}, level)
        genes = self._shared_genes(profile, hit, seen)
        observed, denied = self._knowledge.observed_and_denied(seen)
        shared, related = asked.terms.terms(observed, denied)
        if own:
            patient: Mapping[str, Any] = case.content or {}
        else:
            name = name_for(asker.name, case.public_id)
            patient = self._shown(case, level, name, collections, (shared, related), genes)
        minimal = level is Level.MINIMAL and not own
        if minimal:
            related = [[one, through, through, weight] for one, _, through, weight in related]
        # To one digit, downwards: the rest would tell how much there is besides what is shared, as its parts would.
        score = floor(hit.score.value * 10) / 10 if minimal else hit.score.value
        begun = b'{"score":{"patient":%s},"patient":%s' % (b"%a" % score, to_json(patient))
        if not minimal:
            begun += b',"_score":%s' % self._score_parts(hit.score)
        if solved:
            begun += b',"_solved":%s' % solved.model_dump_json(exclude_none=True).encode()
        whole = b'%s,"_explanation":%s}' % (begun, self._explanations.of_lines(asked, shared, related, genes))
        json = whole if len(whole) <= left else begun + b"}"
        if len(json) > left:
            return None
        alike = observed == profile.observed and self._alike(profile, seen, denied)
        keys = tuple(one.gene.key for one in genes)
        return Result(hit.key, hit.version, case.public_id, level, own, keys, json, score, case, genes, alike)

    def _alike(self, profile: Profile, seen: Mapping[str, Any], denied: Collection[int]) -> bool:
        """Tell whether a case with the same observed terms is the same in all else that is compared."""
        genes, _ = self._knowledge.candidates(seen)
        theirs = Details(profile.observed, frozenset(denied), frozenset(genes))
        return Details(profile.observed, profile.denied, frozenset(profile.genes)).alike(theirs)

    def explain(self, query: Profile, case: Profile) -> Explanation:
        """Return why two cases are alike."""
        return self._explanations.of(query, case)

    def _shown(
        self,
        case: KeptCase,
        level: Level,
        name: str,
        collections: Mapping[str, CaseCollection],
        lines: tuple[Lines, Lines],
        genes: Sequence[SharedGene],
    ) -> Json:
        content = case.content or {}
        contact = contact_of(content, case.sharing, collections.get(case.sharing.collection or ""))
        if level is not Level.MINIMAL:
            return shown(content, level, name, contact, self._knowledge.genes, self._knowledge.ontology.label)
        terms = [self._knowledge.ontology.shown(line[2]) for some in lines for line in some]
        return shown_minimal(content, name, contact, terms, map(_bare_gene, genes))

    def _score_parts(self, score: Score) -> bytes:
        """Return `_score` (a ScoreParts): the parts, the measure, and the versions of the data."""
        parts = (score.phenotype, score.genotype, score.raw, score.cosine)
        return b'{"phenotype":%a,"genotype":%a,"raw":%a,"cosine":%a,%s' % (
            *(round(part, 6) for part in parts),
            self._versions,
        )

    def _shared_genes(self, profile: Profile, hit: Hit, seen: Mapping[str, Any]) -> tuple[SharedGene, ...]:
        if hit.score.factor <= 1.0:
            return ()
        genes, _ = self._knowledge.candidates(seen)
        return tuple(shared_genes(profile, Profile(genes=genes)))


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
        return self.of_lines(asked, *asked.terms.terms(observed, denied), genes)

    def of_lines(self, asked: "Asked", shared: Lines, related: Lines, genes: Iterable[SharedGene]) -> bytes:
        """Return the explanation in JSON, of the lines that Asked.terms gives."""
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


def _bare_gene(shared: SharedGene) -> Json:
    symbol = {"_geneName": shared.gene.symbol} if shared.gene.symbol else {}
    return {"id": shared.gene.shown_id, **symbol}
