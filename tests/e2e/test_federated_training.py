"""``ml benchmark federated`` on a few made-up pictures: every row, resumed from its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from models.training import save_checkpoint
from tests.fakes.untrained_yolo import picture_sample, untrained_yolo

pytestmark = [pytest.mark.e2e, pytest.mark.ml, pytest.mark.slow]

OURS = "names: {0: person, 1: bicycle, 2: car, 3: motorcycle, 4: bus, 5: truck}\n"
TINY = ("--samples", 2, "--rounds", 1, "--image-px", 64, "--scored-px", 64, "--frozen-layers", 20)


def federated(*arguments: object, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "common.cli", "ml", "benchmark", "federated"]
    return subprocess.run(
        [*command, *map(str, arguments)],
        env=os.environ | {"ITS_CACHE_DIR": str(cache), "YOLO_OFFLINE": "true"},
        cwd=cache,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_checkpoint(untrained_yolo().model, tmp_path_factory.mktemp("start") / "start.pt")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for name in ("city/day", "city/night", "roadside"):
        for split, count in (("train", 3), ("val", 1)):
            for part in ("images", "labels"):
                (root / name / split / part).mkdir(parents=True)
            for number in range(count):
                picture = root / name / split / "images" / f"{number}.jpg"
                picture.write_bytes(picture_sample(number).jpeg)
                label = picture.parent.parent / "labels" / f"{number}.txt"
                label.write_text("2 0.5 0.5 0.25 0.25\n", encoding="utf-8")
        (root / name / "data.yaml").write_text(OURS, encoding="utf-8")
    return root


def asked(data: Path, start: Path, out: Path) -> tuple[object, ...]:
    where = ("--data", data, "--model", start, "--out", out)
    return (*where, "--cameras", "city", "--elsewhere", "roadside", *TINY, "--json")


def test_every_row_is_scored_on_own_unseen_and_other_cameras(
    data: Path, start: Path, tmp_path: Path
) -> None:
    first = federated(*asked(data, start, tmp_path / "out"), cache=tmp_path)

    assert first.returncode == 0, first.stderr
    result = json.loads(first.stdout)
    rows = {row["row"]: row for row in result["summary"]}
    assert set(rows) == {
        "zero-shot", "local-only", "centralised", "FedAvg", "FedProx", "FedBN",
        "FedAvg pseudo-labels", "FedAvg int8",
    }  # fmt: skip
    trained = [row for name, row in rows.items() if name != "zero-shot"]
    assert {row["images"] for row in trained} == {4}
    assert all(row["unseen_map50"] is not None for row in rows.values())
    assert rows["FedAvg int8"]["sent_bytes"] < rows["FedAvg"]["sent_bytes"] / 4

    # the folder keeps every row: what is there is not trained again
    scores = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}
    again = federated(*asked(data, start, tmp_path / "out"), cache=tmp_path)

    assert json.loads(again.stdout) == result
    assert {path: path.stat().st_mtime_ns for path in scores} == scores


def test_scores_of_other_settings_are_not_mixed_in(data: Path, start: Path, tmp_path: Path) -> None:
    first = asked(data, start, tmp_path / "out")
    federated(*first, "--only", "FedAvg", "--folds", 0, cache=tmp_path)

    refused = federated(*first, "--only", "FedAvg", "--folds", 0, "--batch", 1, cache=tmp_path)

    assert refused.returncode == 3
    assert "other settings" in refused.stderr


def test_ways_of_not_forgetting_are_compared(data: Path, start: Path, tmp_path: Path) -> None:
    wanted: list[Any] = ["--anchors", "--anchor-steps", 1, "--folds", 0]
    for row in ("zero-shot", "replay", "average 0.5"):
        wanted += ["--only", row]

    compared = federated(*asked(data, start, tmp_path / "out"), *wanted, cache=tmp_path)

    assert compared.returncode == 0, compared.stderr
    rows = [row["row"] for row in json.loads(compared.stdout)["summary"]]
    assert rows == ["zero-shot", "average 0.5", "replay"]
