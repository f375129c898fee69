"""A checkpoint → one ONNX file that onnxruntime and TensorRT both read.

The contract is the edge's: input ``images`` (n, 3, h, w), RGB in [0, 1], any multiple
of 32; output (n, 4 + classes, anchors); class names in the metadata, written the way
Ultralytics writes them, so that its own tools open the file too.
"""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.runtime import prepare

INPUT = "images"
OUTPUT = "output0"
OPSET = 17  # the newest that JetPack 5's TensorRT 8.5 parses
TRACE_SIZE = (384, 640)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Name and version written into an exported file.

    Attributes:
        name: Model name, ``its-yolo11n``.
        version: Semantic version of the weights.
    """

    name: str = "its-yolo11n"
    version: str = "1.0.0"


def export_onnx(model: Any, target: Path, *, release: Release) -> Path:
    """Write ``model`` as float32 ONNX with dynamic batch, height and width.

    Args:
        model: ``ultralytics.YOLO`` with our classes; it is left as it was.
        target: The file to write.
        release: Name and version for the metadata.

    Returns:
        ``target``.
    """
    prepare()
    import torch

    network = copy.deepcopy(model.model).float().cpu().eval().fuse(verbose=False)
    head = network.model[-1]
    head.export, head.dynamic, head.format = True, True, "onnx"
    for module in network.modules():
        if type(module).__name__ == "C2f":
            module.forward = module.forward_split
    target.parent.mkdir(parents=True, exist_ok=True)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tracer warns about the shapes we make dynamic
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, *TRACE_SIZE),),
            str(target),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=OPSET,
            dynamo=False,
            dynamic_axes={
                INPUT: {0: "batch", 2: "height", 3: "width"},
                OUTPUT: {0: "batch", 2: "anchors"},
            },
        )
    _write_metadata(target, network, release)
    return target


def fix_input(model: Path, target: Path, *, side_px: int) -> Path:
    """Copy an exported file with one square input size, as Ultralytics exports by default.

    Args:
        model: What ``export_onnx`` wrote.
        target: The file to write.
        side_px: Height and width of the input, a multiple of 32.

    Returns:
        ``target``.
    """
    import onnx

    graph = onnx.load(str(model))
    for value in (*graph.graph.input, *graph.graph.output):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param == "batch":
                axis.dim_value = 1
            elif axis.dim_param in ("height", "width"):
                axis.dim_value = side_px
    for fact in graph.metadata_props:
        if fact.key == "imgsz":
            fact.value = json.dumps([side_px, side_px])
        elif fact.key == "args":
            fact.value = str({"dynamic": False, "nms": False})
    onnx.checker.check_model(graph)
    onnx.save(graph, str(target))
    return target


def _write_metadata(target: Path, network: Any, release: Release) -> None:
    import onnx

    graph = onnx.load(str(target))
    names = {int(i): str(name) for i, name in network.names.items()}
    facts = {
        "name": release.name,
        "version": release.version,
        "description": f"{release.name} {release.version}: road users for traffic counting",
        "license": "AGPL-3.0-or-later",
        "task": "detect",
        "stride": str(int(max(network.stride))),
        "batch": "1",
        "imgsz": json.dumps([640, 640]),
        "names": str(names),  # Ultralytics reads a Python literal
        "channels": "3",
        "args": str({"dynamic": True, "nms": False}),
    }
    del graph.metadata_props[:]
    for key, value in facts.items():
        graph.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(graph)
    onnx.save(graph, str(target))
