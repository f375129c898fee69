"""A technician's folder → samples, or every mistake in one message and nothing kept."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from common.at_rest import AtRestKey
from common.errors import ConfigError, NotFoundError
from common.road_users import RoadUser
from common.sample_files import SampleVault
from common.samples import LabelSource
from edge.learn.label_import import import_labels

pytestmark = pytest.mark.unit


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part in ("images", "labels"):
        (tmp_path / "set" / part).mkdir(parents=True)
    return tmp_path / "set"


@pytest.fixture
def vault(tmp_path: Path) -> SampleVault:
    return SampleVault(tmp_path / "vault", AtRestKey(bytes(32)))


def add(folder: Path, name: str, label: str | None, *, suffix: str = ".jpg") -> None:
    cv2.imwrite(str(folder / "images" / (name + suffix)), np.full((60, 100, 3), 90, np.uint8))
    if label is not None:
        (folder / "labels" / f"{name}.txt").write_text(label)


def test_pictures_and_their_boxes_become_samples_of_the_technician(
    folder: Path, vault: SampleVault
) -> None:
    add(folder, "a", "2 0.5 0.5 0.2 0.4\n0 0.1 0.5 0.1 0.4\n")
    add(folder, "b", "", suffix=".png")

    done = import_labels(folder, vault, camera="cam-a")

    kept = list(vault.read())
    assert (done.pictures, done.boxes, done.refused) == (2, 2, 0)
    assert {sample.source for sample in kept} == {LabelSource.TECHNICIAN}
    assert sorted(len(sample.boxes) for sample in kept) == [0, 2]
    boxes = [box.road_user for sample in kept for box in sample.boxes]
    assert boxes == [RoadUser.CAR, RoadUser.PERSON]


def test_a_second_import_corrects_the_first(folder: Path, vault: SampleVault) -> None:
    add(folder, "a", "2 0.5 0.5 0.2 0.4")
    import_labels(folder, vault, camera="cam-a")
    (folder / "labels" / "a.txt").write_text("4 0.5 0.5 0.2 0.4")

    import_labels(folder, vault, camera="cam-a")

    (sample,) = vault.read()
    assert [box.road_user for box in sample.boxes] == [RoadUser.BUS]


def test_class_numbers_follow_the_names_of_the_data_file(folder: Path, vault: SampleVault) -> None:
    add(folder, "a", "1 0.5 0.5 0.2 0.4")
    (folder / "data.yaml").write_text("names: [truck, bicycle]")

    import_labels(folder, vault, camera="cam-a")

    (sample,) = vault.read()
    assert sample.boxes[0].road_user is RoadUser.BICYCLE


@pytest.mark.parametrize(
    ("label", "message"),
    [
        pytest.param("2 0.5 0.5 0.2", r"a.txt:1: 4 values, expected 5", id="a value short"),
        pytest.param("9 0.5 0.5 0.2 0.2", r"class 9, expected 0 to 5", id="no such class"),
        pytest.param("car 0.5 0.5 0.2 0.2", r"class car, expected 0 to 5", id="a word"),
        pytest.param("2 0.5 x 0.2 0.2", r"expected four numbers", id="no number"),
        pytest.param("2 0.5 0.5 nan 0.2", r"not inside the picture", id="not a number"),
        pytest.param("2 50 40 20 20", r"not inside the picture", id="pixels"),
        pytest.param("2 0.95 0.5 0.2 0.2", r"not inside the picture", id="sticks out"),
        pytest.param("2 0.5 0.5 0 0.2", r"not inside the picture", id="without width"),
        pytest.param(None, r"a.jpg has no .*a.txt, expected one", id="not labelled"),
    ],
)
def test_a_mistake_is_named_and_nothing_is_kept(
    folder: Path, vault: SampleVault, label: str | None, message: str
) -> None:
    add(folder, "a", label)
    add(folder, "b", "2 0.5 0.5 0.2 0.2")

    with pytest.raises(ConfigError, match=message):
        import_labels(folder, vault, camera="cam-a")

    assert vault.facts() == ()


def test_every_mistake_is_told_at_once(folder: Path, vault: SampleVault) -> None:
    add(folder, "a", "9 0.5 0.5 0.2 0.2\n2 0.5")
    (folder / "images" / "broken.jpg").write_bytes(b"not a picture")
    (folder / "labels" / "broken.txt").write_text("")
    (folder / "labels" / "alone.txt").write_text("")

    with pytest.raises(ConfigError) as failed:
        import_labels(folder, vault, camera="cam-a")

    for mistake in ("a.txt:1", "a.txt:2", "broken.jpg is not a picture", "alone.txt has no"):
        assert mistake in str(failed.value)


def test_classes_that_are_not_counted_are_refused(folder: Path, vault: SampleVault) -> None:
    add(folder, "a", "0 0.5 0.5 0.2 0.4")
    (folder / "data.yaml").write_text("names: {0: car, 1: dog}")

    with pytest.raises(ConfigError, match="names dog, expected some of person"):
        import_labels(folder, vault, camera="cam-a")


def test_a_folder_of_another_shape_is_named(tmp_path: Path, vault: SampleVault) -> None:
    with pytest.raises(NotFoundError, match="expected images/ and labels/"):
        import_labels(tmp_path, vault, camera="cam-a")
