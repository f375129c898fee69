"""An ONNX file → predictions through onnxruntime; the reference for every other backend."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.telemetry import refuse_telemetry
from edge.detect.onnx_metadata import class_names, read_metadata

_PROBE_PX = 64


class Device(StrEnum):
    """What onnxruntime is asked to run on."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"

    @property
    def provider(self) -> str:
        """The execution provider that stands for it."""
        return self.providers[0]

    @property
    def providers(self) -> tuple[str, ...]:
        """That one, then those for single operators that it lacks."""
        every = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")
        return every[(Device.TENSORRT, Device.CUDA, Device.CPU).index(self) :]


class OnnxBackend:
    """Runs anywhere; float32 and INT8 (QDQ) models alike."""

    def __init__(self, model: Path, *, device: Device = Device.CPU, threads: int = 0) -> None:
        """Open the model and run it once on a small image.

        Args:
            model: An .onnx file as Ultralytics exports it, without built-in suppression.
            device: What must run it; falling back silently is an error.
            threads: Threads of one inference; 0 takes one per core.

        Raises:
            NotFoundError: There is no such file.
            ConfigError: The runtime, the device or the model is not what was asked for.
        """
        self._model = model
        self._device = device
        self._class_names = class_names(read_metadata(model), model=model)
        self._session = _open_session(model, device=device, threads=threads)
        self._input, self._batch, self._fixed_size = self._checked_input()
        height, width = self._fixed_size or (_PROBE_PX, _PROBE_PX)
        self._check_output(self.infer(np.zeros((1, 3, height, width), dtype=np.float32)))

    @property
    def name(self) -> str:
        """``onnxruntime-cpu``, ``onnxruntime-cuda`` or ``onnxruntime-tensorrt``."""
        return f"onnxruntime-{self._device}"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names stored in the model file, in output order."""
        return self._class_names

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Input (height, width) the file insists on, or None when any multiple of 32 will do."""
        return self._fixed_size

    def infer(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map images to raw predictions; see ``Backend.infer``.

        Raises:
            ConfigError: The runtime refuses the model or this shape.
        """
        if self._batch is None or len(images) == self._batch:
            return self._run(images)
        return np.concatenate([self._run(images[i : i + 1]) for i in range(len(images))])

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        import onnxruntime.capi.onnxruntime_pybind11_state as ort_errors  # noqa: PLC0415 - lazy

        try:
            (predictions,) = self._session.run(None, {self._input: images})
        except (ort_errors.InvalidArgument, ort_errors.Fail, ort_errors.RuntimeException) as error:
            raise ConfigError(
                f"model {self._model} refuses input of shape {images.shape}: {_one_line(error)}",
                hint="export it with its-camera-ai ml export (dynamic shape)",
            ) from error
        return cast(NDArray[np.float32], predictions)

    def _checked_input(self) -> tuple[str, int | None, tuple[int, int] | None]:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = list(inputs[0].shape)
        if (
            len(inputs) != 1
            or len(outputs) != 1
            or len(shape) != 4
            or shape[1] != 3
            or inputs[0].type != "tensor(float)"
        ):
            raise ConfigError(
                f"model {self._model} has {len(inputs)} input(s), the first {inputs[0].type} of "
                f"shape {shape}, and {len(outputs)} output(s), expected one float32 input "
                "(n, 3, h, w) and one output",
                hint="export a detection model with its-camera-ai ml export",
            )
        batch = shape[0] if isinstance(shape[0], int) else None
        if batch not in (None, 1):
            raise ConfigError(
                f"model {self._model} takes batches of exactly {batch}, expected 1 or any",
                hint="export it with its-camera-ai ml export (dynamic shape)",
            )
        sides = [side for side in shape[2:] if isinstance(side, int)]
        return inputs[0].name, batch, (sides[0], sides[1]) if len(sides) == 2 else None

    def _check_output(self, predictions: NDArray[np.float32]) -> None:
        expected = 4 + len(self._class_names)
        if predictions.ndim != 3 or predictions.shape[1] != expected:
            raise ConfigError(
                f"model {self._model} answers in shape {predictions.shape}, expected "
                f"(n, {expected}, anchors) for its {len(self._class_names)} classes",
                hint="export a detection model without built-in suppression (nms=False)",
            )


def _open_session(model: Path, *, device: Device, threads: int) -> Any:
    refuse_telemetry()
    try:
        import onnxruntime  # noqa: PLC0415 - absent on TensorRT-only boxes
        import onnxruntime.capi.onnxruntime_pybind11_state as ort_errors  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            "onnxruntime is not installed, expected it for this backend",
            hint="install the edge extra, or use the tensorrt backend",
        ) from error
    available = onnxruntime.get_available_providers()
    if device.provider not in available:
        raise _not_active(device, available)
    try:
        session = onnxruntime.InferenceSession(
            str(model), _session_options(threads), providers=list(device.providers)
        )
    except (
        ort_errors.Fail,
        ort_errors.InvalidGraph,
        ort_errors.InvalidProtobuf,
        ort_errors.NotImplemented,
        ort_errors.RuntimeException,
    ) as error:
        raise ConfigError(
            f"model {model} cannot be loaded: {_one_line(error)}",
            hint="export it again with its-camera-ai ml export",
        ) from error
    # onnxruntime falls back to the CPU without an error when a provider fails to start.
    active = session.get_providers()
    if active[0] != device.provider:
        raise _not_active(device, active)
    return session


def _session_options(threads: int) -> Any:
    import onnxruntime  # noqa: PLC0415 - lazy

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that spin take the core that decoding and tracking need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # its warnings name nothing an operator can change
    return options


def _not_active(device: Device, active: list[str]) -> ConfigError:
    return ConfigError(
        f"asked onnxruntime for {device.provider}, active is {', '.join(active)}",
        hint="install onnxruntime-gpu with a matching CUDA, or ask for the CPU",
    )


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
