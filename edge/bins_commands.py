"""``edge bins`` → what this box has measured, minute by minute, as it keeps it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from common.errors import NotFoundError
from common.timing import SystemClock
from edge.agent_commands import DEFAULT_CONFIG
from edge.config import load_config
from edge.keeping.store import BinStore
from edge.keeping.stored import StoredBin, StoreLimits

_UNKNOWN = "–"


def bins(
    config: Annotated[
        Path, typer.Option("--config", help="The agent's configuration (edge.yaml).")
    ] = DEFAULT_CONFIG,
    camera: Annotated[str | None, typer.Option(help="Only this camera.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only minutes from here on, UTC, 2026-03-01T06:00.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every stored value.")] = False,
) -> None:
    """Show the minutes that this box has measured; a dash stands for *not watched*, never for 0."""
    settings = load_config(config)
    if not settings.store_file.is_file():
        raise NotFoundError(
            f"no store at {settings.store_file}, expected one that the agent made",
            hint="start the agent with: its-camera-ai edge run --config …",
        )
    clock = SystemClock()
    limits = StoreLimits(
        max_days=settings.store.max_days, max_bytes=int(settings.store.max_mb * 1_000_000)
    )
    store = BinStore(settings.store_file, limits=limits, clock=clock)
    try:
        start = since and since.replace(tzinfo=UTC)
        stored = store.bins(camera, since=start)
        if as_json:
            contents = [one.content for one in stored]
            sys.stdout.write(json.dumps({"bins": contents}, indent=1) + "\n")
        else:
            Console().print(_table(stored))
    finally:
        store.close()


def _table(stored: Iterable[StoredBin]) -> Table:
    table = Table(title="measured minutes (UTC)", title_justify="left", box=None, pad_edge=False)
    for heading in ("minute", "camera", "watched", "line", "direction", "counted"):
        table.add_column(heading)
    for one in stored:
        for section in one.content["sections"]:
            table.add_row(
                f"{one.start:%m-%d %H:%M}",
                one.camera_id,
                f"{one.content['coverage_s']:.0f} s",
                section["section"],
                section["direction"],
                _in_words(section["counts"]),
            )
    return table


def _in_words(counts: dict[str, Any] | None) -> str:
    if counts is None:
        return _UNKNOWN
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "0"
