"""Record: the base of what a store keeps as JSON and looks into only where it must."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Frozen. What a later version added is ignored, what it left out has its default."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def to_text(self) -> str:
        """Return the record as a store keeps it."""
        return self.model_dump_json(exclude_defaults=True)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the record that a store keeps. Errors: ValueError."""
        return cls.model_validate_json(text)
