"""After an aggregation the server pulls back: towards its own pictures, or towards the parent."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.rounds import (
    Anchoring,
    AnchorSettings,
    LocalTraining,
    ParentModel,
    PlannedClient,
    RunPlan,
)
from models.federated.anchoring import (
    DistilledLoss,
    anchor_step,
    drawn_images,
    filled_samples,
    plain_samples,
)
from models.federated.image_batches import batches_of
from models.federated.network import layout_of_network, network_with, vector_of
from models.recipe import Recipe
from tests.fakes.untrained_yolo import picture_sample, untrained_yolo

pytestmark = [pytest.mark.unit, pytest.mark.ml]

OURS = "names: {0: person, 1: bicycle, 2: car, 3: motorcycle, 4: bus, 5: truck}\n"
VEHICLES = "# exhaustively labelled here: car, bus, truck, motorcycle\n"


@pytest.fixture
def server(tmp_path: Path) -> Path:
    root = tmp_path / "server" / "road"
    for part in ("images", "labels"):
        (root / "train" / part).mkdir(parents=True)
    for number in range(3):
        (root / "train" / "images" / f"{number}.jpg").write_bytes(picture_sample(number).jpeg)
        label = "2 0.5 0.5 0.25 0.25\n"
        (root / "train" / "labels" / f"{number}.txt").write_text(label, encoding="utf-8")
    (root / "data.yaml").write_text(OURS + VEHICLES, encoding="utf-8")
    return root.parent


def plan(kind: Anchoring, data: Path | None = None, **settings: Any) -> RunPlan:
    return RunPlan(
        run="run-1",
        created_at=datetime.fromtimestamp(0, UTC),
        parent=ParentModel(name="m", version="1.0.0", sha256="0" * 64, file=Path("parent.pt")),
        clients=(PlannedClient(device="north", samples=1),),
        quorum=1,
        local=LocalTraining(image_px=64, batch=2),
        anchor=AnchorSettings(kind=kind, data=data, **settings),
    )


def aggregate_and_parent() -> tuple[Any, Any]:
    model = untrained_yolo()
    layout = layout_of_network(model)
    parent = vector_of(model, layout)
    return parent + np.float32(0.01), parent


def test_without_an_anchor_the_aggregate_stays() -> None:
    aggregate, _ = aggregate_and_parent()

    assert anchor_step(untrained_yolo(), aggregate, plan(Anchoring.NONE), 1) is aggregate


def test_average_lies_between_parent_and_aggregate() -> None:
    aggregate, parent = aggregate_and_parent()

    result = anchor_step(untrained_yolo(), aggregate, plan(Anchoring.AVERAGE, keep=0.25), 1)

    assert result.dtype == np.float32
    np.testing.assert_allclose(result, 0.25 * parent + 0.75 * aggregate, atol=1e-6)


@pytest.mark.parametrize("kind", [Anchoring.REPLAY, Anchoring.DISTIL])
def test_steps_on_the_servers_pictures_are_repeatable(kind: Anchoring, server: Path) -> None:
    aggregate, parent = aggregate_and_parent()
    asked = plan(kind, server, steps=2)

    once, again = (anchor_step(untrained_yolo(), aggregate, asked, 1) for _ in range(2))
    other_round = anchor_step(untrained_yolo(), aggregate, asked, 2)

    assert once.tobytes() == again.tobytes()
    assert (once != aggregate).any()
    assert (once != other_round).any()
    assert (vector_of(untrained_yolo(), layout_of_network(untrained_yolo())) == parent).all()


def test_no_steps_change_nothing(server: Path) -> None:
    aggregate, _ = aggregate_and_parent()

    assert anchor_step(untrained_yolo(), aggregate, plan(Anchoring.REPLAY, server, steps=0), 1) is (
        aggregate
    )


def test_who_answers_as_its_parent_has_nothing_to_learn_from_it() -> None:
    model = untrained_yolo()
    layout = layout_of_network(model)
    same = network_with(model, vector_of(model, layout), layout)
    other = network_with(model, vector_of(model, layout) + np.float32(0.01), layout)
    recipe = Recipe(image_px=64, batch=2, epochs=1)
    (batch,) = batches_of([picture_sample(n) for n in range(2)], recipe)
    batch["img"] = batch["img"].float() / 255
    for network in (same, other):
        network.train()
        for module in network.modules():
            if type(module).__name__ == "BatchNorm2d":
                module.eval()
    loss = DistilledLoss(model)

    nothing, something = (float(loss(network, batch)[0].detach()) for network in (same, other))

    assert nothing == pytest.approx(0, abs=0.01)
    assert something > 0.1


def test_every_picture_is_drawn_before_one_comes_again(server: Path) -> None:
    names = [image.path.name for image in drawn_images(server, count=5, seed=1)]

    assert sorted(names[:3]) == ["0.jpg", "1.jpg", "2.jpg"]
    assert len(names) == 5


def test_drawn_boxes_stay_when_the_model_fills_in_the_rest(server: Path) -> None:
    images = drawn_images(server, count=2, seed=1)

    filled = filled_samples(untrained_yolo(), images, Recipe(image_px=64))
    plain = plain_samples(images)

    for full, drawn in zip(filled, plain, strict=True):
        assert full.boxes[: len(drawn.boxes)] == drawn.boxes
        assert len(drawn.boxes) == 1
