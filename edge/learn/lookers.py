"""A model file → the same network at two sizes, for looking at a kept picture once more."""

from __future__ import annotations

from collections.abc import Sequence

from edge.detect.decode import Thresholds
from edge.detect.engine import InferenceEngine
from edge.detect.models import ModelFile
from edge.detect.onnx_backend import OnnxBackend
from edge.learn.teacher import Looker

FLOOR = 0.05
"""Below the tracker's: what one look hardly sees may be what three others see."""
USUAL_PX = 640


def open_lookers(model: ModelFile, *, long_side_px: int) -> Sequence[Looker]:
    """The network at the size it counts with and at a larger one; one of them if it has one size.

    Always onnxruntime with one thread: slower than an engine of the board's, but it runs
    beside it, on any box, in a thread of the lowest priority.

    Raises:
        ConfigError: The model cannot be loaded.
    """
    backend = OnnxBackend(model.path, threads=1)
    sizes = [USUAL_PX] if backend.fixed_size else sorted({USUAL_PX, long_side_px})
    thresholds = Thresholds(floor=FLOOR)
    return [
        InferenceEngine(backend, thresholds=thresholds, input_long_side=size, model=model)
        for size in sizes
    ]
