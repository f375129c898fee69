"""A device trains on its own samples: the same bits when repeated, its own BatchNorm if it may."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.errors import ConflictError
from common.rounds import BatchNorm, LocalTraining
from models.federated.local_batch_norm import own_part
from models.federated.local_training import LocalTask, rate_in_round, seed_of, train_locally
from models.federated.network import layout_of_network, vector_of
from tests.fakes.untrained_yolo import picture_sample, untrained_yolo

pytestmark = [pytest.mark.unit, pytest.mark.ml]

TINY = LocalTraining(epochs=1, batch=2, image_px=64, frozen_layers=3, learning_rate=0.001)


def task(**changes: Any) -> LocalTask:
    model = untrained_yolo()
    layout = layout_of_network(model)
    settings: dict[str, Any] = {
        "vector": vector_of(model, layout),
        "layout": layout,
        "samples": [picture_sample(n) for n in range(3)],
        "plan_local": TINY,
        "seed": 7,
        "scored": 0,
    }
    return LocalTask(**(settings | changes))


def test_the_same_task_gives_the_same_bits() -> None:
    asked = task()

    first, second = (train_locally(untrained_yolo(), asked) for _ in range(2))

    assert first.vector.tobytes() == second.vector.tobytes()
    assert first.losses == second.losses
    assert first.samples == 3
    assert first.losses["total"] == pytest.approx(
        sum(first.losses[name] for name in ("box", "cls", "dfl"))
    )


def test_another_seed_gives_other_weights_and_the_start_stays() -> None:
    asked = task()
    before = asked.vector.copy()

    one, other = (train_locally(untrained_yolo(), task(seed=seed)) for seed in (1, 2))

    assert (one.vector != other.vector).any()
    assert (vector_of(untrained_yolo(), asked.layout) == before).all()


def test_frozen_layers_and_statistics_keep_their_values() -> None:
    asked = task()

    result = train_locally(untrained_yolo(), asked)

    moved = {
        entry.name
        for entry in asked.layout.entries
        if (result.vector[entry.place] != asked.vector[entry.place]).any()
    }
    assert "model.23.cv3.0.2.weight" in moved
    assert not [name for name in moved if name.startswith(("model.0.", "model.1.", "model.2."))]
    assert not [name for name in moved if "running_" in name]


def test_a_device_with_its_own_batch_norm_says_nothing_about_it() -> None:
    asked = task(batch_norm=BatchNorm.LOCAL)

    result = train_locally(untrained_yolo(), asked)

    given = own_part(asked.vector, asked.layout)
    assert (own_part(result.vector, asked.layout) == given).all()
    assert result.own_norm is not None
    assert (result.own_norm != given).any()


def test_a_device_goes_on_from_its_own_batch_norm() -> None:
    other = task()
    own = own_part(other.vector, other.layout) + np.float32(0.5)

    result = train_locally(untrained_yolo(), task(batch_norm=BatchNorm.LOCAL, own_norm=own))

    assert result.own_norm is not None
    assert np.abs(result.own_norm - own).max() < 0.1


def test_the_proximal_term_keeps_weights_nearer_to_the_start() -> None:
    steps = LocalTraining(epochs=4, batch=1, image_px=64, frozen_layers=20, learning_rate=0.001)
    free, pulled = (
        train_locally(untrained_yolo(), task(plan_local=steps, mu=mu)).vector for mu in (0.0, 1e5)
    )

    start = task().vector
    assert np.linalg.norm(pulled - start) < np.linalg.norm(free - start)


def test_of_too_many_samples_some_are_drawn() -> None:
    few = TINY.model_copy(update={"most_samples": 2})

    assert train_locally(untrained_yolo(), task(plan_local=few)).samples == 2


def test_the_weights_that_came_are_scored_on_own_samples_before_they_are_trained() -> None:
    result = train_locally(untrained_yolo(), task(scored=2))

    # it knows nothing, and the samples hold nothing but cars
    assert result.classes == {"car": pytest.approx(0, abs=0.01)}
    assert result.map50 == result.classes["car"]


def test_nothing_is_scored_unless_asked() -> None:
    result = train_locally(untrained_yolo(), task(scored=0))

    assert (result.map50, result.classes) == (None, {})


def test_nothing_to_train_on_is_one_clear_error() -> None:
    with pytest.raises(ConflictError, match="no sample"):
        train_locally(untrained_yolo(), task(samples=[]))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param((1, 1, "north"), id="another plan"),
        pytest.param((0, 2, "north"), id="another round"),
        pytest.param((0, 1, "south"), id="another device"),
    ],
)
def test_each_device_and_round_has_its_own_seed(other: tuple[int, int, str]) -> None:
    assert seed_of(0, 1, "north") == seed_of(0, 1, "north")
    assert seed_of(*other) != seed_of(0, 1, "north")
    assert 0 <= seed_of(*other) < 2**31


@pytest.mark.parametrize("steps", [1, 2, 7, 100])
def test_a_round_warms_up_and_never_exceeds_its_rate(steps: int) -> None:
    rates = [rate_in_round(step, steps=steps, peak=0.01) for step in range(steps)]

    assert max(rates) <= 0.01
    assert min(rates) > 0
    assert steps < 3 or rates[0] < max(rates)
    assert steps < 100 or rates[0] == pytest.approx(0.002)
    assert steps < 100 or rates[-1] == pytest.approx(0.002)
