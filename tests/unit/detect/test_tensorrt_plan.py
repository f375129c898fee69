from __future__ import annotations

import pytest

from common.errors import ConfigError
from edge.detect.tensorrt_plan import EngineRange, Precision, RuntimeVersion, plan_build

pytestmark = pytest.mark.unit

FP32, FP16, INT8 = Precision.FP32, Precision.FP16, Precision.INT8


@pytest.mark.parametrize(
    ("runtime", "wished", "quantised", "expected"),
    [
        pytest.param(
            ("tensorrt", "8.5.2"),
            None,
            False,
            (FP16, ("EXPLICIT_BATCH",), ("FP16",)),
            id="JetPack 5",
        ),
        pytest.param(("tensorrt", "10.3.0"), None, False, (FP16, (), ("FP16",)), id="JetPack 6"),
        pytest.param(("tensorrt", "10.3.0"), FP32, False, (FP32, (), ()), id="10, full precision"),
        pytest.param(
            ("tensorrt", "10.3.0"), None, True, (INT8, (), ("INT8", "FP16")), id="10, quantised"
        ),
        pytest.param(
            ("tensorrt", "11.0.0"),
            None,
            False,
            (FP32, ("STRONGLY_TYPED",), ()),
            id="11 as exported",
        ),
        pytest.param(
            ("tensorrt", "11.0.0"), INT8, True, (INT8, ("STRONGLY_TYPED",), ()), id="11, quantised"
        ),
        pytest.param(
            ("tensorrt_rtx", "1.7.1"), None, False, (FP32, ("STRONGLY_TYPED",), ()), id="RTX 1"
        ),
    ],
)
def test_flags_follow_the_version(
    runtime: tuple[str, str],
    wished: Precision | None,
    quantised: bool,
    expected: tuple[Precision, tuple[str, ...], tuple[str, ...]],
) -> None:
    product, version = runtime

    plan = plan_build(
        RuntimeVersion(product=product, version=version), wished=wished, is_quantised=quantised
    )

    assert (plan.precision, plan.network_flags, plan.builder_flags) == expected


@pytest.mark.parametrize(
    ("version", "wished", "quantised", "complaint"),
    [
        pytest.param("7.1.3", None, False, "TensorRT is 7.1.3, expected 8 or newer", id="too old"),
        pytest.param("11.0.0", FP16, False, "asked tensorrt-11.0.0 for fp16", id="typed graph"),
        pytest.param(
            "10.3.0", INT8, False, "asked for int8, the model is not quantised", id="int8"
        ),
        pytest.param("10.3.0", FP16, True, "asked for fp16, the model is quantised", id="fp16"),
    ],
)
def test_a_precision_that_cannot_be_had_is_refused(
    version: str, wished: Precision | None, quantised: bool, complaint: str
) -> None:
    runtime = RuntimeVersion(product="tensorrt", version=version)

    with pytest.raises(ConfigError, match=complaint) as caught:
        plan_build(runtime, wished=wished, is_quantised=quantised)

    assert caught.value.hint


def test_the_range_of_shapes_is_one_word() -> None:
    assert str(EngineRange(batch=2)) == "n2-32x32-384x640-640x640"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"batch": 0}, id="no image"),
        pytest.param({"usual": (672, 640)}, id="usual above largest"),
    ],
)
def test_an_empty_range_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="rising sizes"):
        EngineRange(**wrong)  # type: ignore[arg-type]
