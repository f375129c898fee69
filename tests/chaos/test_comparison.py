"""The comparison of the ledger test finds every kind of difference."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.chaos.comparison import compare
from tests.chaos.expected_rows import base_rows, bucket, rolled_up
from tests.chaos.made_up_traffic import late_part, step, whole_minute
from tests.chaos.own_ledger import OwnLedger, ledger_bins

pytestmark = pytest.mark.unit
NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
KEY = ("east", NOON, 0, 60)


def tables(**figures: Any) -> dict[str, Any]:
    return {"camera_bin": {KEY: {"car": 5, "speed": None, **figures}}}


@pytest.mark.parametrize(
    ("stored", "lost", "twice", "altered"),
    [
        pytest.param(tables(), 0, 0, 0, id="the same"),
        pytest.param({}, 1, 0, 0, id="a row is gone"),
        pytest.param(tables(car=6), 0, 0, 1, id="another number"),
        pytest.param(tables(speed=0), 0, 0, 1, id="0 for what was not measured"),
        pytest.param(tables(car=None), 0, 0, 1, id="nothing for what was measured"),
        pytest.param(tables(extra=1), 0, 0, 1, id="a figure that nobody wrote"),
        pytest.param(
            {"camera_bin": {**tables()["camera_bin"], ("east", NOON, 1, 60): {"car": 5}}},
            0, 1, 0, id="told twice",
        ),
        pytest.param(tables() | {"traffic_count": {KEY: {}}}, 0, 1, 0, id="a table too many"),
    ],
)  # fmt: skip
def test_differences_are_told_by_kind(
    stored: dict[str, Any], lost: int, twice: int, altered: int
) -> None:
    found = compare(tables(), stored, box="box-0")

    assert (len(found.lost), len(found.twice), len(found.altered)) == (lost, twice, altered)
    assert found.is_exact == (not lost and not twice and not altered)


def test_a_loss_excuses_a_row_only_where_a_report_tells_of_it() -> None:
    loss = {"camera": "east", "first_at": NOON, "last_at": NOON}
    other = {"camera": "west", "first_at": NOON, "last_at": NOON}

    assert compare(tables(), {}, box="box-0", losses=[loss]).as_told
    assert compare(tables(), {}, box="box-0", losses=[other]).lost


def test_sums_keep_what_was_not_watched_apart_from_nothing() -> None:
    minutes = [each.to_dict() for number in range(60) for each in step("8", "east", NOON, number)]
    blind = {each["start"] for each in minutes if each["incidents"] is None}
    base = base_rows(minutes, device="d")

    hour = rolled_up(base, zone="UTC")["traffic_count_rollup"][
        "east", "line", "north", "right", NOON, 3600
    ]

    counted = [
        section["counts"]["car"]
        for each in minutes
        for section in each["sections"]
        if (section["section"], section["direction"]) == ("north", "right")
        and section["counts"] is not None
    ]
    assert blind
    assert len(minutes) > 60
    assert hour["car"] == sum(counted)
    assert hour["bins"] - hour["watched_bins"] == len(blind)


def test_a_local_day_begins_at_local_midnight() -> None:
    assert bucket(NOON, 86_400, "America/New_York") == datetime(2026, 3, 14, 4, 0, tzinfo=UTC)
    assert bucket(NOON, 900, "America/New_York") == NOON


def test_made_up_minutes_are_the_same_each_time() -> None:
    assert whole_minute("7", "east", NOON) == whole_minute("7", "east", NOON)
    assert whole_minute("7", "east", NOON) != whole_minute("8", "east", NOON)
    assert late_part("7", "east", NOON, part=1).part == 1


def test_a_torn_line_of_the_ledger_was_never_stored(tmp_path: Any) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger = OwnLedger(path)
    ledger.begin(0, [{"a": 1}])
    ledger.stored(0)
    ledger.begin(1, [{"a": 2}])
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"batch":2,"bins":[{"a"')

    again = OwnLedger(path)
    again.close()

    assert (again.next_batch, again.is_last_stored) == (1, False)
    assert [each["a"] for each in ledger_bins(path)] == [1, 2]
