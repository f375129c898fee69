"""``its-camera-ai demo`` → the whole product on one machine, from camera to answer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from common.errors import ConfigError
from coordinator.demo import DEMO_SITES, Demo, show
from coordinator.demo_processes import run_command
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
) -> None:
    """Count three simulated cameras, send the counts sealed, and find them in the database.

    Shows the truth, the boxes and the database side by side, then lets the boxes train one
    round together and says whether the night camera sees better for it. Ends with exit code 1
    when the easy scene was not counted exactly or a database differs from its box.
    """
    if not lite and not can_train():
        raise ConfigError(
            "torch, ultralytics and flwr are not all installed, expected the train extra",
            hint="pip install 'its-camera-ai[train]', or leave the round out with --lite",
        )
    console = Console()
    _make_room(output)
    console.rule("one camera, seen")
    run_command("edge", "demo", "--only", "day", "--output", str(output))
    picture, video = output / "day.png", output / "day.mp4"
    console.print(f"picture: {picture}   video: {video}")
    console.rule("three boxes and a coordinator")
    run = Demo(output, console, sites=DEMO_SITES, learns=not lite)
    results, learnt = run.run()
    show(results, console, video_bytes_per_s=video.stat().st_size / _CLIP_S)
    if learnt is not None:
        show_round(learnt, console)
    console.print(f"go on from here: its-camera-ai coordinator serve --config {run.config_file}")
    console.print(f"then read the API at {run.api_url}/docs")
    is_good = all(result.is_stored_exactly for result in results) and all(
        result.is_counted_exactly for result in results if result.site.is_easy
    )
    raise typer.Exit(0 if is_good else 1)


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
