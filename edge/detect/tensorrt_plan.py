"""TensorRT version and wished precision → how to build; pure rules.

TensorRT 8 needs the explicit-batch flag; 8 to 10 choose precision by builder flags;
from 11 (and in TensorRT-RTX) networks are strongly typed: the graph alone decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from common.errors import ConfigError

OLDEST_MAJOR = 8
_STRONGLY_TYPED_FROM = 11


class Precision(StrEnum):
    """Arithmetic of an engine; INT8 only from a graph that was quantised (QDQ)."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineRange:
    """Input shapes that one engine serves.

    Attributes:
        batch: Most images at once.
        smallest: Height and width of the smallest input, in pixels.
        usual: Of the one that TensorRT tunes for.
        largest: Of the largest one.
    """

    batch: int = 4
    smallest: tuple[int, int] = (32, 32)
    usual: tuple[int, int] = (384, 640)
    largest: tuple[int, int] = (640, 640)

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        sides = zip(self.smallest, self.usual, self.largest, strict=True)
        if self.batch < 1 or any(list(side) != sorted(side) for side in sides):
            raise ValueError(f"shapes {self}, expected 1 image or more and rising sizes")

    def __str__(self) -> str:
        """Compact form for file names: ``n4-32x32-384x640-640x640``."""
        sizes = (f"{height}x{width}" for height, width in (self.smallest, self.usual, self.largest))
        return f"n{self.batch}-{'-'.join(sizes)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """What to tell the builder.

    Attributes:
        precision: What the engine will compute in.
        network_flags: Names in ``NetworkDefinitionCreationFlag``.
        builder_flags: Names in ``BuilderFlag``.
    """

    precision: Precision
    network_flags: tuple[str, ...]
    builder_flags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeVersion:
    """Which TensorRT is installed.

    Attributes:
        product: ``tensorrt`` or ``tensorrt_rtx``; engines are not exchangeable.
        version: Its version, such as ``10.3.0``.
    """

    product: str
    version: str

    @property
    def is_strongly_typed(self) -> bool:
        """True when builder flags can no longer choose a precision."""
        return self.product != "tensorrt" or self.major >= _STRONGLY_TYPED_FROM

    @property
    def major(self) -> int:
        """First number of the version."""
        return int(self.version.split(".")[0])

    def __str__(self) -> str:
        """Product and version in one word."""
        return f"{self.product}-{self.version}"


def plan_build(
    runtime: RuntimeVersion, *, wished: Precision | None, is_quantised: bool
) -> BuildPlan:
    """Choose flags for this version.

    Args:
        runtime: What is installed.
        wished: What the operator asked for; None takes the fastest that the model
            and this version give without a change of the model.
        is_quantised: Whether the ONNX graph carries QuantizeLinear nodes.

    Raises:
        ConfigError: TensorRT is too old, or cannot give the wished precision.
    """
    if runtime.product == "tensorrt" and runtime.major < OLDEST_MAJOR:
        raise ConfigError(
            f"TensorRT is {runtime.version}, expected {OLDEST_MAJOR} or newer",
            hint="update JetPack, or use the onnx backend",
        )
    if (wished is Precision.INT8) != is_quantised and wished is not None:
        raise ConfigError(
            f"asked for {wished}, the model is {'quantised' if is_quantised else 'not quantised'}",
            hint="choose the packaged model whose name ends in -int8 for int8, another otherwise",
        )
    if runtime.is_strongly_typed:
        return _typed_plan(runtime, wished, is_quantised=is_quantised)
    precision = wished or (Precision.INT8 if is_quantised else Precision.FP16)
    return BuildPlan(
        precision=precision,
        # Explicit batch is the only kind from TensorRT 10 on.
        network_flags=("EXPLICIT_BATCH",) if runtime.major < 10 else (),
        # Layers without quantisation nodes run in half precision beside the INT8 ones.
        builder_flags={
            Precision.FP32: (),
            Precision.FP16: ("FP16",),
            Precision.INT8: ("INT8", "FP16"),
        }[precision],
    )


def _typed_plan(
    runtime: RuntimeVersion, wished: Precision | None, *, is_quantised: bool
) -> BuildPlan:
    if wished is Precision.FP16:
        raise ConfigError(
            f"asked {runtime} for fp16, it takes the precision from the model, which is fp32",
            hint="leave the precision out, or use the -int8 model",
        )
    return BuildPlan(
        precision=Precision.INT8 if is_quantised else Precision.FP32,
        network_flags=("STRONGLY_TYPED",),
        builder_flags=(),
    )
