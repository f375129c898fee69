from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.text_rules import repository_files
from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

# What a box on a pole must not need: training, coordinator, and the tools around them.
ABSENT = (
    "torch", "torchvision", "ultralytics", "matplotlib", "scipy", "pytest",
    "fastapi", "sqlalchemy", "amqtt",
)  # fmt: skip

ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COV_", "COVERAGE_"))
}


def run(*command: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.fixture(scope="module")
def edge_box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of executables of an environment with the edge extra and nothing else."""
    folder = tmp_path_factory.mktemp("edge-box")
    source, environment = folder / "source", folder / "venv"
    for path in repository_files(REPOSITORY):
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / path, source / path)
    python = environment / "bin" / "python"
    install: list[str | Path] = [python, "-m", "pip", "install"]
    if uv := shutil.which("uv"):
        install = [uv, "pip", "install", "--python", python]

    made = run(sys.executable, "-m", "venv", environment, folder=folder)
    assert made.returncode == 0, made.stderr
    installed = run(*install, "--quiet", "-c", "constraints.txt", ".[edge]", folder=source)
    assert installed.returncode == 0, installed.stderr
    return environment / "bin"


def test_an_edge_box_has_neither_torch_nor_ultralytics(edge_box: Path, tmp_path: Path) -> None:
    listing = (
        "import importlib.util as u, json\n"
        f"print(json.dumps([n for n in {ABSENT} if u.find_spec(n) is not None]))"
    )

    listed = run(edge_box / "python", "-c", listing, folder=tmp_path)

    assert (listed.returncode, listed.stderr) == (0, "")
    assert json.loads(listed.stdout) == []


def test_an_edge_box_knows_its_commands(edge_box: Path, tmp_path: Path) -> None:
    shown = run(edge_box / "its-camera-ai", "edge", "--help", folder=tmp_path)

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Usage: its-camera-ai edge" in shown.stdout


def test_an_edge_box_counts_a_simulated_road(edge_box: Path, tmp_path: Path) -> None:
    command = edge_box / "its-camera-ai"
    source = "simulate:road?seed=1&duration=5"

    counted = run(command, "edge", "count", source, "--report", "out.json", folder=tmp_path)

    assert counted.returncode == 0, counted.stderr
    report = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert report["source"] == source
    assert report["duration_s"] == pytest.approx(5, abs=0.5)
    assert report["frames"]["processed"] > 0


def test_an_edge_box_says_what_the_coordinator_would_need(edge_box: Path, tmp_path: Path) -> None:
    refused = run(edge_box / "its-camera-ai", "coordinator", "serve", folder=tmp_path)

    assert refused.returncode == 3
    assert "error: its-camera-ai coordinator needs " in refused.stderr
    assert "hint: pip install 'its-camera-ai[coordinator]'" in refused.stderr
