"""What every ``Backend`` promises, checked on each that runs here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.detect.backend import Backend
from edge.detect.onnx_backend import OnnxBackend
from tests.fakes.backend import FakeBackend, Planted
from tests.fakes.tiny_onnx import write_tiny_onnx

pytestmark = pytest.mark.integration


@pytest.fixture(params=["fake", "onnx", "onnx of one fixed size", "onnx of one fixed batch"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "fake":
        return FakeBackend([Planted((0, 0, 32, 32), 2)])
    shape: tuple[int | str, int | str, int | str, int | str] = {
        "onnx": ("n", 3, "h", "w"),
        "onnx of one fixed size": ("n", 3, 96, 160),
        "onnx of one fixed batch": (1, 3, 96, 160),
    }[request.param]
    return OnnxBackend(write_tiny_onnx(tmp_path / "tiny.onnx", shape=shape), threads=1)


def images_for(backend: Backend, count: int) -> NDArray[np.float32]:
    height, width = backend.fixed_size or (64, 128)
    return np.random.default_rng(count).random((count, 3, height, width), dtype=np.float32)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_each_image_gets_box_and_score_rows(backend: Backend, count: int) -> None:
    predictions = backend.infer(images_for(backend, count))

    assert predictions.dtype == np.float32
    assert predictions.shape[:2] == (count, 4 + len(backend.class_names))
    assert predictions.shape[2] > 0


def test_scores_are_shares(backend: Backend) -> None:
    scores = backend.infer(images_for(backend, 2))[:, 4:]

    assert ((scores >= 0) & (scores <= 1)).all()


def test_an_image_is_answered_the_same_alone_and_in_company(backend: Backend) -> None:
    images = images_for(backend, 3)

    together = backend.infer(images)

    for position in range(3):
        alone = backend.infer(images[position : position + 1])
        np.testing.assert_allclose(together[position], alone[0], atol=1e-5)


def test_different_images_are_told_apart(backend: Backend) -> None:
    height, width = backend.fixed_size or (64, 128)
    black_and_white = np.zeros((2, 3, height, width), dtype=np.float32)
    black_and_white[1] = 1

    black, white = backend.infer(black_and_white)

    assert not np.array_equal(black, white)


def test_the_images_stay_as_they_were(backend: Backend) -> None:
    images = images_for(backend, 2)
    before = images.copy()

    backend.infer(images)

    np.testing.assert_array_equal(images, before)


def test_an_answer_survives_the_next_one(backend: Backend) -> None:
    first = backend.infer(images_for(backend, 1))
    kept = first.copy()

    backend.infer(images_for(backend, 1) / 2)

    np.testing.assert_array_equal(first, kept)


def test_a_backend_of_no_fixed_size_takes_multiples_of_32(backend: Backend) -> None:
    sizes = [(32, 64), (96, 32)] if backend.fixed_size is None else [backend.fixed_size]

    for height, width in sizes:
        predictions = backend.infer(np.zeros((1, 3, height, width), dtype=np.float32))
        assert predictions.shape[1] == 4 + len(backend.class_names)


def test_it_says_what_runs_and_what_it_knows(backend: Backend) -> None:
    assert backend.name
    assert len(set(backend.class_names)) == len(backend.class_names) > 0
