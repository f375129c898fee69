"""This checkout → folders of wheels with everything that hosts need, built once a version."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.conftest import REPOSITORY

_PACKAGES = ("common", "coordinator", "edge", "models")


def wheelhouse(cache: Path) -> Path:
    """Folder of wheels for boxes and coordinator; others' wheels are kept from run to run."""
    return _filled(cache / "wheelhouse", extras="edge,coordinator")


def training_wheels(cache: Path) -> Path:
    """Folder of wheels that training needs beside those, about 3.2 GB with torch."""
    return _filled(cache / "wheelhouse-train", extras="train")


def _filled(folder: Path, *, extras: str) -> Path:
    """Ours is made again at each change of the sources; others' where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    mark, everything = folder / ".source", f"its-camera-ai[{extras}]"
    with tempfile.TemporaryDirectory() as scratch:
        source = _copied(Path(scratch) / "source")
        digest = _digest(source)
        if mark.exists() and mark.read_text(encoding="utf-8") == digest:
            return folder
        for old in folder.glob("its_camera_ai-*.whl"):
            old.unlink()
        _pip("wheel", "--no-deps", "--wheel-dir", str(folder), str(source))
        at_hand = ("--find-links", str(folder), "--constraint", str(source / "constraints.txt"))
        try:
            _pip("install", "--dry-run", "--ignore-installed", "--no-index", *at_hand, everything)
        except subprocess.CalledProcessError:
            _pip("wheel", *at_hand, "--wheel-dir", str(folder), everything)
    mark.write_text(digest, encoding="utf-8")
    return folder


def _copied(source: Path) -> Path:
    """What goes into our wheel, as it is at this moment."""
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(REPOSITORY / name, source / name)
    for name in _PACKAGES:
        shutil.copytree(
            REPOSITORY / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    return source


def _pip(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", *words, "--quiet", "--disable-pip-version-check"],
        check=True, timeout=1800, capture_output=True,
    )  # fmt: skip


def _digest(source: Path) -> str:
    """Of everything that goes into our wheel, and of the versions of the others."""
    found = hashlib.sha256()
    for path in sorted(source.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(source).as_posix().encode() + b"\0")
            found.update(path.read_bytes())
    return found.hexdigest()
