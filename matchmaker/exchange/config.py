"""Files and environment -> one frozen Config. The one reader of os.environ.

What is stronger goes last: defaults, the file, MATCHMAKER_SECTION__KEY, options of the command line. An unknown
key or a bad value stops the start and is named.
"""

import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from matchmaker.mme.patient import Contact, Email, Text, Url
from matchmaker.policy.agreement import Limits
from matchmaker.records.party import DEFAULT_PER_MONTH

ENVIRONMENT_PREFIX = "MATCHMAKER_"
_PACKAGED = Path(__file__).parents[1] / "reference_data"
_CHECKOUT = Path(__file__).parents[2] / "ontologies"
REFERENCE_DATA = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


class ConfigInvalid(Exception):
    """The configuration cannot be used. The message names each key, what is wrong, and what would be right."""


class Section(BaseModel):
    """Base of all sections: frozen, and no key that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2, such as IE")]


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "input should be a valid integer")
    return value


def _no_blank(value: Any) -> Any:
    if isinstance(value, str) and (not value.strip() or "\0" in value):
        raise PydanticCustomError("path", "input should be a path, and not empty")
    return value


Whole = Annotated[int, BeforeValidator(_no_bool)]
DiskPath = Annotated[Path, BeforeValidator(_no_blank)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Node(Section):
    """Who this node is."""

    name: Name = "matchmaker"
    country: Country | None = None
    production: bool = False
    organization: Text = "Operator of this node"
    organization_url: Url = "http://localhost"
    contact_name: Text = "Operator of this node"
    contact_href: Url = "mailto:matchmaker@localhost"
    disclaimer: Annotated[str, Field(max_length=100_000)] = ""
    terms: Annotated[str, Field(max_length=100_000)] = ""

    @property
    def contact(self) -> Contact:
        """Whom to write to about a case that names nobody."""
        return Contact(name=self.contact_name, href=self.contact_href)


class Server(Section):
    """Where the node listens, by how many processes, and what it reads.

    `proxies` is how many in front of it add a line to X-Forwarded-For.
    """

    host: Annotated[str, Field(pattern=r"^\S+$", description="an address or a name")] = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65_535)] = 8080
    public_url: Annotated[str, Field(pattern=r"^(https?://[^\s?#\"<>]+)?$", description="http://… or https://…")] = ""
    proxies: Annotated[Whole, Field(ge=0, le=5)] = 0
    workers: Annotated[Whole, Field(ge=1, le=64)] = 1
    max_body_bytes: Annotated[Whole, Field(ge=1_024, le=64 * 1024 * 1024)] = 256 * 1024
    body_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0


class Storage(Section):
    """Where records are kept: in the data directory, or in a database of MongoDB."""

    data_dir: DiskPath = Path("matchmaker-data")
    mongodb: str = ""
    mongodb_file: DiskPath | None = None


class OntologyFiles(Section):
    """HPO, its annotations, and where compiled forms are kept."""

    hpo: DiskPath = REFERENCE_DATA / "hp.obo.gz"
    annotations: DiskPath = REFERENCE_DATA / "phenotype.hpoa.gz"
    frequencies: DiskPath = REFERENCE_DATA / "case-term-frequencies.tsv.gz"
    translations: DiskPath = REFERENCE_DATA / "translations"
    cache_dir: DiskPath | None = None


class GeneFiles(Section):
    """The genes, and the chain from GRCh37 to GRCh38."""

    table: DiskPath = REFERENCE_DATA / "genes.tsv.gz"
    table_version: str = "2022-09"
    chain: DiskPath = REFERENCE_DATA / "GRCh37_to_GRCh38.chain.gz"


class Answers(Section):
    """What an answer to one of the node's own users holds at most."""

    max_results: Annotated[Whole, Field(ge=1, le=1_000)] = 20
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.01


