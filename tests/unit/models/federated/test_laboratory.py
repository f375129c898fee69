"""Rows of a comparison: who learns from whom, and what each camera ends with."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.rounds import (
    Anchoring,
    AnchorSettings,
    BatchNorm,
    LocalTraining,
    Packing,
    ParentModel,
    PlannedClient,
    RunPlan,
)
from models.federated.laboratory import EVERYBODY, Bench, Method, Row, train_row
from models.federated.laboratory_data import CameraClient
from models.federated.local_batch_norm import own_part
from models.federated.network import layout_of_network, vector_of
from tests.fakes.untrained_yolo import picture_sample, untrained_yolo

pytestmark = [pytest.mark.unit, pytest.mark.ml]


@pytest.fixture
def bench() -> Bench:
    model = untrained_yolo()
    layout = layout_of_network(model)
    plan = RunPlan(
        run="laboratory",
        created_at=datetime.fromtimestamp(0, UTC),
        parent=ParentModel(name="start", version="0.0.0", sha256="0" * 64, file=Path("a.pt")),
        clients=(PlannedClient(device="a", samples=1),),
        quorum=1,
        rounds=1,
        local=LocalTraining(image_px=64, batch=2, frozen_layers=20, learning_rate=0.001),
    )
    return Bench(model=model, start=vector_of(model, layout), layout=layout, plan=plan)


def client(name: str, *numbers: int) -> CameraClient:
    samples = tuple(picture_sample(number, camera=name) for number in numbers)
    return CameraClient(name=name, labelled=samples, pseudo=samples[:1])


CLIENTS = (client("day", 0, 1, 2), client("night", 3))


def row(method: Method, **settings: Any) -> Row:
    return Row(name="row", method=method, **settings)


def test_zero_shot_is_the_start_everywhere(bench: Bench) -> None:
    trained = train_row(bench, row(Method.ZERO_SHOT), CLIENTS)

    assert set(trained.own) == {"day", "night"}
    assert all(vector is bench.start for vector in trained.own.values())
    assert trained.images == 0


def test_local_only_shares_nothing(bench: Bench) -> None:
    trained = train_row(bench, row(Method.LOCAL_ONLY), CLIENTS)

    assert set(trained.everywhere) == set(trained.own) == {"day", "night"}
    assert (trained.own["day"] != trained.own["night"]).any()
    assert trained.images == 4


def test_centralised_is_one_network_that_saw_everything(bench: Bench) -> None:
    trained = train_row(bench, row(Method.CENTRALISED), CLIENTS)

    assert set(trained.everywhere) == {EVERYBODY}
    assert trained.own["day"] is trained.own["night"] is trained.everywhere[EVERYBODY]
    assert trained.images == 4


def test_fedavg_is_the_mean_by_samples_of_what_each_learned_alone(bench: Bench) -> None:
    alone = train_row(bench, row(Method.LOCAL_ONLY), CLIENTS).own

    trained = train_row(bench, row(Method.FEDERATED), CLIENTS)

    expected = (3 * alone["day"].astype(np.float64) + 1 * alone["night"]) / 4
    np.testing.assert_allclose(trained.everywhere[EVERYBODY], expected, atol=1e-6)
    assert trained.images == 4
    assert trained.sent_bytes > 4 * bench.layout.size


def test_local_batch_norm_stays_with_its_camera(bench: Bench) -> None:
    trained = train_row(bench, row(Method.FEDERATED, batch_norm=BatchNorm.LOCAL), CLIENTS)

    shared, day, night = (
        own_part(vector, bench.layout)
        for vector in (trained.everywhere[EVERYBODY], trained.own["day"], trained.own["night"])
    )
    assert (shared == own_part(bench.start, bench.layout)).all()
    assert (day != night).any()


def test_pseudo_labels_train_on_the_teachers_pictures(bench: Bench) -> None:
    trained = train_row(bench, row(Method.FEDERATED, is_pseudo=True), CLIENTS)

    # one pseudo-labelled picture of each camera
    assert trained.images == 2


def test_small_updates_say_nearly_the_same(bench: Bench) -> None:
    exact = train_row(bench, row(Method.FEDERATED), CLIENTS)

    small = train_row(bench, row(Method.FEDERATED, packing=Packing.INT8), CLIENTS)

    ours, theirs = (
        each.everywhere[EVERYBODY].astype(np.float64) - bench.start for each in (small, exact)
    )
    assert small.sent_bytes < exact.sent_bytes / 4
    assert ours @ theirs > 0.9 * np.linalg.norm(ours) * np.linalg.norm(theirs)


def test_an_anchored_row_ends_nearer_to_the_start(bench: Bench) -> None:
    half = AnchorSettings(kind=Anchoring.AVERAGE, keep=0.5)

    free, anchored = (
        train_row(bench, row(Method.FEDERATED, anchor=anchor), CLIENTS).everywhere[EVERYBODY]
        for anchor in (None, half)
    )

    np.testing.assert_allclose(anchored, (free + bench.start) / 2, atol=1e-6)


def test_a_row_may_train_otherwise(bench: Bench) -> None:
    usual = train_row(bench, row(Method.CENTRALISED), CLIENTS)

    frozen = train_row(bench, row(Method.CENTRALISED, local={"frozen_layers": 22}), CLIENTS)

    assert (usual.everywhere[EVERYBODY] != frozen.everywhere[EVERYBODY]).any()
