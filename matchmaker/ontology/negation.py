"""What a clinical text says is not there, after NegEx: a cue, and how far it reaches.

Source: Chapman et al. 2001, doi:10.1006/jbin.2001.1029; unlike there a cue reaches up to the end of its sentence, or
to a word that turns it (but, pero, mais, aber). Knows words, no terms. English, and the language of the text.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set

# Folded, as texts are compared. `before` stand before what they deny, `after` behind it; `not_really` only look so.
_BEFORE = {
    "en": """no|not|without|denies|denied|denying|deny|never|neither|nor|lacks|lacked|lacking|lack of|absence of|free of
        |negative for|doesn t|didn t|don t|hasn t|haven t|hadn t|isn t|wasn t|aren t|weren t|rules out|ruled out for""",
    "es": "no|sin|niega|niegan|negaba|ni|nunca|tampoco|ausencia de|descarta|descartamos|negativo para|negativa para",
    "fr": "pas de|pas d|pas|sans|aucun|aucune|ni|jamais|nie|non|absence de|absence d|elimine",
    "de": "kein|keine|keinen|keinem|keiner|keines|keinerlei|ohne|nicht|nie|weder|verneint|ausschluss von",
    "it": "non|senza|nega|ne|nessun|nessuna|nessuno|mai|assenza di",
    "pt": "nao|sem|nega|nem|nenhum|nenhuma|nunca|ausencia de",
    "nl": "geen|zonder|niet|nooit|noch|ontkent|afwezigheid van",
    "cs": "bez|neni|nejsou|nema|nemel|nemela|neguje|zadny|zadna|zadne|nebyl|nebyla|nebyly",
}
_AFTER = {
    "en": """absent|denied|not present|not seen|not observed|not found|not detected|not noted|never seen|never noted
        |was not present|were not present|ruled out|excluded|unlikely""",
    "es": "ausente|ausentes|descartado|descartada|descartados|descartadas|negado|negada|negativo|negativa",
    "fr": "absent|absente|absents|absentes|exclu|exclue|elimine|eliminee",
    "de": "nicht vorhanden|nicht nachweisbar|nicht beobachtet|liegt nicht vor|liegen nicht vor|ausgeschlossen|verneint",
    "it": "assente|assenti|escluso|esclusa|escluse|esclusi",
    "pt": "ausente|ausentes|descartado|descartada|excluido|excluida",
    "nl": "afwezig|uitgesloten|niet aanwezig",
    "cs": "nepritomen|nepritomna|nepritomny|vyloucen|vyloucena|vylouceny",
}
_NOT_REALLY = {
    "en": "not only|not just|no change|no increase|no doubt|without difficulty|not certain|not necessarily",
    "es": "no solo|no solamente|sin embargo|sin duda|sin cambios|no obstante",
    "fr": "pas seulement|non seulement|sans doute|sans changement|pas que",
    "de": "nicht nur|ohne zweifel|nicht zuletzt",
    "it": "non solo|non soltanto|senza dubbio",
    "pt": "nao so|nao apenas|sem duvida",
    "nl": "niet alleen|zonder twijfel",
    "cs": "bez pochyby",
}
_TURNS = {
    "en": """but|however|although|though|except|despite|yet|nevertheless|whereas|while|has|have|had|having|shows|showed
        |presents|presented|presenting|developed|exhibits|demonstrates|is notable|aside from""",
    "es": "pero|aunque|sino|excepto|salvo|mientras|sin embargo|no obstante|presenta|presentaba|presento|muestra|tiene",
    "fr": "mais|cependant|toutefois|sauf|hormis|pourtant|alors|presente|presentait|montre",
    "de": "aber|jedoch|doch|sondern|ausser|obwohl|allerdings|hingegen|zeigt|zeigte|hat|hatte|besteht|bestehen",
    "it": "ma|pero|tuttavia|tranne|eccetto|sebbene|presenta|mostra",
    "pt": "mas|porem|contudo|exceto|embora|apresenta|tem",
    "nl": "maar|echter|behalve|hoewel|heeft|toont|wel",
    "cs": "ale|avsak|nicmene|krome|ma|mel|mela",
}
_REACH_BACK = 4  # words between a term and a cue behind it: "seizures and hypotonia were not seen"


class Cues:
    """The cues of English and a language, to be looked for in the folded words of a text."""

    def __init__(self, languages: Sequence[str]) -> None:
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
        kinds = {"turn": _TURNS, "not really": _NOT_REALLY, "after": _AFTER, "before": _BEFORE}
        for kind, told in kinds.items():
            for phrase in (phrase for language in languages for phrase in told.get(language, "").split("|")):
                if parts := tuple(phrase.split()):
                    self._phrases[parts[0]].append((parts, kind))

    def denied(self, sentence: Sequence[str], taken: Set[int], answers: Set[int]) -> frozenset[int]:
        """Return the places of a sentence's words that it denies.

        `taken` are places within terms, where no cue begins; at `answers` a cue answers what stands before it
        ("seizures: no") and denies nothing behind it.
        """
        turns, starts, ends = set[int](), set[int](), list[int]()
        for at, length, kinds in self._cues(sentence, taken):
            turns |= {at} if "turn" in kinds else set()
            if "after" in kinds or at in answers:
                ends.append(at)
            if "before" in kinds and at not in answers:
                starts.add(at + length)
        return _forwards(len(sentence), starts, turns) | _backwards(ends, turns)

    def _cues(self, sentence: Sequence[str], taken: Set[int]) -> Iterator[tuple[int, int, set[str]]]:
        """Yield where each cue begins, the count of its words, and its kinds; of overlapping ones the longest."""
        at = 0
        while at < len(sentence):
            known = self._phrases.get(sentence[at], ()) if at not in taken else ()
            found = [(len(parts), kind) for parts, kind in known if tuple(sentence[at : at + len(parts)]) == parts]
            longest = max((length for length, _kind in found), default=0)
            if longest:
                yield at, longest, {kind for length, kind in found if length == longest}
            at += longest or 1


def _forwards(count: int, starts: Set[int], turns: Set[int]) -> frozenset[int]:
    """Return the places from each start to the next turn. A turn at the start itself is its cue's: no presenta."""
    denied, denying = set[int](), False
    for place in range(count):
        denying = place in starts or (denying and place not in turns)
        denied |= {place} if denying else set()
    return frozenset(denied)


def _backwards(ends: Sequence[int], turns: Set[int]) -> frozenset[int]:
    """Return the few places before each end, back to a turn."""
    denied = set[int]()
    for end in ends:
        for place in range(end - 1, max(-1, end - 1 - _REACH_BACK), -1):
            if place in turns:
                break
            denied.add(place)
    return frozenset(denied)
