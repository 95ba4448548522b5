"""Options that several commands share, and the configuration that they make."""

from pathlib import Path
from typing import Annotated, Any

import typer

from matchmaker.exchange.config import Config, load_config

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Configuration, as in config/matchmaker.toml.")
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="Where records are kept; made where there is none."),
]
NodeName = Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits, dot, dash, underscore.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def configured(config: Path | None, data_dir: Path | None, **overrides: Any) -> Config:
    """Return the configuration of a command. Overrides are named `section__key`."""
    dotted = {name.replace("__", "."): value for name, value in overrides.items()}
    return load_config(config, {"storage.data_dir": data_dir, **dotted})
