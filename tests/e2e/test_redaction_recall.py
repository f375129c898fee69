"""How much of people and vehicles the redacted preview covers, on real pictures.

Truth is independent of the detectors: faces and vehicles were marked by eye, and people
in the indoor clip are whatever differs from the empty room.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.anonymise.redaction import SCORE_FLOOR, FaceFinder, Redactor
from edge.container import edge_container
from edge.detect.decode import Thresholds
from edge.detect.engine import InferenceEngine
from tests.fakes.fixed_detector import FixedDetector
from tests.fakes.frames import make_frame

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

COVERED = 0.9
"""Share of a face or vehicle that must be grey for it to count as covered."""

CITY_FACES = (
    (54, 128, 90, 174), (101, 128, 122, 160), (180, 113, 212, 153), (221, 107, 255, 146),
    (258, 134, 275, 145), (273, 142, 295, 159), (308, 140, 333, 174), (323, 125, 354, 164),
    (369, 128, 394, 160), (426, 137, 444, 160), (470, 142, 495, 160), (476, 156, 506, 192),
    (511, 137, 524, 160), (531, 131, 555, 157), (580, 101, 606, 137), (595, 122, 622, 146),
    (564, 165, 592, 195), (601, 146, 638, 198), (640, 150, 662, 189), (653, 131, 674, 159),
    (674, 145, 690, 165), (720, 143, 735, 165), (760, 113, 796, 162),
)  # fmt: skip
"""x1 y1 x2 y2 in deface_city.jpg (800 x 564), also half hidden ones and one in the distance."""


@pytest.fixture(scope="module")
def engine() -> InferenceEngine:
    container = edge_container()
    return InferenceEngine(
        container.backend(), thresholds=Thresholds(floor=SCORE_FLOOR), model=container.model()
    )


@pytest.fixture
def faces(shared_data: Path) -> FaceFinder:
    return FaceFinder(shared_data / "models" / "face_yunet.onnx")


def grey_of(redactor: Redactor, image: Image) -> Mask:
    """Where one picture is covered, at the picture's own size."""
    redactor.add(make_frame(image=image))
    redacted = redactor.add(make_frame(image=image, captured_s=0.25))
    assert redacted is not None
    return grey(redacted.image, image.shape[1], image.shape[0])


def grey(redacted: Image, width: int, height: int) -> Mask:
    covered = (redacted == 128).all(axis=2).astype(np.uint8)
    return cv2.resize(covered, (width, height), interpolation=cv2.INTER_NEAREST).astype(bool)


def is_covered(mask: Mask, box: tuple[float, float, float, float]) -> bool:
    x1, y1, x2, y2 = (max(round(value), 0) for value in box)
    part = mask[y1:y2, x1:x2]
    return bool(part.size == 0 or part.mean() >= COVERED)


def test_every_face_in_a_crowd_is_covered(
    engine: InferenceEngine, faces: FaceFinder, shared_data: Path
) -> None:
    image = cv2.imread(str(shared_data / "images" / "deface_city.jpg"))

    mask = grey_of(Redactor(engine, faces=faces), image)

    # Measured: 23 of 23, with 89 % of this crowded picture covered.
    assert [box for box in CITY_FACES if not is_covered(mask, box)] == []


def test_faces_are_covered_also_where_the_detector_sees_nobody(
    faces: FaceFinder, shared_data: Path
) -> None:
    image = cv2.imread(str(shared_data / "images" / "deface_city.jpg"))

    mask = grey_of(Redactor(FixedDetector(), faces=faces), image)

    # Measured: 20 of 23. Two of the others are hidden to the hair, and one is in the distance,
    # eight pixels wide in what is shown; the detector of people covers all three.
    assert sum(is_covered(mask, box) for box in CITY_FACES) >= 19
    assert mask.mean() < 0.2


def test_people_who_walk_through_a_room_are_covered_from_edge_to_edge(
    engine: InferenceEngine, faces: FaceFinder, shared_data: Path
) -> None:
    redactor = Redactor(engine, faces=faces)
    pictures = list(pictures_of(shared_data / "clips" / "intel_one-by-one-person.mp4", every=5))
    empty = np.median(np.stack(pictures[:8]), axis=0).astype(np.uint8)
    shares, covered_while_empty = [], []

    for number, image in enumerate(pictures):
        redacted = redactor.add(make_frame(image=image, captured_s=number * 0.5))
        if redacted is None:
            continue
        person = foreground(pictures[number - 1], empty)
        mask = grey(redacted.image, image.shape[1], image.shape[0])
        if person.any():
            shares.append(mask[person].mean())
        else:
            covered_while_empty.append(mask.mean())

    # Measured: 219 pictures with people, in every one 97 % or more of them covered.
    assert len(shares) > 200
    assert np.mean([share >= COVERED for share in shares]) >= 0.99
    assert np.mean(covered_while_empty) < 0.3


def test_a_street_stays_visible(
    engine: InferenceEngine, faces: FaceFinder, shared_data: Path
) -> None:
    redactor = Redactor(engine, faces=faces)
    covered = []
    for number, image in enumerate(
        pictures_of(shared_data / "clips" / "otgt_13-11-00.mp4", every=20)
    ):
        redacted = redactor.add(make_frame(image=image, captured_s=float(number)))
        if redacted is not None:
            covered.append(grey(redacted.image, image.shape[1], image.shape[0]).mean())

    # Measured: a fifth; parked cars, a cyclist and pedestrians, each with its last places.
    assert np.mean(covered) < 0.4


def test_vehicles_that_could_be_recognised_are_covered(
    engine: InferenceEngine, shared_data: Path
) -> None:
    covered = []
    for folder in sorted((shared_data / "labelled" / "atl_cameras").glob("cam*/val")):
        for path in sorted((folder / "images").iterdir())[:24]:
            image = cv2.imread(str(path))
            mask = grey_of(Redactor(engine, faces=NO_FACES), image)
            for box in labelled(folder / "labels" / f"{path.stem}.txt", image):
                # A vehicle of 40 pixels in what is shown has a plate of about ten.
                if max(box[2] - box[0], box[3] - box[1]) * 640 / image.shape[1] >= 40:
                    covered.append(is_covered(mask, box))

    # Measured: 369 of 381, in single pictures with noise, glare and darkness added. Of the 12
    # one lorry is bare; the others are covered in part, or nothing can be seen in the box.
    assert len(covered) > 300
    assert np.mean(covered) >= 0.95


class NoFaces:
    """Stands for a face finder, so that the picture is no mosaic."""

    def find(self, image: Image) -> NDArray[np.float64]:  # noqa: ARG002
        return np.zeros((0, 4))


NO_FACES = NoFaces()


def pictures_of(path: Path, *, every: int) -> Iterator[Image]:
    clip = cv2.VideoCapture(str(path))
    number = 0
    while clip.grab():
        if number % every == 0:
            yield clip.retrieve()[1]
        number += 1
    clip.release()


def foreground(image: Image, empty: Image) -> Mask:
    """Where somebody is: large connected parts that differ clearly from the empty room."""
    differs = np.abs(image.astype(np.int16) - empty).max(axis=2) > 50
    cleaned = cv2.morphologyEx(differs.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(cleaned)
    large = [label for label, row in enumerate(statistics) if label and row[4] > 1500]
    return np.isin(labels, large)


def labelled(path: Path, image: Image) -> Iterator[tuple[float, float, float, float]]:
    height, width = image.shape[:2]
    for line in path.read_text().splitlines():
        _, x, y, w, h = (float(value) for value in line.split())
        yield (x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height
