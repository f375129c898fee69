"""Whatever is killed, cut or torn: the database equals the ledgers of the boxes, row by row."""

from __future__ import annotations

import os
from contextlib import closing

import pytest
from sqlalchemy import text

from tests.chaos.comparison import Differences
from tests.chaos.ledger import differences, run
from tests.chaos.town import Broker, Store, Town, TownSettings
from tests.fakes.mosquitto_broker import require_mosquitto
from tests.fakes.postgres_server import find_binaries

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]
CHAOS_S = 20.0


class SpoiltDatabase:
    """Alters one number and deletes one row behind everybody's back, and compares again."""

    def __init__(self) -> None:
        self.found = Differences()

    def __call__(self, town: Town) -> None:
        with closing(town.database()) as database, database.session() as session:
            for statement in (
                "UPDATE traffic_count SET car = car + 1 WHERE (series_id, start, part) IN "
                "(SELECT series_id, start, part FROM traffic_count WHERE car > 0 "
                "ORDER BY series_id, start LIMIT 1)",
                "DELETE FROM camera_bin WHERE (camera_id, start, part) IN "
                "(SELECT camera_id, start, part FROM camera_bin WHERE part = 0 "
                "ORDER BY camera_id, start LIMIT 1)",
            ):
                session.connection().execute(text(statement))
        self.found = differences(town)


@pytest.mark.parametrize(
    ("store", "broker"),
    [
        pytest.param("postgresql", "mosquitto", id="PostgreSQL and mosquitto"),
        pytest.param("sqlite", "amqtt", id="SQLite and the embedded broker"),
    ],
)
def test_nothing_is_lost_and_nothing_is_told_twice(store: Store, broker: Broker) -> None:
    if broker == "mosquitto":
        require_mosquitto()
    if store == "postgresql":
        _require_postgresql()
    spoilt = SpoiltDatabase()

    verdict = run(
        TownSettings(store=store, broker=broker, seed=7),
        seconds=CHAOS_S,
        ends_with_fresh_boxes=True,
        look_at=spoilt,
    )

    assert verdict.bins > 500
    assert verdict.events["outbox_torn"] >= 1
    assert verdict.is_exact, verdict.to_dict()
    assert not verdict.differences.as_told, verdict.to_dict()
    # The same comparison tells which number was altered and which row is gone.
    (altered,), (lost,) = spoilt.found.altered, spoilt.found.lost
    assert "traffic_count east" in altered
    assert "car is" in altered
    assert "camera_bin east" in lost


def _require_postgresql() -> None:
    if find_binaries() is None:
        missing = "PostgreSQL's initdb and postgres are not installed"
        if os.environ.get("ITS_REQUIRE_SYSTEM") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
