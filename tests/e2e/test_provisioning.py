from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.provisioning.booted_root import require_booted_roots
from tests.provisioning.story import play_story, told

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.mark.skipif(
    "ITS_BOOT_MACHINES" not in os.environ,
    reason="boots a machine and installs into it, some minutes: set ITS_BOOT_MACHINES=1, or run "
    "python -m tests.provisioning.story",
)
def test_a_bare_machine_becomes_a_box_and_leaves_service(tmp_path: Path) -> None:
    require_booted_roots()
    lines: list[str] = []

    with told(Path(os.environ.get("ITS_CACHE_DIR", tmp_path)) / "provisioning") as story:
        play_story(story, lines.append)

    assert len(lines) == 6
