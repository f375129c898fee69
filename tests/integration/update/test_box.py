"""The product's own process on the way to a release: good ones, broken ones, cut off anywhere."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.release import reasons
from common.release_state import SlotName, Step
from edge.update.machine import MOST_STARTS
from edge.update.record import PREPARING
from tests.conftest import REPOSITORY
from tests.fakes.white_cell_onnx import BUS
from tests.integration.update.conftest import Town

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def test_a_good_release_takes_over_in_the_same_process_and_stays(town: Town) -> None:
    town.publish("1.1.0")
    box = town.box
    box.wish("1.1.0")
    box.start()

    box.until(lambda: box.record.step is Step.CONFIRMED)
    box.until(lambda: box.counts_with("1.1.0"))

    record = box.record
    assert record.active is SlotName.A
    assert record.gate is not None
    assert (record.gate.match, record.gate.f1, record.gate.active_f1) == (1.0, 1.0, 1.0)
    assert box.log.count("agent_started") == 2
    assert box.stop() == 0
    box.start()
    box.until(lambda: box.counts_with("1.1.0"))


def test_a_model_that_is_wrong_is_refused_however_well_it_matches_itself(town: Town) -> None:
    town.publish("1.1.0", sees=BUS)
    box = town.box
    box.wish("1.1.0")
    box.start()

    box.until(lambda: box.record.step is Step.REFUSED)

    record = box.record
    assert record.reason == reasons.LOW_F1
    assert record.gate is not None
    assert (record.gate.match, record.gate.f1, record.gate.active_f1) == (1.0, 0.0, 1.0)
    box.until(lambda: box.counts_with("1.0.0"))
    assert box.log.count("agent_started") == 1
    box.until(lambda: not (box.folder / "data" / "release" / "targets").exists())


def is_fetching(town: Town) -> bool:
    return any("artefacts" in path for path in town.server.asked)


def is_at(step: Step, town: Town) -> bool:
    return town.box.record.step is step


@pytest.mark.parametrize("step", ["fetching", "building", "gating", "watching", "confirmed"])
def test_killed_at_any_step_it_counts_again_and_finishes(town: Town, step: str) -> None:
    town.publish("1.1.0")
    box = town.box
    box.wish("1.1.0")
    go_on = threading.Event()

    def stalls(path: str, honest: bytes | None) -> bytes | None:
        if step == "fetching" and "artefacts" in path:
            go_on.wait(30)
        return honest

    town.server.misdeed = stalls
    box.start()
    is_there = is_fetching if step == "fetching" else lambda town: is_at(Step(step), town)
    box.until(lambda: is_there(town), what=step)
    box.kill()
    go_on.set()
    town.server.misdeed = None

    box.start()
    had = box.record
    expected = "1.1.0" if had.active is SlotName.A else "1.0.0"
    box.until(lambda: box.counts_with(expected) or box.counts_with("1.1.0"), what="counts")
    box.until(lambda: box.record.step is Step.CONFIRMED, what="confirmed")
    box.until(lambda: box.counts_with("1.1.0"), what="counts with the release")
    folder = box.folder / "data" / "release"
    box.until(lambda: {path.name for path in folder.iterdir()} == {"a", "active.json", "metadata"})


def test_a_box_that_does_not_survive_its_new_model_goes_back_by_itself(town: Town) -> None:
    town.publish("1.1.0")
    box = town.box
    box.wish("1.1.0")
    box.start()
    box.until(lambda: box.record.step is Step.WATCHING)
    for _ in range(MOST_STARTS):
        box.kill()
        starts = box.record.starts
        box.start()
        box.until(lambda: box.record.starts > starts, what="another start")  # noqa: B023
    box.kill()

    box.start()
    box.until(lambda: box.counts_with("1.0.0"))

    record = box.record
    assert (record.step, record.reason) == (Step.ROLLED_BACK, reasons.TOO_MANY_STARTS)
    assert record.active is SlotName.FACTORY


def test_a_slot_that_rots_is_left_at_the_next_start(town: Town) -> None:
    town.publish("1.1.0")
    box = town.box
    box.wish("1.1.0")
    box.start()
    box.until(lambda: box.record.step is Step.CONFIRMED)
    box.stop()
    model = box.folder / "data" / "release" / "a" / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)

    box.start()
    box.until(lambda: box.counts_with("1.0.0"))

    assert (box.record.step, box.record.reason) == (Step.ROLLED_BACK, reasons.DAMAGED)


def test_an_old_list_of_releases_and_endless_data_are_refused_and_the_box_counts_on(
    town: Town, tmp_path: Path
) -> None:
    town.publish("1.1.0")
    old = tmp_path / "old"
    subprocess.run(["cp", "-r", town.repository.folder, old], check=True)
    town.publish("1.2.0")
    box = town.box
    box.wish("1.2.0")
    box.start()
    box.until(lambda: box.record.step is Step.CONFIRMED)
    box.stop()

    town.server.folder = old  # somebody plays back the state before 1.2.0
    box.wish("1.1.0")
    box.start()
    box.until(lambda: box.record.step is Step.REFUSED)
    rolled_back = box.record
    box.until(lambda: box.counts_with("1.2.0"))
    box.stop()

    town.server.folder = town.repository.folder

    def endless(path: str, honest: bytes | None) -> bytes | Iterator[bytes] | None:
        return itertools.repeat(b"x" * 65_536) if path.endswith(".onnx") else honest

    town.server.misdeed = endless
    box.wish("1.1.0", attempt=2)
    box.start()
    box.until(lambda: box.record.step is Step.REFUSED)
    box.until(lambda: box.counts_with("1.2.0"))

    assert rolled_back.reason == box.record.reason == reasons.UNTRUSTED
    folder = box.folder / "data" / "release"
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 3_000_000


def test_a_box_whose_coordinator_is_away_catches_up_when_it_is_back(town: Town) -> None:
    town.publish("1.1.0")
    town.server.misdeed = lambda _path, _honest: None
    box = town.box
    box.wish("1.1.0")
    box.start()
    box.until(lambda: box.record.reason == reasons.UNREACHABLE)
    box.until(lambda: box.counts_with("1.0.0"))
    assert box.record.step in PREPARING

    town.server.misdeed = None

    box.until(lambda: box.record.step is Step.CONFIRMED)


def test_a_technician_goes_back_by_hand_while_the_agent_runs_and_while_it_does_not(
    town: Town,
) -> None:
    town.publish("1.1.0")
    box = town.box
    box.wish("1.1.0")
    box.start()
    box.until(lambda: box.record.step is Step.CONFIRMED)

    running = release(town, "roll-back")
    box.until(lambda: box.counts_with("1.0.0"))
    shown = release(town, "show")
    again = release(town, "roll-back")
    box.stop()
    box.wish("1.1.0", attempt=2)
    box.start()
    box.until(lambda: box.record.step is Step.CONFIRMED)
    box.stop()
    stopped = release(town, "roll-back")

    assert (running.returncode, stopped.returncode, again.returncode) == (0, 0, 7)
    assert running.stdout == stopped.stdout == "counts with 1.0.0 (slot factory)\n"
    assert "rolled back: somebody asked for it on the box" in shown.stdout
    assert box.record.reason == reasons.BY_HAND


def release(town: Town, *words: str) -> subprocess.CompletedProcess[str]:
    """``its-camera-ai edge release …``."""
    command = [sys.executable, "-m", "common.cli", "edge", "release", *words]
    return subprocess.run(
        [*command, "--config", str(town.box.config)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
