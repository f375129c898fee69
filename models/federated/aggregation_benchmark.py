"""A number of made-up clients → memory and seconds of a round's aggregation, beside plain Flower.

Every row is measured in a process of its own, which reads its highest resident memory back from
the kernel (``VmHWM``), less what interpreter and libraries took before the round began: a round
of the smallest network goes before, because what code touches when it first runs is a share of a
model that grows as the network shrinks. Base, sum, screening and everything else of the round
are counted.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from common.errors import ConfigError
from common.rounds import (
    Packing,
    ParentModel,
    PlannedClient,
    RunPlan,
    ScreeningSettings,
    Strategy,
    fewest_updates,
)
from models.federated.aggregation import aggregate
from models.federated.codec import pack
from models.federated.parameters import F32, Layout, layout_of
from models.federated.screening import Arrived, RoundFacts, screen
from models.federated.server_optimiser import ServerState
from models.federated.spool import UpdateSpool
from models.federated.verdicts import known_samples

VALUES = 2_621_746
"""Of YOLO11n with our six classes."""

PLAIN_FLOWER = "plain flower fedavg"

_LAYERS = 400
_LIARS = 1
_FEW = 7  # enough for every strategy against one liar
_STATUS = Path("/proc/self/status")
_BASE_DIGEST = "0" * 64
_LENGTH = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregationCost:
    """One strategy over one round.

    Attributes:
        strategy: Ours by name, or ``PLAIN_FLOWER``.
        clients: Updates in the round.
        screening_s: Unpacking and judging all of them.
        aggregation_s: From verdicts to the next vector; of Flower, the whole of its mean.
        peak_models: Highest memory of the round in units of one float32 model.
        spool_bytes: What the round held on disk, 0 of Flower.
    """

    strategy: str
    clients: int
    screening_s: float
    aggregation_s: float
    peak_models: float
    spool_bytes: int


@dataclass(frozen=True, slots=True)
class _Case:
    strategy: str
    folder: Path
    clients: int
    values: int


def aggregation_memory(
    clients: int = 200,
    *,
    strategies: Sequence[Strategy] = (Strategy.FEDAVG,),
    with_flower: bool = True,
    values: int = VALUES,
) -> list[AggregationCost]:
    """Make updates, pack them as they would travel, and aggregate them once per strategy.

    Args:
        clients: How many; each about 1.2 MB on disk for the time being.
        strategies: Strategies that need all values of a coordinate also unpack every update to
            disk, 10 MB each.
        with_flower: Also the mean of ``flwr`` over the same deltas; it holds them all.
        values: Of the made-up network.

    Raises:
        ConfigError: This machine does not tell the memory of a process.
    """
    if not _STATUS.is_file():
        raise ConfigError(f"no {_STATUS}, expected Linux to measure memory")
    names = [*map(str, strategies), *([PLAIN_FLOWER] if with_flower else [])]
    with tempfile.TemporaryDirectory() as folder:
        cases = [_Case(name, Path(folder) / "round", clients, values) for name in names]
        make_updates(cases[0].folder, clients, values)
        return [_alone(case) for case in cases]


def make_updates(folder: Path, clients: int, values: int) -> None:
    """Fill a spool with int8 updates: layers of different scale, heavy tails, a common part."""
    layout = made_up_layout(values)
    spool = UpdateSpool(folder, layout)
    common = _drawn(layout, 0)
    for index in range(clients):
        delta = 0.4 * common + 0.9 * _drawn(layout, index + 1)
        delta *= np.float32(_LENGTH / np.linalg.norm(delta))
        spool.put(_name(index), pack(delta, packing=Packing.INT8, layout=layout).data)


def made_up_layout(values: int) -> Layout:
    """About 400 arrays of together so many values."""
    sizes = [len(part) for part in np.array_split(np.empty(values, np.bool_), _LAYERS)]
    return layout_of(
        {f"layer-{i}": np.empty(size, np.float32) for i, size in enumerate(sizes) if size}
    )


def _drawn(layout: Layout, seed: int) -> F32:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(layout.size, dtype=np.float32)
    values *= np.float32(0.5) + np.abs(values)
    scales = np.random.default_rng(0).uniform(0.1, 1, len(layout.entries)).astype(np.float32)
    for entry, scale in zip(layout.entries, scales, strict=True):
        values[entry.place] *= scale
    return values


def _alone(case: _Case) -> AggregationCost:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        measure = _flower_round if case.strategy == PLAIN_FLOWER else _our_round
        return pool.submit(measure, case).result()


def _our_round(case: _Case) -> AggregationCost:
    with tempfile.TemporaryDirectory() as folder:
        small = replace(case, folder=Path(folder) / "small", clients=_FEW, values=_LAYERS)
        make_updates(small.folder, small.clients, small.values)
        _measured_round(small)
    return _measured_round(case)


def _measured_round(case: _Case) -> AggregationCost:
    layout = made_up_layout(case.values)
    spool = UpdateSpool(case.folder, layout)
    plan = RunPlan(
        run="benchmark",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        parent=ParentModel(name="made-up", version="1", sha256="0" * 64, file=Path("parent.pt")),
        clients=tuple(PlannedClient(device=_name(i), samples=100) for i in range(case.clients)),
        strategy=Strategy(case.strategy),
        quorum=fewest_updates(Strategy(case.strategy), _LIARS),
        most_byzantine=_LIARS,
    )
    before = _memory_bytes("VmRSS")
    base = np.random.default_rng(1).standard_normal(layout.size, dtype=np.float32)
    facts = RoundFacts(
        layout=layout,
        base_round=0,
        base_digest=_BASE_DIGEST,
        base_norm=float(np.linalg.norm(base)),
        known_samples=known_samples(plan),
    )
    started_s = time.perf_counter()
    judged = screen(_arrived(spool), facts=facts, settings=ScreeningSettings())
    screened_s = time.perf_counter()
    aggregate(base, judged, spool, plan=plan, state=ServerState())
    ended_s = time.perf_counter()
    return AggregationCost(
        strategy=case.strategy,
        clients=case.clients,
        screening_s=screened_s - started_s,
        aggregation_s=ended_s - screened_s,
        peak_models=(_memory_bytes("VmHWM") - before) / (4 * layout.size),
        spool_bytes=sum(path.stat().st_size for path in case.folder.iterdir()),
    )


def _arrived(spool: UpdateSpool) -> list[Arrived]:
    return [
        Arrived(
            client=client,
            vector_of=partial(spool.vector, client),
            claimed_samples=100,
            base_digest=_BASE_DIGEST,
            base_round=0,
        )
        for client in spool.clients()
    ]


def _flower_round(case: _Case) -> AggregationCost:
    from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
    from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords

    spool = UpdateSpool(case.folder, made_up_layout(case.values))
    before = _memory_bytes("VmRSS")
    # One flat array each: with one per layer Flower takes several times as long.
    replies = [
        RecordDict(
            {
                "arrays": ArrayRecord({"flat": Array(spool.vector(client))}),
                "metrics": MetricRecord({"num-examples": 100}),
            }
        )
        for client in spool.clients()
    ]
    started_s = time.perf_counter()
    aggregate_arrayrecords(replies, "num-examples")
    ended_s = time.perf_counter()
    return AggregationCost(
        strategy=PLAIN_FLOWER,
        clients=case.clients,
        screening_s=0.0,
        aggregation_s=ended_s - started_s,
        peak_models=(_memory_bytes("VmHWM") - before) / (4 * case.values),
        spool_bytes=0,
    )


def _name(index: int) -> str:
    return f"client-{index:05}"


def _memory_bytes(field: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise ConfigError(f"{_STATUS} does not tell {field}")
