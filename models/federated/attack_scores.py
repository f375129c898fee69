"""Scores of weights ↔ a file that is whole at any moment, so that a table can be cut off."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from models.federated.parameters import F32
from models.federated.verdicts import ClassRise

NOT_FINITE = "not finite"
"""In place of a digest: such weights detect nothing."""


class KeptScores:
    """Two tables in one file: what a round came to, and what those weights score."""

    def __init__(self, path: Path) -> None:
        """Read what an earlier start left."""
        self._path = path
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        self._rounds: dict[str, str] = content.get("rounds", {})
        self._weights: dict[str, list[float]] = content.get("weights", {})

    def of_round(self, key: str) -> str | None:
        """What a round came to, None where nobody knows yet."""
        return self._rounds.get(key)

    def keep_round(self, key: str, outcome: str) -> None:
        """Note what a round came to."""
        self._rounds[key] = outcome
        self._write()

    def has_weights(self, digest: str) -> bool:
        """Whether these weights were scored."""
        return digest in self._weights

    def of_weights(self, digest: str) -> tuple[float, float]:
        """mAP50 over the classes, and of cars alone."""
        if digest == NOT_FINITE:
            return 0.0, 0.0
        map50, car = self._weights[digest]
        return map50, car

    def keep_weights(self, digest: str, scores: tuple[float, float]) -> None:
        """Note what weights score."""
        self._weights[digest] = list(scores)
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        content = {"rounds": self._rounds, "weights": self._weights}
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(self._path)


def asked_once(class_rise: ClassRise) -> ClassRise:
    """The same, and equal deltas are asked once: honest ones come back in every row."""
    known: dict[str, float] = {}

    def asked(delta: F32) -> float:
        digest = hashlib.sha256(delta.tobytes()).hexdigest()
        if digest not in known:
            known[digest] = class_rise(delta)
        return known[digest]

    return asked
