"""A configuration → a real nginx that serves it until the end of a block."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if Path("/usr/sbin/nginx").exists() else None)


def require_nginx() -> None:
    """Skip (or fail with ITS_REQUIRE_SYSTEM=1) where nginx is not installed."""
    if NGINX is not None:
        return
    missing = "nginx is not installed (package nginx)"
    if os.environ.get("ITS_REQUIRE_SYSTEM") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


class running_nginx:  # noqa: N801 - reads like a word of the with statement
    """nginx in the foreground until the end of the block."""

    def __init__(self, config: Path) -> None:
        # The whole server as this user: temporary folders of root are closed to its workers.
        user = "user root;\n" if os.getuid() == 0 else ""
        config.write_text(user + config.read_text())
        self._command = [str(NGINX), "-c", str(config), "-g", "daemon off;"]

    def __enter__(self) -> None:
        self._process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(20)
