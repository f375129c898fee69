"""Camera → box → broker → coordinator → answer, with the commands that a city runs."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from coordinator.demo import Demo, DemoSite
from coordinator.demo_counting import show

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

SHORT = DemoSite(name="road", scene="simulate:road?seed=1&duration=12&fps=8&size=640x360")


@pytest.fixture(scope="module")
def told() -> io.StringIO:
    """What the demo printed."""
    return io.StringIO()


def test_what_a_box_counted_is_what_the_coordinator_answers(
    tmp_path: Path, told: io.StringIO
) -> None:
    console = Console(file=told, width=120)

    story = Demo(tmp_path, console, sites=[SHORT]).run()
    (result,) = story.results
    show([result], console, video_bytes_per_s=100_000)

    assert story.learnt is None
    assert story.delivery is None
    assert result.is_stored_exactly
    assert result.watched_s == pytest.approx(12, abs=1.5)
    # Layout, health and two minutes at most: sealed, each is about two kilobytes.
    assert 2_000 < result.uplink_bytes < 30_000
    assert "enrolled as road-" in told.getvalue()
    assert "database equals box: yes" in told.getvalue()
