"""Frames → detections: the one object that the pipeline talks to."""

from __future__ import annotations

import queue
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.capture.frames import Frame
from edge.detect.backend import Backend
from edge.detect.decode import ClassMap, Thresholds, decode
from edge.detect.detections import Detections
from edge.detect.letterbox import Letterbox, resize_on_one_core
from edge.detect.models import ModelFile

_Inputs = dict[tuple[int, int], NDArray[np.float32]]
"""Batches that one lane writes into, by height and width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What runs, for reports and for ``edge doctor``.

    Attributes:
        name: Model name, or the backend's where no file was given.
        version: Model version, empty where unknown.
        backend: What really runs it.
        sha256: Hash of the model file, empty where unknown.
        input: ``640 px`` for the long side of a flexible input, ``640x384`` for a fixed one.
    """

    name: str
    version: str
    backend: str
    sha256: str
    input: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One frame to be looked at, and the pixels its boxes are wanted in.

    Attributes:
        frame: The image.
        frame_size: Width and height that the site file's coordinates refer to.
    """

    frame: Frame
    frame_size: tuple[int, int]


class InferenceEngine:
    """Run a backend on frames of any size; safe to share between threads.

    As many calls run at once as it has lanes; others wait for a free one.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        thresholds: Thresholds,
        input_long_side: int = 640,
        model: ModelFile | None = None,
        lanes: int = 1,
    ) -> None:
        """Check that the backend's classes can be counted.

        Args:
            backend: What runs the network.
            thresholds: Lowest score that is handed on, and suppression limits.
            input_long_side: Longer side of the network input in pixels, a multiple of
                32; a model of fixed size overrules it.
            model: Identity of the file behind the backend, for reports.
            lanes: Inferences at one time; above 1 only for a backend that allows it.

        Raises:
            ConfigError: The model knows no road user.
            ValueError: No lane.
        """
        if lanes < 1:
            raise ValueError(f"{lanes} lanes, expected 1 or more")
        if lanes > 1:
            resize_on_one_core()
        self._thresholds = thresholds
        self._backend = backend
        self._class_map = ClassMap.by_name(backend.class_names)
        self._long_side = input_long_side
        self._model = model
        self._letterboxes: dict[tuple[int, int], Letterbox] = {}
        self.lanes = lanes
        self._free: queue.LifoQueue[_Inputs] = queue.LifoQueue()
        for _ in range(lanes):
            self._free.put({})

    @property
    def info(self) -> EngineInfo:
        """What runs."""
        fixed = self._backend.fixed_size
        return EngineInfo(
            name=self._model.name if self._model else self._backend.name,
            version=self._model.version if self._model else "",
            backend=self._backend.name,
            sha256=self._model.sha256 if self._model else "",
            input=f"{fixed[1]}x{fixed[0]}" if fixed else f"{self._long_side} px",
        )

    def input_size(self, frame: Frame) -> tuple[int, int]:
        """Height and width of the network input that a frame of this size is written into."""
        return self._letterbox(frame).input_size

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        """Find the road users in one frame.

        Args:
            frame: The image.
            frame_size: Width and height that the boxes are wanted in.
        """
        (detections,) = self.detect_batch([Request(frame=frame, frame_size=frame_size)])
        return detections

    def detect_batch(self, requests: Sequence[Request]) -> list[Detections]:
        """Find the road users in several frames; those of one input size run together.

        Returns:
            One result per request, in the same order.
        """
        groups: dict[tuple[int, int], list[int]] = defaultdict(list)
        results: dict[int, Detections] = {}
        letterboxes = [self._letterbox(request.frame) for request in requests]
        for position, letterbox in enumerate(letterboxes):
            groups[letterbox.input_size].append(position)
        inputs = self._free.get()
        try:
            for input_size, positions in groups.items():
                images = _input(inputs, len(positions), input_size)
                for slot, position in zip(images, positions, strict=True):
                    letterbox = letterboxes[position]
                    content = requests[position].frame.pixels.resized(letterbox.content_size)
                    letterbox.write(content, slot)
                predictions = self._backend.infer(images)
                for raw, position in zip(predictions, positions, strict=True):
                    results[position] = self._decoded(
                        raw, letterboxes[position], requests[position]
                    )
        finally:
            self._free.put(inputs)
        return [results[position] for position in range(len(requests))]

    def close(self) -> None:
        """Wait for whatever runs; the engine can be used again afterwards."""
        taken = [self._free.get() for _ in range(self.lanes)]
        for inputs in taken:
            self._free.put(inputs)

    def _decoded(
        self, raw: NDArray[np.float32], letterbox: Letterbox, request: Request
    ) -> Detections:
        found = decode(raw, self._class_map, self._thresholds)
        return Detections(
            camera_id=request.frame.camera_id,
            captured_s=request.frame.captured_s,
            captured_at=request.frame.captured_at,
            boxes_px=letterbox.to_frame(found.boxes_px, request.frame_size),
            scores=found.scores,
            classes=found.classes,
            class_scores=found.class_scores,
        )

    def _letterbox(self, frame: Frame) -> Letterbox:
        image_size = frame.size
        if image_size not in self._letterboxes:
            fixed = self._backend.fixed_size
            self._letterboxes[image_size] = (
                Letterbox.inside(image_size, input_size=fixed)
                if fixed
                else Letterbox.around(image_size, long_side=self._long_side)
            )
        return self._letterboxes[image_size]


def _input(inputs: _Inputs, count: int, input_size: tuple[int, int]) -> NDArray[np.float32]:
    """A batch to write into; kept between calls, one per input size, grown on demand."""
    kept = inputs.get(input_size)
    if kept is None or len(kept) < count:
        kept = np.empty((count, 3, *input_size), dtype=np.float32)
        inputs[input_size] = kept
    return kept[:count]
