"""A small fleet on a real broker and database: what the long run by command does, in seconds."""

from __future__ import annotations

import os

import pytest

from tests.fakes.mosquitto_broker import require_mosquitto
from tests.fakes.postgres_server import find_binaries
from tests.load.fleet import FleetSettings, run_fleet

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_every_report_of_a_small_fleet_is_stored_once_and_answered() -> None:
    require_mosquitto()
    if find_binaries() is None:
        missing = "PostgreSQL's initdb and postgres are not installed"
        if os.environ.get("ITS_REQUIRE_SYSTEM") == "1":
            pytest.fail(missing)
        pytest.skip(missing)

    result = run_fleet(
        FleetSettings(devices=30, store="postgresql", rounds=3, every_s=5.0, connect_s=2.0)
    )

    assert result.verdict.told == 120
    assert result.verdict.is_exact, result.figures
    assert result.generator.course.connected == result.generator.course.connected_after == 30
    assert result.generator.tally.resumed == 0


def test_the_comparison_notices_a_report_that_is_gone() -> None:
    require_mosquitto()

    result = run_fleet(
        FleetSettings(devices=3, store="sqlite", rounds=2, every_s=1.0, connect_s=0.1),
        spoil="DELETE FROM report WHERE device_id = 'box-00001' AND sequence = 2",
    )

    assert (result.verdict.told, result.verdict.stored, result.verdict.lost) == (9, 8, 1)
    assert not result.verdict.is_exact