class Disclosure(Section):
    """What other nodes are told at most, and how long it is remembered that they were.

    Scores are those shown; `min_information` is in nat. A client's agreement is a number of new profiles a month; for
    `per_month` of them, `alarm_share` and `stop_share` of the cases that it may learn of are how much it is told in a
    month before the operator is alarmed, or before it is stopped.
    """

    results_with_gene: Annotated[Whole, Field(ge=0, le=5)] = 5
    results_without_gene: Annotated[Whole, Field(ge=0, le=3)] = 3
    min_score_with_gene: Annotated[float, Field(ge=0, le=1)] = 0.0
    min_score_without_gene: Annotated[float, Field(ge=0, le=1)] = 0.10
    min_score_by_phenotype: Annotated[float, Field(ge=0, le=1)] = 0.003
    min_terms: Annotated[Whole, Field(ge=3, le=100)] = 3
    min_information: Annotated[float, Field(ge=0, le=1_000)] = 15.0
    per_month: Annotated[Whole, Field(ge=1, le=1_000_000)] = DEFAULT_PER_MONTH
    alarm_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    stop_share: Annotated[float, Field(gt=0, le=1)] = 0.10
    least_stop: Annotated[Whole, Field(ge=1, le=1_000_000)] = 25
    ledger_days: Annotated[Whole, Field(ge=1, le=36_525)] = 1_096

    @model_validator(mode="after")
    def _alarmed_before_stopped(self) -> "Disclosure":
        if self.alarm_share >= self.stop_share:
            raise PydanticCustomError("shares", "alarm_share: input should be smaller than stop_share")
        return self

    @property
    def limits(self) -> Limits:
        """The figures by which agreements are scaled."""
        return Limits(self.per_month, self.alarm_share, self.stop_share, self.least_stop)


class Peers(Section):
    """How other nodes are asked."""

    deadline_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    concurrency: Annotated[Whole, Field(ge=1, le=1_000)] = 8
    max_answer_bytes: Annotated[Whole, Field(ge=1_024, le=1024**3)] = 2 * 1024 * 1024


class Searches(Section):
    """How matches are found without being asked for. `at_once` counts questions to peers under way in one worker."""

    on_deposit: bool = True
    every_days: Annotated[float, Field(ge=0, le=366)] = 7.0
    at_once: Annotated[Whole, Field(ge=1, le=64)] = 4


class Matches(Section):
    """Which matches are remembered, and for how long what peers have shown. Scores in [0, 1].

    A match that shares no gene is remembered from `least_score` on.
    """

    least_score: Annotated[float, Field(ge=0, le=1)] = 0.10
    answers_days: Annotated[Whole, Field(ge=1, le=90)] = 90
    unseen_days: Annotated[Whole, Field(ge=30, le=36_525)] = 730


class Alerts(Section):
    """Of which matches people are alerted where they have chosen nothing else, and how."""

    min_score: Annotated[float, Field(ge=0, le=1)] = 0.20
    min_score_by_phenotype: Annotated[float, Field(ge=0, le=1)] = 0.40
    form: Literal["notice", "complete"] = "notice"
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    catalogues: DiskPath | None = None
    gather_seconds: Annotated[float, Field(ge=0, le=3_600)] = 5.0


