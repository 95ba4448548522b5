"""What an owner says of sharing, in JSON and as a record."""

from datetime import date

from matchmaker.exchange.messages import CaseDeposit, SharingChoice
from matchmaker.records.sharing import Circle, Level, Sharing


def sharing_of(body: CaseDeposit) -> Sharing:
    """Return what a deposit says."""
    choice = body.sharing
    until = date.fromisoformat(choice.until) if choice.until else None
    return Sharing(
        Circle(choice.with_),
        Level.of(choice.level),
        tuple(sorted(set(choice.countries or ()))),
        tuple(sorted(set(choice.nodes or ()))),
        until,
        body.collection,
        choice.contact == "own",
        choice.genes,
    )


def choice_of(sharing: Sharing) -> SharingChoice:
    """Return a sharing as its owner reads it."""
    return SharingChoice(
        with_=sharing.circle.value,
        countries=sharing.countries or None,
        nodes=sharing.nodes or None,
        until=sharing.until.isoformat() if sharing.until else None,
        level=sharing.level.word,  # type: ignore[arg-type]  # the words of Level are those of the choice
        contact="own" if sharing.own_contact else "institution",
        genes=sharing.genes,
    )
