"""The ingest benchmark counts what it says, with one worker and with two."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from common.errors import ConflictError
from coordinator.ingest.benchmark import BenchmarkSettings, benchmark_ingest
from coordinator.ingest.benchmark_commands import bench_ingest

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_every_report_is_stored_and_the_shares_add_up() -> None:
    app = typer.Typer()
    app.command()(bench_ingest)

    result = CliRunner().invoke(
        app, ["--reports", "60", "--boxes", "5", "--workers", "2", "--batch", "20", "--json"]
    )

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout[result.stdout.index("{\n") :])
    assert (found["reports"], found["values_per_report"]) == (120, 40)
    assert [each["stored"] for each in found["workers"]] == [60, 60]
    shares = found["crypto_share"] + found["parsing_share"] + found["database_share"]
    assert shares == pytest.approx(1, abs=0.01)


def test_a_database_that_was_benchmarked_before_is_refused(postgres_url: str) -> None:
    settings = BenchmarkSettings(database=postgres_url, reports=10, boxes=2)
    assert benchmark_ingest(settings).reports == 10

    with pytest.raises(ConflictError, match="a worker ended with code 1"):
        benchmark_ingest(settings)
