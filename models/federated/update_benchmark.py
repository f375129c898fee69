"""Real local updates → what each packing costs in bytes and in mAP50, and a round in seconds.

The updates are those of the attack table: ten clients, two rounds. For each packing both
rounds' deltas travel as they would (what the first loses is fed back into the second) and the
plain weighted mean of what arrived is scored; so the only difference between rows is the wire.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from common.rounds import Packing, ScreeningSettings
from models.federated.aggregation import MEANS, mean_update
from models.federated.aggregation_benchmark import AggregationCost
from models.federated.attack_problem import AttackProblem, weighted_mean
from models.federated.codec import pack, unpack
from models.federated.parameters import F32, Layout, unflatten
from models.federated.screening import screen
from models.federated.spool import UpdateSpool
from models.federated.verdicts import Arrived, RoundFacts

MOST_BYTES = 1_400_000
MOST_LOST = 0.003
MOST_MODELS = 3.0
"""Peak memory of a streaming strategy, in models, whatever the number of clients."""
Score = Callable[[F32], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackingRow:
    """One packing.

    Attributes:
        mean_bytes: Of one client's update in one round.
        most_bytes: Of the longest of all.
        map50: After round 1 and after round 2.
        lost: mAP50 against fp32, after each.
    """

    packing: Packing
    mean_bytes: int
    most_bytes: int
    map50: tuple[float, float]
    lost: tuple[float, float]

    @property
    def is_kept(self) -> bool:
        """Within the limits on bytes and on loss."""
        return self.most_bytes <= MOST_BYTES and max(self.lost) <= MOST_LOST


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTimes:
    """Work of one round without training and network, beside plain Flower FedAvg.

    Attributes:
        clients: How many updates.
        ours_client_s: Packing one update as int8, median.
        ours_server_s: Spooling, unpacking, screening and summing all of them.
        flower_client_s: Serialising the same values as Flower's arrays, one per tensor.
        flower_server_s: Deserialising all of them and ``FedAvg.aggregate_train``.
        ours_bytes: Of one update on the wire.
        flower_bytes: The same.
        difference: Largest difference between the two means, as a share of the mean's length.
    """

    clients: int
    ours_client_s: float
    ours_server_s: float
    flower_client_s: float
    flower_server_s: float
    ours_bytes: int
    flower_bytes: int
    difference: float


def packing_rows(problem: AttackProblem, score: Score) -> list[PackingRow]:
    """Bytes and mAP50 of every packing on the same updates; fp32 first."""
    rows: list[PackingRow] = []
    for packing in Packing:
        sizes, vectors = _two_rounds(problem, packing)
        found = tuple(score(vector) for vector in vectors)
        exact = rows[0].map50 if rows else found
        rows.append(
            PackingRow(
                packing=packing,
                mean_bytes=round(sum(sizes) / len(sizes)),
                most_bytes=max(sizes),
                map50=(found[0], found[1]),
                lost=(exact[0] - found[0], exact[1] - found[1]),
            )
        )
    return rows


def _two_rounds(problem: AttackProblem, packing: Packing) -> tuple[list[int], list[F32]]:
    sizes: list[int] = []
    residuals: dict[str, F32] = {}
    vectors = []
    vector = problem.start
    for deltas in (problem.stale, problem.deltas):
        arrived = {}
        for client, delta in deltas.items():
            packed = pack(
                delta, packing=packing, layout=problem.layout, residual=residuals.get(client)
            )
            residuals[client] = packed.residual
            sizes.append(len(packed.data))
            arrived[client] = unpack(packed.data, problem.layout)
        vector = vector + weighted_mean(arrived, problem.samples)
        vectors.append(vector)
    return sizes, vectors


def time_round(
    layout: Layout, base: F32, deltas: Mapping[str, F32], samples: Mapping[str, int]
) -> RoundTimes:
    """The server's and one client's work, ours and plain Flower FedAvg's, on the same updates."""
    ours = _time_ours(layout, base, deltas, samples)
    theirs = _time_flower(layout, base, deltas, samples)
    mean, flower_mean = ours[0], theirs[0] - base
    length = float(np.linalg.norm(flower_mean))
    return RoundTimes(
        clients=len(deltas),
        ours_client_s=ours[1],
        ours_server_s=ours[2],
        flower_client_s=theirs[1],
        flower_server_s=theirs[2],
        ours_bytes=ours[3],
        flower_bytes=theirs[3],
        difference=float(np.linalg.norm(mean - flower_mean)) / length if length else 0.0,
    )


_Timed = tuple[F32, float, float, int]


