"""The cells of one row of a table -> a patient: what may be written in which column, and how it is read.

Stricter than the exchange: a person typed it, and will mend what is told. Knows no files.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from matchmaker.genome.genes import GeneTable
from matchmaker.intake.variants import read_variant
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.patient import Contact, Patient
from matchmaker.mme.strict_json import printable
from matchmaker.mme.validation import validate
from matchmaker.ontology.hpo import Ontology

COLUMNS = (
    *("id", "label", "sex", "features", "genes"),
    *("variants", "zygosity", "inheritance", "onset", "disorders"),
)
_SHOWN = 20  # problems told of a row at most
_MODES, _ONSETS = "HP:0000005", "HP:0003674"  # Mode of inheritance; Onset
_SEXES = {
    **dict.fromkeys(("f", "female"), "FEMALE"),
    **dict.fromkeys(("m", "male"), "MALE"),
    **dict.fromkeys(("o", "other"), "OTHER"),
    **dict.fromkeys(("", "u", "unknown"), None),
}
_ZYGOSITIES = {
    **dict.fromkeys(("1", "het", "heterozygous", "hemi", "hemizygous"), 1),
    **dict.fromkeys(("2", "hom", "homozygous"), 2),
    "": None,
}
_DISORDERS = {"MIM": "MIM", "OMIM": "MIM", "ORPHA": "Orphanet", "ORPHANET": "Orphanet"}
_COLUMN_OF = {"genomicFeatures": "genes", "ageOfOnset": "onset", "inheritanceMode": "inheritance", "": "features"}
_HPO = re.compile(r"HP:\d{7}", re.ASCII)
_NO = r"no\s+|not\s+|[-\u2212\u2013]\s*"  # also the minus sign and the dash that a text editor makes of it
_SIGNED = re.compile(rf"({_NO})?(.*)", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(rf"(?:{_NO})?\S+", re.IGNORECASE)
_GENE = re.compile(r"[A-Za-z0-9][\w.:@-]{0,49}", re.ASCII)
_DATE = re.compile(r"(?:\d{1,2}-[a-z]{3}|[a-z]{3}-\d{1,2})", re.ASCII | re.IGNORECASE)
_FORMULA = re.compile(r"[=+@]|[-].")
_LOST = re.compile("[\ufffd\ud800-\udfff]")  # what decoding leaves of bytes that are not UTF-8
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\u0080-\u009f\u202a-\u202e\u2066-\u2069]")


class Cells:
    """Reads the rows of one table. `names` are what its columns are called, for problems."""

    def __init__(self, ontology: Ontology, genes: GeneTable, contact: Contact, names: Mapping[str, str]) -> None:
        self._ontology, self._genes, self._contact, self._names = ontology, genes, contact, names

    @cached_property
    def _labels(self) -> dict[str, str]:
        return {term.label.casefold(): term.id for term in self._ontology.terms()}

    def patient(self, cells: Mapping[str, str], problems: Sequence[Problem] = ()) -> tuple[Patient, tuple[str, ...]]:
        """Return the patient of the cells by column, and notes; `problems` are known of the row already.

        Errors: InvalidRequest, with every column that is wrong.
        """
        row = _Row(cells, self._names, list(problems))
        value = {
            "id": row.text("id"),
            "label": row.text("label") or None,
            "contact": self._contact.to_json(),
            "sex": row.choice("sex", _SEXES),
            "features": self._features(row),
            "genomicFeatures": self._genomic_features(row),
            "inheritanceMode": self._below(row, "inheritance", _MODES, "mode of inheritance", " inheritance"),
            "ageOfOnset": self._below(row, "onset", _ONSETS, "age of onset", " onset"),
            "disorders": _disorders(row),
        }
        if not cells.get("id", "").strip():
            row.wrong("id", "is missing")
        if not (row.problems or value["features"] or value["genomicFeatures"]):
            row.wrong("features", "expected a feature, or a gene in its column; both are empty")
        row.raise_if_wrong()
        try:
            return validate(Patient, value), tuple(dict.fromkeys(row.notes))
        except InvalidRequest as error:
            raise InvalidRequest(*(self._traced(problem) for problem in error.problems)) from None

    def _traced(self, problem: Problem) -> Problem:
        """Put the column for the place in the patient."""
        head = re.split(r"[.\[]", problem.path, maxsplit=1)[0]
        column = "variants" if ".variant" in problem.path else _COLUMN_OF.get(head, head)
        return Problem(self._names.get(column, column), problem.message)

    def _features(self, row: "_Row") -> list[dict[str, Any]]:
        observed: dict[str, str] = {}
        for said in self._said(row.cell("features")):
            if len(row.problems) >= _SHOWN:
                break
            try:
                term, answer = self._feature(said, row)
            except InvalidRequest as error:
                row.problems += [Problem(row.name("features"), problem.message) for problem in error.problems]
                continue
            if observed.setdefault(term, answer) != answer:
                row.wrong("features", f"{term} is said to be there and not to be there")
        return [
            {"id": term, "label": self._ontology.label(term), "observed": answer} for term, answer in observed.items()
        ]

    def _said(self, cell: str) -> Iterator[str]:
        """Yield the features of a cell. A comma may be part of a label, a blank is: the whole is tried first."""
        for part in filter(None, map(str.strip, re.split(r"[;|\n]", cell))):
            if "," in part and not self._is_term(part):
                for piece in filter(None, map(str.strip, part.split(","))):
                    yield from self._one_or_ids(piece)
            else:
                yield from self._one_or_ids(part)

    def _one_or_ids(self, part: str) -> Iterator[str]:
        words = [word[0] for word in _WORD.finditer(part)]
        ids = all(_HPO.fullmatch(_signed(word)[1].upper()) for word in words)
        yield from words if ids else [part]

    def _is_term(self, part: str) -> bool:
        return part.casefold() in self._labels or _signed(part)[1].casefold() in self._labels

    def _feature(self, said: str, row: "_Row") -> tuple[str, str]:
        if said.casefold() in self._labels:  # such as "No social interaction"
            return self._labels[said.casefold()], "yes"
        denied, name = _signed(said)
        return self._term(name, row), "no" if denied else "yes"

    def _term(self, name: str, row: "_Row", ending: str = "") -> str:
        """Return the live id of an id of any age or an exact label. Errors: InvalidRequest."""
        if _HPO.fullmatch(name.upper()):
            term = self._ontology.canonical(name.upper())
            if term is None:
                raise InvalidRequest(Problem("", f"{name.upper()} is no term of HPO {self._ontology.version}"))
            if term != name.upper():
                row.notes.append(f"{name.upper()} is now {term} {self._ontology.label(term)}")
            return term
        label = " ".join(name.split()).casefold()
        if term := self._labels.get(label) or self._labels.get(label + ending):
            return term
        told = f"'{printable(name)}' is neither an HPO id, such as HP:0000252, nor the English label of a term"
        raise InvalidRequest(Problem("", told))

    def _below(self, row: "_Row", column: str, root: str, kind: str, ending: str) -> str | None:
        """Return the term of a column that takes one of a kind only, below `root`."""
        name = row.text(column)
        if not name:
            return None
        try:
            term = self._term(name, row, ending)
        except InvalidRequest as error:
            row.wrong(column, error.problems[0].message)
            return None
        number, above = self._ontology.number(term), self._ontology.number(root)
        if number is None or above == number or above not in self._ontology.ancestors(number):
            row.wrong(column, f"{term} {self._ontology.label(term)} is no {kind}")
        return term

    def _genomic_features(self, row: "_Row") -> list[dict[str, Any]]:
        genes = dict.fromkeys(gene for name in _split(row.cell("genes"), r"[;|,\s]") if (gene := self._gene(row, name)))
        variants = list(self._variants(row, list(genes)))
        genes |= dict.fromkeys(gene for gene, _variant in variants)
        zygosity = row.choice("zygosity", _ZYGOSITIES)
        if zygosity and (len(genes) > 1 or (not row.cell("genes").strip() and not genes)):
            row.wrong("zygosity", f"is said where one gene is named; here are {len(genes)}")
        made: list[dict[str, Any]] = []
        for gene in genes:
            found: list[Any] = [variant for named, variant in variants if named == gene]
            made += [{"gene": {"id": gene}, "zygosity": zygosity, "variant": variant} for variant in found or [None]]
        return made

    def _gene(self, row: "_Row", name: str, column: str = "genes") -> str | None:
        """Return an id that means the gene alone. One that nobody knows is kept as written, as the exchange has it."""
        known = self._genes.resolve(name)
        if known.gene:
            return self._genes.preferred_id(known.gene)
        if known.ambiguous:
            symbols = " or ".join(gene.symbol for gene in known.candidates)
            row.wrong(column, f"{printable(name)} may mean {symbols}; write the one that is meant")
        elif _DATE.fullmatch(name):
            row.wrong(column, f"{printable(name)} looks like a gene that a spreadsheet made a date of; write its id")
        elif not _GENE.fullmatch(name):
            row.wrong(column, f"'{printable(name)}' is neither a symbol nor an id of a gene")
        else:
            row.notes.append(f"the gene {name} is unknown here; kept as it is written")
            return name
        return None

    def _variants(self, row: "_Row", genes: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each variant with its gene: the one before `=`, or else the only one of the row."""
        for said in _split(row.cell("variants"), r"[;|,\n]"):
            name, equals, written = said.partition("=")
            gene = genes[0] if len(genes) == 1 else None
            if equals:
                gene = self._gene(row, name.strip(), "variants")
            elif gene is None:
                row.wrong("variants", f"{printable(said)} needs its gene in front, such as BCKDK=GRCh38:…")
            try:
                variant = read_variant(written if equals else said)
            except InvalidRequest as error:
                row.wrong("variants", error.problems[0].message)
                continue
            if gene:
                yield gene, variant.to_json()


