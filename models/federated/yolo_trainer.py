"""YOLO11n as it is installed → the device's and the bench's side of a run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from common.rounds import CANDIDATE_FOLDER, RunPlan
from common.timing import SystemClock
from models.catalogue import NAME, VERSION
from models.detector import load_model
from models.federated.anchoring import anchor_step
from models.federated.candidate_folder import Finished, write_candidate
from models.federated.class_probe import ClassProbe, ProbePictures, rise_over
from models.federated.local_training import LocalResult, LocalTask, train_locally
from models.federated.network import layout_of_network, vector_of
from models.federated.parameters import Layout
from models.federated.round_files import parent_file
from models.federated.round_scores import prepare_sets, score_vector
from models.federated.trainers import Conclusion, RunEnd
from models.federated.verdicts import ClassRise

F32 = NDArray[np.float32]
SETS_FOLDER = "sets"
"""Copies of the evaluation images inside the run folder: the originals may be read-only."""
_INSTALLED = Path(__file__).parents[1] / "weights" / f"{NAME}-{VERSION}.pt"

log = structlog.get_logger(__name__)


class YoloTrainer:
    """The device's side: the installed network, filled with the weights that travel."""

    def __init__(self, checkpoint: Path = _INSTALLED) -> None:
        """Load nothing yet."""
        self._checkpoint = checkpoint

    @cached_property
    def _model(self) -> Any:
        return load_model(self._checkpoint, allow_download=False)

    @cached_property
    def layout(self) -> Layout:
        """Of the installed network."""
        return layout_of_network(self._model)

    def train(self, task: LocalTask) -> LocalResult:
        """Train a copy of the global model.

        Raises:
            ItsError: It cannot.
        """
        return train_locally(self._model, task)


class YoloBench:
    """The server's side of one run."""

    def __init__(self, plan: RunPlan, folder: Path) -> None:
        """Load the parent.

        Args:
            plan: Of the run.
            folder: The run's own.

        Raises:
            ConfigError: The parent cannot be loaded.
        """
        self._plan = plan
        self._folder = folder
        self._model = load_model(parent_file(plan, folder), allow_download=False)
        self.layout = layout_of_network(self._model)

    def parent(self) -> F32:
        """The parent's weights, shape (layout.size,)."""
        return vector_of(self._model, self.layout)

    def anchored(self, vector: F32, number: int) -> F32:
        """What becomes of an aggregate before it is the next global model."""
        return anchor_step(self._model, vector, self._plan, number)

    def class_rise(self, base: F32) -> ClassRise | None:
        """What asks a delta to ``base`` about the anchor's pictures; None without an anchor."""
        return rise_over(self._probe, base)

    def scores(self, vector: F32) -> dict[str, float]:
        """Set → mAP50 in [0, 1]; empty where the plan names no evaluation."""
        scored = score_vector(self._model, vector, self.layout, self._sets) if self._sets else {}
        return {name: score.mean.map50 for name, score in scored.items()}

    def conclude(self, vector: F32, end: RunEnd) -> Conclusion:
        """Judge the last global model against its parent, and write it down either way.

        Raises:
            ItsError: It cannot be written or scored.
        """
        finished = Finished(
            plan=self._plan,
            run_folder=self._folder,
            model=self._model,
            layout=self.layout,
            vector=vector,
            end=end,
        )
        folder = self._folder / CANDIDATE_FOLDER
        conclusion = write_candidate(finished, folder, now=SystemClock().now())
        log.info("candidate_written", run=self._plan.run, passed=conclusion.passed)
        return conclusion

    @cached_property
    def _probe(self) -> ClassProbe:
        return ClassProbe(self._model, self.layout, ProbePictures.of_plan(self._plan))

    @cached_property
    def _sets(self) -> Mapping[str, Path]:
        if self._plan.evaluation is None:
            return {}
        return prepare_sets(self._plan.evaluation, self._folder / SETS_FOLDER)


def trainer() -> YoloTrainer:
    """The device's side."""
    return YoloTrainer()


def bench(plan: RunPlan, folder: Path) -> YoloBench:
    """The server's side."""
    return YoloBench(plan, folder)
