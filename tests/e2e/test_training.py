"""The whole bench on eight images: one epoch, a comparison, an export."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.road_users import COCO_ROAD_USERS
from models.runtime import prepare

pytestmark = [pytest.mark.e2e, pytest.mark.ml, pytest.mark.slow]

OURS = "names: {0: person, 1: bicycle, 2: car, 3: motorcycle, 4: bus, 5: truck}\n"


def ml(*arguments: object, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ITS_CACHE_DIR": str(cache), "YOLO_OFFLINE": "true"}
    return subprocess.run(
        [sys.executable, "-m", "common.cli", "ml", *map(str, arguments)],
        env=environment,
        cwd=cache,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def start(cache: Path) -> Path:
    """A COCO-shaped network that knows nothing: this tests the chain, not the accuracy."""
    prepare()
    import torch  # noqa: PLC0415 - absent without the train extra
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415

    torch.manual_seed(0)
    network = DetectionModel("yolo11n.yaml", nc=80, verbose=False)
    names = {i: f"thing {i}" for i in range(80)}
    network.names = names | {i: str(road_user) for i, road_user in COCO_ROAD_USERS.items()}
    torch.save({"model": network, "train_args": {}}, cache / "start.pt")
    return cache / "start.pt"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data") / "road"
    for split, count in (("train", 8), ("val", 2)):
        for part in ("images", "labels"):
            (root / split / part).mkdir(parents=True)
        for number in range(count):
            picture = np.full((96, 96, 3), 90, dtype=np.uint8)
            cv2.rectangle(picture, (20 + number, 40), (60 + number, 70), (200, 60, 60), -1)
            cv2.imwrite(str(root / split / "images" / f"{number}.jpg"), picture)
            label = f"2 {(40 + number) / 96:.4f} 0.5729 0.4167 0.3125\n"
            (root / split / "labels" / f"{number}.txt").write_text(label, encoding="utf-8")
    (root / "data.yaml").write_text(OURS, encoding="utf-8")
    return root.parent


def test_train_compare_and_export_on_eight_images(
    start: Path, data: Path, cache: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"

    trained = ml(
        "train", "--data", data, "--model", start, "--out", out, "--epochs", 1, cache=cache
    )

    assert trained.returncode == 0, trained.stderr
    assert "epoch 1/1" in trained.stderr
    checkpoint = out / "its-yolo11n-1.0.0.pt"
    assert checkpoint.stat().st_size < 12_000_000
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["recipe"]["epochs"] == 1
    assert metrics["before"]["road"]["classes"]["car"]["boxes"] == 2
    # two boxes, clean and as two bad cameras see them
    assert set(metrics["after"]) == {"road", "road-low_resolution", "road-night"}

    exported = ml(
        "export", checkpoint, "--out", tmp_path / "onnx", "--version", "9.9.9", cache=cache
    )

    assert exported.returncode == 0, exported.stderr
    file = tmp_path / "onnx" / "its-yolo11n-9.9.9.onnx"
    compared = ml(
        "evaluate", "--data", data, "--model", file, "--against", checkpoint, "--json", cache=cache
    )
    assert compared.returncode == 0, compared.stderr
    result = json.loads(compared.stdout)
    assert result["scores"]["model"]["road"].keys() == {"mean", "classes"}
    assert result["speed_ms"]["model"] > 0
    assert result["verdict"]["overall_gain"] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(("export", "yolo11x.pt"), "network is off", id="name without a network"),
        pytest.param(("export", "a.onnx"), "exported already", id="export of an export"),
        pytest.param(
            ("evaluate", "--data", "nowhere", "--model", "gone/a.pt"), "does not exist", id="path"
        ),
    ],
)
def test_bad_input_is_one_clear_line(cache: Path, arguments: tuple[str, ...], message: str) -> None:
    refused = ml(*arguments, cache=cache)

    assert refused.returncode == 3
    assert message in refused.stderr
    assert "hint:" in refused.stderr
    assert "Traceback" not in refused.stderr