class _Row:
    """The cells of a row, with what is found wrong in them and what is worth a note."""

    def __init__(self, cells: Mapping[str, str], names: Mapping[str, str], problems: list[Problem]) -> None:
        self._names = names
        self.problems = problems
        self.notes: list[str] = []
        self._cells = {column: cell for column, cell in cells.items() if self._is_text(column, cell)}

    def _is_text(self, column: str, cell: str) -> bool:
        if _CONTROL.search(cell):
            self.wrong(column, "holds a control character; expected plain text")
            return False
        if _LOST.search(cell):
            self.wrong(column, "holds a letter that was lost; save the table as CSV in UTF-8")
            return False
        return True

    def name(self, column: str) -> str:
        return self._names.get(column, column)

    def wrong(self, column: str, message: str) -> None:
        self.problems.append(Problem(self.name(column), message))

    def raise_if_wrong(self) -> None:
        if self.problems:
            raise InvalidRequest(*self.problems[:_SHOWN])

    def cell(self, column: str) -> str:
        """Return a cell with its line ends as one kind, empty where the table has no such column."""
        return re.sub(r"\r\n?", "\n", self._cells.get(column, ""))

    def text(self, column: str) -> str:
        """Return a cell that is one line; a formula is a problem, for somebody may open it in a spreadsheet again."""
        text = " ".join(self.cell(column).split())
        if _FORMULA.match(text):
            self.wrong(column, f"'{printable(text)}' begins as a formula of a spreadsheet does; expected plain text")
        return text

    def choice(self, column: str, choices: Mapping[str, Any]) -> Any:
        said = " ".join(self.cell(column).split()).casefold()
        if said not in choices:
            self.wrong(column, f"expected one of {', '.join(filter(None, choices))}; got '{printable(said)}'")
        return choices.get(said)


def _disorders(row: _Row) -> list[dict[str, str]]:
    found: dict[str, None] = {}
    for said in _split(row.cell("disorders"), r"[;|,\s]"):
        prefix, _, number = said.partition(":")
        if prefix.upper() in _DISORDERS and re.fullmatch(r"[0-9]{1,7}", number):
            found[f"{_DISORDERS[prefix.upper()]}:{number}"] = None
        else:
            row.wrong("disorders", f"expected ids such as MIM:614923 or ORPHA:308410; got '{printable(said)}'")
    return [{"id": disorder} for disorder in found]


def _split(cell: str, separators: str) -> Iterator[str]:
    return filter(None, map(str.strip, re.split(separators, cell)))


def _signed(said: str) -> tuple[bool, str]:
    """Tell whether a feature is said not to be there, and its name."""
    found = _SIGNED.fullmatch(said)
    return (bool(found[1]), found[2]) if found else (False, said)
