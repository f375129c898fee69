"""Masked sums: the mean comes out, what a single device sends says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS
from numpy.typing import NDArray

from common.errors import ConflictError, ItsError
from common.round_ledger import read_ledger
from common.rounds import BatchNorm, RunState
from models.federated.client_work import Box
from models.federated.collecting import ExchangeInProcess
from models.federated.round_files import read_plan
from models.federated.round_loop import run_rounds
from models.federated.secure_sum import SecureGrid, is_secure, secure_reply
from tests.fakes import flower_trainer
from tests.fakes.flower_grid import FakeGrid
from tests.fakes.flower_trainer import fill_learn_folder, layout, samples_at
from tests.fakes.run_folders import make_run

pytestmark = pytest.mark.unit

PLACES = {"box-1": 0.7, "box-2": 0.75, "box-3": 0.8, "box-4": 0.75}
NODES = {100 + number: device for number, device in enumerate(PLACES)}


def context(node: int) -> Context:
    return Context(
        run_id=1, node_id=node, node_config={}, state=RecordDict(), run_config={}, series_id=1
    )


class MaskingGrid(FakeGrid):
    """Nodes that follow the protocol in this process; some drop out before they train."""

    def __init__(self, folder: Path, *, leaving: Iterable[str] = ()) -> None:
        super().__init__({node: lambda _: None for node in NODES})
        self._leaving = set(leaving)
        self._contexts = {node: context(node) for node in NODES}
        self._boxes = {
            node: Box(
                device=device,
                learn_folder=fill_learn_folder(
                    folder / device, samples_at(PLACES[device], count=10)
                ),
                trainer_for=lambda _: flower_trainer.trainer(),
            )
            for node, device in NODES.items()
        }
        self.masked: dict[str, NDArray[np.int64]] = {}

    def send_and_receive(
        self,
        messages: Iterable[Message],
        *,
        timeout: float | None = None,  # noqa: ARG002 - nobody is late here
    ) -> Iterable[Message]:
        replies = []
        # On the wire every node gets a copy of its own.
        for message in map(deepcopy, messages):
            node = message.metadata.dst_node_id
            assert is_secure(message)
            trains = bool(message.content.array_records)
            if trains and NODES[node] in self._leaving:
                continue
            try:
                reply = secure_reply(message, self._contexts[node], self._boxes[node])
            except ItsError:
                continue
            reply.metadata.__dict__["_src_node_id"] = node
            self._note(NODES[node], reply)
            replies.append(reply)
        return replies

    def _note(self, device: str, reply: Message) -> None:
        told: ConfigRecord = reply.content.config_records[RECORD_KEY_CONFIGS]
        for name, value in told.items():
            if "masked" in name and isinstance(value, list):
                self.masked[device] = np.frombuffer(bytes(value[-1][-8 * 400 :]), dtype="<i8")


def go(folder: Path, grid: MaskingGrid) -> RunState:
    plan = read_plan(folder)
    secure = SecureGrid(grid, context(0), lambda: NODES)
    bench = flower_trainer.bench(plan, folder)
    return run_rounds(ExchangeInProcess({}), folder, bench=bench, secure=secure).state


def learned(folder: Path) -> NDArray[np.float32]:
    return np.fromfile(folder / "global" / "round-001.f32", dtype="<f4")


def planned(folder: Path, *, quorum: int = 3) -> Path:
    run = folder / "run-1"
    make_run(
        run,
        dict.fromkeys(PLACES, 10),
        rounds=1,
        quorum=quorum,
        is_secure_sum=True,
        batch_norm=BatchNorm.LOCAL,
    )
    return run


def test_the_mean_of_four_hidden_updates_is_what_is_learned(tmp_path: Path) -> None:
    run = planned(tmp_path)

    state = go(run, MaskingGrid(tmp_path))

    # The mean place is 0.75: 0.4 of the way to 1 ± 0.05, and nothing of BatchNorm.
    assert state is RunState.CANDIDATE
    assert learned(run)[:2] == pytest.approx([1.02, 0.98], abs=1e-5)
    assert (learned(run)[layout().batch_norm] == 1).all()


def test_what_a_device_sends_looks_like_chance(tmp_path: Path) -> None:
    grid = MaskingGrid(tmp_path)

    go(planned(tmp_path), grid)

    assert grid.masked.keys() == set(PLACES)
    # box-2 and box-4 have equal updates; masked, no value of the two agrees.
    assert not (grid.masked["box-2"] == grid.masked["box-4"]).any()


def test_a_device_that_leaves_before_it_trains_is_missing_and_the_others_are_summed(
    tmp_path: Path,
) -> None:
    run = planned(tmp_path)

    go(run, MaskingGrid(tmp_path, leaving=["box-3"]))

    told = [line.body for line in read_ledger(run / "ledger.jsonl") if line.kind == "client"]
    verdicts = {client["device"]: client["verdict"] for client in told}
    assert verdicts == dict.fromkeys(PLACES, "accepted") | {"box-3": "missing"}
    # Places 0.7, 0.75, 0.75: mean 0.7333, 0.4 of the way to 1 ± 0.04667.
    assert learned(run)[0] == pytest.approx(1.018667, abs=1e-5)


def test_too_few_devices_end_the_round(tmp_path: Path) -> None:
    with pytest.raises(ConflictError, match="too few devices stayed"):
        go(planned(tmp_path), MaskingGrid(tmp_path, leaving=["box-2", "box-3"]))
