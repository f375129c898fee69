"""The noise budget on a real disk: spent once, remembered, and refused when it is gone."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from common.errors import UnreachableError
from edge.anonymise.budget import BinKey, Draw, NoiseBudget, NoiseWish
from edge.anonymise.engine import PrivacyEngine
from edge.anonymise.settings import CameraPrivacy, NoiseSettings
from edge.keeping.stored import StoredBin
from tests.fakes.clocks import StandingClock
from tests.unit.anonymise.stored_bins import EIGHT, cars, line, stored

pytestmark = pytest.mark.integration

SETTINGS = NoiseSettings(epsilon_per_bin=0.5, epsilon_per_day=1.5)
"""Enough for three bins a day."""


@dataclass
class Counting:
    """Draws that differ each time, so that a second draw for a bin would show."""

    drawn: int = 0
    wishes: list[NoiseWish] = field(default_factory=list)

    def __call__(self, wish: NoiseWish) -> Draw:
        self.drawn += 1
        return Draw(
            counts=tuple(n + self.drawn for n in wish.counts),
            epsilon=wish.settings.epsilon_per_bin,
        )


def clock() -> StandingClock:
    return StandingClock(EIGHT)


def wish(settings: NoiseSettings = SETTINGS) -> NoiseWish:
    return NoiseWish(counts=(10, 20), sensitivity=2, settings=settings)


def key(minute: int = 0, *, camera: str = "cam", day: int = 0, part: int = 0) -> BinKey:
    start = EIGHT + timedelta(days=day, minutes=minute)
    return BinKey(camera=camera, start=start, part=part)


def busy(minute: int, **content: object) -> StoredBin:
    return stored(minute=minute, lines=(line("north", cars(50)),), **content)


def engine(path: Path, *, mechanism: Counting | None = None) -> PrivacyEngine:
    budget = NoiseBudget(path, clock=clock(), mechanism=mechanism or Counting())
    return PrivacyEngine({"cam": CameraPrivacy(noise=SETTINGS)}, budget=budget)


def test_a_day_is_spent_bin_by_bin_and_then_refused(tmp_path: Path) -> None:
    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock(), mechanism=Counting())

    answers = [budget.draw(key(minute), wish()) for minute in range(5)]

    assert [answer is not None for answer in answers] == [True, True, True, False, False]
    assert budget.spent("cam", EIGHT) == pytest.approx(1.5)


def test_cameras_and_days_have_budgets_of_their_own(tmp_path: Path) -> None:
    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock(), mechanism=Counting())
    for minute in range(4):
        budget.draw(key(minute), wish())

    assert budget.draw(key(5), wish()) is None
    assert budget.draw(key(5, camera="other"), wish()) is not None
    assert budget.draw(key(5, day=1), wish()) is not None


def test_sending_a_bin_again_costs_nothing_and_shows_the_same_numbers(tmp_path: Path) -> None:
    privacy = engine(tmp_path / "budget.sqlite")

    first = privacy.bins([busy(0)])
    again = privacy.bins([busy(0)])
    after_restart = engine(tmp_path / "budget.sqlite").bins([busy(0)])

    assert first == again == after_restart
    assert first[0].sections[0].counts == (1, 1, 51, 1, 1, 1)


def test_a_refusal_stays_one_when_the_budget_is_raised_later(tmp_path: Path) -> None:
    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock(), mechanism=Counting())
    for minute in range(4):
        budget.draw(key(minute), wish())
    generous = wish(NoiseSettings(epsilon_per_bin=0.5, epsilon_per_day=100))

    assert budget.draw(key(3), generous) is None
    assert budget.draw(key(4), generous) is not None


def test_the_bin_after_the_last_leaves_withheld_never_without_noise(tmp_path: Path) -> None:
    privacy = engine(tmp_path / "budget.sqlite")

    bins = privacy.bins([busy(minute) for minute in range(4)])

    assert [bin_.noise_epsilon for bin_ in bins] == [0.5, 0.5, 0.5, None]
    assert bins[3].flags == ("budget_spent",)
    assert (bins[3].sections[0].counts, bins[3].sections[0].withheld) == (None, True)


def test_the_real_library_is_charged_for_what_it_proves(tmp_path: Path) -> None:
    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock())
    privacy = PrivacyEngine({"cam": CameraPrivacy(noise=SETTINGS)}, budget=budget)

    bins = privacy.bins([busy(minute) for minute in range(4)])

    assert [bin_.flags for bin_ in bins] == [(), (), (), ("budget_spent",)]
    assert budget.spent("cam", EIGHT) == pytest.approx(1.5)
    assert bins[0].noise_epsilon == pytest.approx(0.5)


def test_a_late_part_of_a_noisy_camera_leaves_neither_numbers_nor_a_loss(tmp_path: Path) -> None:
    left_out: list[str] = []
    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock(), mechanism=Counting())
    privacy = PrivacyEngine(
        {"cam": CameraPrivacy(noise=SETTINGS)},
        budget=budget,
        on_left_out=lambda _, why: left_out.append(why),
    )

    bins = privacy.bins([busy(0, part=1, coverage_s=0.0, frames_seen=0)])

    assert bins == []
    assert left_out == []


def draw_and_die(path: Path, drawn: multiprocessing.Queue[tuple[int, ...]]) -> None:
    budget = NoiseBudget(path, clock=clock())
    answer = budget.draw(key(), NoiseWish(counts=(100,) * 20, sensitivity=3, settings=SETTINGS))
    assert answer is not None
    drawn.put(answer.counts)
    drawn.close()
    drawn.join_thread()
    os._exit(9)


def test_a_draw_survives_the_death_of_the_process_that_saw_it(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    drawn = processes.Queue()
    process = processes.Process(target=draw_and_die, args=(tmp_path / "budget.sqlite", drawn))
    process.start()
    before = drawn.get(timeout=60)
    process.join(timeout=60)

    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock())
    after = budget.draw(key(), NoiseWish(counts=(100,) * 20, sensitivity=3, settings=SETTINGS))

    assert process.exitcode == 9
    assert after is not None
    assert after.counts == before
    assert budget.spent("cam", EIGHT) == pytest.approx(0.5)


def test_old_days_are_forgotten_and_then_closed(tmp_path: Path) -> None:
    now = clock()
    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=now, mechanism=Counting())
    first = budget.draw(key(), wish())
    now.move(61 * 86_400)
    budget.draw(key(day=61), wish())

    assert first is not None
    # Its draw is gone, so the same bin must not get another one.
    assert budget.draw(key(), wish()) is None
    assert budget.draw(key(day=2), wish()) is not None


def test_a_bin_from_the_far_future_does_not_close_the_present(tmp_path: Path) -> None:
    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock(), mechanism=Counting())
    budget.draw(key(day=4000), wish())

    assert budget.draw(key(), wish()) is not None


def test_a_damaged_file_counts_as_everything_spent_until_tomorrow(tmp_path: Path) -> None:
    path = tmp_path / "budget.sqlite"
    NoiseBudget(path, clock=clock(), mechanism=Counting()).close()
    path.write_bytes(b"no database, but long enough to look like one" * 100)

    budget = NoiseBudget(path, clock=clock(), mechanism=Counting())

    assert budget.draw(key(), wish()) is None
    assert budget.draw(key(day=1), wish()) is not None
    assert list(tmp_path.glob("budget.sqlite.damaged-*"))


def test_a_file_that_is_damaged_while_open_refuses_instead_of_leaking(tmp_path: Path) -> None:
    path = tmp_path / "budget.sqlite"
    budget = NoiseBudget(path, clock=clock(), mechanism=Counting())
    budget.draw(key(), wish())
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(bytes(content))

    assert budget.draw(key(1), wish()) is None
    assert budget.draw(key(2), wish()) is None


def test_a_path_that_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="noise budget"):
        NoiseBudget(tmp_path, clock=clock())


def test_a_draw_that_fails_spends_nothing(tmp_path: Path) -> None:
    draws = iter([RuntimeError("no randomness")])

    def failing_once(asked: NoiseWish) -> Draw:
        for error in draws:
            raise error
        return Counting()(asked)

    budget = NoiseBudget(tmp_path / "budget.sqlite", clock=clock(), mechanism=failing_once)

    with pytest.raises(RuntimeError, match="no randomness"):
        budget.draw(key(), wish())
    assert budget.spent("cam", EIGHT) == 0
    assert budget.draw(key(), wish()) is not None
