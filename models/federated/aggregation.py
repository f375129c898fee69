"""Judged updates of a round → the next global vector, the same on every machine.

Means are summed in the order of client names, one piece of one update at a time: memory is the
base, the sum and one update as it travelled, whatever the number of clients. Screening before it
holds one whole delta instead of the sum. Of 200 clients of YOLO11n a round takes 2.7 models;
FedAdam and FedYogi keep two moments as well, and take 4.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.errors import ConflictError, TrustError
from common.rounds import BatchNorm, RunPlan, Strategy
from models.federated.parameters import F32
from models.federated.robust_aggregation import (
    bulyan_update,
    liars_left,
    median_update,
    nearest_to_others,
    trimmed_update,
)
from models.federated.server_optimiser import ServerState, step
from models.federated.spool import Updates
from models.federated.update_noise import add_noise
from models.federated.verdicts import Judged

MEANS = (Strategy.FEDAVG, Strategy.FEDPROX, Strategy.FEDADAM, Strategy.FEDYOGI)
"""Strategies that sum: they stream, and only they can be made private."""

_BLOCK_VALUES = 65_536


@dataclass(frozen=True, slots=True)
class Aggregated:
    """What a round ends with.

    Attributes:
        vector: The next global vector, shape (n,).
        state: To be kept with it.
    """

    vector: F32
    state: ServerState


def aggregate(
    base: F32,
    judged: Sequence[Judged],
    updates: Updates,
    *,
    plan: RunPlan,
    state: ServerState,
) -> Aggregated:
    """Combine what screening let through.

    Args:
        base: Vector that the round began with, shape (n,).
        judged: Of every client that arrived; refused ones count only as liars that were caught.
        updates: Where the deltas are.
        plan: Strategy, rate, privacy.
        state: Of the round before; its arrays are taken over.

    Raises:
        ConflictError: Nobody was taken, or too few for the strategy.
        TrustError: The result is not finite, which screening rules out unless it is off.
        ValueError: A private plan without its noise, or with a strategy that is no mean.
    """
    taken = sorted((one for one in judged if one.is_taken), key=lambda one: one.client)
    if not taken:
        raise ConflictError("no update was taken, expected at least one")
    if base.shape != (updates.layout.size,):
        raise ValueError(f"base of shape {base.shape}, expected ({updates.layout.size},)")
    update = _combined(taken, len(judged) - len(taken), updates, plan)
    if plan.batch_norm is BatchNorm.LOCAL:
        update[updates.layout.batch_norm] = 0
    if plan.privacy is not None:
        if state.noise is None or plan.strategy not in MEANS:
            raise ValueError("a private round needs its noise key and a strategy that is a mean")
        deviation = plan.privacy.noise_multiplier * plan.privacy.clip_norm / len(judged)
        add_noise(update, deviation=deviation, key=state.noise)
    vector, kept = step(base, update, strategy=plan.strategy, rate=plan.server_rate, state=state)
    if plan.screening.is_on and not np.isfinite(np.dot(vector, vector)):
        raise TrustError("the aggregate is not finite", hint="see the round's verdicts")
    return Aggregated(vector, kept)


def mean_update(taken: Sequence[Judged], updates: Updates, *, shares: Sequence[float]) -> F32:
    """Sum of deltas, each times its share and its scale, shape (n,), float32.

    Args:
        taken: Clients in the order in which they are summed.
        updates: Their deltas; read once, a piece at a time.
        shares: One for each client.
    """
    total = np.zeros(updates.layout.size, dtype=np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for one, share in zip(taken, shares, strict=True):
            factor = np.float32(share * one.scale)
            for first, piece in updates.blocks(one.client):
                for start in range(0, piece.size, _BLOCK_VALUES):
                    values = piece[start : start + _BLOCK_VALUES]
                    total[first + start : first + start + values.size] += values * factor
    return total


def _combined(taken: Sequence[Judged], refused: int, updates: Updates, plan: RunPlan) -> F32:
    if plan.strategy in MEANS:
        return mean_update(taken, updates, shares=[one.weight for one in taken])
    if plan.strategy is Strategy.FEDMEDIAN:
        return median_update(taken, updates)
    liars = liars_left(plan.strategy, plan.most_byzantine, taken=len(taken), refused=refused)
    if plan.strategy is Strategy.TRIMMED_MEAN:
        return trimmed_update(taken, updates, liars=liars)
    if plan.strategy is Strategy.BULYAN:
        return bulyan_update(taken, updates, liars=liars)
    count = 1 if plan.strategy is Strategy.KRUM else len(taken) - liars
    chosen = nearest_to_others(taken, updates, liars=liars, count=count)
    weights = np.array([one.weight for one in chosen])
    return mean_update(chosen, updates, shares=list(weights / weights.sum()))
