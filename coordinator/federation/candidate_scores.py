"""The folder of a run → what its bench measured of the candidate, class by class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from common.rounds import CANDIDATE_FOLDER

log = structlog.get_logger(__name__)

METRICS_FILE = "metrics.json"
_MOST_BYTES = 8 * 1024 * 1024
"""Rounds of ten thousand clients are in it too."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClassScore(_Part):
    """Average precision of one class, or the mean of a set; ``boxes`` labelled boxes."""

    map50: float
    map50_95: float
    boxes: int


class SetScores(_Part):
    """Scores on one labelled set."""

    mean: ClassScore
    classes: dict[str, ClassScore]


class _Side(_Part):
    scores: dict[str, SetScores]


class _Judged(_Part):
    candidate: _Side
    against: _Side


class CandidateScores(_Part):
    """Candidate and parent on the same sets.

    Attributes:
        candidate: Set → scores.
        parent: The same of the model that the run began with.
    """

    candidate: dict[str, SetScores]
    parent: dict[str, SetScores]


class _Metrics(_Part):
    judged: _Judged | None = None


def read_scores(folder: Path) -> CandidateScores | None:
    """The scores in a run's folder; None where there are none that can be read.

    They are for looking at: what decides is the verdict, which the database holds.
    """
    path = folder / CANDIDATE_FOLDER / METRICS_FILE
    try:
        with path.open("rb") as file:
            content: Any = file.read(_MOST_BYTES + 1)
        judged = _Metrics.model_validate_json(content).judged
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("candidate_scores_unreadable", file=str(path), reason=type(error).__name__)
        return None
    if judged is None:
        return None
    return CandidateScores(candidate=judged.candidate.scores, parent=judged.against.scores)
