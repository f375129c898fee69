"""The head keeps the six road users of COCO and changes nothing else."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError
from common.road_users import COCO_ROAD_USERS, ROAD_USERS
from models.detector import CLASS_NAMES, COCO_ROWS, keep_road_users, load_model
from models.runtime import prepare

pytestmark = [pytest.mark.unit, pytest.mark.ml]


@pytest.fixture(scope="module")
def coco_network() -> Any:
    prepare()
    import torch  # noqa: PLC0415 - absent without the train extra
    from ultralytics.nn.tasks import DetectionModel  # noqa: PLC0415

    torch.manual_seed(0)
    network = DetectionModel("yolo11n.yaml", nc=80, verbose=False)
    names = {i: f"thing {i}" for i in range(80)}
    network.names = names | {i: str(road_user) for i, road_user in COCO_ROAD_USERS.items()}
    return network.eval()


def test_the_six_scores_are_the_six_rows_of_coco(coco_network: Any) -> None:
    import torch  # noqa: PLC0415 - absent without the train extra

    images = torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    ours = copy.deepcopy(coco_network)

    keep_road_users(ours)

    with torch.no_grad():
        before, after = coco_network(images)[0], ours(images)[0]
    assert after.shape == (2, 4 + 6, before.shape[2])
    torch.testing.assert_close(after[:, :4], before[:, :4], rtol=0, atol=0)
    rows = [4 + row for row in COCO_ROWS]
    torch.testing.assert_close(after[:, 4:], before[:, rows], rtol=0, atol=1e-6)


def test_only_the_last_class_convolutions_change(coco_network: Any) -> None:
    ours = copy.deepcopy(coco_network)

    keep_road_users(ours)

    before, after = coco_network.state_dict(), ours.state_dict()
    changed = {key for key in before if before[key].shape != after[key].shape}
    assert changed == {
        f"model.23.cv3.{level}.2.{part}" for level in range(3) for part in ("weight", "bias")
    }
    assert all((before[key] == after[key]).all() for key in before if key not in changed)
    for key in changed:
        assert (after[key] == before[key][list(COCO_ROWS)]).all()


def test_the_names_follow_our_order(coco_network: Any) -> None:
    ours = copy.deepcopy(coco_network)

    keep_road_users(ours)

    assert ours.names == CLASS_NAMES == {i: str(user) for i, user in enumerate(ROAD_USERS)}
    assert COCO_ROWS == (0, 1, 2, 3, 5, 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("nowhere/model.pt", "does not exist", id="path that is not there"),
        pytest.param("no-such-model.pt", "network is off", id="name, without a network"),
    ],
)
def test_a_missing_model_is_named(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        load_model(name, allow_download=False)

    assert raised.value.hint


def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.pt"
    path.write_bytes(b"this is not a checkpoint")

    with pytest.raises(ConfigError, match=r"broken\.pt"):
        load_model(path)


def test_foreign_classes_are_refused(tmp_path: Path, coco_network: Any) -> None:
    import torch  # noqa: PLC0415 - absent without the train extra

    cats = copy.deepcopy(coco_network)
    cats.names = {i: f"cat {i}" for i in range(80)}
    path = tmp_path / "cats.pt"
    torch.save({"model": cats, "train_args": {}}, path)

    with pytest.raises(ConfigError, match="expected the 80 of COCO"):
        load_model(path)
