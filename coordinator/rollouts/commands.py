"""Command line → rollouts: begun, watched, paused, halted, taken back.

The coordinator on this machine does the work; these commands write to its database, and need it
running only for something to happen.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import BaseModel

from coordinator.config import DEFAULT_CONFIG
from coordinator.fleet.command_line import AsJson, ConfigFile, open_container, show_rows
from coordinator.registry.commands import acting_name
from coordinator.rollouts.start_commands import say, start

app = typer.Typer(
    help="Bring a version of the model to the boxes, a few first.", no_args_is_help=True
)

RolloutId = Annotated[str, typer.Argument(metavar="ROLLOUT", help="Id of the rollout.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the rollout.")]

app.command()(start)


@app.command("list")
def list_rollouts(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show every rollout, the newest first."""
    views = open_container(config).rollouts().list()
    if as_json:
        _print_all(views)
        return
    wanted = {"rollout", "version", "state", "wave", "waves", "boxes", "created_by", "reason"}
    show_rows([view.model_dump(mode="json", include=wanted) for view in views], as_json=False)


@app.command()
def show(rollout: RolloutId, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show a rollout: every box, and what happened."""
    view = open_container(config).rollouts().show(rollout)
    if as_json:
        typer.echo(view.model_dump_json(indent=1))
        return
    say(view, as_json=False)
    wanted = {"device", "site", "wave", "state", "step", "reason", "before_version"}
    show_rows([box.model_dump(mode="json", include=wanted) for box in view.members], as_json=False)
    for event in view.events:
        typer.echo(f"{event.at:%Y-%m-%d %H:%M:%S} {event.by}: {event.kind}, {event.text}")


@app.command()
def pause(rollout: RolloutId, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Tell nobody new; boxes that were told go on."""
    say(open_container(config).rollouts().pause(rollout, by=acting_name()), as_json=as_json)


@app.command()
def resume(
    rollout: RolloutId, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """Go on with a paused rollout."""
    say(open_container(config).rollouts().resume(rollout, by=acting_name()), as_json=as_json)


@app.command()
def halt(
    rollout: RolloutId, reason: Reason, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """End it where it is; boxes that have not taken the version yet are called back."""
    rollouts = open_container(config).rollouts()
    say(rollouts.halt(rollout, by=acting_name(), reason=reason), as_json=as_json)


@app.command("roll-back")
def roll_back(
    rollout: RolloutId, reason: Reason, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False
) -> None:
    """Send every box that was told back to what it ran before."""
    rollouts = open_container(config).rollouts()
    say(rollouts.roll_back(rollout, by=acting_name(), reason=reason), as_json=as_json)


@app.command()
def history(
    device: Annotated[str | None, typer.Option(help="Only this box.")] = None,
    version: Annotated[str | None, typer.Option(help="Only this version.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show which model ran on which box, when and why."""
    views = open_container(config).rollouts().history(device=device, version=version)
    if as_json:
        _print_all(views)
        return
    show_rows([view.model_dump(mode="json", exclude={"sha256"}) for view in views], as_json=False)


def _print_all(views: Sequence[BaseModel]) -> None:
    rows = ",\n".join(view.model_dump_json() for view in views)
    sys.stdout.write(f"[{rows}]\n")
