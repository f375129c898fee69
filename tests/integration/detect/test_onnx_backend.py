"""Models of every wrong shape → one clear line each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError, NotFoundError
from edge.detect.onnx_backend import Device, OnnxBackend
from tests.fakes.tiny_onnx import write_tiny_int8, write_tiny_onnx

pytestmark = pytest.mark.integration


def test_it_names_the_device_and_reads_the_classes(tmp_path: Path) -> None:
    backend = OnnxBackend(
        write_tiny_onnx(tmp_path / "two.onnx", names=["car", "bus"], channels=6), threads=1
    )

    assert backend.name == "onnxruntime-cpu"
    assert backend.class_names == ("car", "bus")
    assert backend.fixed_size is None


def test_a_fixed_shape_is_reported(tmp_path: Path) -> None:
    model = write_tiny_onnx(tmp_path / "fixed.onnx", shape=(1, 3, 96, 160))

    assert OnnxBackend(model, threads=1).fixed_size == (96, 160)


def test_an_int8_model_answers_like_the_one_it_was_made_from(tmp_path: Path) -> None:
    int8 = OnnxBackend(write_tiny_int8(tmp_path / "tiny.onnx"), threads=1)
    fp32 = OnnxBackend(tmp_path / "tiny.fp32.onnx", threads=1)
    images = np.random.default_rng(4).random((2, 3, 96, 64), dtype=np.float32)

    assert int8.class_names == fp32.class_names
    np.testing.assert_allclose(int8.infer(images), fp32.infer(images), atol=0.03)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        pytest.param({"names": None}, "stores no class names", id="no class names"),
        pytest.param({"names": "{1: 'car'}"}, "numbered from 0", id="names from 1"),
        pytest.param({"names": "__import__('os')"}, "numbered from 0", id="names that are code"),
        pytest.param(
            {"channels": 9}, r"shape \(1, 9, 4\), expected \(n, 10, anchors\)", id="a class short"
        ),
        pytest.param({"shape": ("n", 1, "h", "w")}, r"shape \['n', 1, 'h', 'w'\]", id="grey"),
        pytest.param({"shape": (4, 3, 96, 96)}, "batches of exactly 4", id="batch of four"),
        pytest.param({"second_output": True}, r"2 output\(s\)", id="segmentation"),
    ],
)
def test_a_model_of_the_wrong_shape_is_one_clear_line(
    tmp_path: Path, options: dict[str, object], complaint: str
) -> None:
    model = write_tiny_onnx(tmp_path / "wrong.onnx", **options)  # type: ignore[arg-type]

    with pytest.raises(ConfigError, match=complaint) as caught:
        OnnxBackend(model, threads=1)

    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_input_of_another_size_than_the_file_insists_on_is_refused(tmp_path: Path) -> None:
    backend = OnnxBackend(
        write_tiny_onnx(tmp_path / "fixed.onnx", shape=(1, 3, 96, 160)), threads=1
    )

    with pytest.raises(ConfigError, match=r"refuses input of shape \(1, 3, 64, 64\)"):
        backend.infer(np.zeros((1, 3, 64, 64), dtype=np.float32))


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    no_model = tmp_path / "clip.onnx"
    no_model.write_bytes(b"\x00\x00\x00\x18ftypmp42 this is a film")

    with pytest.raises(ConfigError, match="cannot be read as ONNX"):
        OnnxBackend(no_model)


def test_half_a_model_is_refused(tmp_path: Path) -> None:
    model = write_tiny_onnx(tmp_path / "half.onnx")
    model.write_bytes(model.read_bytes()[:-40])

    with pytest.raises(ConfigError, match="cannot be read as ONNX"):
        OnnxBackend(model)


def test_a_missing_model_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="does not exist"):
        OnnxBackend(tmp_path / "none.onnx")


@pytest.mark.parametrize("device", [Device.CUDA, Device.TENSORRT])
def test_a_device_that_is_not_active_is_refused_by_name(tmp_path: Path, device: Device) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if device.provider in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has {device.provider}")
    model = write_tiny_onnx(tmp_path / "tiny.onnx")

    with pytest.raises(ConfigError, match=f"asked onnxruntime for {device.provider}, active is "):
        OnnxBackend(model, device=device)
