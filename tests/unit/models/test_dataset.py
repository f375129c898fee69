"""The folders of a run follow from data, recipe and seed, byte for byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from common.errors import ConfigError
from models.dataset import Mix, build_mix, read_image, write_degraded
from models.labels import read_rows
from models.recipe import Recipe

pytestmark = pytest.mark.integration

OURS = "names: {0: person, 1: bicycle, 2: car, 3: motorcycle, 4: bus, 5: truck}\n"
VEHICLES_ONLY = f"{OURS}# exhaustively labelled here: car, motorcycle, bus, truck\n"
CAR, PERSON = "2 0.25 0.5 0.1 0.1\n", [0, 0.75, 0.5, 0.05, 0.2]
RECIPE = replace(Recipe(), selection_share=0.2, repeat_below=0.0, night_repeat=1.0, tile_share=1.0)


def write_images(root: Path, *, count: int, size: tuple[int, int], text: str) -> Path:
    for split in ("train", "val"):
        for part in ("images", "labels"):
            (root / split / part).mkdir(parents=True)
        for number in range(count if split == "train" else 1):
            picture = np.full((*size, 3), 100 + number, dtype=np.uint8)
            cv2.imwrite(str(root / split / "images" / f"f{number}.jpg"), picture)
            (root / split / "labels" / f"f{number}.txt").write_text(CAR, encoding="utf-8")
    (root / "data.yaml").write_text(text, encoding="utf-8")
    return root


def sees_a_person(_: np.ndarray) -> np.ndarray:
    return np.asarray([[*PERSON, 0.9]])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_images(tmp_path / "data" / "wide", count=10, size=(90, 160), text=VEHICLES_ONLY)
    write_images(tmp_path / "data" / "square", count=5, size=(96, 96), text=VEHICLES_ONLY)
    return tmp_path / "data"


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".jpg", ".json") or path.parent.name == "labels"
    }


def shown(mix: Mix) -> list[str]:
    return [Path(line).name for line in mix.train_list.read_text(encoding="utf-8").splitlines()]


def test_the_same_seed_writes_the_same_folders(data: Path, tmp_path: Path) -> None:
    runs = {
        name: build_mix(
            data, tmp_path / name, recipe=replace(RECIPE, seed=seed), teacher=sees_a_person
        )
        for name, seed in (("first", 0), ("again", 0), ("other", 1))
    }

    assert content(tmp_path / "first") == content(tmp_path / "again")
    assert shown(runs["first"]) == shown(runs["again"])
    assert shown(runs["first"]) != shown(runs["other"])


def test_training_labels_are_completed_and_evaluation_labels_are_not(
    data: Path, tmp_path: Path
) -> None:
    mix = build_mix(data, tmp_path / "run", recipe=RECIPE, teacher=sees_a_person)

    square = sorted((tmp_path / "run" / "mix" / "labels").glob("square*.txt"))
    assert [read_rows(path)[:, 0].tolist() for path in square] == [[2, 0]] * 4
    for folder in (mix.select["square"], mix.val["square"]):
        (label,) = (folder / "labels").glob("*.txt")
        assert read_rows(label)[:, 0].tolist() == [2]
    assert mix.counts["filled_boxes"]["person"] == 12


def test_a_wide_frame_becomes_its_two_ends(data: Path, tmp_path: Path) -> None:
    mix = build_mix(data, tmp_path / "run", recipe=RECIPE, teacher=sees_a_person)

    wide = [name for name in shown(mix) if name.startswith("wide")]
    left, right = (tmp_path / "run" / "mix" / "images" / name for name in wide[:2])
    assert len(wide) == 2 * 8
    assert read_image(left).shape == read_image(right).shape == (90, 90, 3)
    # the car at a quarter of the width is in the left end alone, the person in the right one
    classes = [
        read_rows(tmp_path / "run" / "mix" / "labels" / f"{p.stem}.txt")[:, 0].tolist()
        for p in (left, right)
    ]
    assert classes == [[2], [0]]


def test_extra_frames_stay_below_their_share(data: Path, tmp_path: Path) -> None:
    extra = write_images(tmp_path / "extra", count=30, size=(96, 96), text=OURS)

    mix = build_mix(
        data,
        tmp_path / "run",
        recipe=replace(RECIPE, extra_share=0.2),
        teacher=sees_a_person,
        extra=(extra,),
    )

    # 16 ends of wide frames and 4 square ones leave room for 5 of 25
    simulated = [name for name in shown(mix) if name.startswith("extra")]
    assert len(simulated) == 5
    assert len(shown(mix)) == 25


def test_a_picture_that_is_none_is_named(data: Path, tmp_path: Path) -> None:
    (data / "square" / "train" / "images" / "f0.jpg").write_bytes(b"no picture")

    with pytest.raises(ConfigError, match=r"f0\.jpg is not a readable picture"):
        build_mix(
            data,
            tmp_path / "run",
            recipe=replace(RECIPE, selection_share=0.0),
            teacher=sees_a_person,
        )


@pytest.mark.parametrize("kind", ["low_resolution", "night"])
def test_degraded_copies_keep_labels_and_size(data: Path, tmp_path: Path, kind: str) -> None:
    clean = data / "square" / "train"

    folder = write_degraded(clean, tmp_path / kind, kind=kind)

    assert len(list((folder / "images").iterdir())) == 5
    assert read_image(folder / "images" / "f0.png").shape == (96, 96, 3)
    assert (folder / "labels" / "f0.txt").read_text(encoding="utf-8").startswith("2 0.25")


def test_an_unknown_degradation_is_a_mistake(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown degradation 'fog'"):
        write_degraded(data / "square" / "train", tmp_path / "fog", kind="fog")
