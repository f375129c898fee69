"""Noise is what it says, its price is known beforehand, and nobody goes over budget."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError, ConflictError
from common.rounds import Strategy, UpdatePrivacy
from models.federated.update_noise import KEY_FILE, NoiseKey, add_noise, noise_secret
from models.federated.update_privacy import (
    Budget,
    check_privacy,
    epsilon_after,
    noise_to_clip,
    rounds_within,
)
from tests.fakes.made_up_updates import plan_for

pytestmark = [pytest.mark.unit, pytest.mark.ml]

TEN = UpdatePrivacy(clip_norm=1, noise_multiplier=1, most_epsilon=10, delta=1e-5)
KEY = NoiseKey(secret=bytes(range(32)), run="spring", number=3, arrived_digest="aa")
CLIENTS = {"a": 100, "b": 100}


def noise(key: NoiseKey, count: int = 200_000) -> np.ndarray:
    values = np.zeros(count, np.float32)
    add_noise(values, deviation=2.0, key=key)
    return values


def test_one_round_costs_what_the_gaussian_mechanism_costs() -> None:
    # Exact for z = 1, delta = 1e-5 is 4.38 (Balle and Wang 2018); Rényi accounting is above it.
    assert 4.38 < epsilon_after(1, TEN) < 5.0


def test_rounds_add_up_to_less_than_their_sum() -> None:
    one, four = epsilon_after(1, TEN), epsilon_after(4, TEN)

    assert one < four < 4 * one
    assert epsilon_after(0, TEN) == 0


def test_more_noise_costs_less() -> None:
    loud = TEN.model_copy(update={"noise_multiplier": 4.0})

    assert epsilon_after(5, loud) < epsilon_after(5, TEN)


def test_a_plan_over_budget_does_not_start_and_says_how_many_rounds_would() -> None:
    plan = plan_for(CLIENTS, rounds=10, privacy=TEN)

    with pytest.raises(ConfigError, match="10 rounds at noise 1 spend epsilon 19") as caught:
        check_privacy(plan)

    assert caught.value.hint == f"plan {rounds_within(TEN)} rounds"
    assert rounds_within(TEN) == 3


def test_a_budget_too_small_for_any_round_asks_for_more_noise() -> None:
    tiny = TEN.model_copy(update={"most_epsilon": 0.1})

    with pytest.raises(ConfigError) as caught:
        check_privacy(plan_for(CLIENTS, privacy=tiny))

    assert caught.value.hint == "raise the noise multiplier"


@pytest.mark.parametrize("strategy", [Strategy.FEDMEDIAN, Strategy.KRUM, Strategy.BULYAN])
def test_strategies_that_are_no_means_cannot_be_private(strategy: Strategy) -> None:
    seven = {f"box-{i}": 100 for i in range(7)}  # as many as Bulyan needs

    with pytest.raises(ConfigError, match="noise is sized for a mean"):
        check_privacy(plan_for(seven, strategy=strategy, privacy=TEN))


def test_without_a_wish_there_is_no_budget() -> None:
    assert check_privacy(plan_for(CLIENTS)) is None


def test_a_run_stops_before_the_round_that_would_leave_the_budget() -> None:
    budget = Budget(TEN)
    for _ in range(3):
        budget = budget.spend()

    assert budget.epsilon < 10
    with pytest.raises(ConflictError, match="round 4 would spend"):
        budget.spend()


def test_noise_is_normal_with_the_deviation_asked_for() -> None:
    values = noise(KEY)

    # Of 200,000 values: the mean is good to 0.005, the deviation to 0.16 %.
    assert values.mean() == pytest.approx(0, abs=0.025)
    assert values.std() == pytest.approx(2, rel=0.01)
    assert np.mean(np.abs(values) < 2) == pytest.approx(0.6827, abs=0.006)
    assert np.mean(np.abs(values) > 6) == pytest.approx(0.0027, abs=0.0008)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.01


def test_a_repeated_round_over_the_same_updates_gets_the_same_noise() -> None:
    assert noise(KEY, 1000).tobytes() == noise(KEY, 1000).tobytes()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"secret": bytes(32)}, id="another secret"),
        pytest.param({"run": "autumn"}, id="another run"),
        pytest.param({"number": 4}, id="another round"),
        pytest.param({"arrived_digest": "bb"}, id="other updates"),
    ],
)
def test_anything_else_gets_other_noise(change: dict[str, object]) -> None:
    other = replace(KEY, **change)

    assert abs(np.corrcoef(noise(KEY), noise(other))[0, 1]) < 0.01


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    first = noise_secret(tmp_path)

    assert noise_secret(tmp_path) == first
    assert len(set(first)) > 8
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_secret_that_others_could_read_is_refused(tmp_path: Path) -> None:
    noise_secret(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)

    with pytest.raises(ConfigError, match="0600"):
        noise_secret(tmp_path)


def test_a_key_does_not_show_its_secret() -> None:
    assert "secret" not in repr(KEY)


def test_a_hundred_boxes_with_noise_one_drown_the_whole_network() -> None:
    plan = plan_for({f"box-{i}": 100 for i in range(100)}, privacy=TEN)

    assert noise_to_clip(plan, 2_621_746) == pytest.approx(16.2, abs=0.1)
