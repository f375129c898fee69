"""Command line → federated runs: launched, watched, stopped, resumed, verified.

The coordinator on this machine does the work; these commands write to its database, and need
it running only for something to happen.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from common.errors import TrustError
from common.rounds import RunState
from coordinator.config import DEFAULT_CONFIG
from coordinator.federation.launch_commands import launch
from coordinator.federation.proxy import ProxySettings, nginx_conf
from coordinator.federation.states import ENDED
from coordinator.federation.views import RunEventView
from coordinator.fleet.command_line import AsJson, ConfigFile, open_container, show_rows

app = typer.Typer(
    help="Have boxes train one model together, and judge what comes of it.",
    no_args_is_help=True,
)

RunName = Annotated[str, typer.Argument(metavar="RUN", help="Name of the run.")]

_LOOK_S = 0.5


app.command()(launch)


@app.command("list")
def list_runs(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show every run, the newest first."""
    wanted = {"run", "state", "round", "rounds", "strategy", "clients", "created_at", "reason"}
    runs = open_container(config).training().list()
    show_rows([view.model_dump(mode="json", include=wanted) for view in runs], as_json=as_json)


@app.command()
def show(run: RunName, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Show a run: every round, and what became of every box in it."""
    view = open_container(config).training().show(run)
    if as_json:
        typer.echo(view.model_dump_json(indent=1))
        return
    typer.echo(f"{view.run} is {view.state}, round {view.round} of {view.rounds} {view.reason}")
    for line in view.verdict:
        typer.echo(f"  {line}")
    rows = [
        {
            "round": outcome.number,
            "box": client.device,
            "verdict": client.verdict.value,
            "reasons": ", ".join(client.reasons),
            "weight": f"{client.weight:.3f}",
            "samples": client.samples,
            "kilobytes": f"{client.sent_bytes / 1000:.0f}",
            "seconds": f"{client.train_s:.0f}",
            "loss": "" if client.loss is None else f"{client.loss:.3f}",
        }
        for outcome in view.finished
        for client in outcome.clients
    ]
    show_rows(rows, as_json=False)


@app.command()
def watch(
    run: RunName,
    config: ConfigFile = DEFAULT_CONFIG,
    after: Annotated[int, typer.Option(help="Number of the last event seen.", min=0)] = 0,
    as_json: AsJson = False,
) -> None:
    """Follow a run until it has ended; exit code 1 when it failed."""
    manager, pause = open_container(config).training(), threading.Event()
    state = manager.show(run).state
    while True:
        events = manager.events(run, after=after)
        for event in events:
            _tell(event, as_json=as_json)
            if event.kind == "state":
                state = RunState(event.detail["state"])
            after = event.number
        if not events and state in ENDED:
            break
        if not events:
            pause.wait(_LOOK_S)
    if state is RunState.FAILED:
        raise typer.Exit(1)


@app.command()
def stop(run: RunName, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """End a run within seconds; what its rounds yielded stays."""
    view = open_container(config).training().stop(run)
    typer.echo(f"{run} ends" if view.is_to_stop else f"{run} is {view.state}")


@app.command()
def resume(run: RunName, config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Go on with a run that failed or was stopped, at its last finished round."""
    view = open_container(config).training().resume(run)
    typer.echo(f"{run} goes on after round {view.round}")


@app.command()
def verify(run: RunName, config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Check ledger, weights and candidate of a run; exit code 4 when something does not hold."""
    found = open_container(config).training().verify(run)
    if as_json:
        sys.stdout.write(found.model_dump_json(indent=1) + "\n")
    else:
        for finding in found.findings:
            typer.echo(finding)
    if not found.holds:
        raise TrustError(f"{len(found.findings)} things about run {run!r} do not hold")
    if not as_json:
        typer.echo(f"{run} holds: {found.lines} lines of its ledger")


@app.command()
def proxy(
    config: ConfigFile = DEFAULT_CONFIG,
    folder: Annotated[
        Path | None,
        typer.Option(help="For the proxy's own files; default: data_folder/federation/proxy."),
    ] = None,
) -> None:
    """Print the nginx configuration that lets boxes, and nothing else, through to the rounds.

    Its certificate is made in data_folder/keys/own; start with: nginx -c FILE
    """
    container = open_container(config)
    settings = ProxySettings.of(container.settings(), container.certificates(), folder=folder)
    typer.echo(nginx_conf(settings))


def _tell(event: RunEventView, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(event.model_dump_json() + "\n")
        return
    told = ", ".join(f"{name} {value}" for name, value in event.detail.items() if value != "")
    typer.echo(f"{event.at:%H:%M:%S} {event.kind}: {told}")
