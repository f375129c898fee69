"""Judged updates become the next vector: the right one, the same every time, never a broken one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConflictError, TrustError
from common.rounds import (
    BatchNorm,
    ClientVerdict,
    ScreeningSettings,
    Strategy,
    UpdatePrivacy,
    fewest_updates,
)
from models.federated.aggregation import MEANS, aggregate
from models.federated.parameters import F32, layout_of
from models.federated.robust_aggregation import liars_left
from models.federated.server_optimiser import ServerState
from models.federated.spool import UpdatesInMemory
from models.federated.update_noise import NoiseKey
from models.federated.verdicts import Judged
from tests.fakes.made_up_updates import honest_deltas, plan_for, small_layout

pytestmark = pytest.mark.unit

FOUR = layout_of({"a": np.zeros(4, np.float32)})


def accepted(client: str, weight: float, scale: float = 1.0) -> Judged:
    return Judged(
        client=client, verdict=ClientVerdict.ACCEPTED, weight=weight, scale=scale, norm=1.0
    )


def refused(client: str) -> Judged:
    return Judged(client=client, verdict=ClientVerdict.REFUSED, reasons=("zero",), scale=0.0)


def combined(
    rows: dict[str, list[float]], judged: list[Judged], strategy: Strategy, **changes: object
) -> F32:
    vectors = {name: np.array(row, np.float32) for name, row in rows.items()}
    plan = plan_for(dict.fromkeys(rows, 100), strategy=strategy, **changes)
    base = np.full(4, 10, np.float32)
    return aggregate(
        base, judged, UpdatesInMemory(FOUR, vectors), plan=plan, state=ServerState()
    ).vector


def test_a_mean_is_the_base_plus_weighted_and_shortened_deltas() -> None:
    rows = {"a": [4, 0, 0, 8], "b": [0, 8, 0, 4], "c": [99, 99, 99, 99]}
    judged = [accepted("a", 0.75), accepted("b", 0.25, scale=0.5), refused("c")]

    found = combined(rows, judged, Strategy.FEDAVG)

    assert found.tolist() == [13, 11, 10, 16.5]


def test_the_server_rate_stretches_the_step() -> None:
    found = combined({"a": [4, 0, 0, 8]}, [accepted("a", 1)], Strategy.FEDPROX, server_rate=0.5)

    assert found.tolist() == [12, 10, 10, 14]


def test_the_median_does_not_follow_one_that_is_far_out() -> None:
    rows = {"a": [1, 1, 1, 1], "b": [2, 2, 2, 2], "c": [900, -900, 900, -900]}
    judged = [accepted(name, 1 / 3) for name in rows]

    assert combined(rows, judged, Strategy.FEDMEDIAN).tolist() == [12, 11, 12, 11]


def test_the_trimmed_mean_leaves_out_the_ends() -> None:
    rows = {str(n): [n, n, n, n] for n in (1, 2, 3, 4)} | {"9": [-500, 500, -500, 500]}
    judged = [accepted(name, 0.2) for name in rows]

    found = combined(rows, judged, Strategy.TRIMMED_MEAN, most_byzantine=1)

    assert found.tolist() == [12, 13, 12, 13]


@pytest.mark.parametrize("strategy", [Strategy.KRUM, Strategy.MULTI_KRUM, Strategy.BULYAN])
def test_distance_based_strategies_do_not_follow_one_that_is_far_out(strategy: Strategy) -> None:
    rows = {f"c{n}": [n / 10, 1, 1, 1] for n in range(6)} | {"x": [900, 900, 900, 900]}
    judged = [accepted(name, 1 / 7) for name in rows]

    found = combined(rows, judged, strategy, most_byzantine=1)

    assert 10 <= found[0] <= 10.5
    assert found[1:] == pytest.approx([11, 11, 11])


@pytest.mark.parametrize("strategy", Strategy)
def test_the_order_of_arrival_changes_no_bit(strategy: Strategy) -> None:
    rng = np.random.default_rng(0)
    rows = {f"c{n}": list(rng.standard_normal(4)) for n in range(7)}
    judged = [accepted(name, 1 / 7) for name in rows]

    first, *others = (
        combined(rows, list(order), strategy).tobytes()
        for order in list(permutations(judged))[:: 7 * 120 - 1]
    )

    assert set(others) == {first}


@pytest.mark.parametrize("strategy", Strategy)
def test_clients_that_agree_get_what_they_agree_on(strategy: Strategy) -> None:
    rows = {f"c{n}": [1e-4, 0, -1e-4, 0] for n in range(7)}
    judged = [accepted(name, 1 / 7) for name in rows]

    step = combined(rows, judged, strategy) - 10

    assert np.sign(step).tolist() == [1, 0, -1, 0]


@pytest.mark.parametrize("strategy", Strategy)
def test_a_round_that_nobody_passed_is_no_round(strategy: Strategy) -> None:
    rows = {f"c{n}": [1.0, 1, 1, 1] for n in range(7)}

    with pytest.raises(ConflictError, match="no update was taken"):
        combined(rows, [refused(name) for name in rows], strategy)


def test_local_batch_norm_stays_that_of_the_base() -> None:
    layout = small_layout()
    deltas = honest_deltas(layout, 3, agreement=0.3)
    base = np.ones(layout.size, np.float32)
    plan = plan_for(dict.fromkeys(deltas, 100), batch_norm=BatchNorm.LOCAL)

    found = aggregate(
        base,
        [accepted(name, 1 / 3) for name in deltas],
        UpdatesInMemory(layout, deltas),
        plan=plan,
        state=ServerState(),
    ).vector

    assert (found[layout.batch_norm] == 1).all()
    assert (found[~layout.batch_norm] != 1).mean() > 0.9


def test_what_is_not_finite_never_becomes_a_model_unless_screening_is_off() -> None:
    rows = {"a": [np.nan, 0, 0, 0]}

    with pytest.raises(TrustError, match="not finite"):
        combined(rows, [accepted("a", 1)], Strategy.FEDAVG)

    off = ScreeningSettings(is_on=False)
    found = combined(rows, [accepted("a", 1)], Strategy.FEDAVG, screening=off)
    assert np.isnan(found[0])


@given(
    st.lists(
        st.lists(st.floats(-1e3, 1e3, width=32), min_size=4, max_size=4), min_size=1, max_size=7
    ),
    st.sampled_from([*MEANS[:2], Strategy.FEDMEDIAN, Strategy.TRIMMED_MEAN, Strategy.KRUM]),
)
def test_no_coordinate_leaves_the_range_of_the_clients(
    rows: list[list[float]], strategy: Strategy
) -> None:
    named = {f"c{n}": row for n, row in enumerate(rows)}
    judged = [accepted(name, 1 / len(rows)) for name in named]
    plan_liars = 0 if len(rows) < 5 else 1
    if len(rows) < fewest_updates(strategy, plan_liars):
        return

    step = combined(named, judged, strategy, most_byzantine=plan_liars) - 10

    assert (step <= np.max(rows, axis=0) + 1e-2).all()
    assert (step >= np.min(rows, axis=0) - 1e-2).all()


@pytest.mark.parametrize(
    ("strategy", "byzantine", "taken", "refused", "left"),
    [
        pytest.param(Strategy.KRUM, 1, 5, 0, 1, id="krum has enough"),
        pytest.param(Strategy.KRUM, 2, 6, 1, 1, id="one of two is caught already"),
        pytest.param(Strategy.KRUM, 2, 8, 2, 2, id="enough left to expect two more"),
        pytest.param(Strategy.BULYAN, 2, 8, 2, 1, id="bulyan of eight stands one"),
        pytest.param(Strategy.TRIMMED_MEAN, 1, 3, 0, 1, id="trimmed mean of three"),
    ],
)
def test_liars_that_were_caught_are_not_expected_again(
    strategy: Strategy, byzantine: int, taken: int, refused: int, left: int
) -> None:
    assert liars_left(strategy, byzantine, taken=taken, refused=refused) == left


def test_too_few_updates_for_a_promise_say_how_many_it_takes() -> None:
    with pytest.raises(ConflictError, match="krum with 4 updates, expected at least 5"):
        liars_left(Strategy.KRUM, 1, taken=4, refused=0)


def test_a_private_round_without_its_key_does_not_happen() -> None:
    private = UpdatePrivacy(clip_norm=1, noise_multiplier=1, most_epsilon=10)

    with pytest.raises(ValueError, match="noise key"):
        combined({"a": [1, 1, 1, 1]}, [accepted("a", 1)], Strategy.FEDAVG, privacy=private)


def test_noise_has_the_deviation_of_clip_over_everybody_who_arrived() -> None:
    layout = layout_of({"a": np.zeros(100_000, np.float32)})
    nothing = {name: np.zeros(layout.size, np.float32) for name in "ab"}
    plan = plan_for(
        {"a": 1, "b": 1, "c": 1, "d": 1},
        privacy=UpdatePrivacy(clip_norm=2, noise_multiplier=3, most_epsilon=10),
    )
    judged = [accepted("a", 0.25), accepted("b", 0.25), refused("c"), refused("d")]
    key = NoiseKey(secret=bytes(32), run="r", number=1, arrived_digest="")

    found = aggregate(
        np.zeros(layout.size, np.float32),
        judged,
        UpdatesInMemory(layout, nothing),
        plan=plan,
        state=ServerState(noise=key),
    ).vector

    # 3 x 2 / 4; the error of a standard deviation of 100,000 values is 0.22 %.
    assert found.std() == pytest.approx(1.5, rel=0.01)
    assert found.mean() == pytest.approx(0, abs=0.02)
