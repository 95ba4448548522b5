"""The error tree of a request, each with the HTTP status that it means.

    RequestError                      theirs: the asker can mend it
    |- NotJson               400      not JSON, or not UTF-8
    |- Unauthorised          401      token missing, empty, over-long or unknown: one body for all
    |- NotFound              404      no such thing, or not the asker's
    |- MethodNotAllowed      405
    |- NotAcceptable         406      another major version, or none
    |- TooSlow               408      the body did not arrive in time
    |- Changed               409      changed meanwhile; ask again
    |- Gone                  410      withdrawn; an id is never used again
    |- TooLarge              413
    |- UnsupportedMedia      415
    |- InvalidRequest        422      JSON, but not a valid request
    `- OverBudget            429      with Retry-After

What is wrong with our own side is not here: a store that cannot be written is 503, or 507 when its disk is full, a bug
is any other exception and becomes a 500, both in web/errors.py.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where: `path` like `patient.features[2].id`, empty for the whole."""

    path: str
    message: str

    def __str__(self) -> str:
        """`path: message`, or the message alone when the whole is meant."""
        return f"{self.path}: {self.message}" if self.path else self.message


class RequestError(Exception):
    """A request that cannot be served as it is. `status` is the HTTP status it means."""

    status = 400

    def __init__(self, message: str, problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = problems

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that this error adds to its answer."""
        return {}

    def fields(self) -> dict[str, object]:
        """Return the fields that this error adds to its JSON body."""
        return {}


class _Problems(RequestError):
    """An error made of problems, each with its path."""

    def __init__(self, *problems: Problem) -> None:
        shown = "; ".join(str(problem) for problem in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""  # noqa: PLR2004 - five fit a line
        super().__init__(shown + more, problems)


class NotJson(_Problems):
    """MME search-api, status 400: the body is not JSON, or not UTF-8."""

    status = 400


class Unauthorised(RequestError):
    """MME join-protocol: the token in X-Auth-Token is no token of ours."""

    status = 401

    def __init__(self) -> None:
        super().__init__("a valid token is required in the header X-Auth-Token")


class NotFound(RequestError):
    """There is no such thing, or it is not the asker's: both answer alike."""

    status = 404


class MethodNotAllowed(RequestError):
    """The path exists, the method does not."""

    status = 405

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(f"{method} is not allowed here; use {' or '.join(allowed)}")
        self.allowed = allowed

    def headers(self) -> dict[str, str]:
        """RFC 9110, 15.5.6: a 405 names the methods that are allowed."""
        return {"Allow": ", ".join(self.allowed)}


class NotAcceptable(RequestError):
    """MME search-api, Versioning: another major version, or no version at all."""

    status = 406

    def __init__(self, supported: tuple[str, ...]) -> None:
        super().__init__(
            "unsupported version: state one of ours in Accept or Content-Type, "
            f"such as application/vnd.ga4gh.matchmaker.v{supported[0]}+json"
        )
        self.supported = supported

    def fields(self) -> dict[str, object]:
        """MME search-api: the body of a 406 lists the versions that are spoken here."""
        return {"supportedVersions": list(self.supported)}


class TooSlow(RequestError):
    """The body did not arrive within the time allowed."""

    status = 408


class Changed(RequestError):
    """What was asked about has changed meanwhile."""

    status = 409


class Gone(RequestError):
    """The case was withdrawn. Its id is never used again (MME search-api, ID)."""

    status = 410


class TooLarge(RequestError):
    """The body is larger than this node reads."""

    status = 413

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is over {limit} bytes")


class UnsupportedMedia(RequestError):
    """Content-Type is missing, or neither JSON nor the exchange's own."""

    status = 415


class InvalidRequest(_Problems):
    """JSON, but not a valid request; every problem names its path."""

    status = 422


class OverBudget(RequestError):
    """The asker has used up what it may ask in this span of time."""

    status = 429

    def __init__(self, retry_after_seconds: int, reason: str = "over budget") -> None:
        super().__init__(f"{reason}; ask again in {retry_after_seconds} s at the earliest")
        self.retry_after_seconds = retry_after_seconds

    def headers(self) -> dict[str, str]:
        """RFC 9110, 10.2.3: the seconds to wait."""
        return {"Retry-After": str(self.retry_after_seconds)}
