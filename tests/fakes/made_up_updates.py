"""Deltas as cameras might send them, without training one: a common part and a part of its own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from common.rounds import (
    ParentModel,
    PlannedClient,
    RunPlan,
    ScreeningSettings,
    Strategy,
    fewest_updates,
)
from models.federated.parameters import F32, Layout, layout_of
from models.federated.screening import Arrived, Judged, RoundFacts, screen

BASE_DIGEST = "b" * 64
LENGTH = 0.2
"""About what one epoch of fine-tuning moves a network by."""


def small_layout(channels: int = 24) -> Layout:
    """Two convolutions with BatchNorm and a bias: 5,000 values at 24 channels."""
    return layout_of(
        {
            "a.conv.weight": np.zeros((channels, 3, 3, 3), np.float32),
            "a.bn.weight": np.zeros(channels, np.float32),
            "a.bn.bias": np.zeros(channels, np.float32),
            "a.bn.running_mean": np.zeros(channels, np.float32),
            "a.bn.running_var": np.zeros(channels, np.float32),
            "a.bn.num_batches_tracked": np.zeros((), np.int64),
            "b.conv.weight": np.zeros((channels, channels, 3, 3), np.float32),
            "b.conv.bias": np.zeros(channels, np.float32),
        }
    )


def honest_deltas(
    layout: Layout, clients: int, *, agreement: float, seed: int = 0
) -> dict[str, F32]:
    """Cameras that see different roads.

    Args:
        layout: Of the network.
        clients: How many; their names are ``camera-00`` and on.
        agreement: Expected cosine between two of them; 0 is nothing in common at all.
        seed: Of everything.
    """
    rng = np.random.default_rng(seed)
    # Layers move by different amounts, and within a layer a few values move most (Student t).
    scales = np.concatenate(
        [np.full(entry.size, 10.0 ** rng.uniform(-1, 1)) for entry in layout.entries]
    )
    common = rng.standard_t(4, layout.size) * scales
    deltas = {}
    for index in range(clients):
        own = rng.standard_t(4, layout.size) * scales
        delta = np.sqrt(agreement) * common + np.sqrt(1 - agreement) * own
        length = LENGTH * rng.uniform(0.6, 1.6)
        deltas[f"camera-{index:02}"] = (delta * length / np.linalg.norm(delta)).astype(np.float32)
    return deltas


def arrivals(
    deltas: Mapping[str, F32], *, claims: Mapping[str, int] | None = None
) -> list[Arrived]:
    """The deltas as replies to round 1; everybody claims 100 samples unless ``claims`` says."""
    told = claims or {}
    return [
        Arrived(
            client=client,
            vector_of=lambda delta=delta: delta,
            claimed_samples=told.get(client, 100),
            base_digest=BASE_DIGEST,
            base_round=0,
            data_digest=client,
        )
        for client, delta in deltas.items()
    ]


def facts_for(layout: Layout, clients: Mapping[str, Any], **changes: Any) -> RoundFacts:
    """What the server knows of that round; 100 samples of everybody."""
    facts: dict[str, Any] = {
        "layout": layout,
        "base_round": 0,
        "base_digest": BASE_DIGEST,
        "base_norm": 100.0,
        "known_samples": dict.fromkeys(clients, 100),
    }
    return RoundFacts(**facts | changes)


def judge(layout: Layout, deltas: Mapping[str, F32], **changes: Any) -> dict[str, Judged]:
    """Screen the deltas with default settings; client → verdict."""
    judged = screen(
        arrivals(deltas), facts=facts_for(layout, deltas, **changes), settings=ScreeningSettings()
    )
    return {one.client: one for one in judged}


def plan_for(clients: Mapping[str, int], **changes: Any) -> RunPlan:
    """A plan over these devices with the least quorum that it can have; device → samples."""
    facts: dict[str, Any] = {
        "run": "spring",
        "created_at": datetime(2026, 3, 1, tzinfo=UTC),
        "parent": ParentModel(name="its", version="1", sha256="0" * 64, file="parent.pt"),
        "clients": tuple(
            PlannedClient(device=name, samples=count) for name, count in clients.items()
        ),
    }
    strategy, liars = changes.get("strategy", Strategy.FEDAVG), changes.get("most_byzantine", 1)
    return RunPlan(**{"quorum": fewest_updates(strategy, liars)} | facts | changes)
