"""Plan, round and weights → what every device is told, and what screening may know."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import numpy as np

from common.errors import ConflictError
from common.rounds import ClientOutcome, ClientVerdict, Packing, RoundOutcome, RunPlan, Strategy
from models.federated.orders import GlobalWeights, TrainingOrder
from models.federated.parameters import Layout
from models.federated.verdicts import RoundFacts, known_samples


def orders_of(
    plan: RunPlan, number: int, sent: GlobalWeights, layout: Layout
) -> list[TrainingOrder]:
    """One for each planned device, in the order of the plan."""
    # Only FedProx pulls; with any other strategy a mu in the plan is not meant.
    mu = plan.local.proximal if plan.strategy is Strategy.FEDPROX else 0.0
    return [
        TrainingOrder(
            run=plan.run,
            number=number,
            device=client.device,
            parent=plan.parent.name,
            parent_version=plan.parent.version,
            layout=layout.digest.hex(),
            base_sha256=sent.sha256,
            travelling=sent.travelling,
            local=plan.local,
            proximal=mu,
            # Masked sums are of whole numbers of their own; quantising twice gains nothing.
            packing=Packing.FP32 if plan.is_secure_sum else plan.packing,
            batch_norm=plan.batch_norm,
            seed=plan.seed,
        )
        for client in plan.clients
    ]


def facts_of(
    plan: RunPlan,
    number: int,
    sent: GlobalWeights,
    layout: Layout,
    before: Sequence[RoundOutcome],
) -> RoundFacts:
    """What the server knows of a round without asking anybody."""
    norms = [
        client.norm
        for outcome in before
        for client in outcome.clients
        if client.norm is not None and client.weight > 0
    ]
    return RoundFacts(
        layout=layout,
        base_round=number - 1,
        base_digest=sent.sha256,
        base_norm=float(np.linalg.norm(sent.values)),
        known_samples=known_samples(plan),
        usual_norm=statistics.median(norms) if norms else None,
        clip_norm=plan.privacy.clip_norm if plan.privacy else None,
    )


def check_quorum(plan: RunPlan, number: int, clients: Sequence[ClientOutcome]) -> None:
    """Return only when enough updates were taken.

    Raises:
        ConflictError: They were not.
    """
    taken = (ClientVerdict.ACCEPTED, ClientVerdict.CAPPED)
    count = sum(client.verdict in taken for client in clients)
    if count < plan.quorum:
        raise ConflictError(
            f"round {number}: {count} of {len(clients)} updates were taken, "
            f"quorum is {plan.quorum}",
            hint="resume when more devices are ready, or plan with a lower quorum",
        )
