"""One camera is one client; the server's pictures are never those that are scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from common.samples import LabelSource
from models.federated.laboratory_data import DataChoice, collect, pseudo_sample
from models.sources import find_sets, frame_of
from tests.fakes.untrained_yolo import picture_sample, untrained_yolo

pytestmark = [pytest.mark.unit, pytest.mark.ml]

OURS = "names: {0: person, 1: bicycle, 2: car, 3: motorcycle, 4: bus, 5: truck}\n"


def write_set(root: Path, *, train: list[str], val: list[str]) -> None:
    for split, names in (("train", train), ("val", val)):
        for part in ("images", "labels"):
            (root / split / part).mkdir(parents=True)
        for number, name in enumerate(names):
            content = picture_sample(number).jpeg
            (root / split / "images" / f"{name}.jpg").write_bytes(content)
            label = "2 0.5 0.5 0.25 0.25\n"
            (root / split / "labels" / f"{name}.txt").write_text(label, encoding="utf-8")
    (root / "data.yaml").write_text(OURS, encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    variants = [f"train_{frame}_png_{variant}" for frame in range(3) for variant in ("0a", "0b")]
    for camera in ("day", "night"):
        write_set(tmp_path / "data" / "city" / camera, train=variants, val=["v1", "v2", "v3"])
    write_set(tmp_path / "data" / "roadside", train=["r1"], val=["r2"])
    return tmp_path / "data"


def test_each_camera_is_a_client_and_the_rest_is_the_servers(data: Path, tmp_path: Path) -> None:
    choice = DataChoice(clients="city", samples=4, scored=2)

    found = collect(data, tmp_path / "out", start=untrained_yolo(), choice=choice)

    assert [one.name for one in found.clients] == ["city-day", "city-night"]
    assert [len(one.labelled) for one in found.clients] == [4, 4]
    assert [len(list((path / "images").iterdir())) for path in found.cameras.values()] == [2, 2]
    (server,) = find_sets(found.server)
    assert [path.name for path in server.images("train")] == ["r1.jpg"]
    assert server.images("val") == []
    assert set(found.elsewhere) == {"roadside"}


def test_real_frames_come_before_their_variants(data: Path, tmp_path: Path) -> None:
    choice = DataChoice(clients="city", samples=3)

    found = collect(data, tmp_path / "out", start=untrained_yolo(), choice=choice)

    # three real frames, so three samples are one variant of each
    images = find_sets(data)[0].images("train")
    frames = {path.read_bytes(): frame_of(path) for path in images}
    assert {frames[s.jpeg] for s in found.clients[0].labelled} == {"train_0", "train_1", "train_2"}


def test_too_few_clients_are_one_clear_error(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="0 sets of village"):
        collect(
            data,
            tmp_path / "out",
            start=untrained_yolo(),
            choice=DataChoice(clients="village"),
        )


def test_a_pseudo_label_is_what_the_teacher_is_sure_of_and_doubt_is_painted_over() -> None:
    rows = np.asarray(
        [
            [2, 0.5, 0.5, 0.2, 0.2, 0.90],
            [5, 0.2, 0.2, 0.1, 0.1, 0.20],
            [0, 0.8, 0.8, 0.1, 0.1, 0.05],
        ]
    )

    sample = pseudo_sample(picture_sample(), rows)

    assert [(box.class_index, box.score) for box in sample.boxes] == [(2, 0.9)]
    assert [(region.cx, region.cy) for region in sample.ignore] == [(0.2, 0.2)]
    assert sample.source is LabelSource.TEACHER
