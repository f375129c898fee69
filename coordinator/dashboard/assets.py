"""Static files of the package → bytes in memory under addresses that change with their content.

The whole tree has one build id, because a script that imports its neighbour by a relative
address must get the neighbour of its own build. What is not in the tree cannot be asked for.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"
STATIC_PREFIX = "/static"

_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_WORTH_PACKING = (".css", ".js", ".json", ".svg", ".txt")


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file.

    Attributes:
        content: As it is on disk.
        packed: Gzip of it; None where that does not pay.
        media_type: For the Content-Type header.
    """

    content: bytes
    packed: bytes | None
    media_type: str


class Assets:
    """Every static file, read once."""

    def __init__(self, folder: Path = STATIC_FOLDER) -> None:
        """Read the tree under ``folder``."""
        self._assets: Mapping[str, Asset] = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in _MEDIA_TYPES
        }
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(f"{name}\0{len(asset.content)}\0".encode())
            digest.update(asset.content)
        self.build = digest.hexdigest()[:16]

    def address(self, name: str) -> str:
        """Where a browser finds the file of this build.

        Raises:
            ValueError: No such file; a template is wrong.
        """
        if name not in self._assets:
            raise ValueError(f"no static file {name!r}, expected one under {STATIC_FOLDER.name}/")
        return f"{STATIC_PREFIX}/{self.build}/{name}"

    def find(self, name: str) -> Asset | None:
        """The file, or None where there is no such file."""
        return self._assets.get(name)

    def names(self) -> list[str]:
        """Every file, sorted."""
        return list(self._assets)


@lru_cache(maxsize=1)
def packaged_assets() -> Assets:
    """The static files that came with the package."""
    return Assets()


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    # mtime 0: the same file packs to the same bytes.
    packed = gzip.compress(content, 9, mtime=0) if path.suffix in _WORTH_PACKING else None
    guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return Asset(
        content=content,
        packed=packed if packed and len(packed) < len(content) * 0.9 else None,
        media_type=_MEDIA_TYPES.get(path.suffix, guessed),
    )
