"""A model and the machine under it → the engine built for them, kept on disk.

Building takes minutes on a Jetson. An engine fits one model, one TensorRT, one GPU and
one range of shapes only, so all of them are its name.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from common.errors import ConfigError

SUFFIX = ".engine"
KEPT_ENGINES = 4
"""Two models (active and candidate) in two shapes or precisions."""

_HASH_BYTES = 32

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineKey:
    """What an engine was built for.

    Attributes:
        model_sha256: Hash of the ONNX file, in hex.
        runtime: Product and version, ``tensorrt-10.3.0``.
        gpu: Name and compute capability, ``Orin-8.7``.
        precision: ``fp16`` and so on.
        shapes: Range of input shapes in one word.
    """

    model_sha256: str
    runtime: str
    gpu: str
    precision: str
    shapes: str

    @property
    def file_name(self) -> str:
        """Every part, in characters that are safe in a file name."""
        parts = (self.model_sha256[:16], self.runtime, self.gpu, self.precision, self.shapes)
        return "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", part) for part in parts) + SUFFIX


class EngineCache:
    """A bounded folder of engines; power may fail at any byte."""

    def __init__(self, folder: Path, *, kept: int = KEPT_ENGINES) -> None:
        """Keep at most ``kept`` engines, the last used ones.

        Raises:
            ValueError: ``kept`` is below one.
        """
        if kept < 1:
            raise ValueError(f"{kept} engines to keep, expected 1 or more")
        self._folder = folder
        self._kept = kept

    def get_or_build(self, key: EngineKey, build: Callable[[], bytes]) -> bytes:
        """The stored engine, or a new one.

        Raises:
            ConfigError: The folder cannot be written; also what ``build`` raises.
        """
        path = self._folder / key.file_name
        engine = _read_whole(path)
        if engine is None:
            engine = build()
            log.info("engine_built", file=path.name, size_bytes=len(engine))
            self._store(path, engine)
        else:
            os.utime(path)
        self._prune()
        return engine

    def _store(self, path: Path, engine: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=self._folder, prefix=path.stem, suffix=".part", delete=False
            ) as part:
                part.write(hashlib.sha256(engine).digest() + engine)
                part.flush()
                os.fsync(part.fileno())
            Path(part.name).replace(path)
        except OSError as error:
            raise ConfigError(
                f"engine cache {self._folder} cannot be written: {error.strerror}",
                hint="give the agent a writable folder with a few hundred megabytes",
            ) from error

    def _prune(self) -> None:
        engines = sorted(
            self._folder.glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime_ns, reverse=True
        )
        # Parts are what a power cut left behind; nobody else builds into this folder.
        for file in (*engines[self._kept :], *self._folder.glob("*.part")):
            file.unlink(missing_ok=True)


def _read_whole(path: Path) -> bytes | None:
    """The engine, or None when there is none or it was damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"engine {path} cannot be read: {error.strerror}", hint="delete it, it is built anew"
        ) from error
    engine = content[_HASH_BYTES:]
    if hashlib.sha256(engine).digest() != content[:_HASH_BYTES]:
        log.warning("engine_damaged", file=path.name, size_bytes=len(content))
        return None
    return engine
