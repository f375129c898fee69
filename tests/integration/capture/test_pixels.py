"""A decoded frame resized plane by plane, held against colouring it whole and resizing that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import cv2
import numpy as np
import pytest
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from edge.capture.pixels import Bgr, Decoded
from edge.simulate.config import SceneConfig
from edge.simulate.source import SimulatedSource

pytestmark = pytest.mark.integration

U8 = NDArray[np.uint8]

MOST_LEVELS = 2.0
"""swscale cuts where OpenCV rounds, and chroma is interpolated once instead of twice."""


@pytest.fixture(scope="module")
def street() -> U8:
    source = SimulatedSource(SceneConfig(seed=3, width_px=960, height_px=540))
    return list(islice(source.frames(), 40))[-1].image


def decoded(image: U8, pixel_format: str = "yuv420p") -> VideoFrame:
    """The image as a decoder gives it."""
    return VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pixel_format)


def coloured_first(frame: VideoFrame, size: tuple[int, int]) -> U8:
    return Bgr(frame.to_ndarray(format="bgr24")).resized(size)


def levels_apart(one: U8, other: U8) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuvj420p", "yuv422p", "nv12"])
@pytest.mark.parametrize("size", [(640, 360), (960, 540), (427, 241), (1280, 720)])
def test_resizing_planes_gives_the_picture_of_resizing_colours(
    street: U8, pixel_format: str, size: tuple[int, int]
) -> None:
    frame = decoded(street, pixel_format)

    resized = Decoded(frame, (960, 540)).resized(size)

    assert resized.shape == (size[1], size[0], 3)
    assert levels_apart(resized, coloured_first(frame, size)) < MOST_LEVELS


def test_levels_of_a_full_range_stream_are_not_stretched(street: U8) -> None:
    frame = decoded(street, "yuvj420p").reformat(
        format="yuv420p", src_color_range=ColorRange.JPEG, dst_color_range=ColorRange.JPEG
    )
    frame.color_range = ColorRange.JPEG

    resized = Decoded(frame, (960, 540)).resized((640, 360))

    assert levels_apart(resized, Bgr(street).resized((640, 360))) < MOST_LEVELS


@pytest.mark.parametrize(
    "matrix",
    [
        pytest.param(Colorspace.ITU709, id="by its planes"),
        pytest.param(Colorspace.SMPTE240M, id="left to the decoder"),
    ],
)
def test_the_matrix_of_the_stream_counts(street: U8, matrix: Colorspace) -> None:
    frame = decoded(street).reformat(dst_colorspace=matrix)
    frame.colorspace = matrix

    resized = Decoded(frame, (960, 540)).resized((640, 360))

    assert levels_apart(resized, coloured_first(frame, (640, 360))) < MOST_LEVELS


def test_padding_of_the_decoder_s_rows_is_not_seen() -> None:
    odd = np.zeros((50, 354, 3), dtype=np.uint8)
    odd[:, -2:] = 255

    resized = Decoded(decoded(odd), (354, 50)).resized((354, 50))

    assert resized.shape == (50, 354, 3)
    assert resized[:, -1].min() > 200
    assert resized[:, :340].max() < 20


def test_colours_are_made_once_and_by_one_thread(street: U8) -> None:
    pixels = Decoded(decoded(street), (480, 270))

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: pixels.bgr(), range(8)))

    assert all(each is made[0] for each in made)
    assert made[0].shape == (270, 480, 3)
    assert pixels.size == (480, 270)


def test_an_array_is_handed_on_as_it_is(street: U8) -> None:
    pixels = Bgr(street)

    assert pixels.bgr() is street
    assert pixels.resized(pixels.size) is street
    assert pixels.resized((96, 54)).shape == (54, 96, 3)
    assert levels_apart(pixels.resized((96, 54)), cv2.resize(street, (96, 54))) == 0
