"""``its-camera-ai coordinator bench-queries`` → figures as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from coordinator.traffic.benchmark import BenchmarkOptions, run_benchmark, sizes_of
from coordinator.traffic.benchmark_server import DEFAULT_BINARIES, benchmark_server


def bench_queries(
    folder: Annotated[
        Path, typer.Option(help="Where the throw-away database is made; 100 M rows need 50 GB.")
    ],
    rows: Annotated[
        str, typer.Option(help="Stored counts to measure at, rising, separated by commas.")
    ] = "10000000,100000000",
    days: Annotated[int, typer.Option(help="Days of history.", min=32, max=400)] = 32,
    repeats: Annotated[int, typer.Option(help="Times each question is asked.", min=2)] = 100,
    binaries: Annotated[
        Path, typer.Option(help="Folder with PostgreSQL's programs.")
    ] = DEFAULT_BINARIES,
    keep: Annotated[
        bool, typer.Option(help="Leave the database there; the next run goes on with it.")
    ] = False,
) -> None:
    """Fill a PostgreSQL with a city and time the questions that cities ask, with their plans."""
    try:
        sizes = sizes_of(rows)
    except ValueError as error:
        raise typer.BadParameter(f"{rows!r}: {error}", param_hint="--rows") from error
    options = BenchmarkOptions(rows=sizes, days=days, repeats=repeats)
    with benchmark_server(folder, binaries=binaries, keep=keep) as url:
        report = run_benchmark(url, options, told=lambda line: typer.echo(line, err=True))
    typer.echo(json.dumps(report, indent=2))
