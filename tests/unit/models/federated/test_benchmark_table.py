"""Scores of several seeds → one line a person can compare with the next."""

from __future__ import annotations

from typing import Any

import pytest

from models.federated.benchmark_table import camera_table, summary, table

pytestmark = pytest.mark.unit


def facts(own: float, unseen: float | None, elsewhere: float) -> dict[str, Any]:
    def scores(value: float) -> dict[str, Any]:
        return {"map50": value, "map50_95": value / 2, "boxes": 9}

    return {
        "cameras": {"day": scores(own), "night": scores(own / 2)},
        "unseen": {} if unseen is None else {"day": scores(unseen)},
        "elsewhere": {"roadside": scores(elsewhere)},
        "images": 100,
        "sent_bytes": 2000.0,
    }


RUNS = {
    "zero-shot": [facts(0.4, 0.4, 0.80), facts(0.4, 0.4, 0.80)],
    "FedAvg": [facts(0.6, 0.5, 0.79), facts(0.8, 0.5, 0.77)],
}


def test_a_row_is_the_mean_over_cameras_and_seeds_in_points() -> None:
    _, fedavg = summary(RUNS)

    # cameras: (60 + 30) / 2 = 45 and (80 + 40) / 2 = 60
    assert fedavg["cameras_map50"] == 52.5
    assert fedavg["cameras_map50_spread"] == 15.0
    assert fedavg["unseen_map50_95"] == 25.0
    assert fedavg["images"] == 100


def test_the_change_elsewhere_is_against_zero_shot() -> None:
    zero, fedavg = summary(RUNS)

    assert zero["elsewhere_change"] == 0.0
    assert fedavg["elsewhere_change"] == -2.0


def test_what_was_not_scored_is_a_dash() -> None:
    rows = summary({"zero-shot": [facts(0.4, None, 0.8)]})

    assert rows[0]["unseen_map50"] is None
    assert "| - / - |" in table(rows)


def test_without_the_reference_there_is_no_change() -> None:
    (row,) = summary({"FedAvg": RUNS["FedAvg"]})

    assert row["elsewhere_change"] is None


def test_every_camera_has_its_column() -> None:
    lines = camera_table(RUNS).splitlines()

    assert lines[0] == "| row | day (9 boxes) | night (9 boxes) |"
    assert lines[-1] == "| FedAvg | 70.0 | 35.0 |"
