"""This checkout → a folder of wheels with everything that a box needs, built once a version."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY

_PACKAGES = ("common", "coordinator", "edge", "models")


def wheelhouse(cache: Path) -> Path:
    """Folder of wheels of the ``edge`` extra; other people's wheels are kept from run to run."""
    folder = cache / "wheelhouse"
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / ".source"
    digest = _digest()
    if mark.exists() and mark.read_text(encoding="utf-8") == digest:
        return folder
    for old in folder.glob("its_camera_ai-*.whl"):
        old.unlink()
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        for name in ("pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, source / name)
        for name in _PACKAGES:
            shutil.copytree(
                REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        subprocess.run(
            [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(folder),
             "--find-links", str(folder), "--constraint", str(REPOSITORY / "constraints.txt"),
             f"{source}[edge]"],
            check=True, timeout=900, env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        )  # fmt: skip
    mark.write_text(digest, encoding="utf-8")
    return folder


def _digest() -> str:
    """Of everything that goes into our wheel, and of the versions of the others."""
    found = hashlib.sha256((REPOSITORY / "constraints.txt").read_bytes())
    found.update((REPOSITORY / "pyproject.toml").read_bytes())
    for name in _PACKAGES:
        for path in sorted((REPOSITORY / name).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(path.relative_to(REPOSITORY).as_posix().encode())
                found.update(path.read_bytes())
    return found.hexdigest()
