from __future__ import annotations

from math import exp, sqrt

import pytest
from scipy.stats import norm

from common.errors import ConflictError
from common.rounds import UpdatePrivacy
from coordinator.federation.privacy_budget import check_budget, epsilon

pytestmark = pytest.mark.unit


def exact_delta(noise: float, rounds: int, eps: float) -> float:
    """Of so many Gaussian mechanisms (Balle and Wang 2018, theorem 8, arXiv:1805.06530)."""
    mu = sqrt(rounds) / noise
    return float(norm.cdf(mu / 2 - eps / mu) - exp(eps) * norm.cdf(-mu / 2 - eps / mu))


@pytest.mark.parametrize(("noise", "rounds"), [(1.0, 1), (2.0, 10), (4.0, 100), (0.7, 3)])
def test_the_account_is_above_the_truth_and_close_to_it(noise: float, rounds: int) -> None:
    spent = epsilon(noise_multiplier=noise, rounds=rounds, delta=1e-5)

    assert exact_delta(noise, rounds, spent) <= 1e-5
    assert exact_delta(noise, rounds, spent * 0.85) > 1e-5


def test_a_run_within_its_budget_may_start() -> None:
    privacy = UpdatePrivacy(clip_norm=1, noise_multiplier=2, most_epsilon=10)

    assert 7 < check_budget(privacy, rounds=10) < 9


def test_a_run_above_its_budget_may_not() -> None:
    privacy = UpdatePrivacy(clip_norm=1, noise_multiplier=2, most_epsilon=10)

    with pytest.raises(ConflictError, match=r"40 rounds with noise 2\.0 cost epsilon 19"):
        check_budget(privacy, rounds=40)
