"""Named scenes and a model → crossings that it missed, invented and classed wrongly.

The scenes are simulated, so their truth is exact and nobody's picture is needed. Each is
counted by ``its-camera-ai edge count`` as a process: what is judged is what a box does with
the model, from the frame to the event, and the bench may not import the edge.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from common.errors import ConfigError
from models.benchmark import run_edge
from models.registry_entry import source_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofScene:
    """One scene that every candidate is counted on.

    Attributes:
        name: How it is called in tables.
        source: What ``edge count`` takes; equal texts give equal pixels.
    """

    name: str
    source: str


# Small and slow frames: together they take about a minute on two cores.
SCENES: tuple[ProofScene, ...] = (
    ProofScene(
        name="junction_day",
        source="simulate:junction?seed=11&duration=26&size=640x360&fps=10&vehicles=14",
    ),
    ProofScene(
        name="road_night",
        source="simulate:road?seed=12&light=night&duration=18&size=640x360&fps=10&vehicles=18",
    ),
    ProofScene(
        name="road_rain",
        source="simulate:road?seed=13&weather=rain&duration=18&size=640x360&fps=10&vehicles=18",
    ),
    ProofScene(
        name="road_dense",
        source="simulate:road?seed=14&duration=20&size=640x360&fps=10&vehicles=30",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneCount:
    """How the counts of one scene, or of several together, agree with the truth."""

    scene: str
    true: int
    missed: int
    false: int
    wrong_class: int

    @property
    def faults(self) -> int:
        """Missed and invented crossings; they never cancel."""
        return self.missed + self.false


class CountingBox(Protocol):
    """Whoever counts a scene."""

    def write_truth(self, source: str, target: Path) -> None:
        """Write the exact truth of a scene."""
        ...

    def count(self, source: str, *, truth: Path, model: Path) -> dict[str, Any]:
        """Count a scene; the report of ``edge count --json``."""
        ...


class EdgeProcesses:
    """The installed command, one process per scene."""

    def write_truth(self, source: str, target: Path) -> None:
        """Write the exact truth of a scene.

        Raises:
            ConfigError: The command failed; its own words are passed on.
        """
        command = [sys.executable, "-m", "common.cli", "edge", "simulate", source]
        done = subprocess.run(  # noqa: S603 - our own modules
            [*command, "--truth", str(target)],
            capture_output=True,
            text=True,
            check=False,
            env=dict(os.environ),
        )
        if done.returncode != 0:
            last = done.stderr.strip().splitlines()[-2:] or ["no message"]
            raise ConfigError(f"edge simulate failed: {' '.join(last)}")

    def count(self, source: str, *, truth: Path, model: Path) -> dict[str, Any]:
        """Count a scene.

        Raises:
            ConfigError: The command failed; its own words are passed on.
        """
        return run_edge("count", source, "--truth", str(truth), "--model", str(model), "--json")


def count_proof_set(
    model: Path,
    *,
    memory: Path,
    scenes: Sequence[ProofScene] = SCENES,
    box: CountingBox | None = None,
) -> tuple[SceneCount, ...]:
    """Count every scene with one model.

    Args:
        model: An ``.onnx`` file.
        memory: Folder that keeps truths and results; a result is asked for again only when
            the model, the scene or our code has changed.
        scenes: What to count.
        box: Who counts; the installed command unless given.

    Raises:
        ConfigError: A scene could not be counted.
    """
    memory.mkdir(parents=True, exist_ok=True)
    box = box or EdgeProcesses()
    model_sha256 = hashlib.sha256(model.read_bytes()).hexdigest()
    return tuple(_count(box, model, scene, memory, model_sha256) for scene in scenes)


def together(counts: Iterable[SceneCount]) -> SceneCount:
    """All scenes as one."""
    rows = list(counts)
    return SceneCount(
        scene="all",
        true=sum(row.true for row in rows),
        missed=sum(row.missed for row in rows),
        false=sum(row.false for row in rows),
        wrong_class=sum(row.wrong_class for row in rows),
    )


def _count(
    box: CountingBox, model: Path, scene: ProofScene, memory: Path, model_sha256: str
) -> SceneCount:
    kept = memory / f"count-{_key(model_sha256, scene.source)}.json"
    if kept.exists():
        return SceneCount(**json.loads(kept.read_text(encoding="utf-8")))
    truth = memory / f"truth-{_key(scene.source)}.json"
    if not truth.exists():
        part = truth.with_suffix(".part")
        box.write_truth(scene.source, part)
        part.replace(truth)
    totals = box.count(scene.source, truth=truth, model=model)["truth"]["totals"]
    counted = SceneCount(
        scene=scene.name,
        **{key: int(totals[key]) for key in ("true", "missed", "false", "wrong_class")},
    )
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(asdict(counted)), encoding="utf-8")
    part.replace(kept)
    return counted


def _key(*facts: str) -> str:
    return hashlib.sha256(
        "\n".join((source_digest("common", "edge"), *facts)).encode()
    ).hexdigest()[:32]
