"""What the errors of MongoDB's driver mean, in this one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
)

from matchmaker.store.base import CaseTooLarge, PublicIdTaken, StoreBusy, StoreError, StoreFull, StoreUnusable
from matchmaker.store.entries import EntryDamaged

# Codes: mongodb.com/docs/manual/reference/error-codes
_DUPLICATE = 11_000
_OUT_OF_DISK = {14_031, 12_300}
_TOO_LARGE = {10_334, 17_280, 17_419, 17_420}
_NOT_ALLOWED = {13, 18, 8_000}


@contextmanager
def speaking() -> Iterator[None]:
    """Say what an error of the driver means."""
    try:
        yield
    except PyMongoError as error:
        raise _translated(error) from None
    except EntryDamaged as error:
        raise StoreUnusable(f"{error}; restore the database from a backup") from None


def _translated(error: PyMongoError) -> StoreError:
    """Return what an error of the driver means (codes: mongodb.com/docs/manual/reference/error-codes)."""
    code = error.code if isinstance(error, OperationFailure) else None
    codes = (
        {one.get("code") for one in (error.details or {}).get("writeErrors", ())}
        if isinstance(error, BulkWriteError)
        else {code}
    )
    if isinstance(error, DocumentTooLarge) or codes & _TOO_LARGE:
        return CaseTooLarge("a case is larger than MongoDB keeps in one document, 16 MiB")
    if isinstance(error, DuplicateKeyError) or _DUPLICATE in codes:
        return PublicIdTaken("the public id of a new case is taken; try again")
    if codes & _OUT_OF_DISK:
        return StoreFull("MongoDB cannot grow: make room on its disk")
    if codes & _NOT_ALLOWED:
        return StoreUnusable(
            "MongoDB does not let us in: see user and password of the connection string, and its roles"
        )
    if isinstance(error, ConnectionFailure) or error.timeout or _passes(error):
        return StoreBusy(f"MongoDB cannot be reached or has no primary just now ({type(error).__name__})")
    return StoreUnusable(f"MongoDB refuses ({type(error).__name__}, code {code}); see its log")


def _passes(error: PyMongoError) -> bool:
    """Tell whether an error is one of those that pass by themselves."""
    labels = ("TransientTransactionError", "UnknownTransactionCommitResult", "RetryableWriteError")
    return any(error.has_error_label(label) for label in labels)
