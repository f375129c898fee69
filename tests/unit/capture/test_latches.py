"""States that do not flicker."""

from __future__ import annotations

import pytest

from edge.capture.latches import Latch, Reading, above, below

pytestmark = pytest.mark.unit

READINGS = {"b": Reading.BAD, "g": Reading.GOOD, "-": Reading.BETWEEN}


@pytest.mark.parametrize(
    ("readings", "states"),
    [
        pytest.param("bbbbb", "...xx", id="bad for three seconds"),
        pytest.param("bbbgbb", "......", id="a shorter while is nothing"),
        pytest.param("bgbgbgbg", "........", id="flicker is nothing"),
        pytest.param("bb-bbb", "......", id="between starts the count again"),
        pytest.param("bbbbggg", "...xxx.", id="good for two seconds"),
        pytest.param("bbbbgbgbg", "...xxxxxx", id="flicker does not end it"),
        pytest.param("bbbb-----", "...xxxxxx", id="between keeps it"),
    ],
)
def test_a_state_is_entered_after_three_and_left_after_two_seconds(
    readings: str, states: str
) -> None:
    latch = Latch(enter_after_s=3, leave_after_s=2)

    seen = [latch.update(READINGS[reading], at_s) for at_s, reading in enumerate(readings)]

    assert "".join("x" if state else "." for state in seen) == states


def test_an_interruption_starts_the_count_again() -> None:
    latch = Latch(enter_after_s=3, leave_after_s=2)
    latch.update(Reading.BAD, 0)
    latch.interrupt()

    assert not latch.update(Reading.BAD, 100)


@pytest.mark.parametrize(
    ("value", "reading"), [(0.1, Reading.BAD), (0.25, Reading.BETWEEN), (0.4, Reading.GOOD)]
)
def test_below_has_a_band_between_its_thresholds(value: float, reading: Reading) -> None:
    assert below(value, enter=0.2, leave=0.3) is reading


@pytest.mark.parametrize(
    ("value", "reading"), [(0.1, Reading.GOOD), (0.25, Reading.BETWEEN), (0.4, Reading.BAD)]
)
def test_above_has_a_band_between_its_thresholds(value: float, reading: Reading) -> None:
    assert above(value, enter=0.3, leave=0.2) is reading
