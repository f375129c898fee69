"""Between start and tuned weights lies a line; the best point on it that loses no class wins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from models.interpolation import choose_alpha, interpolate
from models.runtime import prepare
from models.scores import Precision, Scores, SetScore
from models.training import copy_of

pytestmark = [pytest.mark.unit, pytest.mark.ml]


def model_with(weight: float, *, channels: int = 1) -> Any:
    prepare()
    import torch  # noqa: PLC0415 - absent without the train extra

    network = torch.nn.Sequential(torch.nn.Conv2d(1, channels, 1), torch.nn.BatchNorm2d(channels))
    for value in network.state_dict().values():
        value.fill_(weight)
    return SimpleNamespace(model=network)


def weight_of(model: Any) -> float:
    return float(model.model[0].weight.detach().mean())


def scored(value: float) -> Scores:
    precision = Precision(map50=value, map50_95=value, boxes=100)
    return {"road": SetScore(mean=precision, classes={"car": precision})}


@pytest.mark.parametrize(("alpha", "weight"), [(0.0, 2.0), (0.25, 3.0), (1.0, 6.0)])
def test_weights_lie_on_the_line(alpha: float, weight: float) -> None:
    start, tuned = model_with(2.0), model_with(6.0)

    mixed = interpolate(start, tuned, alpha=alpha)

    assert weight_of(mixed) == weight
    assert float(mixed.model[1].running_mean[0]) == weight
    assert (weight_of(start), weight_of(tuned)) == (2.0, 6.0)


def test_a_copy_of_a_yolo_leaves_it_alone() -> None:
    prepare()
    from ultralytics import YOLO  # noqa: PLC0415 - reads its settings when imported

    model = YOLO("yolo11n.yaml", task="detect")
    before = model.model.state_dict()["model.0.conv.weight"].clone()

    twin = copy_of(model)
    twin.model.state_dict()["model.0.conv.weight"].fill_(7)

    assert twin.model is not model.model
    assert (model.model.state_dict()["model.0.conv.weight"] == before).all()


def test_a_point_off_the_line_is_refused() -> None:
    with pytest.raises(ValueError, match=r"alpha is 1\.5"):
        interpolate(model_with(1.0), model_with(2.0), alpha=1.5)


def test_different_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        interpolate(model_with(1.0), model_with(2.0, channels=2), alpha=0.5)


@pytest.mark.parametrize(
    ("quality", "refused", "alpha"),
    [
        pytest.param([0.5, 0.6, 0.7, 0.65, 0.6], (), 0.5, id="best in the middle"),
        pytest.param([0.5, 0.6, 0.7, 0.65, 0.6], (0.5,), 0.75, id="best one vetoed"),
        pytest.param([0.5, 0.4, 0.3, 0.3, 0.3], (), 0.0, id="every point worse"),
        pytest.param([0.5, 0.51, 0.52, 0.53, 0.9], (), 1.0, id="best at the end"),
        pytest.param([0.5, 0.6, 0.4, 0.4, 0.4], (0.25,), 0.0, id="the only better one vetoed"),
    ],
)
def test_the_best_accepted_point_is_chosen(
    quality: list[float], refused: tuple[float, ...], alpha: float
) -> None:
    chosen, tried = choose_alpha(
        model_with(0.0),
        model_with(4.0),
        alphas=(0.25, 0.5, 0.75, 1.0),
        score=lambda model: scored(quality[round(weight_of(model))]),
        accept=lambda asked, _: asked not in refused,
    )

    assert chosen == alpha
    assert [choice.gain for choice in tried] == sorted(
        (choice.gain for choice in tried), reverse=True
    )
