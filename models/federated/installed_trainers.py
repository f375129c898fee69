"""Name of a parent model → who trains it on a device and who judges it on the bench.

What trains is what was installed: YOLO, or a package that offers a trainer under the entry
point group ``its_camera_ai.trainers``. An order can only name one of them, never bring one.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Protocol, cast

from common.errors import NotFoundError
from common.ids import Slug
from common.rounds import RunPlan
from models.catalogue import NAME
from models.federated import yolo_trainer
from models.federated.trainers import Bench, Trainer

GROUP = "its_camera_ai.trainers"
"""Entry points: name of a parent model → a module with ``trainer`` and ``bench``."""


class TrainerModule(Protocol):
    """What an entry point of the group names."""

    def trainer(self) -> Trainer:
        """The side of a device."""
        ...

    def bench(self, plan: RunPlan, folder: Path) -> Bench:
        """The side of the server."""
        ...


def trainer_for(parent: Slug) -> Trainer:
    """Who trains a network of this name on a device.

    Raises:
        NotFoundError: Nobody here.
        ItsError: What is installed does not work.
    """
    return _module_for(parent).trainer()


def bench_for(plan: RunPlan, folder: Path) -> Bench:
    """Who judges a run on the bench.

    Args:
        plan: Of the run.
        folder: The run's own.

    Raises:
        NotFoundError: Nobody here.
        ItsError: The parent is not what the plan says.
    """
    return _module_for(plan.parent.name).bench(plan, folder)


def _module_for(parent: Slug) -> TrainerModule:
    if parent == NAME:
        return cast(TrainerModule, yolo_trainer)
    for found in entry_points(group=GROUP, name=parent):
        return cast(TrainerModule, found.load())
    raise NotFoundError(
        f"no trainer for {parent!r} is installed, expected {NAME!r}",
        hint="install the version of the software that the run was planned with",
    )
