"""Our strategies give what Flower's strategies of the same name give on the same arrays.

Two things have to be set right for that, both in Flower (1.41), and each is shown by a test here:

* ``multikrum.compute_distances`` takes ||x||² + ||y||² - 2xy of whole weights in their own
  precision. The deltas of a round are a thousandth of the weights, so in float32 what is left
  after the subtraction is mostly rounding, and Krum, Multi-Krum and Bulyan then choose by that
  instead of by distance. Here Flower gets the same weights in float64.
* ``Bulyan`` takes all theta updates from one scoring. El Mhamdi et al. 2018 take one, remove it and
  score the rest anew, and so do we. Flower allows another selection rule: here it gets its own
  Krum, applied again and again.

``test_aggregation_as_papers.py`` compares with the papers without Flower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from common.rounds import ClientVerdict, Strategy
from models.federated.aggregation import aggregate
from models.federated.parameters import F32, layout_of
from models.federated.server_optimiser import BETA_1, BETA_2, TAU, ServerState
from models.federated.spool import UpdatesInMemory
from models.federated.verdicts import Judged
from tests.fakes.made_up_updates import plan_for

pytestmark = [pytest.mark.unit, pytest.mark.ml]

VALUES = 500
LAYOUT = layout_of({"flat": np.zeros(VALUES, np.float32)})
LIARS = 1
BY_DISTANCE = (Strategy.KRUM, Strategy.MULTI_KRUM, Strategy.BULYAN)


def made_up_rounds(clients: int) -> tuple[F32, list[dict[str, F32]], dict[str, int]]:
    rng = np.random.default_rng(clients)
    names = [f"c{index:02}" for index in range(clients)]
    base = rng.standard_normal(VALUES).astype(np.float32)
    rounds = [
        {n: (rng.standard_t(3, VALUES) * 1e-3).astype(np.float32) for n in names} for _ in range(3)
    ]
    return base, rounds, {name: 10 + 7 * index for index, name in enumerate(names)}


def flower_strategy(strategy: Strategy, clients: int) -> Any:
    pytest.importorskip("flwr.serverapp.strategy")
    from flwr.serverapp import strategy as flower  # noqa: PLC0415 - the train extra

    adaptive = {"eta": TAU, "beta_1": BETA_1, "beta_2": BETA_2, "tau": TAU}
    return {
        Strategy.FEDAVG: flower.FedAvg,
        Strategy.FEDPROX: lambda: flower.FedProx(proximal_mu=0.1),
        Strategy.FEDMEDIAN: flower.FedMedian,
        # The share that leaves one out at each end; a hair more, int() cuts.
        Strategy.TRIMMED_MEAN: lambda: flower.FedTrimmedAvg(beta=LIARS / clients + 1e-9),
        Strategy.KRUM: lambda: flower.Krum(num_malicious_nodes=LIARS),
        Strategy.MULTI_KRUM: lambda: flower.MultiKrum(
            num_malicious_nodes=LIARS, num_nodes_to_select=clients - LIARS
        ),
        Strategy.BULYAN: lambda: flower.Bulyan(
            num_malicious_nodes=LIARS, selection_rule=krum_again_and_again
        ),
        Strategy.FEDADAM: lambda: flower.FedAdam(**adaptive),
        Strategy.FEDYOGI: lambda: flower.FedYogi(**adaptive),
    }[strategy]()


@dataclass(frozen=True)
class ReplyOfClient:
    """What a strategy looks at of a message; a real one exists only inside a running app."""

    content: Any

    def has_error(self) -> bool:
        return False


def krum_again_and_again(contents: list[Any], liars: int, count: int) -> list[Any]:
    """Bulyan's selection as in the paper, out of Flower's Krum."""
    from flwr.serverapp.strategy.multikrum import select_multikrum  # noqa: PLC0415

    left, chosen = list(contents), []
    while len(chosen) < count:
        (best,) = select_multikrum(left, liars, 1)
        left = [one for one in left if one is not best]
        chosen.append(best)
    return [one for one in contents if any(one is each for each in chosen)]


def flower_replies(
    base: F32 | NDArray[np.float64], deltas: dict[str, F32], samples: dict[str, int]
) -> list[Any]:
    from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict  # noqa: PLC0415

    return [
        ReplyOfClient(
            RecordDict(
                {
                    "arrays": ArrayRecord({"flat": Array(base + delta)}),
                    "metrics": MetricRecord({"num-examples": samples[name]}),
                }
            )
        )
        for name, delta in deltas.items()
    ]


@pytest.mark.parametrize("clients", [7, 10])
@pytest.mark.parametrize("strategy", Strategy)
def test_three_rounds_give_what_flower_gives(strategy: Strategy, clients: int) -> None:
    base, rounds, samples = made_up_rounds(clients)
    total = sum(samples.values())
    judged = [
        Judged(client=name, verdict=ClientVerdict.ACCEPTED, weight=count / total)
        for name, count in samples.items()
    ]
    plan = plan_for(samples, strategy=strategy, most_byzantine=LIARS)
    theirs_by = flower_strategy(strategy, clients)
    ours, theirs, state = base, base, ServerState()

    for number, deltas in enumerate(rounds, start=1):
        found = aggregate(ours, judged, UpdatesInMemory(LAYOUT, deltas), plan=plan, state=state)
        whole = theirs.astype(np.float64) if strategy in BY_DISTANCE else theirs
        replies = flower_replies(whole, deltas, samples)
        if strategy in (Strategy.FEDADAM, Strategy.FEDYOGI):
            theirs_by.current_arrays = {"flat": theirs}
        arrays, _ = theirs_by.aggregate_train(number, replies)
        ours, state = found.vector, found.state
        theirs = arrays["flat"].numpy().astype(np.float32)

        np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-6)


def test_flower_loses_distances_of_whole_weights_in_single_precision() -> None:
    pytest.importorskip("flwr.serverapp.strategy")
    from flwr.app import Array, ArrayRecord  # noqa: PLC0415 - the train extra
    from flwr.serverapp.strategy.multikrum import compute_distances  # noqa: PLC0415

    base, (deltas, *_), _ = made_up_rounds(7)
    one, other = list(deltas.values())[:2]
    between = one.astype(np.float64) - other
    true = between @ between

    single, double = (
        compute_distances([ArrayRecord({"w": Array(kind(base) + d)}) for d in (one, other)])[0, 1]
        for kind in (np.float32, np.float64)
    )

    assert double == pytest.approx(true, rel=1e-6)
    assert abs(single - true) > 0.003 * true  # scores of honest clients differ by less


def test_flower_takes_all_of_bulyan_from_one_scoring() -> None:
    pytest.importorskip("flwr.serverapp.strategy")
    from flwr.serverapp.strategy.multikrum import select_multikrum  # noqa: PLC0415

    # Four near 0 and three near 5: once two of the four are gone, the three are the closer ones.
    places = [0.0, 0.1, 0.2, 0.3, 5.0, 5.1, 5.2]
    deltas = {f"c{i}": np.full(4, place, np.float32) for i, place in enumerate(places)}
    contents = [r.content for r in flower_replies(np.zeros(4), deltas, dict.fromkeys(deltas, 1))]

    at_once = select_multikrum(contents, LIARS, 5)
    one_by_one = krum_again_and_again(contents, LIARS, 5)

    assert {id(one) for one in at_once} != {id(one) for one in one_by_one}