def _time_ours(
    layout: Layout, base: F32, deltas: Mapping[str, F32], samples: Mapping[str, int]
) -> _Timed:
    def sent(delta: F32) -> bytes:
        return pack(delta, packing=Packing.INT8, layout=layout).data

    packed, client_s = _each(partial(sent, delta) for delta in deltas.values())
    base_digest = hashlib.sha256(base.tobytes()).hexdigest()
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        spool = UpdateSpool(Path(folder) / "round", layout)
        digests = {c: spool.put(c, data) for c, data in zip(deltas, packed, strict=True)}
        facts = RoundFacts(
            layout=layout,
            base_round=0,
            base_digest=base_digest,
            base_norm=float(np.linalg.norm(base)),
            known_samples=samples,
        )
        arrived = [
            Arrived(
                client=client,
                vector_of=partial(spool.vector, client),
                claimed_samples=samples[client],
                base_digest=base_digest,
                base_round=0,
                data_digest=digest,
            )
            for client, digest in digests.items()
        ]
        judged = screen(arrived, facts=facts, settings=ScreeningSettings())
        taken = [one for one in judged if one.is_taken]
        mean = mean_update(taken, spool, shares=[one.weight for one in taken])
    return mean, client_s, time.perf_counter() - started_s, max(map(len, packed))


def _time_flower(
    layout: Layout, base: F32, deltas: Mapping[str, F32], samples: Mapping[str, int]
) -> _Timed:
    from flwr.app import ArrayRecord, MetricRecord, RecordDict
    from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
    from flwr.proto.recorddict_pb2 import RecordDict as WireRecord
    from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords

    def sent(client: str, delta: F32) -> bytes:
        content = RecordDict(
            {
                "arrays": ArrayRecord.from_numpy_ndarrays(
                    list(unflatten(base + delta, layout).values())
                ),
                "metrics": MetricRecord({"num-examples": samples[client]}),
            }
        )
        return bytes(recorddict_to_proto(content).SerializeToString())

    wires, client_s = _each(partial(sent, client, delta) for client, delta in deltas.items())
    started_s = time.perf_counter()
    contents = [recorddict_from_proto(WireRecord.FromString(wire)) for wire in wires]
    mean = aggregate_arrayrecords(contents, "num-examples")
    arrays = mean.to_numpy_ndarrays()
    took_s = time.perf_counter() - started_s
    flat = np.concatenate([values.ravel() for values in arrays]).astype(np.float32)
    return flat, client_s, took_s, max(map(len, wires))


def _each(works: Iterable[Callable[[], bytes]]) -> tuple[list[bytes], float]:
    """Results and the median time of one."""
    results, took_s = [], []
    for work in works:
        started_s = time.perf_counter()
        results.append(work())
        took_s.append(time.perf_counter() - started_s)
    return results, median(took_s)


def as_plain(
    rows: Iterable[PackingRow], times: RoundTimes, costs: Iterable[AggregationCost]
) -> dict[str, Any]:
    """JSON values."""
    return {
        "packing": [asdict(row) | {"within_limits": row.is_kept} for row in rows],
        "limits": {
            "most_bytes": MOST_BYTES,
            "most_lost_map50": MOST_LOST,
            "most_models": MOST_MODELS,
        },
        "round": asdict(times),
        "aggregation": [asdict(cost) | {"is_streaming": streams(cost)} for cost in costs],
    }


def streams(cost: AggregationCost) -> bool:
    """Whether the strategy promises memory that does not grow with the clients."""
    return cost.strategy in [str(strategy) for strategy in MEANS]


def shown(rows: Iterable[PackingRow], times: RoundTimes, costs: Sequence[AggregationCost]) -> str:
    """The same for reading."""
    lines = [
        "| packing | bytes, mean | bytes, most | mAP50 round 1 (lost) | mAP50 round 2 (lost) |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        scores = " | ".join(
            f"{100 * value:.2f} ({100 * lost:+.2f})"
            for value, lost in zip(row.map50, row.lost, strict=True)
        )
        lines.append(f"| {row.packing} | {row.mean_bytes} | {row.most_bytes} | {scores} |")
    lines += [
        "",
        f"one round of {times.clients} clients, without training and network:",
        f"  ours    {times.ours_bytes} bytes and {times.ours_client_s:.2f} s a client, server "
        f"{times.ours_server_s:.1f} s (spool, unpack, screen, sum)",
        f"  Flower  {times.flower_bytes} bytes and {times.flower_client_s:.2f} s a client, server "
        f"{times.flower_server_s:.1f} s (FedAvg of one array per tensor, nothing screened)",
        f"  the two means differ by {100 * times.difference:.2f} % of their length",
    ]
    if costs:
        lines += ["", f"{costs[0].clients} made-up clients of YOLO11n size:", ""]
        lines += ["| strategy | screening s | aggregation s | peak, models | disk MB |"]
        lines += ["|---|---:|---:|---:|---:|"]
    lines += [
        f"| {cost.strategy} | {cost.screening_s:.1f} | {cost.aggregation_s:.1f} | "
        f"{cost.peak_models:.1f} | {cost.spool_bytes / 1e6:.0f} |"
        for cost in costs
    ]
    return "\n".join(lines)
