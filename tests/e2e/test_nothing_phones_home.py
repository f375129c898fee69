"""Libraries that report home by default → made not to, before they begin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

LOAD_THE_MODEL = "from edge.container import edge_container; print(edge_container().engine().info)"


def test_loading_the_model_leaves_no_identifier_of_a_telemetry_library(tmp_path: Path) -> None:
    # onnxruntime 1.29 and later writes a device id and queues events for its maker's servers
    # below ~/.cache/Microsoft, unless ORT_DISABLE_TELEMETRY=1 is set before it is loaded.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ORT_")}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(Path.cwd())

    done = subprocess.run(
        [sys.executable, "-c", LOAD_THE_MODEL],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert "its-yolo11n" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
