"""Flower's grid as a way to devices: who is asked, who is believed, who is waited for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.common.constant import ErrorCode

from common.errors import ConfigError
from common.rounds import BatchNorm, LocalTraining, Packing
from models.federated.client_app import content_of, order_in
from models.federated.collecting import Reply
from models.federated.grid_exchange import GridExchange, Patience, read_nodes
from models.federated.orders import Refusal, TrainingAnswer, TrainingOrder, Travelling
from tests.fakes.flower_grid import FakeGrid, RushingClock

pytestmark = pytest.mark.unit

NODES = {101: "box-1", 102: "box-2"}


def order(device: str) -> TrainingOrder:
    return TrainingOrder(
        run="run-1",
        number=1,
        device=device,
        parent="synthetic",
        parent_version="1.0.0",
        layout="0" * 64,
        base_sha256="0" * 64,
        travelling=Travelling.FP32,
        local=LocalTraining(),
        packing=Packing.FP32,
        batch_norm=BatchNorm.SHARED,
        seed=0,
    )


def update_of(message: Message) -> RecordDict:
    asked, _ = order_in(message.content)
    answer = TrainingAnswer(
        run=asked.run, number=1, device=asked.device, base_sha256=asked.base_sha256, samples=5
    )
    return content_of(answer, asked.device.encode())


def silent(_: Message) -> None:
    return None


def asked(grid: FakeGrid, *, deadline_s: float = 20, patience_s: float = 5) -> dict[str, Reply]:
    exchange = GridExchange(
        grid,
        lambda: NODES,
        patience=Patience(offline_s=patience_s),
        clock=RushingClock(),
        poll_s=0.0,
    )
    orders = [order(device) for device in NODES.values()]
    return {reply.device: reply for reply in exchange.ask(orders, b"1234", deadline_s=deadline_s)}


def test_each_device_is_sent_its_own_order_and_the_same_weights() -> None:
    grid = FakeGrid({101: update_of, 102: update_of})

    replies = asked(grid)

    assert {device: reply.update for device, reply in replies.items()} == {
        "box-1": b"box-1",
        "box-2": b"box-2",
    }
    sent = {each.metadata.dst_node_id: order_in(each.content) for each in grid.pushed}
    assert {node: told.device for node, (told, _) in sent.items()} == NODES
    assert {weights for _, weights in sent.values()} == {b"1234"}


def test_a_node_that_is_nobody_known_is_sent_nothing() -> None:
    grid = FakeGrid({101: update_of, 102: update_of, 666: update_of})

    asked(grid)

    assert {each.metadata.dst_node_id for each in grid.pushed} == {101, 102}


def test_a_reply_of_another_node_than_the_one_asked_is_refused() -> None:
    grid = FakeGrid({101: update_of, 102: update_of})
    grid.replied_by = {102: 101}

    replies = asked(grid)

    assert replies["box-2"].refusal is Refusal.OTHER_DEVICE
    assert replies["box-2"].update == b""


def test_a_silent_device_is_missing_at_the_deadline_and_the_others_are_not() -> None:
    replies = asked(FakeGrid({101: update_of, 102: silent}))

    assert replies.keys() == {"box-1"}


def test_a_device_that_stays_offline_is_waited_for_no_longer_than_patience() -> None:
    grid = FakeGrid({101: update_of, 102: update_of})
    grid.online.remove(102)
    clock = RushingClock()
    exchange = GridExchange(
        grid, lambda: NODES, patience=Patience(offline_s=5), clock=clock, poll_s=0.0
    )
    orders = [order(device) for device in NODES.values()]

    replies = list(exchange.ask(orders, b"", deadline_s=1000))

    assert [reply.device for reply in replies] == ["box-1"]
    assert clock.monotonic_s() < 20


@pytest.mark.parametrize(("quorum", "waited_s"), [(1, 5), (2, 1000)])
def test_below_the_quorum_patience_ends_at_the_deadline(quorum: int, waited_s: float) -> None:
    grid = FakeGrid({101: update_of, 102: update_of})
    grid.online.remove(102)
    clock = RushingClock()
    patience = Patience(offline_s=5, quorum=quorum)
    exchange = GridExchange(grid, lambda: NODES, patience=patience, clock=clock, poll_s=0.0)
    orders = [order(device) for device in NODES.values()]

    replies = list(exchange.ask(orders, b"", deadline_s=1000))

    assert [reply.device for reply in replies] == ["box-1"]
    assert waited_s <= clock.monotonic_s() < waited_s + 20


def test_a_device_that_comes_online_during_the_round_is_asked_then() -> None:
    grid = FakeGrid({101: update_of, 102: update_of})
    grid.online.remove(102)

    def brings_the_other(message: Message) -> RecordDict:
        grid.online.add(102)
        return update_of(message)

    grid.answers[101] = brings_the_other

    assert asked(grid).keys() == {"box-1", "box-2"}


class AwayAtFirst(FakeGrid):
    """A SuperLink that answers from the second look on."""

    looks = 0

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        self.looks += 1
        return [] if self.looks == 1 else super().pull_messages(message_ids)


def test_what_arrived_while_the_superlink_was_away_counts_after_the_deadline() -> None:
    grid = AwayAtFirst({101: update_of, 102: update_of})

    replies = asked(grid, deadline_s=1.5)

    assert replies.keys() == {"box-1", "box-2"}
    assert grid.looks == 2


class FailsOnce:
    """A node that is lost the first time."""

    def __init__(self, code: int) -> None:
        self.times = 0
        self._code = code

    def __call__(self, message: Message) -> RecordDict | Error:
        self.times += 1
        return Error(self._code, "gone") if self.times == 1 else update_of(message)


@pytest.mark.parametrize("code", [ErrorCode.NODE_UNAVAILABLE, ErrorCode.CLIENT_APP_CRASHED])
def test_a_device_whose_node_or_training_was_lost_is_asked_once_more(code: int) -> None:
    lost = FailsOnce(code)

    replies = asked(FakeGrid({101: update_of, 102: lost}))

    assert replies["box-2"].update == b"box-2"
    assert lost.times == 2


@pytest.mark.parametrize(
    ("said", "refusal"),
    [
        pytest.param(Error(ErrorCode.INVALID_FAB), Refusal.BUNDLE_REFUSED, id="bundle refused"),
        pytest.param(Error(ErrorCode.NODE_UNAVAILABLE), Refusal.NODE_LOST, id="lost for good"),
        pytest.param(Error(ErrorCode.CLIENT_APP_CRASHED), Refusal.APP_LOST, id="killed each time"),
        pytest.param(
            Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION), Refusal.APP_FAILED, id="app failed"
        ),
        pytest.param(RecordDict({}), Refusal.BAD_ANSWER, id="nothing of ours"),
        pytest.param(
            RecordDict({"answer": ConfigRecord({"json": "{}"})}), Refusal.BAD_ANSWER, id="rubbish"
        ),
    ],
)
def test_what_is_no_update_becomes_a_reason(said: Any, refusal: Refusal) -> None:
    replies = asked(FakeGrid({101: update_of, 102: lambda _: said}))

    assert replies["box-2"].refusal is refusal
    assert replies["box-1"].update == b"box-1"


def test_nodes_are_read_as_the_coordinator_wrote_them(tmp_path: Path) -> None:
    (tmp_path / "nodes.json").write_text('{"18446744073709551615": "box-1"}')

    assert read_nodes(tmp_path) == {18446744073709551615: "box-1"}


@pytest.mark.parametrize("content", [None, "no json", '{"box-1": 1}', "[]"])
def test_a_run_without_a_list_of_nodes_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "nodes.json").write_text(content)

    with pytest.raises(ConfigError, match="which node is which device"):
        read_nodes(tmp_path)
