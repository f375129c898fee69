"""Clips → our pipeline beside the off-the-shelf chain, in counts and in speed.

Each side runs as a process of its own (the bench may not import the edge, and memory
is only comparable that way); the two take turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from common.errors import ConfigError
from common.geometry import Direction
from common.road_users import RoadUser
from common.truth import Comparison, CountedEvent, compare, load_truth, totals


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipResult:
    """Both chains on one clip."""

    clip: str
    ours: tuple[Comparison, ...]
    baseline: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """One way to run the off-the-shelf chain.

    Attributes:
        name: Key in the result.
        model: Checkpoint or ONNX file.
        input_px: Network input, a side or height x width; None takes ours.
    """

    name: str
    model: Path
    input_px: str | None = None


def compare_counts(
    folder: Path, *, model: str | None, baseline_model: Path, truth: Path | None = None
) -> list[ClipResult]:
    """Count every clip of ``folder`` that has a truth file, with both chains.

    Args:
        folder: Holds ``clips/NAME.mp4`` and ``truth/NAME.json``.
        truth: Another folder with ``NAME.json``.
        model: Model of our pipeline; None for the packaged one.
        baseline_model: Checkpoint of the off-the-shelf chain.

    Raises:
        ConfigError: No clip with a truth file in ``folder``.
    """
    truth = truth or folder / "truth"
    truths = sorted(truth.glob("*.json"))
    if not truths:
        raise ConfigError(
            f"no truth file in {truth}, expected clips/NAME.mp4 and truth/NAME.json",
            hint="name the folder with --data",
        )
    return [
        _compare_clip(folder / "clips" / f"{path.stem}.mp4", path, model, baseline_model)
        for path in truths
    ]


def _compare_clip(clip: Path, truth: Path, model: str | None, baseline_model: Path) -> ClipResult:
    expected = load_truth(truth)
    ours = run_edge("count", str(clip), "--truth", str(truth), "--json", *_model(model))
    theirs = run_off_the_shelf(clip, model=baseline_model, truth=truth)
    return ClipResult(
        clip=clip.stem,
        ours=tuple(compare(_events(ours), expected, duration_s=ours["duration_s"])),
        baseline=tuple(compare(_events(theirs), expected, duration_s=theirs["duration_s"])),
    )


def measure_pipeline(
    source: str, *, model: str | None, rounds: int, baseline: Sequence[Rival]
) -> dict[str, Any]:
    """Speed, latency and memory of our pipeline, with the off-the-shelf chain in between.

    Args:
        source: What ``edge benchmark`` takes; a clip where ``baseline`` is given.
        model: Model of our pipeline; None for the packaged one.
        rounds: How often the chains take turns.
        baseline: What to compare with.
    """
    results: list[dict[str, Any]] = []
    baseline_fps: dict[str, list[float]] = {rival.name: [] for rival in baseline}
    for _ in range(rounds):
        result = run_edge("benchmark", source, "--json", "--rounds", "1", *_model(model))
        results.append(result)
        width, height = result["input"].split("x")
        for rival in baseline:
            run = run_off_the_shelf(
                Path(source), model=rival.model, input_px=rival.input_px or f"{height}x{width}"
            )
            baseline_fps[rival.name].append(run["fps"])
    merged = dict(results[-1], rounds=rounds)
    for key in ("bare_inference_fps", "pipeline_fps", "ratio", "peak_rss_mb"):
        merged[key] = round(median(result[key] for result in results), 3)
    for key in ("frames", "crossings"):
        merged[key] = sum(result[key] for result in results)
    for key in ("latency_ms", "event_delay_s"):
        rounds_of = [result[key] for result in results if result[key]]
        merged[key] = {
            share: round(median(one[share] for one in rounds_of), 2)
            for share in (rounds_of[0] if rounds_of else ())
        }
    merged["ratios"] = [result["ratio"] for result in results]
    merged["off_the_shelf"] = {
        name: _against(fps, [result["pipeline_fps"] for result in results])
        for name, fps in baseline_fps.items()
    }
    return merged


def _against(theirs: Sequence[float], ours: Sequence[float]) -> dict[str, Any]:
    times = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"fps": round(median(theirs), 1), "times_faster": round(median(times), 2)}


def run_edge(*arguments: str) -> dict[str, Any]:
    """Run ``its-camera-ai edge …`` and read what it prints.

    Raises:
        ConfigError: It failed; its own words are passed on.
    """
    return _run([sys.executable, "-m", "common.cli", "edge", *arguments])


def run_off_the_shelf(
    clip: Path, *, model: Path, truth: Path | None = None, input_px: str = "640"
) -> dict[str, Any]:
    """Run the off-the-shelf chain on one clip.

    Raises:
        ConfigError: It failed; its own words are passed on.
    """
    command = [sys.executable, "-m", "models.baseline", str(clip), "--model", str(model)]
    command += ["--input-px", input_px]
    if truth is not None:
        command += ["--truth", str(truth)]
    return _run(command)


def _run(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603 - our own modules
        list(command), capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-2:] or ["no message"]
        raise ConfigError(f"{' '.join(command[2:4])} failed: {' '.join(last)}")
    result: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return result


def _model(model: str | None) -> list[str]:
    return ["--model", model] if model else []


def _events(result: Mapping[str, Any]) -> list[CountedEvent]:
    return [
        CountedEvent(
            section=event["section"],
            direction=Direction(event["direction"]),
            road_user=RoadUser(event["class"]),
            time_s=event["time_s"],
        )
        for event in result["events"]
    ]


def counts_table(results: Sequence[ClipResult]) -> list[dict[str, Any]]:
    """One row per clip and one for all: faults of ours beside those of the baseline."""
    rows = []
    everything = ClipResult(
        clip="all",
        ours=tuple(row for result in results for row in result.ours),
        baseline=tuple(row for result in results for row in result.baseline),
    )
    for result in (*results, everything):
        rows.append(
            {
                "clip": result.clip,
                "ours": totals(result.ours),
                "off_the_shelf": totals(result.baseline),
            }
        )
    return rows
