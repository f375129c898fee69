"""Labels of a set are completed by a teacher without contradicting the annotators."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from models.labels import cut_rows, fill_labels, fuse_views, overlaps, read_rows, write_rows

PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRUCK = range(6)
VEHICLES = frozenset({CAR, MOTORCYCLE, BUS, TRUCK})
pytestmark = pytest.mark.unit


def row(class_index: int, *box: float, score: float | None = None) -> list[float]:
    return [class_index, *box, *([] if score is None else [score])]


def table(*rows: list[float], columns: int = 5) -> np.ndarray:
    return np.asarray(rows, dtype=np.float64).reshape(-1, columns)


MOTORCYCLE_LABEL = row(MOTORCYCLE, 0.5, 0.5, 0.2, 0.4)
CAR_LABEL = row(CAR, 0.5, 0.5, 0.4, 0.2)


@pytest.mark.parametrize(
    ("label", "prediction", "is_added"),
    [
        pytest.param(CAR_LABEL, row(PERSON, 0.1, 0.1, 0.1, 0.2, score=0.3), True, id="person"),
        pytest.param(CAR_LABEL, row(PERSON, 0.1, 0.1, 0.1, 0.2, score=0.29), False, id="unsure"),
        pytest.param(
            CAR_LABEL, row(CAR, 0.1, 0.1, 0.1, 0.1, score=0.5), True, id="car the annotator missed"
        ),
        pytest.param(
            CAR_LABEL, row(CAR, 0.1, 0.1, 0.1, 0.1, score=0.49), False, id="labelled class, unsure"
        ),
        pytest.param(
            CAR_LABEL, row(TRUCK, 0.5, 0.5, 0.4, 0.2, score=0.9), False, id="truck on a drawn car"
        ),
        pytest.param(
            CAR_LABEL, row(PERSON, 0.5, 0.5, 0.4, 0.2, score=0.9), False, id="person is the car"
        ),
        pytest.param(
            CAR_LABEL, row(PERSON, 0.5, 0.5, 0.05, 0.2, score=0.9), True, id="person before a car"
        ),
        pytest.param(
            MOTORCYCLE_LABEL, row(PERSON, 0.5, 0.4, 0.2, 0.3, score=0.9), True, id="rider"
        ),
        pytest.param(
            MOTORCYCLE_LABEL,
            row(BICYCLE, 0.5, 0.5, 0.2, 0.4, score=0.9),
            False,
            id="bicycle on a drawn motorcycle",
        ),
    ],
)
def test_prediction_fills_only_what_nobody_decided(
    label: list[float], prediction: list[float], is_added: bool
) -> None:
    labels = table(label)

    filled = fill_labels(
        labels,
        table(prediction, columns=6),
        labelled=VEHICLES,
        unlabelled_score=0.3,
        missed_score=0.5,
    )

    np.testing.assert_array_equal(filled[:1], labels)
    assert (len(filled) == 2) is is_added
    if is_added:
        assert filled[1].tolist() == prediction[:5]


def test_an_image_without_labels_is_filled_and_one_without_predictions_is_kept() -> None:
    nothing = table()
    person = row(PERSON, 0.5, 0.5, 0.1, 0.2, score=0.8)
    fill = partial(fill_labels, labelled=VEHICLES, unlabelled_score=0.3, missed_score=0.5)

    assert fill(nothing, table(person, columns=6)).tolist() == [person[:5]]
    assert fill(table(CAR_LABEL), table(columns=6)).tolist() == [CAR_LABEL]


def test_two_views_of_one_car_become_their_weighted_mean() -> None:
    straight = table(row(CAR, 0.50, 0.5, 0.2, 0.2, score=0.9), columns=6)
    mirrored = table(row(CAR, 0.54, 0.5, 0.2, 0.2, score=0.3), columns=6)

    (fused,) = fuse_views([straight, mirrored])

    # (0.9 · 0.50 + 0.3 · 0.54) / 1.2 and (0.9 + 0.3) / 2
    np.testing.assert_allclose(fused, [CAR, 0.51, 0.5, 0.2, 0.2, 0.6])


def test_a_thing_that_one_of_two_views_saw_keeps_half_its_score() -> None:
    seen = table(row(BUS, 0.5, 0.5, 0.2, 0.2, score=0.8), columns=6)

    assert fuse_views([seen, table(columns=6)])[0, 5] == pytest.approx(0.4)


def test_overlapping_boxes_of_two_classes_stay_two() -> None:
    both = table(
        row(CAR, 0.5, 0.5, 0.2, 0.2, score=0.8),
        row(TRUCK, 0.5, 0.5, 0.2, 0.2, score=0.6),
        columns=6,
    )

    assert fuse_views([both])[:, 0].tolist() == [CAR, TRUCK]


def test_overlap_of_half_shifted_boxes_is_a_third() -> None:
    box = np.asarray(row(CAR, 0.5, 0.5, 0.2, 0.2))
    shifted = table(row(CAR, 0.6, 0.5, 0.2, 0.2), row(CAR, 0.9, 0.5, 0.2, 0.2))

    np.testing.assert_allclose(overlaps(box, shifted), [1 / 3, 0])


def test_a_strip_keeps_boxes_by_their_visible_share() -> None:
    rows = table(
        row(CAR, 0.25, 0.5, 0.2, 0.4),  # inside the left half
        row(BUS, 0.50, 0.5, 0.2, 0.4),  # half of it
        row(TRUCK, 0.58, 0.5, 0.2, 0.4),  # a tenth of it
    )

    cut = cut_rows(rows, left=0.0, right=0.5, least_visible=0.35)

    np.testing.assert_allclose(cut, [[CAR, 0.5, 0.5, 0.4, 0.4], [BUS, 0.9, 0.5, 0.2, 0.4]])


def test_written_rows_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"

    write_rows(path, table(row(CAR, 0.5, 0.25, 0.125, 0.0625, score=0.9), columns=6))

    assert read_rows(path).tolist() == [[CAR, 0.5, 0.25, 0.125, 0.0625]]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("6 0.5 0.5 0.1 0.1", id="unknown class"),
        pytest.param("2 0.5 0.5 0.1", id="four numbers"),
        pytest.param("2 320 240 64 48", id="pixels"),
        pytest.param("car 0.5 0.5 0.1 0.1", id="a word"),
    ],
)
def test_a_bad_label_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.txt"
    path.write_text(f"2 0.5 0.5 0.1 0.1\n{line}\n", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"bad\.txt line 2"):
        read_rows(path)
