"""When a match is news, and who is alerted of it: pure rules over what is known of the pair and what was chosen.

Seen again unchanged it is no news; changed for the better it is. Whatever stays quiet says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from matchmaker.policy.consent import same_institution
from matchmaker.records.alert import NOBODY, Alert, News, Role
from matchmaker.records.choices import Choices, Frequency
from matchmaker.records.match import Flag, Match, Other, SharedGene, Side, Status

BETTER_BY = 0.05  # a rise of the score that is worth a mail
NONE_CHOSEN = Choices()
NOBODY_TO_ALERT = "the case has neither an owner nor its institution a mailbox"
_SEEN_AGAIN_SECONDS = 86_400.0  # a match seen again is written down once a day
_LEAST_DETAILS = 6  # of observed and negated terms and genes: fewer are alike by chance


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scores below which a match is kept quiet where nobody chose others."""

    min_score: float
    min_score_by_phenotype: float


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody to alert of a match of `case`: an address, "" where there is none, with what it and the case chose."""

    address: str
    case: str
    choices: Choices = NONE_CHOSEN
    case_choices: Choices = NONE_CHOSEN
    role: Role = Role.OURS
    quoted: str | None = None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A match as it was just found, as if for the first time, and who is to learn of it."""

    match: Match
    addressees: tuple[Addressee, ...] = ()
    thresholds: Thresholds = Thresholds(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Noted:
    """What comes of a sighting: the match as it is kept, the alerts to queue, and whether anything is to be written."""

    match: Match
    alerts: tuple[Alert, ...] = ()
    changed: bool = True


def noted(known: Match | None, sighting: Sighting) -> Noted:
    """Return what a sighting makes of a match that is known (None: that is not), and whom it alerts.

    Whoever was never alerted of it is told as of a new one as soon as nothing keeps it quiet any more.
    """
    now = sighting.match.last_seen
    match, news = _merged(known, sighting.match)
    kinds = {side.case: _news_to(side, news) for side in match.sides}
    to_them = None if news is News.SOLVED else news  # who has solved it need not be told so
    result = _told(known, match, kinds, to_them if match.contact_alerted else News.FOUND, sighting, now)
    if news is None and not result.alerts:
        again = known is not None and now - known.last_seen > _SEEN_AGAIN_SECONDS
        return Noted(result.match, changed=again or known is None or _differs(known, result.match))
    return result


def _news_to(side: Side, news: News | None) -> News | None:
    """Return what a sighting is to the owner of a side; one who has looked at the match already has found it."""
    return News.FOUND if news is not News.SOLVED and not side.alerted and side.status is Status.NEW else news


def solved(match: Match, sighting: Sighting, now: float) -> Noted:
    """Return a match of which one side was solved and says so, and the alerts to those who are to know."""
    kinds: dict[str, News | None] = {side.case: News.SOLVED for side in match.sides}
    return _told(match, match, kinds, News.SOLVED, sighting, now)


def _told(
    known: Match | None,
    match: Match,
    kinds: Mapping[str, News | None],
    to_them: News | None,
    sighting: Sighting,
    now: float,
) -> Noted:
    """Return a match with its alerts, one for each address; `kinds` is what it is to each side's people."""
    number = match.news + 1 if known else 1
    alerts: dict[str, Alert] = {}
    quiet: dict[str, str | None] = {}
    for one in sighting.addressees:
        side = match.side_of(one.case)
        news = kinds.get(one.case) if one.role is Role.OURS else to_them
        if side is None or side.hidden or news is None:
            continue
        reason = why_quiet(match, side, news, one, sighting.thresholds)
        alerts_nobody = reason is None and one.address == NOBODY
        if alerts_nobody and side.quiet == NOBODY_TO_ALERT:
            continue  # the operator is shown it already
        if one.role is Role.OURS and quiet.get(one.case, "") is not None:
            quiet[one.case] = NOBODY_TO_ALERT if alerts_nobody else reason
        if reason is None:
            alert = _alert(match, side, news, one, number, now)
            before = alerts.get(one.address)
            alerts[one.address] = min(before, alert, key=lambda alert: alert.due) if before else alert
    sides = tuple(_with_quiet(side, quiet) for side in match.sides)
    theirs = any(alert.role is Role.THEIRS for alert in alerts.values())
    update: dict[str, object] = {"sides": sides, "contact_alerted": match.contact_alerted or theirs}
    if alerts or any(kind not in {None, News.FOUND} for kind in kinds.values()):
        update.update(news=number, changed_at=now)
    return Noted(match.model_copy(update=update), tuple(alerts.values()))


def _with_quiet(side: Side, quiet: Mapping[str, str | None]) -> Side:
    if side.case not in quiet:
        return side
    reason = quiet[side.case]
    return side.model_copy(update={"quiet": reason, "alerted": side.alerted or reason is None})


def _alert(match: Match, side: Side, news: News, one: Addressee, number: int, now: float) -> Alert:
    waits = max(now, one.choices.snoozed_until or 0.0, one.case_choices.snoozed_until or 0.0)
    return Alert(
        match=match.id, recipient=one.address, number=number, case=one.case, news=news, node=match.node,
        score=match.score_for(side), at=now, due=waits, role=one.role, quoted=one.quoted,
    )  # fmt: skip


def why_quiet(match: Match, side: Side, news: News, addressee: Addressee, thresholds: Thresholds) -> str | None:
    """Return why somebody is not alerted of a match, in words; None: it is."""
    person, case = addressee.choices, addressee.case_choices
    shared = {name.casefold() for gene in match.genes for name in (gene.key, gene.id, gene.symbol or gene.id)}
    muted = {gene.casefold() for gene in (*person.muted_genes, *case.muted_genes)}
    reasons = (
        (match.test, "one of the patients is a test"),
        (match.flag is not None, match.flag.value if match.flag else ""),
        (side.status is Status.NOT_A_MATCH, "it was found to be no match"),
        (person.frequency is Frequency.NEVER, "the recipient wants no mails"),
        (case.muted, "the case is muted"),
        (match.node in {*person.muted_nodes, *case.muted_nodes}, "the node is muted"),
        (bool(shared & muted) and _all_muted(match, muted), "the shared gene is muted"),
        (news is not News.FOUND and (person.only_new or case.only_new), "only new matches are wanted"),
        (
            not match.genes and (person.only_shared_genes or case.only_shared_genes),
            "only matches that share a gene are wanted",
        ),
        (
            news is not News.SOLVED and match.score_for(side) < _threshold(match, person, case, thresholds),
            _below(match),
        ),
    )
    return next((reason for holds, reason in reasons if holds), None)


def _all_muted(match: Match, muted: set[str]) -> bool:
    names = ({gene.key.casefold(), gene.id.casefold(), (gene.symbol or gene.id).casefold()} for gene in match.genes)
    return all(names_of_one & muted for names_of_one in names)


def _below(match: Match) -> str:
    return "it is below the threshold" if match.genes else "it is below the threshold for matches by phenotype alone"


def _threshold(match: Match, person: Choices, case: Choices, thresholds: Thresholds) -> float:
    """Return the case's own threshold, else the person's, else the node's."""
    if match.genes:
        chosen = (case.min_score, person.min_score, thresholds.min_score)
    else:
        chosen = (case.min_score_by_phenotype, person.min_score_by_phenotype, thresholds.min_score_by_phenotype)
    return next(one for one in chosen if one is not None)


def _merged(known: Match | None, found: Match) -> tuple[Match, News | None]:
    """Return the match with what is known of it, and in which way it is news."""
    told = _told_of(found)
    if known is None:
        return found.model_copy(update={"news": 1, "news_score": _best(found), "told": told}), News.FOUND
    news = _news(known, found)
    update: dict[str, object] = {
        "sides": tuple(_side(known, side) for side in found.sides),
        "other": _other(known, found),
        "asked": known.asked or found.asked,
        "was_asked": known.was_asked or found.was_asked,
        "peer_score": found.peer_score if found.peer_score is not None else known.peer_score,
        "disclaimer": found.disclaimer if found.asked else known.disclaimer,
        "terms": found.terms if found.asked else known.terms,
        "first_seen": known.first_seen,
        "contact_alerted": known.contact_alerted,
        "changed_at": known.changed_at,
        "news": known.news,
        "news_score": max(known.news_score, _best(found)) if news else known.news_score,
        "told": tuple(sorted({*known.told, *told})),
    }
    if found.was_asked and not found.asked:
        update["flag"] = found.flag or known.flag  # a question may show less than an answer did
        if known.asked:
            update["genes"] = _all_genes(known, found)
            names = ("score", "explanation", "parts") if found.score <= known.score else ()
            update.update({name: getattr(known, name) for name in names})
    return found.model_copy(update=update), news


def _best(match: Match) -> float:
    """Return the best score of a match: of two cases of this node, each owner's view has its own."""
    return max(match.score, *(match.score_for(side) for side in match.sides))


def _all_genes(known: Match, found: Match) -> tuple[SharedGene, ...]:
    """Return the genes that either shows, and those with a variant in common as such."""
    genes = {gene.key: gene for gene in known.genes}
    genes.update({gene.key: gene for gene in found.genes if gene.same_variant or gene.key not in genes})
    return tuple(genes[key] for key in sorted(genes))


def _told_of(match: Match) -> tuple[str, ...]:
    """Return what of genes and variants was in common, and what the other side was solved as, to be compared."""
    genes = {gene.key for gene in match.genes}
    variants = {f"{gene.key} variant" for gene in match.genes if gene.same_variant}
    return tuple(sorted({*genes, *variants, *_solutions(match)}))


def _solutions(match: Match) -> set[str]:
    return {f"solved {match.other.solution.to_text()}"} if match.other and match.other.solution else set()


def _news(known: Match, found: Match) -> News | None:
    """Return in which way a match is news beside all that was ever told of it."""
    if not _solutions(found) <= set(known.told):
        return News.SOLVED
    if _best(found) >= known.news_score + BETTER_BY or not set(_told_of(found)) <= set(known.told):
        return News.STRONGER
    return None


def _side(known: Match, found: Side) -> Side:
    """Return a side as it was followed up so far, of the case as it is now."""
    before = known.side_of(found.case)
    now = {name: getattr(found, name) for name in ("version", "owner", "person", "score", "hidden")}
    return before.model_copy(update=now) if before else found


def _other(known: Match, found: Match) -> Other | None:
    """Return the other node's case as it was shown last; what a question does not tell stays from an answer."""
    if known.other is None or found.other is None or found.asked:
        return found.other
    names = ("answer", "answered_at", "solution")
    return found.other.model_copy(update={name: getattr(known.other, name) for name in names})


def _differs(known: Match, match: Match) -> bool:
    return known.model_copy(update={"last_seen": match.last_seen}) != match


@dataclass(frozen=True, slots=True)
class Details:
    """What two cases are compared by to the last detail: terms by number, genes by key."""

    observed: frozenset[int]
    denied: frozenset[int]
    genes: frozenset[str]

    def alike(self, other: "Details") -> bool:
        """Tell whether two cases of two nodes are perhaps one patient: alike in all, and in enough."""
        count = len(self.observed) + len(self.denied) + len(self.genes)
        return count >= _LEAST_DETAILS and bool(self.observed) and self == other


@dataclass(frozen=True, slots=True)
class Kin:
    """What tells whether two cases of one node belong together: owner, person, institution, and the family's name."""

    owner: str
    institution: str | None
    person: str | None
    family: str | None


def flag_of(one: Kin, other: Kin) -> Flag | None:
    """Return whether two cases of this node are perhaps of one family: of one owner, or so named by an institution."""
    same_owner = one.person == other.person if one.person or other.person else one.owner == other.owner
    here = same_institution(one.institution or one.owner, other.institution or other.owner)
    same_family = one.family is not None and here and same_institution(one.family, other.family)
    return Flag.FAMILY if same_owner or same_family else None
