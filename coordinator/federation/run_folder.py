"""A plan and its parent → the folder of a run; the folder → how far its bench is."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from common.errors import ConfigError, ConflictError, TrustError, UnreachableError
from common.flower_processes import NODES_FILE
from common.private_files import make_private_folder, sync_folder, write_private
from common.rounds import LEDGER_FILE, PLAN_FILE, STATUS_FILE, ParentModel, RunPlan, RunStatus

PARENT_FILE = "parent.pt"
_MOST_STATUS_BYTES = 262_144


class RunFolders:
    """Folders of all runs of one coordinator."""

    def __init__(self, root: Path) -> None:
        """Keep runs below ``root``."""
        self.root = root

    def of(self, run: str) -> Path:
        """Where a run lies."""
        return self.root / run

    def create(self, plan: RunPlan) -> None:
        """Write plan and parent; the plan comes last and says that everything is there.

        Raises:
            ConflictError: There is a plan already.
            TrustError: The parent is another file than the plan says.
            ConfigError: The parent cannot be read.
            UnreachableError: The folder cannot be written.
        """
        folder = self.of(plan.run)
        if (folder / PLAN_FILE).exists():
            raise ConflictError(f"{folder} holds a run already", hint="choose another name")
        make_private_folder(self.root)
        make_private_folder(folder)
        _copy_parent(plan.parent, folder)
        inside = plan.parent.model_copy(update={"file": Path(PARENT_FILE)})
        kept = plan.model_copy(update={"parent": inside})
        write_private(folder / PLAN_FILE, kept.model_dump_json(indent=1).encode())

    def status(self, run: str) -> RunStatus | None:
        """What the bench says, None before it said anything.

        Raises:
            TrustError: The file is not a status of this run.
        """
        path = self.of(run) / STATUS_FILE
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_STATUS_BYTES)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnreachableError(f"{path} cannot be read: {error.strerror}") from error
        try:
            status = RunStatus.model_validate_json(content)
        except ValidationError as error:
            raise TrustError(f"{path} is no status of a run") from error
        if status.run != run:
            raise TrustError(f"{path} is of run {status.run!r}, expected {run!r}")
        return status

    def ledger(self, run: str) -> Path:
        """The ledger, there or not."""
        return self.of(run) / LEDGER_FILE

    def write_nodes(self, run: str, nodes: Mapping[str, str]) -> bool:
        """Tell the bench which of Flower's nodes is which device.

        Returns:
            False when it was told the same before.

        Raises:
            UnreachableError: The folder cannot be written.
        """
        path = self.of(run) / NODES_FILE
        content = json.dumps(dict(sorted(nodes.items())), indent=1).encode()
        if path.exists() and path.read_bytes() == content:
            return False
        write_private(path, content)
        return True


def digest_of(path: Path) -> str:
    """SHA-256 of a file, as 64 hex digits.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def check_parent(parent: ParentModel) -> None:
    """Return only when the file is there and is the one that is meant.

    Raises:
        ConfigError: It cannot be read.
        TrustError: It is another file.
    """
    found = digest_of(parent.file)
    if found != parent.sha256:
        raise TrustError(
            f"parent {parent.file} has SHA-256 {found[:12]}…, expected {parent.sha256[:12]}…",
            hint="name the file that was evaluated, or correct the digest",
        )


def _copy_parent(parent: ParentModel, folder: Path) -> None:
    beside = folder / f".{PARENT_FILE}.part"
    try:
        shutil.copyfile(parent.file, beside)
        with beside.open("rb+") as file:
            os.fsync(file.fileno())
        # Judged as it lies there now: the original may change while it is copied.
        check_parent(parent.model_copy(update={"file": beside}))
        beside.chmod(0o600)
        beside.replace(folder / PARENT_FILE)
        sync_folder(folder)
    except OSError as error:
        raise UnreachableError(f"{folder} cannot be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
