"""An ONNX file → an engine built on this box → predictions, through native TensorRT.

Not run on a Jetson, nor on any GPU, by those who wrote it. Checked so far: building up
to a serialised engine with TensorRT-RTX (its own parser, profiles and error reports),
and the copying and executing below against stand-ins for CUDA and TensorRT.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from edge.detect.cuda_memory import CudaMemory, LoadLibrary, describe_gpu
from edge.detect.engine_cache import EngineCache, EngineKey
from edge.detect.models import ModelFile
from edge.detect.tensorrt_plan import BuildPlan, EngineRange, Precision, RuntimeVersion, plan_build

# The last two are TensorRT-RTX, which builds without a GPU: enough to test building.
_PRODUCTS = {
    "tensorrt": "tensorrt",
    "tensorrt_rtx": "tensorrt_rtx",
    "tensorrt_rtx_bindings": "tensorrt_rtx",
}
_WORKSPACE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class NvidiaLibraries:
    """What belongs to the box and not to Python.

    Attributes:
        tensorrt: The TensorRT module; None imports what is installed.
        load: Opens a shared library by name.
    """

    tensorrt: Any = None
    load: LoadLibrary = ctypes.CDLL


class TensorRtBackend:
    """Runs an engine that was built from the ONNX file on this very box."""

    def __init__(
        self,
        model: ModelFile,
        *,
        cache: EngineCache,
        wished: Precision | None = None,
        shapes: EngineRange | None = None,
        libraries: NvidiaLibraries | None = None,
    ) -> None:
        """Find or build the engine and make it ready.

        Args:
            model: The ONNX file.
            cache: Where engines are kept.
            wished: Precision, or None for the fastest that model and version give.
            shapes: Inputs to serve; a model of fixed shape overrules it.
            libraries: TensorRT and CUDA; None takes what is installed.

        Raises:
            ConfigError: No TensorRT, driver or GPU, or the model cannot be built.
        """
        libraries = libraries or NvidiaLibraries()
        gpu = describe_gpu(libraries.load)  # before anything of TensorRT is made
        self._trt = libraries.tensorrt or import_tensorrt()
        version = runtime_version(self._trt)
        self._plan = plan_build(version, wished=wished, is_quantised=is_quantised(model.path))
        self._model = model
        self._shapes = shapes or EngineRange()
        key = EngineKey(
            model_sha256=model.sha256,
            runtime=str(version),
            gpu=gpu,
            precision=self._plan.precision,
            shapes=str(self._shapes),
        )
        serialised = cache.get_or_build(
            key, lambda: build_engine(self._trt, model.path, self._plan, self._shapes)
        )
        self._memory = CudaMemory(libraries.load)
        self._log = _collecting_logger(self._trt)
        self._runtime = self._trt.Runtime(self._log)
        self._engine = self._runtime.deserialize_cuda_engine(serialised)
        if self._engine is None:
            raise ConfigError(
                f"engine for {model.path} does not load: {_joined(self._log.errors)}",
                hint="delete the engine cache, it is built anew",
            )
        self._context = self._engine.create_execution_context()
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        self._input, self._output = names

    @property
    def name(self) -> str:
        """``tensorrt-fp16`` and so on."""
        return f"tensorrt-{self._plan.precision}"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names stored in the model file, in output order."""
        return self._model.class_names

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Input (height, width) the file insists on, or None when any multiple of 32 will do."""
        height, width = tuple(self._engine.get_tensor_shape(self._input))[2:]
        return None if -1 in (height, width) else (height, width)

    def infer(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map images to raw predictions; see ``Backend.infer``.

        Raises:
            ConfigError: The shape is outside the engine's range, or the GPU failed.
        """
        most = self._most_images()
        parts = [self._run(images[i : i + most]) for i in range(0, len(images), most)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _most_images(self) -> int:
        batch, *_ = tuple(self._engine.get_tensor_shape(self._input))
        return self._shapes.batch if batch == -1 else int(batch)

    def _run(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        images = np.ascontiguousarray(images)
        if not self._context.set_input_shape(self._input, images.shape):
            raise ConfigError(
                f"engine of {self._model.path} refuses input of shape {images.shape}, "
                f"built for {self._shapes}",
                hint="choose an input size inside that range",
            )
        shape = tuple(self._context.get_tensor_shape(self._output))
        predictions = np.empty(shape, dtype=np.float32)
        self._context.set_tensor_address(self._input, self._memory.upload("input", images))
        self._context.set_tensor_address(
            self._output, self._memory.reserve("output", predictions.nbytes)
        )
        if not self._context.execute_async_v3(self._memory.stream):
            raise ConfigError(
                f"engine of {self._model.path} failed: {_joined(self._log.errors)}",
                hint="look at dmesg and tegrastats or nvidia-smi, or use the onnx backend",
            )
        self._memory.download("output", predictions)
        return predictions


def import_tensorrt() -> Any:
    """The installed TensorRT module.

    Raises:
        ConfigError: None is installed, or only the registry's empty placeholder.
    """
    for name in _PRODUCTS:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue  # the next product
        if hasattr(module, "Builder"):
            return module
    raise ConfigError(
        "TensorRT is not installed, expected it for the tensorrt backend",
        hint="on a Jetson make the environment with --system-site-packages, or use onnx",
    )


def runtime_version(trt: Any) -> RuntimeVersion:
    """Product and version of a TensorRT module."""
    return RuntimeVersion(product=_PRODUCTS[trt.__name__], version=trt.__version__)


def is_quantised(model: Path) -> bool:
    """True when the graph quantises: the operator's name appears in the file."""
    with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(b"QuantizeLinear") >= 0


def build_engine(trt: Any, model: Path, plan: BuildPlan, shapes: EngineRange) -> bytes:
    """Build and serialise; minutes on a Jetson.

    Raises:
        ConfigError: The parser or the builder refuses the model, with what they said.
    """
    log = _collecting_logger(trt)
    builder = trt.Builder(log)
    flags = 0
    for name in plan.network_flags:
        flags |= 1 << int(getattr(trt.NetworkDefinitionCreationFlag, name))
    # The network must outlive its parser: both stay named until the end.
    network = builder.create_network(flags)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model.read_bytes()):
        findings = [_finding(parser.get_error(i)) for i in range(parser.num_errors)]
        raise ConfigError(
            f"TensorRT cannot read {model}: {_joined(findings)}",
            hint="export it again with its-camera-ai ml export, or use the onnx backend",
        )
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    for name in plan.builder_flags:
        config.set_flag(getattr(trt.BuilderFlag, name))
    _add_profile(builder, config, network.get_input(0), shapes)
    serialised = builder.build_serialized_network(network, config)
    if serialised is None:
        raise ConfigError(
            f"TensorRT cannot build {model}: {_joined(log.errors)}",
            hint="free memory on the GPU, or use the onnx backend",
        )
    return bytes(serialised)


def _finding(error: Any) -> str:
    # TensorRT before 8.6 does not name the node.
    if not hasattr(error, "node_name"):
        return str(error.desc())
    return f"{error.node_operator()} {error.node_name()}: {error.desc()}"


def _add_profile(builder: Any, config: Any, network_input: Any, shapes: EngineRange) -> None:
    """Fill the flexible sides of the input with the range; fixed ones stay."""
    fixed = tuple(network_input.shape)
    if -1 not in fixed:
        return
    wanted = (
        (1, 3, *shapes.smallest),
        (1, 3, *shapes.usual),
        (shapes.batch, 3, *shapes.largest),
    )
    sides = [
        tuple(w if f == -1 else f for w, f in zip(shape, fixed, strict=True)) for shape in wanted
    ]
    profile = builder.create_optimization_profile()
    profile.set_shape(network_input.name, *sides)
    config.add_optimization_profile(profile)


def _collecting_logger(trt: Any) -> Any:
    class CollectingLogger(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return CollectingLogger()


def _joined(findings: list[str]) -> str:
    return "; ".join(" ".join(text.split()) for text in findings)[:400] or "no reason given"
