"""A simulated scene → files: labelled frames, exact truth, site file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import yaml

from common.errors import ConfigError
from common.site import Site
from edge.counting.count import refuse_missing_folder
from edge.simulate.labels import write_labelled_frames
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source
from edge.simulate.truth import scene_truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to write of a scene; what is None is not written.

    Attributes:
        labels: Folder for labelled frames (YOLO layout).
        frames: How many of them.
        every_s: Scene time between two of them, in seconds.
        truth: File for the exact truth (JSON).
        site: File for the scene's site file (YAML).
    """

    labels: Path | None = None
    frames: int = 100
    every_s: float = 2.0
    truth: Path | None = None
    site: Path | None = None


def write_scene(source: str, wanted: Wanted) -> list[str]:
    """Write what was asked for; returns one line per file or folder.

    Raises:
        ConfigError: The source is not a scene, has no end, or nothing was asked for.
    """
    scene = parse_source(source)
    labels, truth, site = wanted.labels, wanted.truth, wanted.site
    if labels is None and truth is None and site is None:
        raise ConfigError(
            "nothing to write, expected one or more of --labels, --truth and --site",
            hint="edge simulate 'simulate:road?seed=1&duration=60' --truth truth.json",
        )
    for path in (truth, site):
        refuse_missing_folder(path)
    written = []
    if labels is not None:
        write_labelled_frames(scene, labels, frames=wanted.frames, every_s=wanted.every_s)
        written.append(f"written: {labels} ({wanted.frames} labelled frames)")
    if truth is not None:
        if scene.duration_s is None:
            raise ConfigError(f"{source} has no end, so no complete truth", hint="add &duration=60")
        truth.write_text(json.dumps(scene_truth(scene), indent=1) + "\n", encoding="utf-8")
        written.append(f"written: {truth}")
    if site is not None:
        camera = scene_camera(scene, source=source)
        content = Site(site="simulated", cameras=(camera,)).model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
        site.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        written.append(f"written: {site}")
    return written
