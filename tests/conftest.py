"""Fixtures that every test folder shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings

# A loaded machine is no reason to fail.
settings.register_profile("its", deadline=None)
settings.load_profile("its")

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with clips, hand-counted truth and labelled images; not part of the repository."""
    folder = Path(os.environ.get("ITS_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        missing = f"no clips at {folder}; set ITS_SHARED_DATA to the folder that holds them"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return folder


@pytest.fixture(autouse=True)
def _logs_as_installed() -> Iterator[None]:
    """Commands configure the logs of their process; the next test must not inherit that.

    Tracebacks are plain: with every local variable in a frame, one takes minutes to draw.
    """
    structlog.reset_defaults()
    renderer = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], renderer])
    yield
    structlog.reset_defaults()
