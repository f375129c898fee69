"""Weights of 80 COCO classes → a network with our six road users, nothing else changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import ConfigError
from common.road_users import COCO_ROAD_USERS, ROAD_USERS
from models.runtime import NETWORK_IS_OFF, cache_folder, prepare

if TYPE_CHECKING:
    from torch import nn

CLASS_NAMES: dict[int, str] = {i: str(road_user) for i, road_user in enumerate(ROAD_USERS)}
COCO_CLASSES = 80
COCO_ROWS: tuple[int, ...] = tuple(COCO_ROAD_USERS)


def load_model(weights: str | Path, *, allow_download: bool = True) -> Any:
    """Load a YOLO with our six classes.

    Args:
        weights: A checkpoint on disk, or a name that Ultralytics knows (``yolo11n.pt``).
        allow_download: Whether Ultralytics may fetch a name that is not on disk.

    Returns:
        ``ultralytics.YOLO`` in float32 whose head emits ``ROAD_USERS`` in their order.

    Raises:
        ConfigError: Not on disk and not fetched, not a detector, or neither COCO's
            classes nor ours.
    """
    model = open_yolo(weights, allow_download=allow_download)
    network = model.model.float()
    names = {int(i): str(name) for i, name in network.names.items()}
    if names == CLASS_NAMES:
        return model
    if len(names) != COCO_CLASSES or any(names[i] != COCO_ROAD_USERS[i] for i in COCO_ROWS):
        raise ConfigError(
            f"model {weights} has the classes {sorted(names.values())[:8]}, expected the 80 of "
            f"COCO or {list(CLASS_NAMES.values())}",
            hint="start from yolo11n.pt or from an its-yolo11n checkpoint",
        )
    keep_road_users(network)
    return model


def open_yolo(weights: str | Path, *, allow_download: bool = True) -> Any:
    """Open any Ultralytics detector as it is.

    Raises:
        ConfigError: Not on disk and not fetched, unreadable, or not a detector.
    """
    path = Path(weights).expanduser()
    is_name = path.parent == Path() and not path.exists()
    if is_name:
        # Ultralytics would put what it fetches into whatever folder we happen to be in
        path = cache_folder() / "weights" / path.name
        path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() and not (is_name and allow_download and not NETWORK_IS_OFF):
        reason = ", and the network is off" if is_name else ""
        raise ConfigError(
            f"model {weights} does not exist{reason}",
            hint="give the path of a .pt file, or an Ultralytics name such as yolo11n.pt "
            "where there is a network",
        )
    prepare(offline=path.exists())
    import pickle

    from ultralytics import YOLO

    try:
        model = YOLO(str(path), task="detect")
    except (OSError, pickle.UnpicklingError, RuntimeError, ValueError, TypeError) as error:
        raise ConfigError(
            f"model {weights} cannot be loaded: {' '.join(str(error).split())[:200]}",
            hint="without a network, give the path of a .pt file that is on this machine",
        ) from error
    if model.task != "detect" or not hasattr(model.model, "names"):
        raise ConfigError(f"model {weights} is made for {model.task}, expected a detector (.pt)")
    return model


def keep_road_users(network: nn.Module) -> None:
    """Shrink an 80-class YOLO head to the six rows of COCO that are road users, in place.

    Only the last 1×1 convolution of each class branch knows the classes; rebuilding the
    branch for six classes, as Ultralytics does, would also narrow its hidden layers and
    throw away what they learned.
    """
    import torch
    from torch import nn

    head: Any = network.model[-1]
    rows = list(COCO_ROWS)
    for branches in _class_branches(head):
        for branch in branches:
            old = branch[-1]
            new = nn.Conv2d(old.in_channels, len(rows), 1)
            with torch.no_grad():
                new.weight.copy_(old.weight[rows])
                new.bias.copy_(old.bias[rows])
            branch[-1] = new.to(old.weight.device, old.weight.dtype)
    head.nc = len(rows)
    head.no = head.nc + head.reg_max * 4
    network.names = dict(CLASS_NAMES)
    network.nc = len(rows)
    network.yaml["nc"] = len(rows)


def _class_branches(head: Any) -> list[Any]:
    # newer YOLO families carry a second, one-to-one head
    branches = (getattr(head, name, None) for name in ("cv3", "one2one_cv3"))
    return [branch for branch in branches if branch is not None]
