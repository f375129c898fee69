"""Samples become batches in memory: boxes fit the strip shown, doubt is grey, chance is seeded."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from common.samples import Region
from models.federated.image_batches import View, batches_of, boxes_of, rows_of
from models.recipe import Recipe
from tests.fakes.untrained_yolo import picture_sample

pytestmark = [pytest.mark.unit, pytest.mark.ml]

RECIPE = Recipe(image_px=64, batch=2, epochs=1, seed=5)


def test_boxes_survive_rows_and_back() -> None:
    sample = picture_sample()

    assert boxes_of(rows_of(sample)) == sample.boxes
    assert rows_of(sample).tolist() == [[2, 0.5, 0.5, 0.25, 0.25]]


def test_a_box_without_an_extent_is_left_out() -> None:
    assert boxes_of(np.asarray([[2, 0.5, 0.5, 0.0, 0.2, 0.9]])) == ()


def test_the_boxes_of_a_strip_are_shares_of_the_strip() -> None:
    # the right half of a picture whose car reaches from 0.375 to 0.625
    view = View(sample=picture_sample(size=(64, 128)), left=0.5, right=1.0)

    (row,) = view.rows

    assert row.tolist() == [2, 0.125, 0.5, 0.25, 0.25]
    assert view.picture().shape == (64, 64, 3)


def test_what_nobody_is_sure_of_is_painted_over_but_nobody_who_is_labelled() -> None:
    # of 64 columns doubt covers 0 to 32; the car reaches from 24 to 40, rows 24 to 40
    doubt = Region(cx=0.25, cy=0.5, w=0.5, h=1.0)

    picture = View(sample=picture_sample(ignore=(doubt,))).picture()
    plain = View(sample=picture_sample()).picture()

    assert (picture[:, :24] == 114).all()
    assert (picture[:24, 24:32] == 114).all()
    assert (picture[24:40, 24:40] == plain[24:40, 24:40]).all()
    assert (picture[:, 32:] == plain[:, 32:]).all()


def test_every_sample_is_seen_once_an_epoch_and_chance_depends_on_the_seed() -> None:
    samples = [picture_sample(n, size=(64, 128)) for n in range(3)]

    once, again = (list(batches_of(samples, RECIPE)) for _ in range(2))

    assert [len(batch["img"]) for batch in once] == [2, 1]
    assert all(batch["img"].shape[1:] == (3, 64, 64) for batch in once)
    assert all((a["img"] == b["img"]).all() for a, b in zip(once, again, strict=True))


def test_epochs_differ() -> None:
    recipe = Recipe(image_px=64, batch=4, epochs=3, seed=5)

    batches = list(batches_of([picture_sample(n, size=(64, 160)) for n in range(4)], recipe))

    assert len(batches) == 3
    assert all(not (a["img"] == b["img"]).all() for a, b in pairwise(batches))


def test_no_picture_is_written_to_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    list(batches_of([picture_sample(n) for n in range(2)], RECIPE))

    assert list(tmp_path.rglob("*")) == []


def test_something_that_is_no_picture_is_one_clear_error() -> None:
    broken = picture_sample().model_copy(update={"jpeg": b"rubbish"})

    with pytest.raises(ConfigError, match="not a readable picture"):
        list(batches_of([broken], RECIPE))
