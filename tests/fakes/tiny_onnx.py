"""A wish → a real ONNX file of a few kilobytes that answers like a detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from common.road_users import ROAD_USERS

CELL_PX = 32


def write_tiny_onnx(
    path: Path,
    *,
    names: Sequence[str] | str | None = ROAD_USERS,
    channels: int = 4 + len(ROAD_USERS),
    shape: tuple[int | str, int | str, int | str, int | str] = ("n", 3, "h", "w"),
    metadata: dict[str, str] | None = None,
    second_output: bool = False,
) -> Path:
    """One anchor per 32x32 cell: mean colour, mixed by random weights of a fixed seed."""
    weights = np.random.default_rng(7).normal(size=(channels, shape[1], 1, 1))
    nodes = [
        helper.make_node(
            "AveragePool", ["images"], ["cells"], kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2
        ),
        helper.make_node("Conv", ["cells", "weights"], ["mixed"]),
        helper.make_node("Sigmoid", ["mixed"], ["scores"]),
        helper.make_node("Reshape", ["scores", "flat"], ["output0"]),
    ]
    outputs = [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["n", channels, "a"])]
    if second_output:
        outputs.append(helper.make_tensor_value_info("cells", TensorProto.FLOAT, None))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, list(shape))],
        outputs,
        [
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array([0, channels, -1], dtype=np.int64), "flat"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    stored = dict(metadata or {})
    if names is not None:
        stored["names"] = names if isinstance(names, str) else _numbered(names)
    helper.set_model_props(model, stored)
    onnx.save(model, path)
    return path


def write_tiny_int8(path: Path) -> Path:
    """The same detector with 8-bit weights and activations (QDQ).

    Symmetric, because TensorRT knows no zero points.
    """
    plain = write_tiny_onnx(path.with_suffix(".fp32.onnx"))
    quantize_static(
        plain,
        path,
        _Noise(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,  # 7-bit weights: processors without VNNI add pairs in 16 bits
        activation_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": True},
    )
    quantised = onnx.load(path)
    helper.set_model_props(quantised, {"names": _numbered(ROAD_USERS)})
    onnx.save(quantised, path)
    return path


class _Noise(CalibrationDataReader):
    def __init__(self) -> None:
        noise = np.random.default_rng(3).random((8, 1, 3, 64, 64), dtype=np.float32)
        self._images = iter(noise)

    def get_next(self) -> dict[str, np.ndarray] | None:
        image = next(self._images, None)
        return None if image is None else {"images": image}


def _numbered(names: Sequence[str]) -> str:
    return str({index: str(name) for index, name in enumerate(names)})
