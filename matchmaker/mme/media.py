"""Media types and version negotiation (MME search-api, Versioning).

Knows header values only: what was asked in, and which version to answer in.
"""

import re
from dataclasses import dataclass

from matchmaker.mme.errors import NotAcceptable, UnsupportedMedia

SUPPORTED = ("1.0", "1.1")
LATEST = SUPPORTED[-1]
_MAJOR = 1
_NEWEST_MINOR = 1
_VENDOR = re.compile(r"application/vnd\.ga4gh\.matchmaker(?:\.v(\d{1,9})\.(\d{1,9}))?\+json", re.IGNORECASE)
_JSON = "application/json"


def media_type(version: str) -> str:
    """Return the exchange's media type for a version such as "1.0"."""
    return f"application/vnd.ga4gh.matchmaker.v{version}+json"


@dataclass(frozen=True)
class _Offer:
    """One media type of a header. `version` None: a vendor type without version; `vendor` False: another type."""

    vendor: bool
    json: bool
    version: tuple[int, int] | None
    quality: float
    charset: str


def negotiate(content_type: str | None, accept: str | None) -> str:
    """Return the version ("1.0" or "1.1") in which a request with these headers is answered.

    1.1 states its version in Content-Type, 1.0 in Accept; a vendor type without version means our latest.
    Errors: UnsupportedMedia (415), NotAcceptable (406); 415 is checked first.
    """
    content = require_json(content_type)
    if content.version and content.version[0] != _MAJOR:
        raise NotAcceptable(SUPPORTED)
    return _agree(_wanted(accept) or ([content] if content.vendor else []))


def negotiate_answer(accept: str | None) -> str:
    """Return the version in which to answer a GET; our latest when Accept names no vendor type."""
    offers = _wanted(accept)
    return _agree(offers) if offers else LATEST


def require_json(content_type: str | None) -> _Offer:
    """Raise UnsupportedMedia unless Content-Type is JSON or the exchange's own, in UTF-8."""
    offers = _parse(content_type or "")
    if len(offers) != 1 or not offers[0].json or offers[0].charset not in {"", "utf-8", "utf8"}:
        raise UnsupportedMedia(f"Content-Type must be {media_type(SUPPORTED[0])} or {_JSON}, in UTF-8")
    return offers[0]


def _wanted(accept: str | None) -> list[_Offer]:
    offers = [offer for offer in _parse(accept or "") if offer.vendor and offer.quality > 0]
    return sorted(offers, key=lambda offer: -offer.quality)


def _agree(offers: list[_Offer]) -> str:
    for offer in offers:
        if offer.version is None:
            return LATEST
        major, minor = offer.version
        if major == _MAJOR:
            return f"{_MAJOR}.{min(minor, _NEWEST_MINOR)}"
    raise NotAcceptable(SUPPORTED)


def _parse(header: str) -> list[_Offer]:
    return [_offer(part) for part in header.split(",") if part.strip()]


def _offer(part: str) -> _Offer:
    name, *raw = (piece.strip() for piece in part.split(";"))
    split = (parameter.partition("=") for parameter in raw)
    parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in split}
    vendor = _VENDOR.fullmatch(name)
    version = (int(vendor[1]), int(vendor[2])) if vendor and vendor[1] else None
    return _Offer(
        vendor=vendor is not None,
        json=vendor is not None or name.lower() == _JSON,
        version=version,
        quality=_quality(parameters.get("q", "1")),
        charset=parameters.get("charset", "").lower(),
    )


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
