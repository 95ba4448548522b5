"""A file -> patients: the exchange's JSON and phenopackets, told apart record by record."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from matchmaker.genome.genes import GeneTable
from matchmaker.intake.phenopacket import is_phenopacket, read_phenopacket
from matchmaker.intake.records import Record, RecordFile, Unreadable
from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.patient import Contact, Patient
from matchmaker.mme.strict_json import Json
from matchmaker.mme.validation import validate


@dataclass(frozen=True, slots=True)
class Taken:
    """A patient read, with notes on what was left out of it."""

    file: Path
    position: str
    patient: Patient
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that is no patient, and why."""

    file: Path
    position: str
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        """Write file, position and every problem on one line each."""
        place = ": ".join(part for part in (str(self.file), self.position) if part)
        return "\n".join(f"{place}: {problem}" for problem in self.problems)


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading needs to know besides the file: genes, and whom to name in a record that names nobody."""

    genes: GeneTable
    fallback: Contact
    contact: Contact | None = None

    def patients(self, file: RecordFile) -> Iterator[Taken | Rejected]:
        """Yield every record of a file, in order, as a patient or as rejected."""
        for record in file:
            if isinstance(record, Unreadable):
                yield Rejected(file.path, record.position, record.problems)
            else:
                yield self._patient(file.path, record)

    def _patient(self, path: Path, record: Record) -> Taken | Rejected:
        try:
            patient, notes = self._convert(record.value)
        except InvalidRequest as error:
            return Rejected(path, record.position, error.problems)
        return Taken(path, record.position, patient, notes)

    def _convert(self, value: Json) -> tuple[Patient, tuple[str, ...]]:
        if not isinstance(value, dict):
            raise InvalidRequest(Problem("", 'expected an object: a patient, {"patient": …} or a phenopacket'))
        if "patient" in value:
            return validate(Patient, value["patient"], "patient"), ()
        if is_phenopacket(value):
            return read_phenopacket(value, self.genes, self.fallback, self.contact)
        return validate(Patient, value), ()
