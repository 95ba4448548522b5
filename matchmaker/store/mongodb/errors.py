"""What the errors of MongoDB's driver mean, in this one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DocumentTooLarge,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from matchmaker.store.base import CaseTooLarge, PublicIdTaken, StoreBusy, StoreError, StoreFull, StoreUnusable
from matchmaker.store.entries import EntryDamaged

# What codes mean: mongodb.com/docs/manual/reference/error-codes
_MEANINGS: tuple[tuple[frozenset[int], type[StoreError], str], ...] = (
    (
        frozenset({10_334, 17_280, 17_419, 17_420}),
        CaseTooLarge,
        "a case is larger than MongoDB keeps in one document, 16 MiB",
    ),
    (frozenset({11_000}), PublicIdTaken, "the public id of a new case is taken; try again"),
    (frozenset({12_300, 14_031}), StoreFull, "MongoDB cannot grow: make room on its disk"),
    (
        frozenset({239, 246}),
        StoreBusy,
        "MongoDB has forgotten the snapshot that was being read: raise its minSnapshotHistoryWindowInSeconds (300)",
    ),
    (
        frozenset({43, 91, 112, 175, 189, 237, 10_107, 11_600, 11_602, 13_435}),
        StoreBusy,
        "MongoDB broke off, as it does when another member becomes primary; try again",
    ),
    (
        frozenset({13, 18, 8_000}),
        StoreUnusable,
        "MongoDB does not let us in: see user and password of the connection string, and its roles",
    ),
)


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
    """Return what an error of the driver means."""
    codes = _codes(error)
    for known, kind, message in _MEANINGS:
        if codes & known:
            return kind(message)
    if isinstance(error, DocumentTooLarge):
        return _MEANINGS[0][1](_MEANINGS[0][2])
    if isinstance(error, ConnectionFailure | WriteConcernError) or error.timeout or _passes(error):
        return StoreBusy(f"MongoDB cannot be reached or has no primary just now ({type(error).__name__})")
    return StoreUnusable(f"MongoDB refuses ({type(error).__name__}, code {min(codes, default='none')}); see its log")


def _codes(error: PyMongoError) -> set[int]:
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        return {one["code"] for name in ("writeErrors", "writeConcernErrors") for one in details.get(name, ())}
    return {error.code} if isinstance(error, OperationFailure) and error.code is not None else set()


def _passes(error: PyMongoError) -> bool:
    """Tell whether an error is one of those that pass by themselves."""
    labels = ("TransientTransactionError", "UnknownTransactionCommitResult", "RetryableWriteError")
    return any(error.has_error_label(label) for label in labels)
