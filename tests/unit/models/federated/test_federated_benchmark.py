"""Scores lie on disk row by row: a cut-off comparison goes on, other settings are not mixed in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from common.rounds import Anchoring, ParentModel, PlannedClient, RunPlan
from models.federated.federated_benchmark import (
    FEDAVG,
    METHODS,
    ZERO_SHOT,
    Comparison,
    anchor_rows,
    run_row,
)
from models.federated.laboratory import Bench, Method
from models.federated.laboratory_data import LaboratoryData
from models.federated.parameters import layout_of

pytestmark = pytest.mark.unit


def comparison(folder: Path, *, rounds: int = 2, parent: str = "0") -> Comparison:
    """One that cannot train: whatever is asked of it must be on disk already."""
    layout = layout_of({"a.weight": np.zeros(1, dtype=np.float32)})
    plan = RunPlan(
        run="laboratory",
        created_at=datetime.fromtimestamp(0, UTC),
        parent=ParentModel(name="m", version="1.0.0", sha256=parent * 64, file=Path("a.pt")),
        clients=(PlannedClient(device="a", samples=1),),
        quorum=1,
        rounds=rounds,
    )
    return Comparison(
        bench=Bench(model=None, start=np.zeros(1, dtype=np.float32), layout=layout, plan=plan),
        data=LaboratoryData(clients=(), cameras={}, elsewhere={}, server=folder),
        folder=folder,
    )


def test_a_row_that_is_on_disk_is_not_trained_again(tmp_path: Path) -> None:
    first = run_row(comparison(tmp_path), ZERO_SHOT)
    path = tmp_path / "zero-shot.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"images": 0', '"images": 5'))

    second = run_row(comparison(tmp_path), ZERO_SHOT)

    assert (first["images"], second["images"]) == (0, 5)


def test_another_start_is_another_comparison(tmp_path: Path) -> None:
    run_row(comparison(tmp_path), ZERO_SHOT)

    with pytest.raises(ConfigError, match="other settings"):
        run_row(comparison(tmp_path, parent="1"), ZERO_SHOT)


def test_zero_shot_does_not_depend_on_how_others_train(tmp_path: Path) -> None:
    first = run_row(comparison(tmp_path, rounds=2), ZERO_SHOT)

    assert run_row(comparison(tmp_path, rounds=3), ZERO_SHOT) == first


def test_how_long_a_row_took_is_reported(tmp_path: Path) -> None:
    lines: list[str] = []

    run_row(comparison(tmp_path), ZERO_SHOT, lines.append)

    assert lines == ["zero-shot: 0 s"]


def test_scores_are_plain_json(tmp_path: Path) -> None:
    run_row(comparison(tmp_path), ZERO_SHOT)

    content = json.loads((tmp_path / "zero-shot.json").read_text(encoding="utf-8"))

    assert {"cameras", "unseen", "elsewhere", "images", "seconds", "settings"} <= content.keys()


def test_every_alternative_is_compared_under_its_own_name() -> None:
    names = [row.name for row in METHODS]

    assert len(set(names)) == len(names) == 8
    assert [row.method for row in METHODS].count(Method.FEDERATED) == 5
    assert FEDAVG.mu == 0


def test_every_anchor_is_compared(tmp_path: Path) -> None:
    rows = anchor_rows(tmp_path, steps=3, rate=1e-4)

    kinds = {row.anchor.kind for row in rows if row.anchor}
    assert kinds == set(Anchoring)
    assert all(row.anchor.steps == 3 for row in rows if row.anchor)
