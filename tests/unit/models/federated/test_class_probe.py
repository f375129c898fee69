"""What a network says of the server's pictures shows swapped labels, and nothing else."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.road_users import ROAD_USERS
from common.rounds import Anchoring, AnchorSettings, LocalTraining
from models.federated.class_probe import ClassProbe, ProbePictures, rise_over
from models.federated.network import layout_of_network, vector_of
from models.federated.parameters import F32, Layout
from tests.fakes.made_up_updates import plan_for
from tests.fakes.untrained_yolo import picture_sample, untrained_yolo

pytestmark = [pytest.mark.unit, pytest.mark.ml]

CAR, MOTORCYCLE = 2, 3
GUESSED = math.log(len(ROAD_USERS))


@pytest.fixture
def server(tmp_path: Path) -> Path:
    root = tmp_path / "server" / "road"
    for part in ("images", "labels"):
        (root / "train" / part).mkdir(parents=True)
    for number, size in enumerate([(64, 64), (48, 96), (200, 100)]):
        picture = picture_sample(number, size=size)
        (root / "train" / "images" / f"{number}.jpg").write_bytes(picture.jpeg)
        label = f"{CAR} 0.5 0.5 0.25 0.25\n"
        (root / "train" / "labels" / f"{number}.txt").write_text(label, encoding="utf-8")
    classes = ", ".join(f"{index}: {name}" for index, name in enumerate(ROAD_USERS))
    (root / "data.yaml").write_text(f"names: {{{classes}}}\n", encoding="utf-8")
    return root.parent


def probe_of(data: Path | None, *, count: int = 9, seed: int = 0) -> tuple[ClassProbe, F32, Layout]:
    model = untrained_yolo()
    layout = layout_of_network(model)
    pictures = ProbePictures(data=data, count=count, seed=seed, side_px=128)
    return ClassProbe(model, layout, pictures), vector_of(model, layout), layout


def louder(layout: Layout, class_index: int, *, by: float) -> F32:
    """A delta after which the head says one class more readily, everywhere."""
    delta = np.zeros(layout.size, dtype=np.float32)
    biases = [e for e in layout.entries if ".cv3." in e.name and e.size == len(ROAD_USERS)]
    for entry in biases:
        delta[entry.offset + class_index] = by
    assert len(biases) == 3  # one for each scale of the head
    return delta


def test_a_network_that_knows_nothing_guesses(server: Path) -> None:
    probe, start, _ = probe_of(server)

    assert probe.questions == 9
    assert probe.loss(start) == pytest.approx(GUESSED, abs=0.1)


def test_who_calls_cars_motorcycles_rises_by_what_it_shifted(server: Path) -> None:
    probe, start, layout = probe_of(server)
    knows = start + louder(layout, CAR, by=4)
    rise = rise_over(probe, knows)
    assert rise is not None

    swapped = louder(layout, MOTORCYCLE, by=8)

    assert probe.loss(knows) < 0.3
    assert rise(np.zeros_like(knows)) == pytest.approx(0, abs=1e-5)
    assert rise(swapped) == pytest.approx(4, abs=0.3)


def test_who_is_unsure_of_everything_alike_does_not_rise(server: Path) -> None:
    probe, start, layout = probe_of(server)
    knows = start + louder(layout, CAR, by=4)
    rise = rise_over(probe, knows)
    assert rise is not None

    unsure = sum((louder(layout, index, by=-3) for index in range(6)), np.zeros_like(knows))

    assert rise(unsure) == pytest.approx(0, abs=0.01)


def test_numbers_that_are_none_rise_without_end(server: Path) -> None:
    probe, start, _ = probe_of(server)

    assert probe.loss(start * np.float32(np.nan)) == math.inf


def test_equal_choices_draw_equal_pictures(server: Path) -> None:
    first, start, layout = probe_of(server, count=2, seed=5)
    again, _, _ = probe_of(server, count=2, seed=5)
    weights = start + np.random.default_rng(0).normal(0, 0.01, layout.size).astype(np.float32)

    assert first.loss(weights) == again.loss(weights)


@pytest.mark.parametrize("has_data", [True, False])
def test_without_pictures_nothing_is_asked(server: Path, has_data: bool) -> None:
    probe, start, _ = probe_of(server if has_data else None, count=0 if has_data else 9)

    assert rise_over(probe, start) is None
    with pytest.raises(ValueError, match="no labelled box"):
        probe.loss(start)


def test_a_box_too_small_for_any_cell_is_not_asked_about(server: Path) -> None:
    for label in (server / "road" / "train" / "labels").iterdir():
        label.write_text(f"{CAR} 0.5 0.5 0.001 0.001\n", encoding="utf-8")

    assert probe_of(server)[0].questions == 0


def test_a_run_is_asked_about_the_pictures_it_is_anchored_with(server: Path) -> None:
    settings: dict[str, Any] = {
        "anchor": AnchorSettings(kind=Anchoring.REPLAY, data=server),
        "local": LocalTraining(image_px=96),
    }

    chosen = ProbePictures.of_plan(plan_for({"a": 5, "b": 5}, **settings))

    assert (chosen.data, chosen.count, chosen.side_px) == (server, 48, 96)
    assert ProbePictures.of_plan(plan_for({"a": 5, "b": 5})).data is None
