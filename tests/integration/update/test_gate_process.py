"""The gate as the agent runs it: another process with the backend that will count."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from common.release import reasons
from common.release.calibration import calibration_bytes
from common.release_state import GateFigures
from common.road_users import ROAD_USERS
from common.timing import SystemClock
from edge.container import edge_container
from edge.counting.calibrating import calibrate
from edge.detect.models import find_model
from edge.update.gate import verdict
from edge.update.gate_process import GateOrder, GateProcess, Judged, ModelToMeasure
from tests.fakes.white_cell_onnx import BUS, CAR, white_cell_calibration, write_white_cell_onnx
from tests.integration.update.conftest import GATE

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def white_cells(folder: Path, *, sees: int = CAR, reference_sees: int | None = None) -> GateOrder:
    """A candidate beside a model that is right."""
    calibration = folder / "calibration.npz"
    wanted = sees if reference_sees is None else reference_sees
    calibration.write_bytes(calibration_bytes(white_cell_calibration(reference_sees=wanted)))
    candidate = folder / "candidate.onnx"
    active = folder / "active.onnx"
    write_white_cell_onnx(candidate, sees=sees, name="its-white", version="1.1.0")
    write_white_cell_onnx(active, name="its-white", version="1.0.0")
    return GateOrder(
        backend="onnx",
        engine_cache=folder / "engines",
        candidate=ModelToMeasure(path=candidate, input_long_side=640),
        active=ModelToMeasure(path=active, input_long_side=640),
        calibration=calibration,
        classes=ROAD_USERS,
    )


def judged(
    order: GateOrder,
    *,
    limit_s: float = 300.0,
    is_wanted: Callable[[], bool] = lambda: True,
    on_built: Callable[[], object] = lambda: None,
) -> Judged:
    gate = GateProcess(clock=SystemClock(), limit_s=limit_s, niceness=0)
    return gate.judge(order, is_wanted=is_wanted, on_built=on_built)


def children() -> set[int]:
    """Processes that this one started and that live."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def test_a_good_model_finds_what_its_reference_found(tmp_path: Path) -> None:
    told: list[str] = []

    result = judged(white_cells(tmp_path), on_built=lambda: told.append("built"))

    assert result == Judged(figures=GateFigures(match=1.0, f1=1.0, active_f1=1.0))
    assert told == ["built"]


def test_an_engine_that_sees_something_else_than_the_reference_is_a_mismatch(
    tmp_path: Path,
) -> None:
    result = judged(white_cells(tmp_path, sees=BUS, reference_sees=CAR))

    assert result.figures is not None
    assert verdict(GATE, result.figures) == reasons.MISMATCH


def test_a_model_that_the_backend_cannot_run_is_unusable(tmp_path: Path) -> None:
    order = white_cells(tmp_path)
    order.candidate.path.write_bytes(order.candidate.path.read_bytes()[:-200])

    assert judged(order) == Judged(reason=reasons.UNUSABLE)


def test_a_calibration_set_that_is_none_is_not_trusted(tmp_path: Path) -> None:
    order = white_cells(tmp_path)
    order.calibration.write_bytes(b"PK\x03\x04 and nothing else")

    assert judged(order) == Judged(reason=reasons.UNTRUSTED)


def test_a_process_that_dies_refuses_the_model_and_leaves_the_agent_alone(tmp_path: Path) -> None:
    before = children()

    def die() -> None:
        for pid in children() - before:
            os.kill(pid, signal.SIGKILL)

    assert judged(white_cells(tmp_path), on_built=die).reason == reasons.GATE_CRASHED


def test_a_process_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    before = children()

    assert judged(white_cells(tmp_path), limit_s=0.1) == Judged(reason=reasons.GATE_TOO_SLOW)
    assert children() == before


def test_when_nobody_wants_it_any_more_it_ends_without_a_word(tmp_path: Path) -> None:
    wanted = threading.Event()
    wanted.set()

    result = judged(white_cells(tmp_path), is_wanted=wanted.is_set, on_built=wanted.clear)

    assert result == Judged()


def test_the_packaged_model_passes_and_with_shuffled_weights_it_does_not(tmp_path: Path) -> None:
    good = find_model().path
    broken = tmp_path / "broken.onnx"
    shuffle_weights(good, broken)
    figures = {}
    for name, model in (("good", good), ("broken", broken)):
        calibration = tmp_path / f"{name}.npz"
        frames = calibrate(edge_container(model=str(model), threads=1).engine(), frames=4)
        calibration.write_bytes(calibration_bytes(frames))
        order = GateOrder(
            backend="onnx",
            engine_cache=tmp_path / "engines",
            candidate=ModelToMeasure(path=model, input_long_side=640),
            active=ModelToMeasure(path=good, input_long_side=640),
            calibration=calibration,
            classes=ROAD_USERS,
        )
        figures[name] = judged(order).figures

    assert figures["good"] is not None
    assert figures["broken"] is not None
    assert verdict(GATE.model_copy(update={"least_f1": 0.3}), figures["good"]) is None
    # Whatever it finds, it finds again: only the truth tells that it is wrong.
    assert figures["broken"].match >= 0.9
    assert verdict(GATE.model_copy(update={"least_f1": 0.0}), figures["broken"]) == reasons.F1_LOSS


def shuffle_weights(source: Path, target: Path) -> None:
    """The same network with the numbers of each of its layers in another order."""
    model = onnx.load(source)
    chance = np.random.default_rng(9)
    for weights in model.graph.initializer:
        values = numpy_helper.to_array(weights)
        if values.ndim == 4:
            mixed = chance.permutation(values.reshape(-1)).reshape(values.shape)
            weights.CopyFrom(numpy_helper.from_array(mixed, weights.name))
    onnx.save(model, target)
