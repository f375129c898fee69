"""Command line → a rollout that is planned."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import ValidationError

from common.errors import ConfigError
from common.settings_files import explain
from coordinator.config import DEFAULT_CONFIG
from coordinator.fleet.command_line import AsJson, ConfigFile, open_container
from coordinator.registry.commands import acting_name
from coordinator.rollouts.states import Limits
from coordinator.rollouts.views import LimitsView, RolloutView, RolloutWish

_DEFAULT = Limits()


def start(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Version of the model.")],
    canaries: Annotated[
        int | None, typer.Option(help="Boxes that go first; default: a tenth.", min=1)
    ] = None,
    wave: Annotated[
        list[float] | None, typer.Option(help="Rising shares of the others, the last 1.")
    ] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only these boxes.")] = None,
    most_failed: Annotated[
        float, typer.Option(help="Share of the boxes told that may fail.")
    ] = _DEFAULT.most_failed,
    least_confirmed: Annotated[
        float, typer.Option(help="Share of the canaries that must confirm.")
    ] = _DEFAULT.least_confirmed,
    watch_s: Annotated[
        float, typer.Option(help="Quiet seconds before the next wave.")
    ] = _DEFAULT.watch_s,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Plan a rollout; its canaries are told within seconds while the coordinator serves."""
    try:
        wish = RolloutWish(
            version=version,
            canaries=canaries,
            waves=tuple(wave) if wave else (0.25, 1.0),
            limits=LimitsView(
                most_failed=most_failed, least_confirmed=least_confirmed, watch_s=watch_s
            ),
            devices=tuple(device) if device else None,
        )
    except ValidationError as error:
        raise ConfigError(f"rollout cannot be begun: {explain(error)}") from error
    say(open_container(config).rollouts().start(wish, by=acting_name()), as_json=as_json)


def say(view: RolloutView, *, as_json: bool) -> None:
    """Print a rollout."""
    if as_json:
        typer.echo(view.model_dump_json(indent=1))
        return
    boxes = ", ".join(f"{count} {state}" for state, count in view.boxes.items())
    paused = " (paused)" if view.is_paused else ""
    typer.echo(f"{view.rollout}: {view.version} is {view.state}{paused}, {boxes}. {view.reason}")
