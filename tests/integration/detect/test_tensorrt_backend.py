"""The native TensorRT backend, as far as a machine without a GPU can tell.

The first half drives it over stand-ins for CUDA and TensorRT; the second half builds
real engines with TensorRT-RTX, which is not the TensorRT of a Jetson.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import ConfigError
from edge.detect.engine_cache import EngineCache
from edge.detect.models import ModelFile, find_model
from edge.detect.tensorrt_backend import (
    NvidiaLibraries,
    TensorRtBackend,
    build_engine,
    import_tensorrt,
    is_quantised,
    runtime_version,
)
from edge.detect.tensorrt_plan import BuildPlan, EngineRange, Precision, plan_build
from tests.fakes.nvidia import FakeCuda, FakeCudart, FakeLoader, FakeTensorRt
from tests.fakes.tiny_onnx import write_tiny_int8, write_tiny_onnx

pytestmark = pytest.mark.integration

SMALL = EngineRange(batch=2, smallest=(32, 32), usual=(160, 160), largest=(160, 160))


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    path = write_tiny_onnx(tmp_path / "tiny.onnx")
    return find_model(str(path), environment={})


def open_on_fakes(
    model: ModelFile, folder: Path, trt: FakeTensorRt, **wishes: Any
) -> TensorRtBackend:
    loader = FakeLoader(libcuda=FakeCuda(), libcudart=FakeCudart())
    return TensorRtBackend(
        model,
        cache=EngineCache(folder / "engines"),
        libraries=NvidiaLibraries(trt, loader),
        **wishes,
    )


def test_images_go_through_device_memory_and_back(model: ModelFile, tmp_path: Path) -> None:
    backend = open_on_fakes(model, tmp_path, FakeTensorRt())
    images = np.stack([np.full((3, 64, 96), level, dtype=np.float32) for level in (0.25, 0.5)])

    predictions = backend.infer(images)

    assert predictions.shape == (2, 10, 4)
    np.testing.assert_allclose(predictions[:, 0, 0], [0.25, 0.5])


def test_more_images_than_the_engine_takes_are_run_in_parts(
    model: ModelFile, tmp_path: Path
) -> None:
    backend = open_on_fakes(model, tmp_path, FakeTensorRt())
    levels = np.linspace(0, 1, 9, dtype=np.float32)
    images = np.broadcast_to(levels[:, None, None, None], (9, 3, 32, 32)).copy()

    np.testing.assert_allclose(backend.infer(images)[:, 5, 2], levels, atol=1e-6)


def test_it_says_what_runs(model: ModelFile, tmp_path: Path) -> None:
    backend = open_on_fakes(model, tmp_path, FakeTensorRt("10.3.0"))

    assert backend.name == "tensorrt-fp16"
    assert backend.class_names == model.class_names
    assert backend.fixed_size is None


def test_a_fixed_model_needs_no_profile_and_reports_its_size(
    model: ModelFile, tmp_path: Path
) -> None:
    trt = FakeTensorRt(input_shape=(1, 3, 384, 640))

    backend = open_on_fakes(model, tmp_path, trt)

    assert backend.fixed_size == (384, 640)
    assert trt.profiles == []
    assert backend.infer(np.zeros((2, 3, 384, 640), dtype=np.float32)).shape == (2, 10, 4)


def test_the_plan_reaches_the_builder(model: ModelFile, tmp_path: Path) -> None:
    trt = FakeTensorRt("8.5.2")

    open_on_fakes(model, tmp_path, trt)

    assert trt.network_flags == 0b1  # explicit batch
    assert trt.builder_flags == ["FP16"]
    assert trt.profiles == [("images", (1, 3, 32, 32), (1, 3, 384, 640), (4, 3, 640, 640))]


def test_a_second_start_takes_the_engine_from_the_cache(model: ModelFile, tmp_path: Path) -> None:
    trt = FakeTensorRt()

    for _ in range(2):
        open_on_fakes(model, tmp_path, trt)

    assert trt.built == 1


def test_an_engine_that_does_not_load_is_one_line(model: ModelFile, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not load: serialisation version 240 does not"):
        open_on_fakes(model, tmp_path, FakeTensorRt(loads=False))


def test_a_build_that_fails_says_why_and_leaves_no_engine(model: ModelFile, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot build .*: no tactic fits into the workspace"):
        open_on_fakes(model, tmp_path, FakeTensorRt(builds=False))

    assert list((tmp_path / "engines").glob("*")) == []


def test_an_input_outside_the_range_is_refused(model: ModelFile, tmp_path: Path) -> None:
    backend = open_on_fakes(model, tmp_path, FakeTensorRt())

    with pytest.raises(ConfigError, match=r"refuses input of shape \(1, 3, 672, 640\), built for"):
        backend.infer(np.zeros((1, 3, 672, 640), dtype=np.float32))


def test_nothing_of_tensorrt_is_touched_without_a_driver(model: ModelFile, tmp_path: Path) -> None:
    libraries = NvidiaLibraries(tensorrt=object(), load=FakeLoader())

    with pytest.raises(ConfigError, match="no NVIDIA driver"):
        TensorRtBackend(model, cache=EngineCache(tmp_path), libraries=libraries)


@pytest.fixture(scope="module")
def rtx() -> Any:
    pytest.importorskip("tensorrt_rtx_bindings", reason="TensorRT-RTX is not installed")
    return import_tensorrt()


def planned(trt: Any, model: Path, wished: Precision | None = None) -> BuildPlan:
    return plan_build(runtime_version(trt), wished=wished, is_quantised=is_quantised(model))


@pytest.mark.parametrize("shape", [("n", 3, "h", "w"), (1, 3, 160, 160)], ids=["flexible", "fixed"])
def test_rtx_builds_an_engine_from_onnx(
    rtx: Any, tmp_path: Path, shape: tuple[int | str, int | str, int | str, int | str]
) -> None:
    model = write_tiny_onnx(tmp_path / "tiny.onnx", shape=shape)

    engine = build_engine(rtx, model, planned(rtx, model), SMALL)

    assert len(engine) > 1000


def test_rtx_says_in_one_line_what_it_cannot_parse(rtx: Any, tmp_path: Path) -> None:
    model = write_tiny_onnx(tmp_path / "tiny.onnx")
    plan = planned(rtx, model)
    model.write_bytes(model.read_bytes().replace(b"AveragePool", b"AveragePond"))

    with pytest.raises(ConfigError, match=r"cannot read .*AveragePond") as caught:
        build_engine(rtx, model, plan, SMALL)

    assert "\n" not in str(caught.value)


def test_a_quantised_graph_is_recognised_and_built_by_rtx(rtx: Any, tmp_path: Path) -> None:
    plain = write_tiny_onnx(tmp_path / "plain.onnx")
    quantised = write_tiny_int8(tmp_path / "tiny.onnx")

    assert planned(rtx, plain).precision is Precision.FP32
    assert planned(rtx, quantised).precision is Precision.INT8
    assert len(build_engine(rtx, quantised, planned(rtx, quantised), SMALL)) > 1000
