"""Noise and rounds → the least privacy loss that they can cost, before anything is trained.

Every planned client takes part in every round, so nothing is gained by sampling: the rounds
compose as Gaussian mechanisms with Rényi divergence ``rounds * order / (2 z²)`` (Mironov 2017,
arXiv:1702.07476), turned into (epsilon, delta) by Canonne, Kamath and Steinke 2020
(arXiv:2004.00010, proposition 12). The bench keeps the exact account and stops a run that
would exceed it; this refuses plans that could never end.
"""

from __future__ import annotations

from math import inf, log, log1p

from common.errors import ConflictError
from common.rounds import UpdatePrivacy

_ORDERS = (*(1 + step / 50 for step in range(1, 450)), *range(10, 513))


def epsilon(*, noise_multiplier: float, rounds: int, delta: float) -> float:
    """Epsilon of so many rounds at this ``delta``."""
    least = inf
    for order in _ORDERS:
        divergence = rounds * order / (2 * noise_multiplier**2)
        turned = divergence + log1p(-1 / order) - (log(delta) + log(order)) / (order - 1)
        least = min(least, turned)
    return max(least, 0.0)


def check_budget(privacy: UpdatePrivacy, *, rounds: int) -> float:
    """Epsilon of the whole run.

    Raises:
        ConflictError: More than the plan allows.
    """
    spent = epsilon(noise_multiplier=privacy.noise_multiplier, rounds=rounds, delta=privacy.delta)
    if spent > privacy.most_epsilon:
        raise ConflictError(
            f"{rounds} rounds with noise {privacy.noise_multiplier} cost epsilon {spent:.2f} at "
            f"delta {privacy.delta:g}, expected at most {privacy.most_epsilon}",
            hint="plan fewer rounds or more noise, or allow a larger epsilon",
        )
    return spent
