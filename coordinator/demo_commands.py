"""``its-camera-ai demo`` → the whole product on one machine, from camera to dashboard."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.errors import ConfigError
from coordinator.demo import DEMO_SITES, Demo
from coordinator.demo_counting import show
from coordinator.demo_ending import interrupted_by_sigterm, is_good, show_story, show_way_in, stay
from coordinator.demo_round import can_train, show_round

app = typer.Typer(
    help="Run three boxes and a coordinator on this machine, against exact truth.",
    invoke_without_command=True,
)

_MARK = "made by its-camera-ai demo"
_CLIP_S = 40.0


@app.callback()
def demo(
    output: Annotated[
        Path, typer.Option(help="Folder for everything; an earlier demo in it is replaced.")
    ] = Path("out/demo"),
    lite: Annotated[
        bool, typer.Option("--lite", help="Leave the federated round out; needs no torch.")
    ] = False,
    once: Annotated[
        bool, typer.Option("--once", help="End by itself, as where no terminal is.")
    ] = False,
) -> None:
    """Count three simulated cameras, train a round, and bring a signed release to every box.

    Shows truth, boxes and database side by side, lets the boxes train one round together and
    says whether the night camera sees better for it. What passes its gate is signed, tried on
    one box, approved by a second person and brought to all; what does not pass goes nowhere.
    In the end a link opens the dashboard, and everything runs until Ctrl-C.

    The exit code is 1 when the easy scene was not counted exactly, a database differs from its
    box, or a release that is the same as before did not reach every box.
    """
    if not lite and not can_train():
        raise ConfigError(
            "torch, ultralytics and flwr are not all installed, expected the train extra",
            hint="pip install 'its-camera-ai[train]', or leave the round out with --lite",
        )
    console = Console()
    _make_room(output)
    run = Demo(output, console, sites=DEMO_SITES, learns=not lite, is_whole=True)
    code = 1
    with interrupted_by_sigterm():
        try:
            code = _tell(run, console, output, stays=not once and sys.stdout.isatty())
        except KeyboardInterrupt:
            code = 130
    console.print(f"everything is stopped; {output} holds what was made")
    again = f"go on from here: its-camera-ai coordinator serve --config {run.config_file}"
    console.print(again, soft_wrap=True)
    raise typer.Exit(code)


def _tell(run: Demo, console: Console, output: Path, *, stays: bool) -> int:
    """Tell it, and stay where somebody looks; gives the exit code."""
    with run.running() as story:
        code = 0 if is_good(story) else 1
        console.rule("what it came to")
        video_bytes_per_s = run.film.stat().st_size / _CLIP_S
        show(story.results, console, video_bytes_per_s=video_bytes_per_s)
        if story.learnt is not None:
            show_round(story.learnt, console)
        show_story(story, run, console, folder=output)
        show_way_in(run, console)
        if stays:
            try:
                stay(story.processes, run, console)
            except KeyboardInterrupt:
                console.print("stopping …")
    return code


def _make_room(folder: Path) -> None:
    """Empty an earlier demo's folder, and nobody else's."""
    mark = folder / ".demo"
    if folder.exists() and any(folder.iterdir()):
        if not mark.exists():
            raise ConfigError(
                f"{folder} is not empty and no demo made it, expected a folder of its own",
                hint="name another one with --output",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(_MARK + "\n", encoding="utf-8")
