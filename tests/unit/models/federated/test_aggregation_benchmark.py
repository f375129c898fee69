"""The memory of a round does not grow with the number of its clients."""

from __future__ import annotations

import pytest

from common.rounds import Strategy
from models.federated.aggregation_benchmark import VALUES, aggregation_memory, made_up_layout

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_a_mean_of_many_stays_below_three_models() -> None:
    # At the real size: what is held besides vectors (blocks, sketches) is the same for any
    # network, so of a smaller one it would be a larger share.
    few, many = (aggregation_memory(clients, with_flower=False)[0] for clients in (3, 24))

    assert many.peak_models < 3
    # 21 sketches of 16 KB and as many lists of layers are 0.04 models; the rest is chance.
    assert many.peak_models - few.peak_models < 0.2
    assert many.spool_bytes > 6 * few.spool_bytes


def test_an_adaptive_mean_holds_its_two_moments_as_well() -> None:
    (row,) = aggregation_memory(3, strategies=(Strategy.FEDYOGI,), with_flower=False)

    assert 4 < row.peak_models < 5


def test_a_network_of_half_the_size_takes_half_a_megabyte_more_than_half_the_memory() -> None:
    half = VALUES // 2

    (row,) = aggregation_memory(3, values=half, with_flower=False)

    assert row.peak_models * 4 * half < 3 * 4 * half + 2**19


def test_every_strategy_asked_for_is_measured() -> None:
    wanted = (Strategy.FEDAVG, Strategy.FEDMEDIAN)

    rows = aggregation_memory(5, strategies=wanted, values=20_000, with_flower=False)

    assert [row.strategy for row in rows] == list(wanted)
    assert all(row.clients == 5 and row.aggregation_s > 0 for row in rows)


def test_the_made_up_network_has_the_values_asked_for() -> None:
    assert made_up_layout(VALUES).size == VALUES == 2_621_746
