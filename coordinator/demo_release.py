"""A sealed candidate → registered, signed with offline keys, handed out: or refused, in words."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from common.errors import ConflictError
from common.private_files import make_private_folder, write_private
from coordinator.demo_people import DemoPerson
from coordinator.demo_processes import run_command
from coordinator.demo_rerelease import FRAMES

_PASSPHRASE_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """A candidate in the registry.

    Attributes:
        version: As the registry calls it.
        rejections: Why the bench rejected it.
    """

    version: str
    rejections: tuple[str, ...]


class DemoReleases:
    """The offline keys in ``offline``, what they signed in ``delivery``; one coordinator."""

    def __init__(self, folder: Path, console: Console, *, config_file: Path) -> None:
        self._keys = folder / "offline"
        self._delivery = folder / "delivery"
        self._passphrase = self._keys / "passphrase"
        self._console = console
        self._config = str(config_file)

    def make_keys(self) -> None:
        """Make root and targets keys, closed with a passphrase, before the first box enrols."""
        make_private_folder(self._keys)
        write_private(self._passphrase, f"{secrets.token_urlsafe(_PASSPHRASE_BYTES)}\n".encode())
        online = self._keys / "online.json"
        run_command("registry", "online-keys", "--out", str(online), "--config", self._config)
        run_command(
            "ml", "keys", "init", "--folder", str(self._keys), "--online", str(online),
            "--repository", str(self._delivery), "--passphrase-file", str(self._passphrase),
        )  # fmt: skip
        self._receive()

    def file(self, candidate: Path, *, version: str | None = None) -> Filed:
        """Register a candidate, whatever its bench said."""
        asked = ("--version", version) if version else ()
        told = json.loads(
            run_command(
                "registry", "add", str(candidate), *asked, "--json", "--config", self._config
            )
        )
        filed = Filed(version=told["version"], rejections=tuple(told["rejections"]))
        self._console.print(f"registered: {told['name']} {filed.version}")
        return filed

    def sign(self, candidate: Path, version: str) -> None:
        """Sign it with its calibration set, on a machine that would have no network."""
        run_command(
            "ml", "keys", "sign", str(candidate), "--version", version,
            "--folder", str(self._keys), "--repository", str(self._delivery),
            "--passphrase-file", str(self._passphrase), "--frames", str(FRAMES),
        )  # fmt: skip
        self._receive()
        self._console.print(
            f"signed: {version} and {FRAMES} calibration frames, with a key that the coordinator "
            f"never sees ({self._keys})"
        )

    def _receive(self) -> None:
        run_command("registry", "receive", str(self._delivery), "--config", self._config)


def promote(person: DemoPerson, version: str, stage: str) -> str:
    """Take a version to its next stage; why not, or an empty text."""
    try:
        person.post(f"/models/{version}/proposals", {"stage": stage})
    except ConflictError as error:
        return str(error)
    return ""
