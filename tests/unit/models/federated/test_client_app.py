"""Flower messages on a box, and which trainer an order may name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MessageType,
    RecordDict,
)
from flwr.supercore.task_identity import TaskIdentity

from common.errors import ConfigError, NotFoundError, TrustError
from common.rounds import BatchNorm, LocalTraining, Packing, ParentModel, PlannedClient, RunPlan
from models.catalogue import NAME, VERSION
from models.federated.client_app import RAW, answer_in, content_of, content_with, order_in, train
from models.federated.installed_trainers import bench_for, trainer_for
from models.federated.orders import Refusal, TrainingAnswer, TrainingOrder, outgoing
from models.federated.server_app import run_folder
from models.federated.yolo_trainer import YoloTrainer
from tests.fakes import flower_trainer
from tests.fakes.flower_trainer import fill_learn_folder, package_with_trainer, samples_at

pytestmark = pytest.mark.unit

WEIGHTS = outgoing(flower_trainer.parent_vector())
ORDER = TrainingOrder(
    run="run-1",
    number=1,
    device="box-1",
    parent=flower_trainer.NAME,
    parent_version="1.0.0",
    layout=flower_trainer.layout().digest.hex(),
    base_sha256=WEIGHTS.sha256,
    travelling=WEIGHTS.travelling,
    local=LocalTraining(learning_rate=0.4),
    packing=Packing.FP32,
    batch_norm=BatchNorm.SHARED,
    seed=0,
)
ANSWER = TrainingAnswer(
    run="run-1", number=1, device="box-1", base_sha256=WEIGHTS.sha256, refusal=Refusal.NOT_READY
)


def message(content: RecordDict) -> Message:
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
    return Message(content, 7, MessageType.TRAIN)


def told(**config: str | int) -> Context:
    return Context(
        run_id=1,
        node_id=7,
        node_config=dict(config),
        state=RecordDict(),
        run_config={"run": "another", "learn-folder": "/elsewhere"},
        series_id=1,
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(package_with_trainer(tmp_path / "package")))


def test_what_goes_down_and_up_comes_out_as_it_went_in() -> None:
    assert order_in(content_with(ORDER, WEIGHTS.data)) == (ORDER, WEIGHTS.data)
    assert answer_in(content_of(ANSWER, b"update")) == (ANSWER, b"update")


@pytest.mark.usefixtures("installed")
def test_a_box_answers_with_an_update_and_the_numbers_around_it(tmp_path: Path) -> None:
    learn = fill_learn_folder(tmp_path / "learn", samples_at(0.8, count=3))
    context = told(**{"device": "box-1", "learn-folder": str(learn)})

    reply = train(message(content_with(ORDER, WEIGHTS.data)), context)

    answer, update = answer_in(reply.content)
    assert (answer.refusal, answer.samples, answer.device) == (None, 3, "box-1")
    assert len(update) > 4 * flower_trainer.layout().size


def test_a_node_that_was_not_told_who_it_is_does_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="node config without"):
        train(message(content_with(ORDER, WEIGHTS.data)), told(device="box-1"))


RUBBISH = [
    pytest.param(RecordDict({}), id="nothing"),
    pytest.param(RecordDict({"order": ConfigRecord({"json": "{}"})}), id="no weights"),
    pytest.param(
        RecordDict(
            {
                "order": ConfigRecord({"json": "{}"}),
                "weights": ArrayRecord(
                    {"weights": Array(dtype="uint8", shape=(1,), stype=RAW, data=b"1")}
                ),
            }
        ),
        id="no order",
    ),
    pytest.param(
        RecordDict(
            {
                "order": ConfigRecord({"json": ORDER.model_dump_json()}),
                "weights": ArrayRecord(
                    {"weights": Array(dtype="O", shape=(1,), stype="numpy.ndarray", data=b"x")}
                ),
            }
        ),
        id="weights for a parser",
    ),
    pytest.param(
        RecordDict(
            {
                "order": ConfigRecord({"json": 7}),
                "weights": ArrayRecord(
                    {"weights": Array(dtype="uint8", shape=(1,), stype=RAW, data=b"1")}
                ),
            }
        ),
        id="no text",
    ),
]


@pytest.mark.parametrize("content", RUBBISH)
def test_a_message_that_is_no_order_is_refused(content: RecordDict) -> None:
    with pytest.raises(TrustError):
        order_in(content)


@pytest.mark.usefixtures("installed")
def test_a_trainer_is_found_when_a_package_offers_it() -> None:
    assert trainer_for(flower_trainer.NAME).layout == flower_trainer.layout()


def test_a_trainer_that_is_not_installed_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="no trainer for 'synthetic' is installed"):
        trainer_for("synthetic")


def test_the_installed_detector_trains_its_own_kind() -> None:
    assert isinstance(trainer_for(NAME), YoloTrainer)


def test_a_bench_is_found_by_the_name_of_the_parent(tmp_path: Path) -> None:
    plan = RunPlan(
        run="run-1",
        created_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
        parent=ParentModel(name="other", version=VERSION, sha256="0" * 64, file=Path("p")),
        clients=(PlannedClient(device="box-1", samples=1),),
        quorum=1,
    )

    with pytest.raises(NotFoundError, match="'other'"):
        bench_for(plan, tmp_path)


@pytest.mark.parametrize("run", ["", "..", "../outside", "run-2", "/etc", "RUN", "run-1/"])
def test_a_run_is_a_folder_right_below_the_one_of_all_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: str
) -> None:
    (tmp_path / "runs" / "run-1").mkdir(parents=True)
    monkeypatch.setenv("ITS_FEDERATION_RUNS", str(tmp_path / "runs"))

    assert run_folder("run-1") == tmp_path / "runs" / "run-1"
    with pytest.raises(ConfigError, match="no run"):
        run_folder(run)


def test_without_a_folder_of_runs_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ITS_FEDERATION_RUNS", raising=False)

    with pytest.raises(ConfigError, match="ITS_FEDERATION_RUNS is not set"):
        run_folder("run-1")
