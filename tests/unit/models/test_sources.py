"""Which images are trained on, held out and repeated follows from the seed alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from common.errors import ConfigError
from models.sources import draw_repeats, find_sets, frame_of, repeat_factors, split_frames

pytestmark = pytest.mark.unit

OURS = "names: {0: person, 1: bicycle, 2: car, 3: motorcycle, 4: bus, 5: truck}\n"


def write_set(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "data.yaml").write_text(text, encoding="utf-8")


def test_a_set_says_which_classes_it_labels(tmp_path: Path) -> None:
    write_set(
        tmp_path / "city" / "north", f"{OURS}# exhaustively labelled here: car, bus (rest not)\n"
    )
    write_set(tmp_path / "simulated", OURS)

    north, simulated = find_sets(tmp_path)

    assert (north.name, north.family, sorted(north.labelled)) == ("city-north", "city", [2, 4])
    assert sorted(simulated.labelled) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("names: {0: car, 1: person}\n", "in this order", id="other classes"),
        pytest.param("train: images\n", "no readable key 'names'", id="no classes"),
    ],
)
def test_a_set_with_foreign_classes_is_refused(tmp_path: Path, text: str, message: str) -> None:
    write_set(tmp_path / "set", text)

    with pytest.raises(ConfigError, match=message):
        find_sets(tmp_path)


def test_a_folder_without_sets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no data\.yaml"):
        find_sets(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        pytest.param("train_42_png_9dc35f.jpg", "train_42", id="variant"),
        pytest.param("train_42_png_a44091.jpg", "train_42", id="other variant of the same"),
        pytest.param("1ab5c7e252f0.jpg", "1ab5c7e252f0", id="a frame of its own"),
    ],
)
def test_variants_share_their_real_frame(name: str, frame: str) -> None:
    assert frame_of(Path(name)) == frame


def test_no_real_frame_lies_on_both_sides_of_the_split() -> None:
    images = [
        Path(f"f{frame}_png_{variant:06x}.jpg") for frame in range(20) for variant in range(3)
    ]

    kept, held = split_frames(images, share=0.25, rng=np.random.default_rng(3))

    assert len(held) == 15
    assert sorted(kept + held) == sorted(images)
    assert not {frame_of(path) for path in kept} & {frame_of(path) for path in held}


def test_the_split_follows_the_seed() -> None:
    images = [Path(f"{number}.jpg") for number in range(40)]

    first, again, other = (
        split_frames(images, share=0.5, rng=np.random.default_rng(seed))[1] for seed in (1, 1, 2)
    )

    assert first == again
    assert first != other


def test_rare_classes_are_repeated_by_the_root_of_their_rarity() -> None:
    # car on all 16, truck on 4 of 16, motorcycle on 1 of 16
    images = {f"{i}": [2] for i in range(16)}
    images |= {f"{i}": [2, 5] for i in range(3)} | {"15": [2, 3, 5]}

    factors = repeat_factors(images, repeat_below=1.0)

    assert factors["8"] == 1.0
    assert factors["0"] == pytest.approx(2.0)
    assert factors["15"] == pytest.approx(4.0)


def test_a_repeat_factor_is_kept_on_average() -> None:
    factors = {f"{i:04d}": 1.5 for i in range(1000)} | {"once": 1.0, "half": 0.0}

    drawn = draw_repeats(factors, rng=np.random.default_rng(0))

    assert drawn.count("once") == 1
    assert "half" not in drawn
    assert {drawn.count(f"{i:04d}") for i in range(1000)} == {1, 2}
    assert 1400 < len(drawn) < 1600
