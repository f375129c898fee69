"""A row of a comparison and the cameras that take part → the weights that each camera ends with.

Every row starts from the same weights, sees the same number of pictures, and is anchored
in the same way after each round; only what the row names differs. Everything happens in
one process, through the same training and anchoring that devices and bench run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.rounds import (
    AnchorSettings,
    BatchNorm,
    ClientVerdict,
    LocalTraining,
    Packing,
    RunPlan,
    ScreeningSettings,
)
from common.samples import Sample
from models.federated.aggregation import aggregate
from models.federated.anchoring import anchor_step
from models.federated.codec import pack, unpack
from models.federated.laboratory_data import CameraClient
from models.federated.local_batch_norm import with_own_part
from models.federated.local_training import LocalTask, seed_of, train_locally
from models.federated.parameters import Layout
from models.federated.server_optimiser import ServerState
from models.federated.spool import UpdatesInMemory
from models.federated.verdicts import Judged

F32 = NDArray[np.float32]
EVERYBODY = "everybody"


class Method(StrEnum):
    """Who learns from whom."""

    ZERO_SHOT = "zero_shot"
    LOCAL_ONLY = "local_only"
    CENTRALISED = "centralised"
    FEDERATED = "federated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a comparison.

    Attributes:
        name: In tables and file names.
        mu: Of FedProx.
        is_pseudo: Trains on the teacher's boxes alone.
        packing: How updates travel; float32 is exact.
        anchor: Instead of the comparison's own.
        local: Fields of ``LocalTraining`` that differ from the comparison's.
    """

    name: str
    method: Method
    mu: float = 0.0
    batch_norm: BatchNorm = BatchNorm.SHARED
    is_pseudo: bool = False
    packing: Packing = Packing.FP32
    anchor: AnchorSettings | None = None
    local: Mapping[str, float | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rows of a comparison share.

    Attributes:
        model: ``ultralytics.YOLO`` with the weights that everybody starts from.
        start: The same as a vector, shape (layout.size,).
        plan: Rounds, local training, anchor and seed.
    """

    model: Any
    start: F32
    layout: Layout
    plan: RunPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a row ends with.

    Attributes:
        everywhere: Weights for a camera that took no part; one per camera where nobody
            shares anything.
        own: Camera → the weights that it counts with.
        images: Pictures trained on, repetitions counted, the anchor's not.
        sent_bytes: Mean size of an update, 0 where none travels.
    """

    everywhere: dict[str, F32]
    own: dict[str, F32]
    images: int
    sent_bytes: float = 0.0


def train_row(bench: Bench, row: Row, clients: Sequence[CameraClient]) -> Trained:
    """Train one row on some cameras.

    Raises:
        ConflictError: A camera has nothing to train on.
    """
    bench = replace(bench, plan=_plan_of(bench.plan, row))
    samples = {c.name: c.pseudo if row.is_pseudo else c.labelled for c in clients}
    if row.method is Method.ZERO_SHOT:
        return Trained(
            everywhere={EVERYBODY: bench.start},
            own=dict.fromkeys(samples, bench.start),
            images=0,
        )
    if row.method is Method.FEDERATED:
        return _federated(bench, row, samples)
    pooled = row.method is Method.CENTRALISED
    owners = {EVERYBODY: [s for own in samples.values() for s in own]} if pooled else samples
    ends = {name: _alone(bench, name, owned) for name, owned in owners.items()}
    images = bench.plan.rounds * bench.plan.local.epochs * sum(len(own) for own in samples.values())
    own = dict.fromkeys(samples, ends[EVERYBODY]) if pooled else dict(ends)
    return Trained(everywhere=ends, own=own, images=images)


def _plan_of(plan: RunPlan, row: Row) -> RunPlan:
    local = LocalTraining.model_validate(plan.local.model_dump() | dict(row.local))
    return plan.model_copy(
        update={
            "local": local,
            "anchor": row.anchor or plan.anchor,
            "screening": ScreeningSettings(is_on=False),  # nobody lies here
        }
    )


def _alone(bench: Bench, name: str, samples: Sequence[Sample]) -> F32:
    vector = bench.start
    for number in range(1, bench.plan.rounds + 1):
        task = LocalTask(
            vector=vector,
            layout=bench.layout,
            samples=samples,
            plan_local=bench.plan.local,
            seed=seed_of(bench.plan.seed, number, name),
            scored=0,
        )
        vector = train_locally(bench.model, task).vector
        vector = anchor_step(bench.model, vector, bench.plan, number)
    return vector


def _federated(bench: Bench, row: Row, samples: Mapping[str, Sequence[Sample]]) -> Trained:
    vector, images, sent = bench.start, 0, []
    norms: dict[str, F32] = {}
    rest: dict[str, F32] = {}
    state = ServerState()
    for number in range(1, bench.plan.rounds + 1):
        deltas: dict[str, F32] = {}
        seen: dict[str, int] = {}
        for name in sorted(samples):
            task = LocalTask(
                vector=vector,
                layout=bench.layout,
                samples=samples[name],
                plan_local=bench.plan.local,
                batch_norm=row.batch_norm,
                mu=row.mu,
                seed=seed_of(bench.plan.seed, number, name),
                own_norm=norms.get(name),
                scored=0,
            )
            result = train_locally(bench.model, task)
            if result.own_norm is not None:
                norms[name] = result.own_norm
            delta = result.vector - vector
            packed = pack(delta, packing=row.packing, layout=bench.layout, residual=rest.get(name))
            rest[name] = packed.residual
            sent.append(len(packed.data))
            deltas[name] = unpack(packed.data, bench.layout)
            seen[name] = result.samples
        images += sum(seen.values()) * bench.plan.local.epochs
        judged = [
            Judged(client=name, verdict=ClientVerdict.ACCEPTED, weight=count / sum(seen.values()))
            for name, count in seen.items()
        ]
        updates = UpdatesInMemory(bench.layout, deltas)
        done = aggregate(vector, judged, updates, plan=bench.plan, state=state)
        vector, state = done.vector, done.state
        vector = anchor_step(bench.model, vector, bench.plan, number)
    own = {
        name: with_own_part(vector, norms[name], bench.layout) if name in norms else vector
        for name in samples
    }
    return Trained(
        everywhere={EVERYBODY: vector}, own=own, images=images, sent_bytes=float(np.mean(sent))
    )
