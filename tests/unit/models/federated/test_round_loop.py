"""Rounds on a folder: what they learn, what they write, and how they go on after a kill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import ConfigError, ConflictError, TrustError
from common.round_ledger import read_ledger, verify_ledger
from common.rounds import (
    BatchNorm,
    ClientVerdict,
    Packing,
    RunState,
    RunStatus,
    Strategy,
    UpdatePrivacy,
)
from models.federated.client_work import Box, work
from models.federated.collecting import ExchangeInProcess, Work
from models.federated.orders import TrainingAnswer, TrainingOrder
from models.federated.round_files import GlobalFiles, read_plan
from models.federated.round_loop import run_rounds
from tests.fakes import flower_trainer
from tests.fakes.flower_trainer import fill_learn_folder, samples_at
from tests.fakes.run_folders import make_run

pytestmark = pytest.mark.unit

PLACES = {"box-1": 0.7, "box-2": 0.75, "box-3": 0.8}


def devices(folder: Path, places: Mapping[str, float] = PLACES) -> dict[str, Work]:
    """Boxes with ten samples each, at their own place."""
    found: dict[str, Work] = {}
    for device, cx in places.items():
        learn = fill_learn_folder(folder / device, samples_at(cx, count=10))
        box = Box(device=device, learn_folder=learn, trainer_for=lambda _: flower_trainer.trainer())
        found[device] = lambda order, weights, b=box: work(order, weights, b)
    return found


def ten_of_each(places: Mapping[str, float] = PLACES) -> dict[str, int]:
    return dict.fromkeys(places, 10)


def go(folder: Path, exchange: ExchangeInProcess) -> RunStatus:
    plan = read_plan(folder)
    return run_rounds(exchange, folder, bench=flower_trainer.bench(plan, folder))


def last_weights(folder: Path, number: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.fromfile(folder / "global" / f"round-{number:03d}.f32", dtype="<f4")


def test_three_boxes_learn_the_mean_of_their_places(tmp_path: Path) -> None:
    make_run(tmp_path / "run-1", ten_of_each(), packing=Packing.FP32, rounds=2)

    status = go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path)))

    # The mean place is 0.75, so the optimum is 1 ± 0.05; two rounds of rate 0.4 go 0.64 of the way.
    assert status.state is RunState.CANDIDATE
    learned = last_weights(tmp_path / "run-1", 2)
    # Weights go down in fp16, which near 1 is a grid of 0.001.
    assert learned[:2] == pytest.approx([1.032, 0.968], abs=5e-4)


def test_ledger_and_status_tell_what_happened(tmp_path: Path) -> None:
    make_run(tmp_path / "run-1", ten_of_each())

    go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path)))

    lines = list(read_ledger(tmp_path / "run-1" / "ledger.jsonl"))
    one_round = ["round_started", "client", "client", "client", "round_finished"]
    assert [line.kind for line in lines] == [
        "run_started",
        *one_round,
        *one_round,
        "evaluated",
        "candidate",
    ]
    assert lines[2].body["device"] == "box-1"
    assert lines[2].body["verdict"] == "accepted"
    assert lines[2].body["sent_bytes"] > 0
    status = RunStatus.model_validate_json((tmp_path / "run-1" / "status.json").read_bytes())
    assert (status.state, status.round) == (RunState.CANDIDATE, 2)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_every_strategy_runs_over_the_same_boxes(tmp_path: Path, strategy: Strategy) -> None:
    places = {f"box-{n}": 0.5 + 0.01 * n for n in range(1, 8)}
    make_run(tmp_path / "run-1", ten_of_each(places), strategy=strategy, rounds=1)

    status = go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path, places)))

    assert status.state is RunState.CANDIDATE
    assert last_weights(tmp_path / "run-1", 1)[0] > 1


def test_a_round_goes_on_without_a_box_that_never_answers(tmp_path: Path) -> None:
    make_run(tmp_path / "run-1", ten_of_each(), quorum=2, rounds=1)
    working = devices(tmp_path)
    del working["box-3"]

    go(tmp_path / "run-1", ExchangeInProcess(working))

    (finished,) = [
        line.body
        for line in read_ledger(tmp_path / "run-1" / "ledger.jsonl")
        if line.kind == "round_finished"
    ]
    told = {client["device"]: client for client in finished["clients"]}
    assert told["box-3"]["verdict"] == ClientVerdict.MISSING
    assert told["box-3"]["reasons"] == ["no_answer"]
    assert told["box-1"]["weight"] == pytest.approx(0.5)


def test_below_its_quorum_a_run_fails_loudly_and_says_why(tmp_path: Path) -> None:
    make_run(tmp_path / "run-1", ten_of_each(), quorum=3)
    working = devices(tmp_path)
    del working["box-3"]

    with pytest.raises(ConflictError, match="2 of 3 updates were taken, quorum is 3"):
        go(tmp_path / "run-1", ExchangeInProcess(working))

    status = RunStatus.model_validate_json((tmp_path / "run-1" / "status.json").read_bytes())
    assert status.state is RunState.FAILED
    assert "quorum is 3" in status.reason
    assert [line.kind for line in read_ledger(tmp_path / "run-1" / "ledger.jsonl")][-1] == "failed"


class _PowerCut(BaseException):
    """What no code of ours catches."""


class _CutDuring:
    """Boxes whose coordinator dies while one of them answers in one round."""

    def __init__(self, boxes: dict[str, Work], *, number: int, device: str) -> None:
        self._boxes = boxes
        self._at = (number, device)

    def devices(self) -> dict[str, Work]:
        return {name: lambda o, w, n=name: self._work(n, o, w) for name in self._boxes}

    def _work(
        self, name: str, order: TrainingOrder, weights: bytes
    ) -> tuple[TrainingAnswer, bytes]:
        answered = self._boxes[name](order, weights)
        if (order.number, name) == self._at:
            raise _PowerCut
        return answered


@pytest.mark.parametrize("strategy", [Strategy.FEDAVG, Strategy.FEDADAM])
@pytest.mark.parametrize("batch_norm", list(BatchNorm))
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_run_cut_inside_a_round_ends_with_the_weights_of_an_undisturbed_one(
    tmp_path: Path, strategy: Strategy, batch_norm: BatchNorm, number: int
) -> None:
    settings: dict[str, Any] = {"strategy": strategy, "batch_norm": batch_norm, "rounds": 3}
    make_run(tmp_path / "a" / "run-1", ten_of_each(), **settings)
    make_run(tmp_path / "b" / "run-1", ten_of_each(), **settings)
    go(tmp_path / "a" / "run-1", ExchangeInProcess(devices(tmp_path / "a")))
    boxes = devices(tmp_path / "b")
    cut = _CutDuring(boxes, number=number, device="box-2")

    with pytest.raises(_PowerCut):
        go(tmp_path / "b" / "run-1", ExchangeInProcess(cut.devices()))
    status = go(tmp_path / "b" / "run-1", ExchangeInProcess(boxes))

    assert status.state is RunState.CANDIDATE
    undisturbed = last_weights(tmp_path / "a" / "run-1", 3)
    assert np.array_equal(last_weights(tmp_path / "b" / "run-1", 3), undisturbed)
    assert verify_ledger(tmp_path / "b" / "run-1" / "ledger.jsonl").is_intact
    kinds = [line.kind for line in read_ledger(tmp_path / "b" / "run-1" / "ledger.jsonl")]
    assert kinds.count("run_resumed") == 1
    assert kinds.count("round_finished") == 3


def test_a_damaged_file_of_the_newest_round_costs_that_round_only(tmp_path: Path) -> None:
    run = tmp_path / "run-1"
    make_run(run, ten_of_each(), rounds=2)
    go(run, ExchangeInProcess(devices(tmp_path)))
    newest = run / "global" / "round-002.f32"
    values = newest.stat().st_size // 4
    newest.write_bytes(b"\0" * 4 * values)

    reached = GlobalFiles(run, size=values).reached()

    assert reached.number == 1
    assert [outcome.number for outcome in reached.outcomes] == [1]
    assert reached.vector is not None
    assert np.array_equal(reached.vector, last_weights(run, 1))


def test_a_run_that_has_its_verdict_says_the_same_again(tmp_path: Path) -> None:
    run = tmp_path / "run-1"
    make_run(run, ten_of_each())
    first = go(run, ExchangeInProcess(devices(tmp_path)))
    before = (run / "ledger.jsonl").read_bytes()

    again = go(run, ExchangeInProcess({}))

    assert (again.state, again.candidate) == (first.state, first.candidate)
    assert (run / "ledger.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"batch_norm": BatchNorm.LOCAL}, "cannot mask", id="nothing to mask with"),
        pytest.param({}, "shared BatchNorm", id="shared BatchNorm"),
        pytest.param(
            {"strategy": Strategy.KRUM, "most_byzantine": 0},
            "expected a mean",
            id="compares updates",
        ),
    ],
)
def test_a_secure_sum_that_cannot_be_had_is_refused(
    tmp_path: Path, settings: dict[str, Any], complaint: str
) -> None:
    make_run(tmp_path / "run-1", ten_of_each(), is_secure_sum=True, **settings)

    with pytest.raises(ConfigError, match=complaint):
        go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path)))


def test_a_private_run_tells_what_it_spent(tmp_path: Path) -> None:
    privacy = UpdatePrivacy(clip_norm=1.0, noise_multiplier=5.0, most_epsilon=8.0)
    make_run(tmp_path / "run-1", ten_of_each(), privacy=privacy, packing=Packing.FP32)

    go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path)))

    spent = [
        line.body["epsilon"]
        for line in read_ledger(tmp_path / "run-1" / "ledger.jsonl")
        if line.kind == "round_finished"
    ]
    assert 0 < spent[0] < spent[1] <= 8


def test_a_ledger_that_somebody_changed_stops_the_run(tmp_path: Path) -> None:
    run = tmp_path / "run-1"
    make_run(run, ten_of_each())
    go(run, ExchangeInProcess(devices(tmp_path)))
    ledger = run / "ledger.jsonl"
    ledger.write_text(ledger.read_text().replace('"verdict":"accepted"', '"verdict":"refused"', 1))

    with pytest.raises(TrustError, match="does not hold"):
        go(run, ExchangeInProcess(devices(tmp_path)))


def test_another_parent_than_the_planned_one_is_refused(tmp_path: Path) -> None:
    make_run(tmp_path / "run-1", ten_of_each())
    with (tmp_path / "run-1" / "parent.npy").open("ab") as file:
        file.write(b"more")

    with pytest.raises(TrustError, match="expected"):
        go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path)))


def test_nothing_of_an_update_stays_after_its_round(tmp_path: Path) -> None:
    make_run(tmp_path / "run-1", ten_of_each())

    go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path)))

    assert list((tmp_path / "run-1" / "spool").rglob("*.update")) == []


def lying(samples: int) -> Work:
    """A box that claims so many samples and sends an update of noughts and NaN."""

    def answer(order: TrainingOrder, weights: bytes) -> tuple[TrainingAnswer, bytes]:
        told = TrainingAnswer(
            run=order.run,
            number=order.number,
            device=order.device,
            base_sha256=order.base_sha256,
            samples=samples,
        )
        return told, b"ITSU" + b"\xff" * 2000

    return answer


def test_a_box_that_sends_rubbish_is_named_in_the_ledger_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    clients = ten_of_each() | {"liar": 10}
    make_run(tmp_path / "run-1", clients, quorum=3, rounds=1, packing=Packing.FP32)

    go(tmp_path / "run-1", ExchangeInProcess(devices(tmp_path) | {"liar": lying(10**9)}))

    said = [
        json.loads(text)["body"]
        for text in (tmp_path / "run-1" / "ledger.jsonl").read_text().splitlines()
    ]
    liar = next(body for body in said if body.get("device") == "liar")
    assert liar["verdict"] == "refused"
    assert liar["weight"] == 0
    assert last_weights(tmp_path / "run-1", 1)[0] == pytest.approx(1.02, abs=1e-3)
