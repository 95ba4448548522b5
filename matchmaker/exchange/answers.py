"""Hits -> what an asker is shown: results, each cut to what others may see, with its reasons in words.

In the exchange's JSON from end to end: an answer has hundreds of small values, and most of a node's time would go into
making objects of them only to write them down again.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from matchmaker.matching import phenotype
from matchmaker.matching.explanation import Explainer
from matchmaker.matching.finding import Hit
from matchmaker.matching.profile import Knowledge, Profile
from matchmaker.matching.score import Score
from matchmaker.mme.messages import Explanation
from matchmaker.policy.consent import outward_content, owns
from matchmaker.records.case import KeptCase
from matchmaker.records.party import Client

RECENT = 4_096  # cases of which what is shown is kept, some ten kilobytes each
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


@dataclass(frozen=True, slots=True)
class _Shown:
    """A case as answers use it: its profile, and what others may see of it."""

    profile: Profile
    patient: Json


class Answers:
    """Makes results of hits. Keeps the cases shown most recently, by key and version: some are found again and again.

    Its methods may be called by several threads at once.
    """

    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge
        self._explainer = Explainer(knowledge.ontology, knowledge.information)
        self._recent: OrderedDict[tuple[int, int], _Shown] = OrderedDict()
        self._turn = threading.Lock()

    def results(self, profile: Profile, hits: Iterable[tuple[Hit, KeptCase]], asker: Client) -> Answer:
        """Return the results for hits, in their order, as far as one answer holds them.

        The asker's own cases keep its ids. Nodes cut an answer that is too long and then have nothing: so where space
        runs out, explanations go first, then the results from there on.
        """
        written: list[bytes] = []
        genes: set[str] = set()
        left, versions = MOST_BYTES, self._knowledge.versions
        for hit, case in hits:
            shown = self._shown(case)
            own = {**shown.patient, "id": case.id} if owns(asker, case.owner) else shown.patient
            plain = {
                "score": {"patient": hit.score.value},
                "patient": own,
                "_score": score_parts(hit.score, versions),
            }
            result = to_json({**plain, "_explanation": explanation_content(profile, shown.profile, self._explainer)})
            if len(result) > left:
                result = to_json(plain)
            if len(result) > left:
                break
            left -= len(result)
            written.append(result)
            genes |= profile.genes.keys() & shown.profile.genes.keys()
        return Answer(tuple(written), tuple(sorted(genes)))

    def forget(self, key: int) -> None:
        """Keep nothing of a case that was withdrawn."""
        with self._turn:
            for known in [known for known in self._recent if known[0] == key]:
                del self._recent[known]

    def _shown(self, case: KeptCase) -> _Shown:
        known = case.key, case.version
        with self._turn:
            if known in self._recent:
                self._recent.move_to_end(known)
                return self._recent[known]
        if case.content is None:
            raise ValueError("nothing of a withdrawn case may be shown")
        shown = _Shown(self._knowledge.profile_of_content(case.content), outward_content(case, self._knowledge.genes))
        with self._turn:
            self._recent[known] = shown
            while len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return shown


def score_parts(score: Score, versions: Mapping[str, str]) -> Json:
    """Return `_score` (a ScoreParts): the parts, the measure, and the versions of the data."""
    return {
        "phenotype": round(score.phenotype, 6),
        "genotype": round(score.genotype, 6),
        "raw": round(score.raw, 6),
        "cosine": round(score.cosine, 6),
        "measure": phenotype.NAME,
        "version": phenotype.VERSION,
        "data": versions,
    }


def explanation(query: Profile, case: Profile, explainer: Explainer) -> Explanation:
    """Return `_explanation`: what two cases share, in words."""
    return Explanation.model_validate(explanation_content(query, case, explainer))


def explanation_content(query: Profile, case: Profile, explainer: Explainer) -> Json:
    """Return `_explanation` in JSON."""
    reasons = explainer.explain(query, case)
    term = explainer.ontology.shown
    genes = (
        ({"symbol": shared.gene.symbol} if shared.gene.symbol else {})
        | {"id": shared.gene.shown_id, "sameVariant": shared.same_variant}
        for shared in reasons.genes
    )
    return {
        "sharedTerms": [{**term(reason.term), "weight": reason.weight} for reason in reasons.shared],
        "relatedTerms": [
            {
                "query": term(reason.query),
                "match": term(reason.case),
                "through": term(reason.through),
                "weight": reason.weight,
            }
            for reason in reasons.related
        ],
        "sharedGenes": list(genes),
        "notes": query.notes,
    }
