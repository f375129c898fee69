from __future__ import annotations

import numpy as np
import pytest

from edge.detect.letterbox import Letterbox

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("image_size", "input_size", "content_size"),
    [
        pytest.param((640, 352), (352, 640), (640, 352), id="fits as it is"),
        pytest.param((640, 360), (384, 640), (640, 360), id="rows rounded up to 32"),
        pytest.param((1280, 720), (384, 640), (640, 360), id="halved"),
        pytest.param((960, 540), (384, 640), (640, 360), id="scaled by two thirds"),
        pytest.param((800, 600), (480, 640), (640, 480), id="4:3"),
        pytest.param((352, 288), (544, 640), (640, 524), id="small image scaled up"),
        pytest.param((720, 1280), (640, 384), (360, 640), id="upright"),
        pytest.param((3000, 1), (32, 640), (640, 1), id="thin"),
    ],
)
def test_input_is_the_smallest_multiple_of_32_around_the_image(
    image_size: tuple[int, int], input_size: tuple[int, int], content_size: tuple[int, int]
) -> None:
    letterbox = Letterbox.around(image_size, long_side=640)

    assert letterbox.input_size == input_size
    assert letterbox.content_size == content_size


def test_a_fixed_input_is_filled_as_far_as_the_image_goes() -> None:
    letterbox = Letterbox.inside((1280, 720), input_size=(640, 640))

    assert letterbox.content_size == (640, 360)
    assert (letterbox.left_px, letterbox.top_px) == (0, 140)


def test_an_odd_row_of_padding_goes_below() -> None:
    letterbox = Letterbox.inside((64, 29), input_size=(32, 64))

    assert letterbox.top_px == 1


def test_image_becomes_rgb_shares_with_grey_around_them() -> None:
    letterbox = Letterbox.inside((64, 16), input_size=(32, 64))
    image = np.zeros((16, 64, 3), dtype=np.uint8)
    image[...] = (0, 51, 255)  # blue, green, red
    into = np.full((3, 32, 64), np.nan, dtype=np.float32)

    letterbox.write(image, into)

    np.testing.assert_allclose(into[:, 8:24, :].mean(axis=(1, 2)), [1.0, 0.2, 0.0], atol=1e-6)
    np.testing.assert_allclose(into[:, :8], 114 / 255, atol=1e-6)
    np.testing.assert_allclose(into[:, 24:], 114 / 255, atol=1e-6)


def test_padding_beside_the_content_is_written_too() -> None:
    letterbox = Letterbox.inside((16, 32), input_size=(32, 64))
    into = np.full((3, 32, 64), np.nan, dtype=np.float32)

    letterbox.write(np.zeros((32, 16, 3), dtype=np.uint8), into)

    np.testing.assert_allclose(into[:, :, :24], 114 / 255, atol=1e-6)
    np.testing.assert_allclose(into[:, :, 40:], 114 / 255, atol=1e-6)
    assert (into[:, :, 24:40] == 0).all()


@pytest.mark.parametrize(
    ("frame_size", "box"),
    [
        pytest.param((1280, 720), (200, 100, 400, 300), id="pixels of the image"),
        pytest.param((640, 360), (100, 50, 200, 150), id="half of them"),
        pytest.param((1920, 1080), (300, 150, 600, 450), id="a larger native frame"),
    ],
)
def test_boxes_land_in_the_pixels_of_the_site_file(
    frame_size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    letterbox = Letterbox.around((1280, 720), long_side=640)
    # Halved, and 12 rows of padding above: (100, 50) lies at (100, 62) of the input.
    in_input = np.array([[100, 62, 200, 162]], dtype=np.float32)

    np.testing.assert_allclose(letterbox.to_frame(in_input, frame_size), [box])


def test_boxes_end_at_the_edge_of_the_frame() -> None:
    letterbox = Letterbox.around((640, 384), long_side=640)
    outside = np.array([[-9, -9, 700, 500]], dtype=np.float32)

    np.testing.assert_array_equal(letterbox.to_frame(outside, (640, 384)), [[0, 0, 640, 384]])


@pytest.mark.parametrize("long_side", [0, 630, -32])
def test_an_input_side_off_the_stride_is_refused(long_side: int) -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        Letterbox.around((640, 352), long_side=long_side)


def test_an_image_without_area_is_refused() -> None:
    with pytest.raises(ValueError, match="0x352 px"):
        Letterbox.around((0, 352), long_side=640)
