"""How much a question must tell, and may: with too little one sweeps, with too much one reads a case term by term."""

from matchmaker.matching.profile import Knowledge, Profile

MOST_TERMS = 100  # observed, of one question: published cases state fewer
_REST = 0.5  # of the information wanted, that must be there without the most telling term


def too_little_told(profile: Profile, knowledge: Knowledge, least_terms: int, least_information: float) -> str | None:
    """Return what a question without a gene lacks, in words for its asker; None when it tells enough.

    Terms that others of the question imply do not count, and one telling term among vague ones is not enough: without
    it, half of `least_information` (in nat) must be left.
    """
    ontology = knowledge.ontology
    implied = {above for term in profile.observed for above in ontology.ancestors(term) if above != term}
    terms = sorted(profile.observed - implied, key=lambda term: (knowledge.information.content[term], term))
    if len(terms) < least_terms:
        return (
            f"cases that share no gene are told where at least {least_terms} observed terms are stated that HPO knows"
            f" and that do not imply one another; here are {len(terms)}"
        )
    whole, rest = (knowledge.profile_of_terms(some).self_information / 1024 for some in (terms, terms[:-1]))
    if whole < least_information or rest < _REST * least_information:
        return "cases that share no gene are told where the terms tell more: state more of them, or more specific ones"
    return None


def too_much_asked(profile: Profile) -> str | None:
    """Return what is too much in a question, in words for its asker."""
    if len(profile.observed) > MOST_TERMS:
        return f"at most {MOST_TERMS} observed terms may be asked with; here are {len(profile.observed)}"
    return None
