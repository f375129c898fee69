"""An exported file keeps the edge's contract, in float and in 8-bit integers."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from common.errors import ConfigError
from common.road_users import COCO_ROAD_USERS, ROAD_USERS
from models.detector import keep_road_users
from models.evaluation import milliseconds
from models.export import Release, export_onnx
from models.quantise import calibration_frames, float_nodes, letterboxed, quantise
from models.runtime import prepare

pytestmark = [
    pytest.mark.integration,
    pytest.mark.ml,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # of the exporter and the quantiser, not of our code
]


@pytest.fixture(scope="module")
def model() -> Any:
    prepare()
    import torch  # noqa: PLC0415 - absent without the train extra
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415

    torch.manual_seed(0)
    network = DetectionModel("yolo11n.yaml", nc=80, verbose=False)
    names = {i: f"thing {i}" for i in range(80)}
    network.names = names | {i: str(road_user) for i, road_user in COCO_ROAD_USERS.items()}
    keep_road_users(network)
    return SimpleNamespace(model=network.eval())


@pytest.fixture(scope="module")
def exported(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("export") / "net-2.0.1.onnx"
    return export_onnx(model, target, release=Release(name="net", version="2.0.1"))


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frames")
    for number in range(4):
        picture = np.random.default_rng(number).integers(0, 255, (90, 160, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def session(path: Path) -> Any:
    import onnxruntime  # noqa: PLC0415

    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("shape", "anchors"),
    [
        pytest.param((1, 3, 64, 96), 12 * 8 + 6 * 4 + 3 * 2, id="one wide image"),
        pytest.param((2, 3, 64, 64), 8 * 8 + 4 * 4 + 2 * 2, id="two square images"),
    ],
)
def test_the_file_computes_what_the_network_computes(
    model: Any, exported: Path, shape: tuple[int, ...], anchors: int
) -> None:
    import torch  # noqa: PLC0415

    images = torch.rand(shape, generator=torch.Generator().manual_seed(2))

    (raw,) = session(exported).run(None, {"images": images.numpy()})

    assert raw.shape == (shape[0], 4 + len(ROAD_USERS), anchors)
    with torch.no_grad():
        np.testing.assert_allclose(raw, model.model(images)[0].numpy(), atol=1e-2, rtol=1e-3)


def test_the_file_knows_its_classes_and_version(exported: Path) -> None:
    metadata = session(exported).get_modelmeta().custom_metadata_map

    assert ast.literal_eval(metadata["names"]) == {i: str(u) for i, u in enumerate(ROAD_USERS)}
    assert (metadata["name"], metadata["version"], metadata["stride"]) == ("net", "2.0.1", "32")


def test_the_quantised_file_is_a_third_and_keeps_the_contract(
    exported: Path, frames: Path, tmp_path: Path
) -> None:
    small = quantise(exported, tmp_path / "int8.onnx", calibration_frames(frames, at_most=1))

    (raw,) = session(small).run(None, {"images": np.zeros((1, 3, 64, 96), dtype=np.float32)})
    metadata = session(small).get_modelmeta().custom_metadata_map
    assert raw.shape == (1, 10, 126)
    assert small.stat().st_size < exported.stat().st_size / 3
    assert (metadata["name"], metadata["precision"]) == ("net", "int8")
    assert milliseconds({"fp32": exported, "int8": small}, rounds=1, size=(64, 64)).keys() == {
        "fp32",
        "int8",
    }


def test_the_head_stays_in_float_from_its_last_convolutions_on(exported: Path) -> None:
    import onnx  # noqa: PLC0415

    graph = onnx.load(str(exported))
    names = {node.name for node in graph.graph.node}

    kept = set(float_nodes(graph))

    assert {"/model.23/Sigmoid", "/model.23/dfl/Softmax", "/model.23/cv3.0/cv3.0.2/Conv"} <= kept
    assert "/model.23/cv3.0/cv3.0.1/cv3.0.1.1/conv/Conv" in names - kept
    assert not any(name.startswith("/model.0/") for name in kept)


def test_calibration_frames_are_picked_evenly(frames: Path) -> None:
    picked = calibration_frames(frames, at_most=2)

    assert [path.name for path in picked] == ["0.png", "2.png"]
    assert letterboxed(picked[0]).shape == (1, 3, 384, 640)


def test_calibration_without_frames_is_refused(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no picture"):
        calibration_frames(tmp_path, at_most=5)
    with pytest.raises(ConfigError, match="no calibration images"):
        quantise(exported, tmp_path / "int8.onnx", [])
