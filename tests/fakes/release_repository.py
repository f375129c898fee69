"""A wish → a real, signed repository of releases and a real HTTP server that hands it out."""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from common.keys import SigningKey
from common.release.calibration import CalibrationSet, calibration_bytes, frame_boxes, no_boxes
from common.release.client import ReleaseSource
from common.release.manifest import (
    Artefact,
    Gate,
    ReleaseLineage,
    ReleaseManifest,
    artefact_path,
)
from common.release.online import OnlineKeys, refresh_online
from common.release.repository import TrustedKeys, add_release, begin_repository
from common.road_users import ROAD_USERS

NAME = "its-tiny"


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyRepository:
    """Keys and folder of a repository; ``root`` is what a box trusts."""

    folder: Path
    root: bytes
    root_key: SigningKey
    targets_key: SigningKey
    online: OnlineKeys

    def publish(
        self,
        model: Path,
        *,
        version: str,
        calibration: CalibrationSet | None = None,
        gate: Gate | None = None,
        name: str = NAME,
        now: datetime | None = None,
    ) -> ReleaseManifest:
        """Sign a release and refresh the online metadata."""
        now = now or datetime.now(UTC)
        npz = self.folder / f"{version}.npz"
        npz.write_bytes(calibration_bytes(calibration or tiny_calibration()))
        manifest, files = tiny_manifest(model, npz, version=version, name=name, gate=gate)
        add_release(self.folder, manifest, files, [self.targets_key], now=now)
        self.refresh(now=now)
        return manifest

    def refresh(self, *, now: datetime | None = None) -> bool:
        """Sign snapshot and timestamp where that is due."""
        return refresh_online(self.folder, self.online, now=now or datetime.now(UTC))


def tiny_manifest(
    model: Path, npz: Path, *, version: str, name: str = NAME, gate: Gate | None = None
) -> tuple[ReleaseManifest, dict[str, Path]]:
    """A manifest, and where its artefacts lie."""
    files = {}
    artefacts = []
    for file, suffix in ((model, ".onnx"), (npz, ".npz")):
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        path = artefact_path(digest, suffix)
        artefacts.append(Artefact(path=path, sha256=digest, size_bytes=len(content)))
        files[path] = file
    manifest = ReleaseManifest(
        name=name,
        version=version,
        model=artefacts[0],
        input_long_side=640,
        classes=ROAD_USERS,
        calibration=artefacts[1],
        gate=gate or Gate(),
        lineage=ReleaseLineage(data_statement="nothing: random weights of a fixed seed"),
    )
    return manifest, files


def tiny_repository(folder: Path, *, now: datetime | None = None) -> TinyRepository:
    """A repository without releases, with new keys."""
    root_key, targets_key = SigningKey.generate(), SigningKey.generate()
    online = OnlineKeys(snapshot=SigningKey.generate(), timestamp=SigningKey.generate())
    trusted = TrustedKeys(
        root=(root_key.public,),
        targets=(targets_key.public,),
        snapshot=online.snapshot.public,
        timestamp=online.timestamp.public,
    )
    now = now or datetime.now(UTC)
    root = begin_repository(folder, trusted, [root_key, targets_key], now=now)
    repository = TinyRepository(
        folder=folder, root=root, root_key=root_key, targets_key=targets_key, online=online
    )
    repository.refresh(now=now)
    return repository


def tiny_calibration(frames: int = 3) -> CalibrationSet:
    """Grey frames with one white car each, which truth and reference agree on."""
    pictures = np.full((frames, 96, 160, 3), 90, dtype=np.uint8)
    rows = []
    for index in range(frames):
        x = 10 + 30 * index
        pictures[index, 40:60, x : x + 40] = 255
        rows.append(frame_boxes([((x, 40, x + 40, 60), 2, 1.0)]))
    rows[-1] = no_boxes() if frames > 2 else rows[-1]
    return CalibrationSet(frames=pictures, truth=tuple(rows), reference=tuple(rows))


Misdeed = Callable[[str, bytes | None], bytes | Iterator[bytes] | None]
"""Path below the server and honest content (None: not there) → what is answered instead."""


@dataclass(slots=True, kw_only=True)
class ReleaseServer:
    """A server of files; ``misdeed`` may be set at any time, ``folder`` exchanged."""

    url: str
    folder: Path
    misdeed: Misdeed | None = None
    asked: list[str]

    def source(self, root: bytes, *, grace_s: float = 60.0) -> ReleaseSource:
        """How a box names this server."""
        return ReleaseSource(url=self.url, root=root, timeout_s=5.0, grace_s=grace_s)


@contextmanager
def serving(folder: Path) -> Iterator[ReleaseServer]:
    """Hand a repository out below ``/releases`` on loopback."""
    server = ReleaseServer(url="", folder=folder, asked=[])
    http = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, server))
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, release_server: ReleaseServer, *arguments: object) -> None:
        self._release_server = release_server
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Answer with the file, or with the misdeed."""
        server = self._release_server
        server.asked.append(self.path)
        file = server.folder / self.path.removeprefix("/releases/")
        honest = file.read_bytes() if file.is_file() else None
        content = server.misdeed(self.path, honest) if server.misdeed else honest
        self.send_response(404 if content is None else 200)
        if isinstance(content, bytes):
            self.send_header("content-length", str(len(content)))
        self.end_headers()
        try:
            for piece in [content] if isinstance(content, bytes) else content or ():
                self.wfile.write(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the box has had enough

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""
