"""The benchmark on a very small city: it fills, goes on where it was, and shows its plans."""

from __future__ import annotations

import pytest

from coordinator.traffic.benchmark import BenchmarkOptions, run_benchmark, sizes_of
from coordinator.traffic.benchmark_places_store import ROWS_PER_SITE_DAY

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_a_small_city_is_filled_once_and_asked(postgres_url: str) -> None:
    options = BenchmarkOptions(rows=(2 * ROWS_PER_SITE_DAY,), days=2, repeats=2)
    told: list[str] = []

    first = run_benchmark(postgres_url, options, told=told.append)
    again = run_benchmark(postgres_url, options, told=told.append)

    (size,) = first["sizes"]
    assert size["rows"]["traffic_count"] == 2 * ROWS_PER_SITE_DAY == 69_120
    # 24 series × (2 days in UTC × (288 + 96 + 24) sums + the 3 local days that they touch)
    assert size["rows"]["traffic_count_rollup"] == 24 * (2 * 408 + 3)
    # 24 series, 2 kinds of them and a camera, 3 sums at noon and 1 of the local day
    assert size["sums_checked"] == 27 * 4
    assert again["sizes"][0]["rows"] == size["rows"]
    assert len([line for line in told if "template" in line]) == 1
    assert len(size["questions"]) == 5
    for question in size["questions"]:
        assert question["p50_ms"] <= question["p95_ms"] <= question["worst_ms"]
        kept = "kind" if "added up" in question["question"] else "count"
        counts = [s for s in question["statements"] if f"traffic_{kept}_rollup" in s["sql"]]
        assert any(f"traffic_{kept}_rollup_pkey" in line for line in counts[0]["plan"])
        assert all(statement["plan"] for statement in question["statements"])


@pytest.mark.parametrize("text", ["", "x", "0", "-5,10"])
def test_sizes_are_numbers_above_zero(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|invalid literal"):
        sizes_of(text)
