"""What the commands about boxes share: the configuration, the container, and tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from coordinator.config import load_config
from coordinator.container import CoordinatorContainer, coordinator_container
from coordinator.setting_up import set_up

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The coordinator's configuration (coordinator.yaml).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DeviceId = Annotated[str, typer.Argument(metavar="DEVICE", help="Id of the box.")]


def open_container(config: Path) -> CoordinatorContainer:
    """A container whose keys and tables are there.

    Raises:
        ItsError: Configuration, keys or database are not as they should be.
    """
    container = coordinator_container(load_config(config))
    for line in set_up(container):
        typer.echo(line, err=True)
    return container


def show_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    """Print rows with the same keys, as a table or as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    if not rows:
        typer.echo("none")
        return
    shown = [list(rows[0]), *([str(value or "-") for value in row.values()] for row in rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(shown[0]))]
    for row in shown:
        typer.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
