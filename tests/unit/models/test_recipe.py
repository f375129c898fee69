"""The recipe refuses nonsense and its learning rate rises once and falls once."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from models.recipe import Recipe
from models.training import rate_at

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"epochs": 0}, id="no epoch"),
        pytest.param({"image_px": 400}, id="side not a multiple of 32"),
        pytest.param({"mosaic": 1.5}, id="probability above one"),
    ],
)
def test_nonsense_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        replace(Recipe(), **change)


def test_the_recipe_can_be_written_on_a_card() -> None:
    written = json.loads(json.dumps(Recipe(seed=7).as_dict()))

    assert written["seed"] == 7
    assert written["image_px"] == 416


def test_the_rate_warms_up_and_cools_down() -> None:
    recipe = replace(Recipe(), learning_rate=1.0, final_rate_share=0.1, warmup_epochs=1.0, epochs=5)

    rates = [rate_at(step, steps=50, per_epoch=10, recipe=recipe) for step in range(51)]

    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == pytest.approx(1.0)
    assert rates[30] == pytest.approx(0.55)  # half of the cosine, between 1.0 and 0.1
    assert rates[50] == pytest.approx(0.1)
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
