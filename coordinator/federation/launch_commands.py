"""``rounds launch`` → a wish out of a file and options, planned and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from common.errors import ConfigError
from common.rounds import ParentModel, Strategy
from common.settings_files import explain, read_settings
from coordinator.config import DEFAULT_CONFIG
from coordinator.federation.run_folder import digest_of
from coordinator.federation.views import RunWish
from coordinator.fleet.command_line import AsJson, ConfigFile, open_container


def launch(
    config: ConfigFile = DEFAULT_CONFIG,
    plan: Annotated[
        Path | None, typer.Option(help="YAML with any of the choices; options come before it.")
    ] = None,
    run: Annotated[str | None, typer.Option("--name", help="Name of the run.")] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(help="Box to ask, or BOX=SAMPLES; again for each. Default: all that can."),
    ] = None,
    rounds: Annotated[int | None, typer.Option(min=1)] = None,
    strategy: Annotated[Strategy | None, typer.Option()] = None,
    quorum: Annotated[int | None, typer.Option(help="Fewer updates fail the run.", min=1)] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds a round waits; default: as measured.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    parent: Annotated[
        Path | None, typer.Option(help="Checkpoint NAME-VERSION.pt to start from.", exists=True)
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why; kept with the run.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Plan a run; the running coordinator begins it within seconds."""
    given: dict[str, Any] = {
        "run": run,
        **_devices(device or []),
        "rounds": rounds,
        "strategy": strategy,
        "quorum": quorum,
        "deadline_s": deadline,
        "seed": seed,
        "parent": _parent(parent) if parent is not None else None,
        "note": note,
    }
    wish = _wish(plan, {name: value for name, value in given.items() if value is not None})
    manager = open_container(config).training()
    if dry_run:
        typer.echo(manager.plan(wish).model_dump_json(indent=1))
        return
    view = manager.launch(wish)
    typer.echo(
        view.model_dump_json(indent=1)
        if as_json
        else f"{view.run} is planned: {view.rounds} rounds with {view.clients} boxes"
    )


def _wish(plan: Path | None, given: dict[str, Any]) -> RunWish:
    written: dict[str, Any] = {}
    if plan is not None:
        wish = read_settings(plan, RunWish, name="plan", option="--plan", hint="see docs")
        written = wish.model_dump(exclude_unset=True)
    try:
        return RunWish.model_validate(written | given)
    except ValidationError as error:
        raise ConfigError(f"run cannot be planned: {explain(error)}") from error


def _devices(named: list[str]) -> dict[str, Any]:
    """``box`` and ``box=40`` → devices, and samples where they are told."""
    if not named:
        return {}
    split = [each.partition("=") for each in named]
    for _, equals, samples in split:
        if equals and not samples.isdecimal():
            raise ConfigError(f"--device with {samples!r} samples, expected BOX=SAMPLES")
    told = {name: int(samples) for name, equals, samples in split if equals}
    return {"devices": tuple(name for name, _, _ in split), **({"samples": told} if told else {})}


def _parent(file: Path) -> ParentModel:
    name, dash, version = file.stem.rpartition("-")
    if not dash:
        raise ConfigError(f"--parent {file.name}, expected a file such as its-yolo11n-1.0.0.pt")
    try:
        return ParentModel(name=name, version=version, sha256=digest_of(file), file=file.resolve())
    except ValidationError as error:
        raise ConfigError(f"--parent: {explain(error)}") from error
