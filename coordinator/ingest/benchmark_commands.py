"""Command line → figures of the ingest benchmark."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from coordinator.ingest.benchmark import BenchmarkResult, BenchmarkSettings, benchmark_ingest


def bench_ingest(
    database: Annotated[
        str | None,
        typer.Option(
            help="An empty database to fill, such as postgresql://user@host/scratch; "
            "default: SQLite in a temporary folder."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=32, help="Processes that take in.")] = 1,
    reports: Annotated[int, typer.Option(min=10, help="Sealed reports for each worker.")] = 6000,
    boxes: Annotated[int, typer.Option(min=1, max=10_000, help="Boxes of each worker.")] = 50,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Reports a transaction.")] = 300,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure how many sealed reports a second are verified, opened and committed."""
    with tempfile.TemporaryDirectory(prefix="its-bench-") as folder:
        result = benchmark_ingest(
            BenchmarkSettings(
                database=database or f"sqlite:///{Path(folder) / 'bench.sqlite'}",
                workers=workers,
                reports=reports,
                boxes=boxes,
                batch=batch,
            )
        )
    if as_json:
        typer.echo(json.dumps(asdict(result), indent=1))
    else:
        Console().print(_table(result))


def _table(result: BenchmarkResult) -> Table:
    table = Table(
        "reports/s", "reports", "bytes each", "crypto", "parsing", "database", "workers", "cores",
        title=f"{result.database}, {result.batch} reports a transaction",
    )  # fmt: skip
    table.add_row(
        f"{result.reports_per_s:,.0f}",
        f"{result.reports:,}",
        f"{result.report_bytes:,}",
        *(f"{share:.0%}" for share in (
            result.crypto_share, result.parsing_share, result.database_share
        )),
        str(len(result.workers)),
        str(result.cores),
    )  # fmt: skip
    return table
