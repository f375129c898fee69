"""Nothing but two imports → the bundle that Flower sends to every device.

A device executes what arrives, so as little as possible arrives: two modules that import the
training code installed on the box. The archive is written here, byte for byte the same on every
machine, in the format of Flower 1.41 (zip with fixed dates and a manifest of digests).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

from common.errors import UnreachableError
from common.flower_processes import APP_NAME, APP_VERSION, FLOWER_VERSION, PUBLISHER, RUN_KEY

_PACKAGE = "its_federated"
_PYPROJECT = f"""\
[project]
name = "{APP_NAME}"
version = "{APP_VERSION}"
description = "Starts the training code that is installed on the device"
dependencies = ["flwr=={FLOWER_VERSION}"]

[tool.flwr.app]
publisher = "{PUBLISHER}"

[tool.flwr.app.components]
serverapp = "{_PACKAGE}.server:app"
clientapp = "{_PACKAGE}.client:app"

[tool.flwr.app.config]
{RUN_KEY} = ""
"""
_FILES = {
    "pyproject.toml": _PYPROJECT,
    f"{_PACKAGE}/__init__.py": '"""The federated app of ITS Camera AI."""\n',
    f"{_PACKAGE}/client.py": (
        '"""What a device runs: its own installed code."""\n\n'
        "from models.federated.client_app import app\n\n"
        '__all__ = ["app"]\n'
    ),
    f"{_PACKAGE}/server.py": (
        '"""What the coordinator runs: its own installed code."""\n\n'
        "from models.federated.server_app import app\n\n"
        '__all__ = ["app"]\n'
    ),
}
_DATE = (2024, 10, 1, 0, 0, 0)
_MANIFEST = ".info/CONTENT"


def build_bundle() -> bytes:
    """The archive: the same bytes on every machine and day."""
    written = io.BytesIO()
    # Stored, not deflated: two versions of zlib may pack the same text differently.
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, text in _FILES.items():
            _add(archive, name, text.encode())
        _add(archive, _MANIFEST, "\n".join(_manifest_lines()).encode())
    return written.getvalue()


def bundle_digest(bundle: bytes) -> str:
    """SHA-256 as 64 hex digits, by which Flower and the signature name a bundle."""
    return hashlib.sha256(bundle).hexdigest()


def write_app_folder(folder: Path) -> None:
    """The same files as a folder, for ``flwr run FOLDER`` without a signature (simulation).

    Raises:
        UnreachableError: The folder cannot be written.
    """
    try:
        for name, text in _FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreachableError(
            f"app folder {folder} cannot be written: {error.strerror}"
        ) from error


def _manifest_lines() -> list[str]:
    # Flower's format: path, SHA-256, size in bits
    return [
        f"{name},{hashlib.sha256(text.encode()).hexdigest()},{8 * len(text.encode())}"
        for name, text in _FILES.items()
    ]


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.create_system = 3  # whatever machine writes it
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, content)
