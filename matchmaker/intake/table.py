"""A CSV table as spreadsheets save it -> patients, row by row: taken, or rejected with the column that is wrong.

Opens nothing and keeps nothing. What a row says is read in intake/cells.py.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from matchmaker.genome.genes import GeneTable
from matchmaker.intake.cells import COLUMNS, Cells
from matchmaker.intake.patients import Rejected, Taken
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.patient import Contact
from matchmaker.mme.strict_json import printable
from matchmaker.ontology.hpo import Ontology

MAX_ROWS = 1_000
_SEPARATORS = ",;\t"
_ALIASES = {
    "id": "patient patientid case caseid identifier",
    "label": "patientlabel caselabel title",
    "sex": "gender",
    "features": "feature hpo hpoid hpoids hpoterm hpoterms phenotype phenotypes symptoms",
    "genes": "gene geneid geneids genesymbol genesymbols candidategene candidategenes",
    "variants": "variant",
    "zygosity": "",
    "inheritance": "inheritancemode modeofinheritance moi",
    "onset": "ageofonset",
    "disorders": "disorder disease diseases diagnosis diagnoses",
}
_COLUMN_OF = {alias: column for column in COLUMNS for alias in (column, *_ALIASES[column].split())}
_EXCEL_SAYS = re.compile(r"\s*\"?sep=([,;\t|])\"?[ \t]*(?:\r\n|\r|\n|$)", re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_OPEN_QUOTE = "opens a quote that is not closed as it should be; rows from here on were not read: mend it and try again"
_NAMED = 5  # unknown columns named in a note


@dataclass(frozen=True, slots=True)
class _Header:
    """Which cell of a row is which column, what each is called in the table, and those that nobody knows."""

    places: dict[str, int]
    names: dict[str, str]
    unknown: dict[int, str]
    width: int


def read_table(
    text: str, file: Path, ontology: Ontology, genes: GeneTable, contact: Contact
) -> tuple[Taken | Rejected, ...]:
    """Return every row that is not empty, in order, as a patient or as rejected; `contact` is whom all name.

    `position` is `row 3` as a spreadsheet counts, the header being row 1; a problem's path is the column as it is
    called in the header. What is no table at all, or has more than 1,000 rows, is one Rejected without a position.
    Raises nothing.
    """
    try:
        separator, body = _separator(text.removeprefix("\ufeff"))
        rows = list(islice(_rows(body, separator), MAX_ROWS + 2))  # the header, and one too many
        header = _header(rows[0][1] if rows else [])
        _check_count(len(rows) - 1)
    except InvalidRequest as error:
        return (Rejected(file, "", error.problems),)
    reading = _Rows(file, header, Cells(ontology, genes, contact, header.names))
    return tuple(reading.read(number, row) for number, row in rows[1:])


def is_table(text: str) -> bool:
    """Tell whether a text begins as a table of patients does, with a header that names the column id."""
    try:
        separator, body = _separator(text.removeprefix("\ufeff"))
        _number, first = next(_rows(body, separator), (0, []))
        _header(first)
    except InvalidRequest:
        return False
    return True


class _Rows:
    """Reads the rows of one table, and remembers the ids that it met."""

    def __init__(self, file: Path, header: _Header, cells: Cells) -> None:
        self._file, self._header, self._cells = file, header, cells
        self._met: dict[str, int] = {}

    def read(self, number: int, row: list[str] | Problem) -> Taken | Rejected:
        position = f"row {number}"
        try:
            if isinstance(row, Problem):
                raise InvalidRequest(row)
            patient, notes = self._cells.patient(self._by_column(row), self._repeated(number, row))
        except InvalidRequest as error:
            return Rejected(self._file, position, error.problems)
        return Taken(self._file, position, patient, (*notes, *self._unread(row)))

    def _by_column(self, row: Sequence[str]) -> dict[str, str]:
        if any(cell.strip() for cell in row[self._header.width :]):
            told = f"has {len(row)} cells under {self._header.width} columns; put quotes around a cell with separators"
            raise InvalidRequest(Problem("", told))
        return {column: row[place] for column, place in self._header.places.items() if place < len(row)}

    def _repeated(self, number: int, row: Sequence[str]) -> tuple[Problem, ...]:
        place = self._header.places["id"]
        given = " ".join(row[place].split()) if place < len(row) else ""
        first = self._met.setdefault(given, number)
        if not given or first == number:
            return ()
        return (Problem(self._header.names["id"], f"'{printable(given)}' is the id of row {first}, too"),)

    def _unread(self, row: Sequence[str]) -> tuple[str, ...]:
        unknown = self._header.unknown
        names = [unknown[place] for place, cell in enumerate(row) if cell.strip() and place in unknown]
        if not names:
            return ()
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return (f"left out, for the column is unknown: {', '.join(names[:_NAMED])}{more}",)


def _separator(text: str) -> tuple[str, str]:
    """Return what separates the cells of the header, and the text: by which it has the most columns that are known.

    Excel may say it in a line of its own before the header (`sep=;`), which is blanked to keep the count of rows.
    """
    if said := _EXCEL_SAYS.match(text):
        return said[1], "\n" + text[said.end() :]

    def known(separator: str) -> tuple[int, int]:
        _number, row = next(_rows(text, separator), (0, []))
        if isinstance(row, Problem):
            return 0, len(text)  # no header, but says more of what is wrong than one of unknown columns
        return len({_COLUMN_OF.get(_plain(cell)) for cell in row} - {None}), len(row)

    return max(_SEPARATORS, key=known), text


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str] | Problem]]:
    """Yield each row that is not empty with its number; what is no row is a problem.

    After one that is wrong over several lines nobody knows where the next begins: there reading ends.
    """
    reader = csv.reader(_lines(text), delimiter=separator, strict=True, skipinitialspace=True)
    for number in count(1):
        line = reader.line_num
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            open_quote = reader.line_num > line + 1 or "end of data" in str(error)
            yield number, Problem("", _OPEN_QUOTE if open_quote else f"is no row of a table: {error}")
            if open_quote:
                return
        else:
            if any(cell.strip() for cell in row):
                yield number, row


def _lines(text: str) -> Iterator[str]:
    """Split at line ends only: str.splitlines would also split at marks that stand within cells."""
    return (line[0] for line in _LINE.finditer(text))


def _header(row: list[str] | Problem) -> _Header:
    """Return what a row says as a header. Errors: InvalidRequest, when it is none."""
    if isinstance(row, Problem):
        raise InvalidRequest(row)
    places: dict[str, int] = {}
    unknown: dict[int, str] = {}
    for place, cell in enumerate(row):
        column = _COLUMN_OF.get(_plain(cell))
        if column is None:
            unknown[place] = printable(" ".join(cell.split())) or f"column {place + 1}"
        elif column in places:
            first = printable(row[places[column]].strip())
            raise InvalidRequest(_no_table(f"has two columns for {column}: {first} and {printable(cell.strip())}"))
        else:
            places[column] = place
    if "id" not in places:
        raise InvalidRequest(_no_table("has no column id"))
    names = {column: printable(" ".join(row[place].split())) for column, place in places.items()}
    return _Header(places, names, unknown, len(row))


def _plain(cell: str) -> str:
    return re.sub(r"[\W_]+", "", cell).lower()


def _check_count(rows: int) -> None:
    if rows > MAX_ROWS:
        told = f"has more than {MAX_ROWS:,} rows, which is the most that is read at a time; split it into several files"
        raise InvalidRequest(Problem("", told))
    if not rows:
        raise InvalidRequest(Problem("", "has a header and no rows below it"))


def _no_table(told: str) -> Problem:
    return Problem("", f"{told}; expected a table whose first line names its columns: {', '.join(COLUMNS)}")
