"""Command line → ``ml benchmark federated``: cameras as clients, ways of learning side by side."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from common.rounds import Anchoring, AnchorSettings, LocalTraining

LOCAL, ANCHOR = LocalTraining(), AnchorSettings()

Data = Annotated[Path, typer.Option(help="Folder above the labelled sets (YOLO layout).")]
Start = Annotated[str, typer.Option(help="Weights that have not seen the cameras.")]
Out = Annotated[Path, typer.Option(help="Folder for scores; a cut-off run goes on from here.")]
IsAnchors = Annotated[
    bool, typer.Option("--anchors", help="Compare ways of not forgetting, under FedAvg.")
]
Only = Annotated[list[str] | None, typer.Option(help="Rows to run; default: all.")]
Cameras = Annotated[str, typer.Option(help="Family of sets; each is a client.")]
Elsewhere = Annotated[list[str] | None, typer.Option(help="Sets scored for forgetting.")]
Seeds = Annotated[int, typer.Option(min=1, help="Repetitions, each with its own pictures.")]
FirstSeed = Annotated[int, typer.Option(min=0, help="Seed of the first repetition.")]
Folds = Annotated[
    int, typer.Option(min=0, help="Cameras left out in turn; seed s begins with camera s.")
]
Samples = Annotated[int, typer.Option(min=1, help="Pictures of each client.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds of each row.")]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the pictures in a round.")]
Rate = Annotated[float, typer.Option(min=0, help="Of the clients.")]
Batch = Annotated[int, typer.Option(min=1, help="Pictures per step.")]
ImagePx = Annotated[int, typer.Option(min=64, help="Side of the training input.")]
Frozen = Annotated[int, typer.Option(min=0, help="First layers that keep their weights.")]
Kind = Annotated[Anchoring, typer.Option(help="What keeps every row from forgetting.")]
Steps = Annotated[int, typer.Option(min=0, help="Of the anchor, after each round.")]
AnchorRate = Annotated[float, typer.Option(min=0, help="Of the anchor's steps.")]
Keep = Annotated[float, typer.Option(min=0, max=1, help="Share of the start, of average.")]
Scored = Annotated[int, typer.Option(min=0, help="Scored pictures of each set; 0: all.")]
ScoredPx = Annotated[int, typer.Option(min=64, help="Longer side when scoring.")]
Threads = Annotated[int, typer.Option(min=0, help="Of torch; 0: every core.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def federated(
    data: Data,
    model: Start = "yolo11n.pt",
    out: Out = Path("runs/federated"),
    anchors: IsAnchors = False,
    only: Only = None,
    cameras: Cameras = "atl_cameras",
    elsewhere: Elsewhere = None,
    seeds: Seeds = 1,
    first_seed: FirstSeed = 0,
    folds: Folds = 1,
    samples: Samples = 48,
    rounds: Rounds = 3,
    epochs: Epochs = 1,
    learning_rate: Rate = LOCAL.learning_rate,
    batch: Batch = LOCAL.batch,
    image_px: ImagePx = 320,
    frozen_layers: Frozen = LOCAL.frozen_layers,
    anchor: Kind = ANCHOR.kind,
    anchor_steps: Steps = ANCHOR.steps,
    anchor_rate: AnchorRate = ANCHOR.learning_rate,
    keep: Keep = ANCHOR.keep,
    scored: Scored = 0,
    scored_px: ScoredPx = 640,
    threads: Threads = 0,
    as_json: AsJson = False,
) -> None:
    """Zero-shot, local-only, centralised and federated rows on own, unseen and other cameras."""
    from models.federated.benchmark_run import Options, What, compare
    from models.federated.benchmark_table import camera_table, summary, table
    from models.federated.laboratory_data import DataChoice

    settings = {"epochs": epochs, "learning_rate": learning_rate, "batch": batch}
    settings |= {"image_px": image_px, "frozen_layers": frozen_layers}
    ways = {"kind": anchor, "steps": anchor_steps, "learning_rate": anchor_rate, "keep": keep}
    options = Options(
        data=data,
        model=model,
        out=out,
        what=What.ANCHORS if anchors else What.METHODS,
        only=tuple(only or ()),
        choice=DataChoice(clients=cameras, samples=samples, scored=scored),
        elsewhere=tuple(elsewhere or ("roadside_tidar",)),
        seeds=tuple(range(first_seed, first_seed + seeds)),
        folds=folds,
        rounds=rounds,
        local=LocalTraining.model_validate(settings),
        anchor=AnchorSettings.model_validate(ways | {"data": data}),
        scored_px=scored_px,
        threads=threads,
    )
    runs = compare(options, _reporter())
    if as_json:
        json.dump({"summary": summary(runs), "rows": runs}, sys.stdout, indent=1)
        return
    typer.echo(f"{table(summary(runs))}\n\n{camera_table(runs)}")


def _reporter() -> Callable[[str], None]:
    started_s = time.monotonic()
    return lambda line: typer.echo(f"[{time.monotonic() - started_s:6.0f} s] {line}", err=True)
