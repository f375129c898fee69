"""Tracked files → words that have no place in the product's repository.

The repository speaks of the product alone. The banned words are built from
pieces, so that this file does not find itself.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

# Paths of one machine, then addresses of package registries, then talk about how the work is done.
BANNED_TEXT = (
    r"/wo" r"rk/(main|shared|\.)",
    r"/ro" r"ot/\.",
    r"/opt/(whe" r"els|py" r"pi)",
    r"PREAM" r"BLE\.md",
    r"py" r"pi\.org",
    r"python" r"hosted\.org",
    r"npm" r"js\.(org|com)",
    r"deb\.deb" r"ian\.org",
    r"pytorch\.org/" r"whl",
    r"LIBRARY_" r"NOTES",
    r"help" r"er (session|engineer)",
    r"(this|the next|the last) (iss" r"ue|sess" r"ion)\b",
    r"iss" r"ues? #?\d",
    r"this work" r"place",
    r"co-authored" r"-by:",
)  # fmt: skip

_GENERATED = frozenset(
    {".venv", "build", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
)

_BANNED = re.compile("|".join(f"(?:{pattern})" for pattern in BANNED_TEXT), re.IGNORECASE)


def repository_files(root: Path) -> list[Path]:
    """Files that git tracks or would track, relative to ``root``, without deleted ones.

    In an unpacked archive, where there is no git: everything but what tools generate.
    """
    if not (root / ".git").exists():
        found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        return sorted(path for path in found if not _GENERATED.intersection(path.parts))
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = map(Path, sorted(filter(None, listed.split("\0"))))
    return [path for path in paths if (root / path).is_file()]


def foreign_words(root: Path, paths: Iterable[Path]) -> list[str]:
    """Lines of text files that hold a banned word; binary files are passed over."""
    findings = []
    for path in paths:
        content = (root / path).read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), 1):
            if found := _BANNED.search(line):
                findings.append(f"{path}:{number} says {found.group()!r}")
    return findings
