"""Command line → rounds on a run folder without a fleet: boxes are folders on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from common.flower_processes import SILENT
from common.rounds import RunStatus

app = typer.Typer(
    help="Rounds of a run folder with boxes that are folders on this machine.",
    no_args_is_help=True,
)

RunArgument = Annotated[Path, typer.Argument(help="Folder of the run, with plan.json.")]
BoxesOption = Annotated[
    Path, typer.Option(help="Above the learn folders, each named as its device.", exists=True)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the status as JSON.")]


@app.command()
def work(run: RunArgument, boxes: BoxesOption, as_json: JsonOption = False) -> None:
    """Train box after box in this process, to a verdict; goes on where a run was cut off."""
    from functools import partial

    from models.federated.client_work import Box
    from models.federated.client_work import work as follow
    from models.federated.collecting import ExchangeInProcess
    from models.federated.installed_trainers import bench_for, trainer_for
    from models.federated.round_files import read_plan
    from models.federated.round_loop import run_rounds

    plan = read_plan(run)
    devices = {
        client.device: partial(
            follow,
            box=Box(
                device=client.device,
                learn_folder=boxes / client.device,
                trainer_for=trainer_for,
            ),
        )
        for client in plan.clients
    }
    _print(run_rounds(ExchangeInProcess(devices), run, bench=bench_for(plan, run)), as_json=as_json)


@app.command()
def simulate(
    run: RunArgument,
    boxes: BoxesOption,
    at_once: Annotated[int, typer.Option(min=1, help="Boxes that train side by side.")] = 2,
    as_json: JsonOption = False,
) -> None:
    """The same under Flower's simulation engine (Ray), for hundreds of boxes."""
    # Flower reads them when it is imported.
    os.environ.update(SILENT)
    from models.federated.simulation import VirtualFleet, simulate

    _print(simulate(run, VirtualFleet(boxes=boxes, at_once=at_once)), as_json=as_json)


def _print(status: RunStatus, *, as_json: bool) -> None:
    if as_json:
        typer.echo(status.model_dump_json(indent=1))
        return
    typer.echo(f"run {status.run}: {status.state} after {status.round} rounds")
    for reason in status.verdict:
        typer.echo(f"  {reason}")
