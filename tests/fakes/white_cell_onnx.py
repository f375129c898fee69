"""A wish → a real ONNX detector that calls every white cell of a picture a car.

Small enough to be built in a test, honest enough to be right or wrong about a picture: with
its classes shuffled it finds the same boxes and calls them something else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from common.release.calibration import CalibrationSet, frame_boxes
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser

CELL_PX = 32
ROWS, COLUMNS = 12, 20
HEIGHT, WIDTH = ROWS * CELL_PX, COLUMNS * CELL_PX
CAR = ROAD_USER_INDEX[RoadUser.CAR]
BUS = ROAD_USER_INDEX[RoadUser.BUS]


def write_white_cell_onnx(path: Path, *, sees: int = CAR, name: str, version: str) -> Path:
    """White cells become boxes of the class ``sees``; every other class scores nothing."""
    classes = len(ROAD_USERS)
    weights = np.zeros((classes, 3, 1, 1), dtype=np.float32)
    weights[sees] = 20.0  # a white cell gives 60 - 55 = 5, a grey one far below 0
    bias = np.full(classes, -8.0, dtype=np.float32)
    bias[sees] = -55.0
    centres = np.stack(
        np.meshgrid(np.arange(COLUMNS) * CELL_PX + 16, np.arange(ROWS) * CELL_PX + 16)
    ).reshape(1, 2, -1)
    boxes = np.concatenate([centres, np.full_like(centres, CELL_PX)], axis=1).astype(np.float32)
    nodes = [
        helper.make_node(
            "AveragePool", ["images"], ["cells"], kernel_shape=[CELL_PX] * 2, strides=[CELL_PX] * 2
        ),
        helper.make_node("Conv", ["cells", "weights", "bias"], ["mixed"]),
        helper.make_node("Sigmoid", ["mixed"], ["likely"]),
        helper.make_node("Reshape", ["likely", "flat"], ["scores"]),
        helper.make_node("Concat", ["boxes", "scores"], ["output0"], axis=1),
    ]
    cells = ROWS * COLUMNS
    graph = helper.make_graph(
        nodes,
        "white-cells",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 4 + classes, cells])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(bias, "bias"),
            numpy_helper.from_array(boxes, "boxes"),
            numpy_helper.from_array(np.array([1, classes, cells], dtype=np.int64), "flat"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    names = str({index: str(each) for index, each in enumerate(ROAD_USERS)})
    helper.set_model_props(model, {"names": names, "name": name, "version": version})
    onnx.save(model, path)
    return path


def white_cell_calibration(*, reference_sees: int = CAR, frames: int = 4) -> CalibrationSet:
    """Grey pictures with a few white cells, which are cars, whatever the reference calls them."""
    pictures = np.full((frames, HEIGHT, WIDTH, 3), 90, dtype=np.uint8)
    truth, reference = [], []
    chance = np.random.default_rng(4)
    for picture in pictures:
        cells = chance.choice(ROWS * COLUMNS, size=5, replace=False)
        places = [(cell % COLUMNS * CELL_PX, cell // COLUMNS * CELL_PX) for cell in cells.tolist()]
        for x, y in places:
            picture[y : y + CELL_PX, x : x + CELL_PX] = 255
        boxes = [(x, y, x + CELL_PX, y + CELL_PX) for x, y in places]
        truth.append(frame_boxes([(box, CAR, 1.0) for box in boxes]))
        reference.append(frame_boxes([(box, reference_sees, 0.99) for box in boxes]))
    return CalibrationSet(frames=pictures, truth=tuple(truth), reference=tuple(reference))
