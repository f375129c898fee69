"""Rows of the attack table: what is caught, what is scored, and what goes on after a cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from common.rounds import Packing, Strategy
from models.federated.attack_problem import AttackProblem, weighted_mean
from models.federated.attack_report import Row, broken_promises, table
from models.federated.attack_table import AttackTable
from models.federated.attacks import Attack
from models.federated.parameters import layout_of
from models.federated.update_benchmark import packing_rows, time_round

pytestmark = pytest.mark.unit

F32 = NDArray[np.float32]
LAYOUT = layout_of({f"layer{n}.weight": np.zeros((20, 60)) for n in range(8)})
CLIENTS = [f"client-{n:02d}" for n in range(10)]
ATTACKERS = ("client-00", "client-03", "client-06")


def vector(seed: int, length: float) -> F32:
    values = np.random.default_rng(seed).standard_normal(LAYOUT.size)
    return np.asarray(values / np.linalg.norm(values) * length, dtype=np.float32)


def problem() -> AttackProblem:
    """Ten clients that mostly agree: a shared step of 1 and one of their own of 0.5."""
    shared = vector(1, 1.0)
    stale = {name: shared + vector(100 + n, 0.5) for n, name in enumerate(CLIENTS)}
    start, samples = vector(0, 50.0), dict.fromkeys(CLIENTS, 20)
    return AttackProblem(
        parent=None,
        layout=LAYOUT,
        start=start,
        base=start + weighted_mean(stale, samples),
        deltas={name: shared + vector(200 + n, 0.5) for n, name in enumerate(CLIENTS)},
        flipped={name: -0.2 * shared + vector(300, 1.0) for name in ATTACKERS},
        stale=stale,
        samples=samples,
        attackers=ATTACKERS,
        scored=Path("nowhere"),
        key="toy",
    )


PROBLEM = problem()
IDEAL = PROBLEM.base + weighted_mean(PROBLEM.deltas, PROBLEM.samples)


class CountingScorer:
    """1 at the honest mean, falling with the distance from it; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, weights: F32) -> tuple[float, float]:
        self.asked.append(weights.tobytes())
        score = 1 / (1 + float(np.linalg.norm(weights.astype(np.float64) - IDEAL)))
        return score, score


def rows_of(folder: Path, *attacks: Attack, score: CountingScorer | None = None) -> list[Row]:
    made = AttackTable(PROBLEM, folder, score=score or CountingScorer())
    return list(made.rows(strategies=(Strategy.FEDAVG,), attacks=attacks, most_attackers=2))


def picked(rows: list[Row], attackers: int, *, is_screened: bool) -> Row:
    (row,) = (r for r in rows if (r.attackers, r.is_screened) == (attackers, is_screened))
    return row


@pytest.mark.parametrize(
    "attack",
    [
        Attack.NOT_A_NUMBER,
        Attack.HUGE,
        Attack.SIGN_FLIPPED,
        Attack.SCALED_100,
        Attack.STALE,
    ],
)
def test_screening_catches_all_attackers_and_nobody_else(attack: Attack, tmp_path: Path) -> None:
    row = picked(rows_of(tmp_path, attack), 2, is_screened=True)

    assert (row.caught, row.wronged) == (2, 0)


def test_swapped_labels_are_caught_by_who_asks_about_pictures(tmp_path: Path) -> None:
    plausible = {
        name: PROBLEM.deltas[name] + vector(400 + n, 0.1) for n, name in enumerate(ATTACKERS)
    }
    lies = {delta.tobytes() for delta in plausible.values()}
    asked: list[bytes] = []

    def class_rise(delta: F32) -> float:
        asked.append(delta.tobytes())
        return 2.0 if delta.tobytes() in lies else 0.1

    table = AttackTable(
        replace(PROBLEM, flipped=plausible),
        tmp_path,
        score=CountingScorer(),
        class_rise=class_rise,
    )
    attacks = (Attack.LABEL_FLIPPED,)
    rows = list(table.rows(strategies=(Strategy.FEDAVG,), attacks=attacks, most_attackers=2))

    caught = picked(rows, 2, is_screened=True)
    assert (caught.caught, caught.wronged) == (2, 0)
    assert (caught.bad_rise, caught.honest_rise) == (2.0, 0.1)
    unscreened = picked(rows, 2, is_screened=False)
    assert (unscreened.caught, unscreened.bad_rise, unscreened.honest_rise) == (0, None, None)
    assert len(asked) == len(set(asked)) == 12  # ten honest ones and two lies, once each