class MailServer(Section):
    """How mails leave: into a maildir, or to a mail server. `retry_seconds` is the first wait after an error."""

    transport: Literal["maildir", "smtp"] = "maildir"
    maildir: DiskPath | None = None
    host: Annotated[str, Field(pattern=r"^\S+$", description="an address or a name")] = "localhost"
    port: Annotated[Whole, Field(ge=1, le=65_535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: Email = "matchmaker@localhost"
    username_file: DiskPath | None = None
    password_file: DiskPath | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 30.0
    retry_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    give_up_days: Annotated[float, Field(gt=0, le=30)] = 5.0
    at_once: Annotated[Whole, Field(ge=1, le=16)] = 2
    keep_days: Annotated[Whole, Field(ge=1, le=3_660)] = 90

    @model_validator(mode="after")
    def _both_or_neither(self) -> "MailServer":
        if (self.username_file is None) != (self.password_file is None):
            raise PydanticCustomError("credentials", "username_file and password_file go together")
        if self.username_file and self.security == "none" and not _loopback(self.host):
            raise PydanticCustomError("security", "a password leaves under starttls or tls only")
        return self


def _loopback(host: str) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"}


class SignIn(Section):
    """How people sign in to the pages: by a password of this node's own, or at an OpenID provider.

    `agreement` is a file with the end-user agreement, ours where there is none; `oidc_issuer` is to be as the provider
    writes it.
    """

    passwords: bool = True
    register_oneself: bool = True
    second_factor: Literal["optional", "required"] = "optional"
    idle_minutes: Annotated[float, Field(gt=0, le=60)] = 60.0
    most_hours: Annotated[float, Field(gt=0, le=24)] = 24.0
    agreement: DiskPath | None = None
    oidc_name: Text = "your hospital"
    oidc_issuer: Annotated[str, Field(pattern=r"^(https?://[^\s?#\"<>]+)?$", description="https://…")] = ""
    oidc_client_id: Annotated[str, Field(max_length=255)] = ""
    oidc_client_secret_file: DiskPath | None = None
    password_memory_kib: Annotated[Whole, Field(ge=64, le=4 * 1024 * 1024)] = 65_536
    password_passes: Annotated[Whole, Field(ge=1, le=100)] = 3

    @model_validator(mode="after")
    def _some_way(self) -> "SignIn":
        if bool(self.oidc_issuer) != bool(self.oidc_client_id):
            raise PydanticCustomError("oidc", "oidc_issuer and oidc_client_id go together")
        return self

    @property
    def agreement_text(self) -> str:
        """The end-user agreement. Errors: OSError, UnicodeDecodeError, where its file cannot be read."""
        if self.agreement is not None:
            return self.agreement.read_text(encoding="utf-8")
        return (resources.files("matchmaker.exchange") / "texts" / "agreement.txt").read_text(encoding="utf-8")


class BudgetLimits(Section):
    """How much one asker may ask."""

    queries_per_minute: Annotated[Whole, Field(ge=0)] = 3_000


class Logging(Section):
    """What is logged; never health data."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Config(Section):
    """All that is configured. See config/matchmaker.toml, where every key is explained."""

    node: Node = Node()
    server: Server = Server()
    storage: Storage = Storage()
    ontology: OntologyFiles = OntologyFiles()
    genes: GeneFiles = GeneFiles()
    answers: Answers = Answers()
    disclosure: Disclosure = Disclosure()
    peers: Peers = Peers()
    searches: Searches = Searches()
    matches: Matches = Matches()
    alerts: Alerts = Alerts()
    mail: MailServer = MailServer()
    sign_in: SignIn = SignIn()
    budget: BudgetLimits = BudgetLimits()
    log: Logging = Logging()

    @property
    def cache_dir(self) -> Path:
        """Where compiled forms are kept: in the data directory, unless said otherwise."""
        return self.ontology.cache_dir or self.storage.data_dir / "cache"

    @property
    def maildir(self) -> Path:
        """Where mails are written: in the data directory, unless said otherwise."""
        return self.mail.maildir or self.storage.data_dir / "mail"

    @property
    def public_url(self) -> str:
        """What links to this node begin with."""
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return (self.server.public_url or f"http://{host}:{self.server.port}").rstrip("/")


def load_config(
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """Return the configuration. `overrides` has keys like `server.port`; None values are left out.

    Errors: ConfigInvalid.
    """
    merged = _from_file(file) if file else {}
    for name, text in sorted((os.environ if environment is None else environment).items()):
        if name.startswith(ENVIRONMENT_PREFIX) and "__" in name:
            section, _, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().partition("__")
            _set(merged, section, key, text)
    for dotted, value in (overrides or {}).items():
        if value is not None:
            section, _, key = dotted.partition(".")
            _set(merged, section, key, value)
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        problems = "; ".join(_described(detail["loc"], detail["msg"], detail["type"]) for detail in error.errors())
        raise ConfigInvalid(problems) from None


def user_cache_dir() -> Path:
    """Return where compiled forms outlive a temporary data directory (XDG Base Directory Specification 0.8)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path("~/.cache").expanduser()) / "matchmaker"


def child_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with only `settings` of ours in it, for a node started from here."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    return {**kept, **settings}


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"the configuration {file} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigInvalid(f"{file} is no TOML: {error}") from None


def _set(merged: dict[str, Any], section: str, key: str, value: Any) -> None:
    existing = merged.setdefault(section, {})
    if not isinstance(existing, dict):
        raise ConfigInvalid(f"{section}: expected a section, [{section}]")
    existing[key] = value


def _described(location: tuple[int | str, ...], message: str, kind: str) -> str:
    key = ".".join(str(step) for step in location)
    if kind == "extra_forbidden":
        known = Config.model_fields if len(location) == 1 else _keys_of(str(location[0]))
        return f"{key}: unknown; known are {', '.join(known)}"
    return f"{key}: {message[:1].lower()}{message[1:]}"


def _keys_of(section: str) -> list[str]:
    field = Config.model_fields.get(section)
    annotation = field.annotation if field else None
    return list(annotation.model_fields) if isinstance(annotation, type) and issubclass(annotation, Section) else []
