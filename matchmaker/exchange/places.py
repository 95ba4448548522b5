"""Where a store lies: a directory with an SQLite file, or a database of MongoDB."""

from dataclasses import dataclass
from pathlib import Path

from matchmaker.exchange.config import ConfigInvalid, Storage

_SCHEMES = ("mongodb://", "mongodb+srv://")


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory with a store in one SQLite file."""

    path: Path

    def __str__(self) -> str:
        """Return it as it was named."""
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Database:
    """A database of MongoDB, by its connection string, which may hold a password."""

    uri: str

    def __str__(self) -> str:
        """Return scheme, hosts and database, without user, password and options."""
        scheme, _, rest = self.uri.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2].partition('?')[0]}"

    def __repr__(self) -> str:
        """Return the same: a log or a traceback shows no password."""
        return f"Database({self})"


Place = Directory | Database


def configured_place(storage: Storage) -> Place:
    """Return where a node keeps its records. Errors: ConfigInvalid."""
    if storage.mongodb and storage.mongodb_file:
        raise ConfigInvalid("storage.mongodb: leave it out where storage.mongodb_file is given")
    if storage.mongodb_file:
        return _from_file(storage.mongodb_file, "storage.mongodb_file")
    if storage.mongodb:
        return _stated(storage.mongodb, "storage.mongodb", "storage.mongodb_file")
    return Directory(storage.data_dir)


def parse_place(text: str, option: str) -> Place:
    """Return the place that an option names: a directory, mongodb://…, or @FILE that holds mongodb://….

    Errors: ConfigInvalid.
    """
    if text.startswith("@"):
        return _from_file(Path(text[1:]), option)
    if "://" in text:
        return _stated(text, option, f"{option} @FILE")
    if not text.strip() or "\0" in text:
        raise ConfigInvalid(f"{option}: expected a directory, mongodb://… or @FILE")
    return Directory(Path(text))


def _from_file(file: Path, option: str) -> Database:
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigInvalid(f"{option}: {file} cannot be read: {reason}") from None
    return _database(text, option)


def _stated(text: str, option: str, instead: str) -> Database:
    """Return a database named where others may read it: without a password."""
    place = _database(text, option)
    if ":" in _credentials(text):
        raise ConfigInvalid(
            f"{option}: holds a password; write it all into a file of mode 600 and name that: {instead}"
        )
    return place


def _database(text: str, option: str) -> Database:
    """Check a connection string, telling nothing of what stands in it: it may be a password."""
    if not text.startswith(_SCHEMES) or not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigInvalid(f"{option}: expected mongodb://HOST,…/DATABASE?replicaSet=NAME, in ASCII")
    if set(_credentials(text)) & set("/?#[]@"):
        raise ConfigInvalid(f"{option}: user and password may hold / ? # [ ] @ only as %2F %3F %23 %5B %5D %40")
    return Database(text)


def _credentials(text: str) -> str:
    """Return what stands before the hosts, however it is written."""
    return text.partition("://")[2].rpartition("@")[0]
