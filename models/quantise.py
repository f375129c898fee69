"""A float32 ONNX file → the same network in 8-bit integers, as a QDQ graph.

QuantizeLinear/DequantizeLinear pairs around float operators are read by onnxruntime
and by TensorRT alike. Weights are quantised per output channel, activations per tensor
(Nagel et al. 2021, "A White Paper on Neural Network Quantization", §3).
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from models.dataset import read_image
from models.export import INPUT
from models.runtime import prepare
from models.sources import IMAGE_SUFFIXES

CALIBRATION_SIZE = (384, 640)
GREY = 114
_LAYER = re.compile(r"/model\.(?P<layer>\d+)/(?P<branch>(?:one2one_)?cv[23]\.\d+/)?")
# its output is a logit; eight bits of it would round every weak score to one of a few values
_LAST_CONVOLUTION = re.compile(r"cv[23]\.\d+\.2/")


def quantise(
    source: Path,
    target: Path,
    images: Sequence[Path],
    *,
    symmetric: bool = False,
) -> Path:
    """Write ``source`` with 8-bit weights and activations.

    Args:
        source: Float32 ONNX file of ``export_onnx``.
        target: The file to write.
        images: Frames like those the model will see, to find the activation ranges.
        symmetric: Signed activations around zero, as TensorRT asks for, instead of
            unsigned ones with an offset, which lose less.

    Raises:
        ConfigError: No calibration images.
    """
    if not images:
        raise ConfigError(
            "no calibration images, expected at least one", hint="name a folder with --calibrate"
        )
    prepare()
    import onnx
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    logging.getLogger().setLevel(logging.ERROR)  # the quantiser advises through the root logger
    with tempfile.TemporaryDirectory() as scratch:
        ready = Path(scratch) / "ready.onnx"
        quant_pre_process(str(source), str(ready), skip_symbolic_shape=True)
        graph = onnx.load(str(ready))
        q.quantize_static(
            str(ready),
            str(target),
            _reader(images),
            quant_format=q.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Add", "Mul", "Concat", "MaxPool", "Resize"],
            nodes_to_exclude=float_nodes(graph),
            per_channel=True,
            # processors without VNNI add pairs of 8-bit products in 16 bits, which overflow
            # unless weights keep to 7 bits (onnxruntime, "Quantize ONNX models")
            reduce_range=True,
            weight_type=q.QuantType.QInt8,
            activation_type=q.QuantType.QInt8 if symmetric else q.QuantType.QUInt8,
            calibrate_method=q.CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": symmetric},
        )
    _copy_metadata(source, target)
    return target


def calibration_frames(folder: Path, *, at_most: int) -> list[Path]:
    """Pictures below ``folder``, evenly picked in the order of their names.

    Raises:
        ConfigError: There is none.
    """
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise ConfigError(
            f"calibration folder {folder} holds no picture, expected JPEG or PNG",
            hint="name a folder of frames like those the cameras send",
        )
    step = max(1, -(-len(found) // at_most))
    return found[::step]


def float_nodes(graph: Any) -> list[str]:
    """Names of the nodes that stay in float: the head from its last convolutions on.

    Args:
        graph: ``onnx.ModelProto`` of ``export_onnx``, whose node names are module paths.
    """
    layers = [match for node in graph.graph.node if (match := _LAYER.match(node.name))]
    head = max((int(match["layer"]) for match in layers), default=-1)
    return [
        match.string
        for match in layers
        if int(match["layer"]) == head
        and (not match["branch"] or _LAST_CONVOLUTION.search(match.string))
    ]


def _reader(images: Sequence[Path]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[dict[str, NDArray[np.float32]]] = (
                {INPUT: letterboxed(path)} for path in images
            )

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return next(self._batches, None)

    return Reader()


def letterboxed(path: Path) -> NDArray[np.float32]:
    """One picture as network input, shape (1, 3, 384, 640), RGB in [0, 1]."""
    image = read_image(path)
    height, width = CALIBRATION_SIZE
    ratio = min(width / image.shape[1], height / image.shape[0])
    inner = (round(image.shape[1] * ratio), round(image.shape[0] * ratio))
    canvas = np.full((height, width, 3), GREY, dtype=np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(image, inner)
    return np.asarray(canvas[..., ::-1].transpose(2, 0, 1)[None] / 255, dtype=np.float32)


def _copy_metadata(source: Path, target: Path) -> None:
    import onnx

    quantised = onnx.load(str(target))
    kept = onnx.load(str(source), load_external_data=False).metadata_props
    del quantised.metadata_props[:]
    for entry in kept:
        quantised.metadata_props.add(key=entry.key, value=entry.value)
    quantised.metadata_props.add(key="precision", value="int8")
    onnx.save(quantised, str(target))
