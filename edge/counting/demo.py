"""Three simulated cameras → their counts against exact truth, and an annotated picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from common.errors import NotFoundError
from common.site import Camera
from common.truth import Comparison, Truth, compare, totals
from edge.container import EdgeContainer, edge_container
from edge.counting.annotate import AnnotatedVideo
from edge.counting.count import camera_for, count_source
from edge.counting.drawing import save_picture
from edge.counting.tables import counting, show_comparison
from edge.simulate.source_uri import parse_source
from edge.simulate.truth import scene_truth


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoScene:
    """One simulated camera of the demo.

    Attributes:
        name: For the table and the file names.
        source: What ``edge count`` would take.
        is_easy: Whether nothing but a perfect count is acceptable.
    """

    name: str
    source: str
    is_easy: bool


DEMO_SCENES = (
    DemoScene(
        name="day",
        source="simulate:road?seed=1&separated=1&mix=car:8,truck:2,bus:2&duration=40",
        is_easy=True,
    ),
    DemoScene(
        name="night", source="simulate:junction?seed=7&light=night&duration=40", is_easy=False
    ),
    DemoScene(
        name="rain", source="simulate:junction?seed=3&weather=rain&duration=40", is_easy=False
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What one scene came to."""

    scene: DemoScene
    rows: tuple[Comparison, ...]
    picture: Path


def demo_scenes(only: str | None) -> tuple[DemoScene, ...]:
    """All scenes, or the one of this name.

    Raises:
        NotFoundError: No scene has this name.
    """
    names = [scene.name for scene in DEMO_SCENES]
    if only is not None and only not in names:
        raise NotFoundError(f"no demo scene {only!r}, expected one of {', '.join(names)}")
    return tuple(scene for scene in DEMO_SCENES if only in (None, scene.name))


def run_demo(
    scenes: Sequence[DemoScene], folder: Path, *, model: str | None, console: Console
) -> list[DemoResult]:
    """Count scenes, show how it compares with the truth, and keep a video and a picture.

    Args:
        scenes: What to count.
        folder: Where videos and pictures go; made when missing.
        model: Model to count with; None for the packaged one.
        console: Where the tables go.

    Raises:
        ConfigError: The model is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    results = []
    for scene in scenes:
        # The agent would keep its engine; here each scene also shows how fast one starts.
        container = edge_container(model=model)
        results.append(_count_scene(scene, container, folder))
        kind = "easy: must be exact" if scene.is_easy else "hard: as it is"
        console.rule(f"{scene.name} ({kind})")
        show_comparison(results[-1].rows, console)
    _show_summary(results, console)
    return results


def _count_scene(scene: DemoScene, container: EdgeContainer, folder: Path) -> DemoResult:
    camera: Camera = camera_for(scene.source, site=None, camera_id=None, truth=None)
    truth = Truth.model_validate(scene_truth(parse_source(scene.source)))
    picture = folder / f"{scene.name}.png"
    with (
        AnnotatedVideo(folder / f"{scene.name}.mp4", camera) as video,
        counting(is_shown=True) as on_progress,
    ):
        done = count_source(container, camera, video=video, on_progress=on_progress)
        if video.last_picture is not None:
            save_picture(video.last_picture, picture)
    rows = compare(done.events, truth, duration_s=done.duration_s)
    return DemoResult(scene=scene, rows=tuple(rows), picture=picture)


def _show_summary(results: Sequence[DemoResult], console: Console) -> None:
    table = Table(title="simulated cameras against exact truth", title_justify="left")
    table.add_column("camera")
    for heading in ("true", "counted", "missed", "false", "wrong class"):
        table.add_column(heading, justify="right")
    for result in results:
        total = totals(result.rows)
        counted = sum(row.counted for row in result.rows)
        numbers = (total["true"], counted, total["missed"], total["false"], total["wrong_class"])
        table.add_row(result.scene.name, *map(str, numbers))
    console.print(table)
    for result in results:
        console.print(f"picture: {result.picture}   video: {result.picture.with_suffix('.mp4')}")


def is_exact(result: DemoResult) -> bool:
    """True when nothing was missed, invented or wrongly classed."""
    total = totals(result.rows)
    return not (total["missed"] or total["false"] or total["wrong_class"])
