"""Command line → what happens on the box: count, preview the site, run the agent."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.truth import compare, load_truth
from edge import (
    agent_commands,
    bins_commands,
    calibration_commands,
    egress_commands,
    enrol_commands,
    preview_commands,
    release_commands,
    site_commands,
)
from edge.container import BACKENDS, edge_container
from edge.counting.annotate import AnnotatedVideo
from edge.counting.benchmark import benchmark as run_benchmark
from edge.counting.benchmark import benchmark_camera
from edge.counting.count import (
    camera_for,
    count_source,
    refuse_missing_folder,
    refuse_other_lines,
)
from edge.counting.demo import DEMO_SCENES, demo_scenes, is_exact, run_demo
from edge.counting.preview import site_preview
from edge.counting.report import to_report, write_events, write_report
from edge.counting.scene_files import Wanted, write_scene
from edge.counting.tables import counting, show_comparison, show_count
from edge.learn import learn_commands
from edge.stopping import stop_on_signals

app = typer.Typer(
    help="Count road users from a clip, a camera or a simulated junction.", no_args_is_help=True
)

app.command()(agent_commands.run)
app.command()(agent_commands.doctor)
app.command()(bins_commands.bins)
app.command()(calibration_commands.calibration)
app.command()(enrol_commands.enroll)
app.command()(preview_commands.preview)
app.command()(site_commands.check_site)
app.add_typer(egress_commands.app, name="egress")
app.add_typer(learn_commands.app, name="learn")
app.add_typer(release_commands.app, name="release")

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A video file, rtsp://user:password@camera/path, /dev/video0, gst:PIPELINE, or "
        "simulate:junction?seed=7&light=night",
    ),
]
SiteFile = Annotated[
    Path | None, typer.Option("--site", help="Site file with the counting lines (site.yaml).")
]
CameraId = Annotated[
    str | None, typer.Option("--camera", help="Which camera of the site file, if it has several.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Packaged model or path of an .onnx file; default: the newest."),
]
BackendKind = Annotated[
    str, typer.Option("--backend", help=f"What runs the model: {', '.join(BACKENDS)}.")
]
Threads = Annotated[int, typer.Option("--threads", help="Inference threads; 0: one per core.")]


@app.command()
def count(
    source: Source,
    site: SiteFile = None,
    camera: CameraId = None,
    model: Model = None,
    backend: BackendKind = "onnx",
    threads: Threads = 0,
    duration: Annotated[
        float | None, typer.Option(help="Stop after this many seconds of the stream.", min=0.1)
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write the report here (JSON).")] = None,
    events: Annotated[Path | None, typer.Option(help="Write every crossing here (CSV).")] = None,
    annotate: Annotated[
        Path | None, typer.Option(help="Write a video with lines, boxes and counts (MP4).")
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Compare with hand-counted events (JSON).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Count what crosses the lines of a source, and say how sure that is.

    Without --site the lines come from the simulated scene or from --truth. A clip is
    counted to its end; a camera until --duration or Ctrl-C.
    """
    for path in (report, events, annotate):
        refuse_missing_folder(path)
    geometry = camera_for(source, site=site, camera_id=camera, truth=truth)
    expected = load_truth(truth) if truth else None
    if expected is not None:
        refuse_other_lines(expected, geometry)
    container = edge_container(model=model, backend=backend, threads=threads)
    stop_on_signals(container.stop())
    with ExitStack() as closing:
        on_progress = closing.enter_context(counting(is_shown=not as_json))
        video = closing.enter_context(AnnotatedVideo(annotate, geometry)) if annotate else None
        done = count_source(
            container, geometry, video=video, on_progress=on_progress, duration_s=duration
        )
    rows = compare(done.events, expected, duration_s=done.duration_s) if expected else None
    content = to_report(done, rows)
    if as_json:
        json.dump(content, sys.stdout, indent=1)
    else:
        show_count(done)
        if rows is not None:
            show_comparison(rows)
    if report:
        write_report(content, report)
    if events:
        write_events(content["events"], events)
    if as_json:
        return
    for path in (report, events, annotate):
        if path:
            typer.echo(f"written: {path}")


@app.command("site-preview")
def preview(
    source: Source,
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the picture.")],
    site: SiteFile = None,
    camera: CameraId = None,
    model: Model = None,
    backend: BackendKind = "onnx",
) -> None:
    """Draw the lines and their directions over the empty scene.

    The picture is the median of up to a minute, so that nobody is in it; whoever stood
    still all the time is turned into a mosaic.
    """
    refuse_missing_folder(output)
    geometry = camera_for(source, site=site, camera_id=camera, truth=None, needs_lines=False)
    hidden = site_preview(edge_container(model=model, backend=backend), geometry, output)
    typer.echo(f"written: {output}" + (f" ({hidden} standing road users hidden)" if hidden else ""))


@app.command(hidden=True)
def benchmark(
    source: Source,
    site: SiteFile = None,
    camera: CameraId = None,
    model: Model = None,
    backend: BackendKind = "onnx",
    threads: Threads = 0,
    rounds: Annotated[int, typer.Option(help="Pairs of measurements.", min=1)] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = True,
) -> None:
    """Measure the pipeline against the network alone; see ``ml benchmark pipeline``."""
    geometry = benchmark_camera(source, site=site, camera_id=camera)
    result = run_benchmark(
        edge_container(model=model, backend=backend, threads=threads), geometry, rounds=rounds
    )
    json.dump(result, sys.stdout, indent=None if as_json else 1)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for pictures and videos.")] = Path(
        "out/demo"
    ),
    model: Model = None,
    only: Annotated[
        str | None, typer.Option(help="One of them: " + ", ".join(s.name for s in DEMO_SCENES))
    ] = None,
) -> None:
    """Count three simulated cameras (day, night, rain) against exact truth."""
    results = run_demo(demo_scenes(only), output, model=model, console=Console())
    if not all(is_exact(result) for result in results if result.scene.is_easy):
        raise typer.Exit(1)


@app.command()
def simulate(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="simulate:junction?seed=7 …")],
    labels: Annotated[
        Path | None, typer.Option(help="Write labelled frames here (YOLO layout), to train with.")
    ] = None,
    frames: Annotated[int, typer.Option(help="How many labelled frames.", min=1)] = 100,
    every: Annotated[
        float, typer.Option(help="Seconds of the scene between two labelled frames.", min=0.1)
    ] = 2.0,
    truth: Annotated[Path | None, typer.Option(help="Write the exact truth here (JSON).")] = None,
    site: Annotated[
        Path | None, typer.Option("--site", help="Write the scene's site file here (YAML).")
    ] = None,
) -> None:
    """Write what is known of a simulated scene: labelled frames, exact truth, site file."""
    wanted = Wanted(labels=labels, frames=frames, every_s=every, truth=truth, site=site)
    for line in write_scene(source, wanted):
        typer.echo(line)
