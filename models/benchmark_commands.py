"""Command line → ``ml benchmark``: counts and speed beside the off-the-shelf chain."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from common.errors import ConfigError
from common.truth import Comparison
from models.benchmark import (
    ClipResult,
    Rival,
    compare_counts,
    counts_table,
    measure_pipeline,
)
from models.catalogue import NAME, VERSION, read_facts
from models.export import fix_input

_WEIGHTS = Path(__file__).parent / "weights"

app = typer.Typer(help="Figures, each beside what they are compared with.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Model = Annotated[
    str | None, typer.Option("--model", help="Packaged model or .onnx file; default: the newest.")
]


@app.command()
def counts(
    data: Annotated[Path, typer.Option(help="Folder with clips/NAME.mp4 and truth/NAME.json.")],
    baseline_model: Annotated[
        Path, typer.Option(help="Checkpoint for the off-the-shelf chain, such as yolo11n.pt.")
    ],
    model: Model = None,
    truth: Annotated[
        Path | None, typer.Option(help="Folder with NAME.json; default: truth in --data.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Missed, false and wrongly classed crossings of every clip, each fault listed."""
    results = compare_counts(data, model=model, baseline_model=baseline_model, truth=truth)
    rows = counts_table(results)
    if as_json:
        json.dump({"clips": rows}, sys.stdout, indent=1)
        return
    typer.echo(f"{'':24}{'its-camera-ai':>34}{'off the shelf':>34}")
    heading = f"{'missed':>8}{'false':>8}{'faults':>9}{'class':>9}"
    typer.echo(f"{'clip':18}{'true':>6}{heading}{heading}")
    for row in rows:
        ours, theirs = row["ours"], row["off_the_shelf"]
        typer.echo(f"{row['clip'][:18]:18}{ours['true']:>6}{_cells(ours)}{_cells(theirs)}")
    for result in results:
        _list_faults(result)


def _cells(total: dict[str, Any]) -> str:
    return (
        f"{total['missed']:>8}{total['false']:>8}{total['fault_share']:>9.1%}"
        f"{total['wrong_class_share']:>9.1%}"
    )


def _list_faults(result: ClipResult) -> None:
    for name, rows in (("its-camera-ai", result.ours), ("off the shelf", result.baseline)):
        for row in rows:
            for line in _fault_lines(row):
                typer.echo(f"{result.clip[:18]:18} {name:14} {line}")


def _fault_lines(row: Comparison) -> list[str]:
    return [
        f"{fault.kind:7} {row.section} {row.direction} at {fault.time_s:.1f} s: expected "
        f"{fault.expected or 'nothing'}, counted {fault.found or 'nothing'}"
        for fault in row.faults
    ]


@app.command()
def pipeline(
    source: Annotated[str, typer.Option(help="A clip, or simulate:…")],
    baseline_model: Annotated[
        Path | None,
        typer.Option(
            help="Also run the off-the-shelf chain with this checkpoint, such as yolo11n.pt."
        ),
    ] = None,
    off_the_shelf: Annotated[
        bool,
        typer.Option(
            help="Run the off-the-shelf chain on the same ONNX file in turn: at our input shape, "
            "and with the square 640 px input that it exports by default. Needs the train extra "
            "and a clip.",
        ),
    ] = True,
    model: Model = None,
    rounds: Annotated[int, typer.Option(help="How often the chains take turns.", min=1)] = 3,
    as_json: AsJson = False,
) -> None:
    """Speed against the network alone, latency from capture to event, and peak memory."""
    is_installed = find_spec("ultralytics") is not None
    if baseline_model and not is_installed:
        raise ConfigError(
            "ultralytics is not installed, expected it for --baseline-model",
            hint="pip install 'its-camera-ai[train]'",
        )
    with TemporaryDirectory() as folder:
        baseline: list[Rival] = []
        if off_the_shelf and is_installed and Path(source).is_file():
            baseline += _on_the_same_network(model, Path(folder))
        if baseline_model:
            baseline.append(Rival(name="checkpoint", model=baseline_model, input_px="640"))
        result = measure_pipeline(source, model=model, rounds=rounds, baseline=baseline)
    if as_json:
        json.dump(result, sys.stdout, indent=1)
        return
    for key, value in result.items():
        typer.echo(f"{key:22}{value}")


def _on_the_same_network(model: str | None, folder: Path) -> list[Rival]:
    """The network that our pipeline runs, for the off-the-shelf chain."""
    if model is None:
        network = _WEIGHTS / read_facts(_WEIGHTS / f"{NAME}-{VERSION}.json").default
    else:
        network = Path(model) if model.endswith(".onnx") else _WEIGHTS / f"{model}.onnx"
    if not network.is_file():
        raise ConfigError(
            f"model file {network} does not exist, expected an .onnx file to compare on",
            hint="name a file, or add --no-off-the-shelf",
        )
    square = fix_input(network, folder / f"{network.stem}-640x640.onnx", side_px=640)
    return [
        Rival(name="same_onnx_same_shape", model=network),
        Rival(name="same_weights_square_640", model=square, input_px="640"),
    ]