def test_not_a_number_ruins_a_plain_mean_and_nothing_behind_screening(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, Attack.NOT_A_NUMBER)

    assert picked(rows, 0, is_screened=False).map50 == pytest.approx(1, abs=1e-3)
    assert picked(rows, 1, is_screened=False).map50 == 0
    assert (picked(rows, 1, is_screened=True).map50 or 0) > 0.9


def test_a_liar_takes_over_a_plain_mean_and_counts_no_more_behind_screening(
    tmp_path: Path,
) -> None:
    scorer = CountingScorer()

    rows = rows_of(tmp_path, Attack.LYING_COUNT, score=scorer)

    alone = PROBLEM.base + PROBLEM.deltas["client-00"]
    assert np.linalg.norm(alone - IDEAL) > 0.3
    screened = picked(rows, 1, is_screened=True)
    assert screened.map50 == picked(rows, 0, is_screened=True).map50
    assert (picked(rows, 1, is_screened=False).lost or 0) > 0.2
    assert min(
        np.linalg.norm(np.frombuffer(asked, dtype=np.float32) - alone) for asked in scorer.asked
    ) == pytest.approx(0, abs=1e-3)


def test_equal_weights_are_scored_once_and_kept(tmp_path: Path) -> None:
    first, again = CountingScorer(), CountingScorer()

    rows = rows_of(tmp_path, Attack.NOT_A_NUMBER, Attack.STALE, score=first)
    repeated = rows_of(tmp_path, Attack.NOT_A_NUMBER, Attack.STALE, score=again)

    assert repeated == rows
    assert len(first.asked) == len(set(first.asked)) < len(rows)
    assert again.asked == []


def test_broken_promises_are_screened_rows_of_up_to_two_attackers() -> None:
    def row(attackers: int, lost: float, *, is_screened: bool = True) -> Row:
        return Row(
            strategy=Strategy.FEDAVG,
            attack=Attack.SIGN_FLIPPED,
            attackers=attackers,
            is_screened=is_screened,
            map50=0.5 - lost,
            car_map50=0.5,
            lost=lost,
            caught=0,
            wronged=0,
        )

    kept = [row(1, 0.009), row(2, -0.01), row(3, 0.2), row(2, 0.2, is_screened=False)]
    broken = broken_promises([*kept, row(2, 0.02)])

    assert broken == ["fedavg sign_flipped x2 screened: 48.0 (lost +2.0; 0 caught, 0 wronged)"]
    assert "| fedavg | sign_flipped |" in table(kept)


def test_packings_are_compared_on_the_same_updates() -> None:
    scorer = CountingScorer()

    rows = {row.packing: row for row in packing_rows(PROBLEM, lambda v: scorer(v)[0])}

    exact = rows[Packing.FP32]
    assert exact.lost == (0, 0)
    assert exact.mean_bytes == exact.most_bytes
    assert exact.most_bytes > 1.9 * rows[Packing.FP16].most_bytes
    assert rows[Packing.FP16].most_bytes > rows[Packing.INT8].most_bytes
    assert abs(rows[Packing.INT8].lost[1]) < 0.05


def test_both_engines_come_to_the_same_mean() -> None:
    times = time_round(LAYOUT, PROBLEM.base, PROBLEM.deltas, PROBLEM.samples)

    assert times.clients == 10
    assert times.flower_bytes > 4 * LAYOUT.size > times.ours_bytes
    assert times.difference < 0.1
