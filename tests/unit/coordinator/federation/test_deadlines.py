from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from coordinator.federation.deadlines import DeadlineSettings, deadline_s, percentile

pytestmark = pytest.mark.unit

SETTINGS = DeadlineSettings(first_s=900, margin=2.0, most_s=3600)


@pytest.mark.parametrize(
    ("times_s", "expected_s"),
    [
        pytest.param({"a": []}, 900, id="never measured"),
        pytest.param({"a": [100.0]}, 260, id="one round: twice its time and a minute to start"),
        pytest.param({"a": [100.0], "b": [300.0]}, 660, id="the slowest device decides"),
        pytest.param({"a": [100.0], "b": []}, 900, id="a new device has the first deadline"),
        pytest.param({"a": [5000.0]}, 3600, id="never longer than allowed"),
        pytest.param({"a": [10.0] * 9 + [100.0]}, 80, id="one slow round in ten is an accident"),
        pytest.param({"a": [10.0] * 8 + [100.0] * 2}, 260, id="two in ten are a habit"),
    ],
)
def test_a_deadline_follows_measured_times(
    times_s: Mapping[str, Sequence[float]], expected_s: float
) -> None:
    assert deadline_s(times_s, SETTINGS) == expected_s


def test_the_ninetieth_percentile_is_a_measured_value() -> None:
    assert percentile([3.0, 1.0, 2.0]) == 3.0
    assert percentile(list(map(float, range(1, 101)))) == 90.0


def test_nothing_has_no_percentile() -> None:
    with pytest.raises(ValueError, match="of nothing"):
        percentile([])
