"""A candidate is measured as a box would run it, and the exit code says how it went."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from models.candidate_verdict import production
from models.proof_counts import EdgeProcesses, ProofScene, count_proof_set, together

pytestmark = [pytest.mark.e2e, pytest.mark.ml, pytest.mark.slow]


@pytest.fixture
def few_images(shared_data: Path, tmp_path: Path) -> Path:
    """Eight labelled roadside images, in the layout of a data folder."""
    source, target = shared_data / "labelled" / "roadside_tidar", tmp_path / "data" / "roadside"
    for kind, suffix in (("images", ".jpg"), ("labels", ".txt")):
        (target / "val" / kind).mkdir(parents=True)
        for path in sorted((source / "val" / kind).glob(f"*{suffix}"))[:8]:
            shutil.copyfile(path, target / "val" / kind / path.name)
    shutil.copyfile(source / "data.yaml", target / "data.yaml")
    return tmp_path / "data"


def evaluate(*arguments: str, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "common.cli", "ml", "evaluate", *arguments]
    environment = dict(os.environ, ITS_CACHE_DIR=str(cache), YOLO_OFFLINE="true")
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_what_runs_already_is_no_better_than_itself(few_images: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(few_images), "--candidate", str(production())]

    done = evaluate(
        *arguments, "--no-counts", "--image-px", "320", "--json", cache=tmp_path / "cache"
    )

    assert done.returncode == 1, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["reasons"] == ["not better: mAP50-95 +0.00 points over all sets"]
    assert verdict["candidate"]["scores"] == verdict["against"]["scores"]
    assert "car" in verdict["candidate"]["scores"]["roadside"]["classes"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--candidate", "nowhere.pt"], "is not there", id="no such file"),
        pytest.param([], "one of --model and --candidate", id="neither"),
        pytest.param(["--model", "a.pt", "--candidate", "b.pt"], "and not both", id="both"),
    ],
)
def test_a_fault_is_no_verdict(
    arguments: list[str], words: str, few_images: Path, tmp_path: Path
) -> None:
    done = evaluate("--data", str(few_images), *arguments, cache=tmp_path / "cache")

    assert done.returncode == 3
    assert words in done.stderr


def test_scenes_are_counted_by_the_installed_command(tmp_path: Path) -> None:
    source = "simulate:road?seed=14&duration=8&size=640x360&fps=8&vehicles=30"

    counted = count_proof_set(
        production(),
        memory=tmp_path,
        scenes=(ProofScene(name="dense", source=source),),
        box=EdgeProcesses(),
    )

    whole = together(counted)
    assert whole.true > 0
    assert whole.missed <= whole.true
