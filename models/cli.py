"""Command line → the ML bench: train, evaluate, export, benchmark."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated

import typer

from common.errors import ConfigError
from models import (
    attack_benchmark_commands,
    benchmark_commands,
    federated_benchmark_commands,
    federated_commands,
    federated_run_commands,
    keys_commands,
)
from models.catalogue import NAME, START_NAME, VERSION, write_facts
from models.recipe import Recipe

app = typer.Typer(help="Train, evaluate, export and benchmark the detector.", no_args_is_help=True)

benchmark_commands.app.command()(attack_benchmark_commands.attacks)
benchmark_commands.app.command()(attack_benchmark_commands.updates)
app.add_typer(benchmark_commands.app, name="benchmark")
app.add_typer(federated_commands.app, name="bundle")
app.add_typer(federated_run_commands.app, name="federated")
app.add_typer(keys_commands.app, name="keys")
benchmark_commands.app.command()(federated_benchmark_commands.federated)

DataOption = Annotated[
    Path, typer.Option(help="Folder above the labelled sets (YOLO layout, data.yaml each).")
]
ModelHelp = "A .pt or .onnx file, or an Ultralytics name such as yolo11n.pt (needs a network)."


@app.command()
def train(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and scores.")] = Path("runs/ml"),
    model: Annotated[str, typer.Option(help=f"Start weights. {ModelHelp}")] = START_NAME,
    extra: Annotated[
        list[Path] | None, typer.Option(help="More labelled folders, such as simulated frames.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same mix and same augmentation.")] = 0,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the mix.")] = Recipe().epochs,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
) -> None:
    """Fine-tune the detector gently and score it before and after."""
    from models.runtime import prepare

    prepare()
    from models.run import Inputs
    from models.run import train as run_training

    started_s = time.monotonic()

    def report(line: str) -> None:
        typer.echo(f"[{time.monotonic() - started_s:6.0f} s] {line}", err=True)

    trained = run_training(
        Inputs(data=data, start=model, extra=tuple(extra or ())),
        out,
        recipe=Recipe(seed=seed, epochs=epochs),
        report=report,
    )
    if as_json:
        typer.echo(trained.metrics.read_text(encoding="utf-8"))
        return
    typer.echo(f"wrote {trained.checkpoint} (alpha {trained.alpha:.2f}) and {trained.metrics}")


@app.command()
def evaluate(
    data: DataOption,
    model: Annotated[str | None, typer.Option(help=ModelHelp)] = None,
    candidate: Annotated[
        Path | None,
        typer.Option(
            help="A .pt or .onnx file that wants to replace --against: mAP of every set and "
            "class, count errors on the proof set, a verdict. Exit code 0 passed, 1 rejected."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="A second model on the same images, as the reference. For a candidate: a file, "
            "or 'production' (the default) for the packaged model."
        ),
    ] = None,
    image_px: Annotated[int, typer.Option(min=32, help="Longer side of the input.")] = 640,
    degraded: Annotated[
        bool, typer.Option(help="Also as a low-resolution and as a night camera; --model only.")
    ] = False,
    counts: Annotated[bool, typer.Option(help="Count the proof set; --candidate only.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure mAP per set and class on the validation images, or judge a candidate."""
    if (model is None) == (candidate is None):
        raise ConfigError(
            "one of --model and --candidate is needed, and not both",
            hint="--model measures, --candidate judges",
        )
    from models.runtime import prepare

    prepare()
    if candidate is not None:
        _judge(candidate, data, against or "production", image_px, counts=counts, as_json=as_json)
        return
    from models.report import measure, shown

    named = {"model": str(model)} | ({"against": against} if against else {})
    result = measure(data, named, image_px=image_px, degraded=degraded)
    typer.echo(json.dumps(result, indent=1) if as_json else shown(result))


def _judge(
    candidate: Path, data: Path, against: str, image_px: int, *, counts: bool, as_json: bool
) -> None:
    from models.candidate_verdict import REJECTED_EXIT_CODE, Measuring, judge_files, shown
    from models.proof_counts import SCENES

    judgement = judge_files(
        candidate,
        data=data,
        against=against,
        measuring=Measuring(scenes=SCENES if counts else (), image_px=image_px),
        report=lambda line: typer.echo(line, err=True),
    )
    typer.echo(json.dumps(judgement.as_plain(), indent=1) if as_json else shown(judgement))
    if not judgement.passed:
        raise typer.Exit(REJECTED_EXIT_CODE)


@app.command()
def export(
    model: Annotated[str, typer.Argument(help=ModelHelp)],
    out: Annotated[Path, typer.Option(help="Folder for the ONNX files.")] = Path("runs/export"),
    name: Annotated[str, typer.Option(help="Model name stored in the files.")] = NAME,
    version: Annotated[str, typer.Option(help="Version stored in the files.")] = VERSION,
    calibrate: Annotated[
        Path | None, typer.Option(help="Folder of frames; with it an INT8 file is written too.")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Calibration frames to use.")] = 100,
    int8_default: Annotated[
        bool, typer.Option(help="Name the INT8 file as the default, when it earned it.")
    ] = False,
) -> None:
    """Write the detector as ONNX with dynamic shape, and as INT8 when frames are given."""
    from models.runtime import prepare

    prepare()
    from models.detector import load_model
    from models.export import Release, export_onnx
    from models.quantise import calibration_frames, quantise

    if model.endswith(".onnx"):
        raise ConfigError(
            f"model {model} is exported already, expected a .pt checkpoint",
            hint="name the checkpoint it was exported from",
        )
    target = out / f"{name}-{version}.onnx"
    export_onnx(load_model(model), target, release=Release(name=name, version=version))
    typer.echo(f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)")
    default = target
    if calibrate is not None:
        small = out / f"{name}-{version}-int8.onnx"
        quantise(target, small, calibration_frames(calibrate, at_most=frames))
        typer.echo(f"wrote {small} ({small.stat().st_size / 1e6:.1f} MB)")
        default = small if int8_default else target
    write_facts(out, name=name, version=version, default=default.name)
