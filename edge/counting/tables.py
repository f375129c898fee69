"""A finished count → tables and a progress bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from common.geometry import Direction
from common.road_users import ROAD_USERS
from common.truth import Comparison, totals
from edge.counting.count import Progress as OnProgress
from edge.counting.report import Count

_ARROW = {Direction.RIGHT: "right", Direction.LEFT: "left"}


@contextmanager
def counting(*, is_shown: bool) -> Iterator[OnProgress]:
    """A progress bar with frames per second and time left, on stderr."""
    bar = Progress(
        TextColumn("counting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not is_shown,
    )
    with bar:
        task = bar.add_task("counting", total=None, rate="")

        def on_progress(done: int, expected: int | None) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:.0f} fps" if speed else ""
            bar.update(task, completed=done, total=expected, rate=rate)

        yield on_progress


def show_count(count: Count, console: Console | None = None) -> None:
    """Print counts per line and direction, flows, and what the numbers rest on."""
    console = console or Console()
    table = Table(title=f"{count.camera.id}: {count.source}", title_justify="left")
    table.add_column("line")
    table.add_column("direction")
    for road_user in ROAD_USERS:
        table.add_column(road_user.value, justify="right")
    table.add_column("all", justify="right")
    crossings = count.crossings
    for section in count.camera.sections:
        if section.line is None:
            continue
        for direction in Direction:
            here = [c for c in crossings if (c.section, c.direction) == (section.name, direction)]
            numbers = [sum(c.road_user is user for c in here) for user in ROAD_USERS]
            table.add_row(section.name, _ARROW[direction], *map(_cell, numbers), str(len(here)))
    console.print(table)
    _show_flows(count, console)
    rate = count.processed / count.wall_s if count.wall_s > 0 else 0.0
    console.print(
        f"{count.processed} frames, {count.dropped} dropped, {count.duration_s:.1f} s of video in "
        f"{count.wall_s:.1f} s ({rate:.0f} fps), {count.engine.name} {count.engine.version} on "
        f"{count.engine.backend}",
        highlight=False,
    )
    for name, frames in sorted(count.issues.items()):
        share = frames / max(count.processed, 1)
        console.print(f"picture {name.replace('_', ' ')} in {share:.0%} of the frames")
    for gap in count.gaps:
        console.print(f"no picture from {gap.since_s:.1f} s to {gap.until_s:.1f} s: {gap.reason}")


def _show_flows(count: Count, console: Console) -> None:
    passages = [p for measured in count.measured for p in measured.passages]
    if not count.camera.flows:
        return
    table = Table("flow", "movement", *[user.value for user in ROAD_USERS])
    for flow in count.camera.flows:
        here = [passage for passage in passages if passage.flow == flow.name]
        numbers = [sum(p.road_user is user for p in here) for user in ROAD_USERS]
        table.add_row(flow.name, flow.movement.value, *map(_cell, numbers))
    console.print(table)


def show_comparison(rows: Sequence[Comparison], console: Console | None = None) -> None:
    """Print the faults against the truth, each one listed."""
    console = console or Console()
    table = Table(title="against the truth", title_justify="left")
    for heading in ("line", "direction"):
        table.add_column(heading)
    for heading in ("true", "counted", "missed", "false", "wrong class", "GEH"):
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(
            row.section,
            _ARROW[row.direction],
            *map(str, (row.true, row.counted)),
            *map(_cell, (row.missed, row.false, row.wrong_class)),
            f"{row.geh:.1f}",
        )
    console.print(table)
    for row in rows:
        for fault in row.faults:
            expected = fault.expected.value if fault.expected else "nothing"
            found = fault.found.value if fault.found else "nothing"
            console.print(
                f"{fault.kind}: {row.section} {row.direction} at {fault.time_s:.1f} s, "
                f"expected {expected}, counted {found}",
                highlight=False,
            )
    total = totals(rows)
    console.print(
        f"{total['true']} true, {total['missed']} missed, {total['false']} false "
        f"({total['fault_share']:.1%}), {total['wrong_class']} wrong class "
        f"({total['wrong_class_share']:.1%})",
        highlight=False,
    )


def _cell(number: int) -> str:
    return str(number) if number else "·"
