"""Parsed JSON -> a value of ours, or InvalidRequest with every problem named by its path."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from matchmaker.mme.errors import InvalidRequest, Problem
from matchmaker.mme.strict_json import Json, join, printable

Model = TypeVar("Model", bound=BaseModel)
_SHOWN = 20  # problems reported at most: a list of ten thousand bad features helps nobody


def validate(model: type[Model], value: Json, path: str = "") -> Model:
    """Return `value` as a `model`. `path` is prefixed to every problem. Errors: InvalidRequest (422)."""
    try:
        return model.model_validate(value, by_name=False, by_alias=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise InvalidRequest(*(_problem(detail, path) for detail in details[:_SHOWN])) from None


def _problem(detail: ErrorDetails, path: str) -> Problem:
    for step in detail["loc"]:
        path = f"{path}[{step}]" if isinstance(step, int) else join(path, printable(str(step)))
    return Problem(path, _message(detail))


def _message(detail: ErrorDetails) -> str:
    if detail["type"] == "missing":
        return "is missing"
    if detail["type"] == "model_type":
        return f"expected an object; got {_shown(detail['input'])}"
    if detail["type"] == "extra_forbidden":
        return "is unknown; see its spelling, and /openapi.json"
    text = (detail["msg"][:1].lower() + detail["msg"][1:]).replace("tuple", "list").replace(" after validation", "")
    return f"{text}; got {_shown(detail['input'])}"


def _shown(value: Any) -> str:
    """Say what was given, never more than a stranger's text cut and escaped."""
    if isinstance(value, str):
        return f"'{printable(value)}'"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return printable(str(value)) if isinstance(value, bool | int | float) or value is None else "something else"
