from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.provisioning.booted_root import require_booted_roots
from tests.provisioning.city import bare_city
from tests.provisioning.story import play_story

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.skipif(
    "ITS_BOOT_MACHINES" not in os.environ,
    reason="boots two machines and installs into them, ten minutes: set ITS_BOOT_MACHINES=1, or "
    "run python -m tests.provisioning.story",
)
def test_bare_machines_become_a_city_and_a_box_leaves_service(tmp_path: Path) -> None:
    require_booted_roots()
    lines: list[str] = []

    with bare_city(
        Path(os.environ.get("ITS_CACHE_DIR", tmp_path)) / "provisioning", with_rounds=False
    ) as city:
        play_story(city, lines.append)

    assert lines[-1] == "an agent that was started with the kept keys was refused"
