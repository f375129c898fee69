from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.integration

# Seconds of start-up and hundreds of megabytes that no command line needs to show its help.
HEAVY = ("torch", "torchvision", "ultralytics", "tensorrt", "matplotlib", "scipy", "supervision")


def loaded_by(statement: str) -> set[str]:
    """Heavy libraries in memory after a statement in a fresh interpreter."""
    listing = f"{statement}\nimport sys\nprint(*(n for n in {HEAVY} if n in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


@pytest.mark.parametrize(
    "statement",
    ["import edge.cli", "import common.cli", "from common.cli import build_app; build_app()"],
)
def test_the_command_line_starts_without_heavy_libraries(statement: str) -> None:
    assert loaded_by(statement) == set()


def test_a_box_does_not_carry_the_coordinators_libraries() -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from common.cli import build_app; build_app(['--log-level', 'info', 'edge', 'run'])\n"
            "import sys; print(*(n for n in ('sqlalchemy', 'amqtt') if n in sys.modules))",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert run.stdout.split() == []


def test_a_heavy_library_in_memory_would_be_noticed() -> None:
    assert loaded_by("import sys, types; sys.modules['torch'] = types.ModuleType('torch')") == {
        "torch"
    }
