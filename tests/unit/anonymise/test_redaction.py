"""What a detector finds is covered whole; without a face finder nothing fine is left at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import ConfigError
from edge.anonymise.redaction import FaceFinder, Redacted, Redactor, to_jpeg
from tests.fakes.fixed_detector import FixedDetector
from tests.fakes.frames import make_frame

pytestmark = pytest.mark.unit

GREY = 128
BOX = (0.25, 0.25, 0.5, 0.5)


class NoFaces:
    """Stands for a face finder that looks and finds nobody."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:  # noqa: ARG002
        return np.zeros((0, 4))


class OneFace(NoFaces):
    """Sees a face from (80, 80) to (120, 120) of the full picture."""

    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:  # noqa: ARG002
        return np.array([[80.0, 80.0, 120.0, 120.0]])


def noise_picture(width: int = 640, height: int = 360) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 120, (height, width, 3), dtype=np.uint8)


def shown(redactor: Redactor, image: NDArray[np.uint8]) -> Redacted:
    redactor.add(make_frame(image=image))
    redacted = redactor.add(make_frame(image=image, captured_s=0.25))
    assert redacted is not None
    return redacted


def is_grey(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((image == GREY).all(axis=2))


def test_a_road_user_is_covered_whole_with_a_margin() -> None:
    redacted = shown(Redactor(FixedDetector(BOX), faces=NoFaces()), noise_picture())

    grey = is_grey(redacted.image)
    # The box is 160 x 90 at (160, 90); a tenth of 160 comes on top on every side.
    assert grey[74:196, 144:336].all()
    assert not grey[:73].any()
    assert not grey[:, 337:].any()


def test_nothing_of_the_covered_part_is_in_the_picture() -> None:
    image = noise_picture()
    other = image.copy()
    other[90:180, 160:320] = 255

    first = shown(Redactor(FixedDetector(BOX), faces=NoFaces()), image)
    second = shown(Redactor(FixedDetector(BOX), faces=NoFaces()), other)

    assert np.array_equal(first.image, second.image)


def test_faces_are_found_in_the_full_picture_and_covered_in_the_small_one() -> None:
    redacted = shown(Redactor(FixedDetector(), faces=OneFace()), noise_picture(1280, 720))

    grey = is_grey(redacted.image)
    # 80 to 120 becomes 40 to 60; 30 % of 20 is 6 on every side.
    assert grey[34:66, 34:66].all()
    assert grey.sum() == 32 * 32


def test_pictures_are_small() -> None:
    redacted = shown(Redactor(FixedDetector(), faces=NoFaces()), noise_picture(1920, 1080))

    assert redacted.image.shape == (360, 640, 3)


def test_pictures_come_one_late_so_that_who_enters_is_covered_already() -> None:
    detector = FixedDetector()
    redactor = Redactor(detector, faces=NoFaces())

    first = redactor.add(make_frame(image=noise_picture()))
    detector.boxes = (BOX,)
    second = redactor.add(make_frame(image=noise_picture(), captured_s=0.25))

    assert first is None
    assert second is not None
    assert is_grey(second.image)[90:180, 160:320].all()


@pytest.mark.parametrize(
    ("later_s", "is_covered"),
    [pytest.param(1.0, True, id="a blink"), pytest.param(4.0, False, id="gone for good")],
)
def test_who_was_seen_a_moment_ago_stays_covered(later_s: float, is_covered: bool) -> None:
    detector = FixedDetector(BOX)
    redactor = Redactor(detector, faces=NoFaces())
    redactor.add(make_frame(image=noise_picture()))
    detector.boxes = ()
    redactor.add(make_frame(image=noise_picture(), captured_s=later_s))

    redacted = redactor.add(make_frame(image=noise_picture(), captured_s=later_s + 0.25))

    assert redacted is not None
    assert is_grey(redacted.image)[90:180, 160:320].any() == is_covered


def test_a_box_beyond_the_edge_covers_what_is_inside() -> None:
    redacted = shown(
        Redactor(FixedDetector((-0.2, 0.9, 0.1, 1.3)), faces=NoFaces()), noise_picture()
    )

    assert is_grey(redacted.image)[324:, :64].all()


def test_without_a_face_finder_the_whole_picture_is_a_coarse_mosaic() -> None:
    redacted = shown(Redactor(FixedDetector(BOX), faces=None), noise_picture())

    assert redacted.is_mosaic
    colours = {tuple(pixel) for pixel in redacted.image.reshape(-1, 3)}
    assert len(colours) <= 32 * 18 + 1
    assert is_grey(redacted.image)[90:180, 160:320].all()


def test_a_camera_that_changes_its_size_starts_afresh() -> None:
    redactor = Redactor(FixedDetector(), faces=NoFaces())
    redactor.add(make_frame(image=noise_picture(640, 360)))

    assert redactor.add(make_frame(image=noise_picture(640, 480), captured_s=0.25)) is None


def test_a_jpeg_begins_and_ends_as_one() -> None:
    jpeg = to_jpeg(noise_picture(64, 64))

    assert jpeg.startswith(b"\xff\xd8\xff")
    assert jpeg.endswith(b"\xff\xd9")


@pytest.mark.parametrize("content", [None, b"no model"], ids=["missing", "another file"])
def test_a_face_model_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "face.onnx"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigError, match="expected a YuNet face detector"):
        FaceFinder(path)
