from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from coordinator.demo import Demo, DemoSite
from coordinator.demo_round import can_train

pytestmark = [pytest.mark.e2e, pytest.mark.ml, pytest.mark.slow, pytest.mark.timeout(2400)]

SITES = (
    DemoSite(name="day", scene="simulate:road?seed=1&mix=car:8,truck:2,bus:2&duration=12"),
    DemoSite(name="night", scene="simulate:junction?seed=7&light=night&duration=12"),
    DemoSite(name="rain", scene="simulate:junction?seed=3&weather=rain&duration=12"),
)


@pytest.mark.skipif(not can_train(), reason="needs the train extra")
def test_three_boxes_count_and_then_learn_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(file=io.StringIO(), width=120)
    monkeypatch.chdir(tmp_path)  # make demo names a folder in the one where it stands

    story = Demo(Path("out/demo"), console, sites=SITES, learns=True).run()

    results, learnt = story.results, story.learnt
    assert all(result.is_stored_exactly for result in results)
    assert learnt is not None
    assert learnt.state in ("candidate", "rejected"), learnt.reasons
    assert [client["verdict"] for client in learnt.clients] == ["accepted"] * 3
    assert all(0 < client["sent_bytes"] < 1_400_000 for client in learnt.clients)
    assert learnt.before.keys() == learnt.after.keys() == {"day", "night", "rain"}
    # run, round, three boxes, the round's result, its judgement and the verdict
    assert learnt.lines == 8
