"""Command line → versions of the model: registered, shown, proposed, approved, taken in.

These commands write to the coordinator's database; whoever may run them on its machine is named
by their account there. The second person of an approval is another account, or signs in to the
dashboard.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from coordinator.config import DEFAULT_CONFIG
from coordinator.fleet.command_line import AsJson, ConfigFile, open_container, show_rows
from coordinator.registry.stages import DeploymentStage
from coordinator.security.actors import ActorKind, current_actor

app = typer.Typer(
    help="File candidates, look at their evidence, let them go further.", no_args_is_help=True
)

Version = Annotated[str, typer.Argument(metavar="VERSION", help="Version of the model.")]


def acting_name() -> str:
    """Who runs this command, without its words: the same person in every command."""
    actor = current_actor()
    name = actor.name.partition(": ")[0] if actor.kind is ActorKind.COMMAND else actor.name
    return f"{name} on the coordinator"


@app.command()
def add(
    candidate: Annotated[Path, typer.Argument(help="Folder that a round or the bench sealed.")],
    version: Annotated[
        str | None, typer.Option(help="Default: its own, or the next minor version.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Register a candidate; a rejected one is kept for whoever wants to know why."""
    registry = open_container(config).registry()
    view = registry.add(candidate, by=acting_name(), version=version)
    if as_json:
        typer.echo(view.model_dump_json(indent=1))
        return
    typer.echo(f"{view.name} {view.version} is in {view.stage}")
    for reason in view.rejections:
        typer.echo(f"  rejected: {reason}")


@app.command("list")
def list_models(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show every version, the newest first."""
    views = open_container(config).registry().list()
    if as_json:
        rows = ",\n".join(view.model_dump_json() for view in views)
        sys.stdout.write(f"[{rows}]\n")
        return
    wanted = {"version", "name", "stage", "is_current", "is_signed", "canaries", "proposed_by"}
    show_rows([view.model_dump(mode="json", include=wanted) for view in views], as_json=False)


@app.command()
def show(version: Version, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show one version: its gates, its evidence and what happened to it."""
    view = open_container(config).registry().show(version)
    if as_json:
        typer.echo(view.model_dump_json(indent=1))
        return
    typer.echo(f"{view.name} {view.version} is in {view.stage}")
    for gate in view.gates:
        word = "passed" if gate.is_passed else "open" if not gate.missing else "closed"
        typer.echo(f"  {gate.stage}: {word} {'; '.join(gate.missing)}")
    for event in view.events:
        word = "" if event.holds else " (against it)"
        typer.echo(f"  {event.at:%Y-%m-%d %H:%M} {event.by}: {event.kind}{word}, {event.text}")


@app.command()
def propose(
    version: Version,
    stage: Annotated[DeploymentStage, typer.Option(help="The very next stage.")],
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Take a version to its next stage; for production, ask a second person."""
    view = open_container(config).registry().propose(version, stage, by=acting_name())
    waits = f", {stage} waits for a second person" if view.proposed_by else ""
    typer.echo(f"{version} is in {view.stage}{waits}")


@app.command()
def approve(version: Version, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Let a proposed version into production, as somebody else than who proposed it."""
    view = open_container(config).registry().approve(version, by=acting_name())
    typer.echo(f"{version} is in {view.stage}")


@app.command("online-keys")
def online_keys(
    out: Annotated[Path | None, typer.Option(help="Write them here instead.")] = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Print the public keys that a root of releases must name: for ml keys init."""
    text = open_container(config).releases().online_keys().model_dump_json(indent=1)
    if out is None:
        typer.echo(text)
        return
    out.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"wrote {out}")


@app.command()
def receive(
    delivery: Annotated[Path, typer.Argument(help="Folder of: its-camera-ai ml keys sign.")],
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Check signed releases as boxes will, and hand them out from now on."""
    delivered = open_container(config).releases().receive(delivery, by=acting_name())
    if as_json:
        typer.echo(delivered.model_dump_json(indent=1))
        return
    typer.echo(
        f"list {delivered.targets_version} is handed out; "
        f"signed: {', '.join(delivered.signed) or 'none of the registered versions'}"
    )
    if delivered.unknown:
        typer.echo(f"not registered, or with other weights: {', '.join(delivered.unknown)}")
