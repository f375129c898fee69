"""Certificates and rules → a folder that mosquitto 2 runs from, and the word that it changed.

What mosquitto 2.0.11 does, by test: on SIGHUP it reads ACL and revocation list again, and a
revoked certificate opens no new connection; connections that are open stay open. Those are
ended by ``eviction``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from common.errors import ConfigError, UnreachableError
from coordinator.broker.access import mosquitto_acl

log = structlog.get_logger(__name__)

CONFIG = "mosquitto.conf"
REVOKED = "revoked.pem"
_RELOAD_S = 30
_MODE = 0o640


@dataclass(frozen=True, slots=True, kw_only=True)
class MosquittoSettings:
    """What the generated configuration says.

    Attributes:
        folder: Where everything lies; mosquitto's user must be able to read it.
        state_folder: Where mosquitto keeps sessions and queued messages.
        most_inflight: Messages that one client has not acknowledged yet.
        most_queued_mb: What is kept for one client that is away or slow, the coordinator
            included; further messages are dropped, and sent again by the boxes.
        group: Group that may read the files; None leaves them to their owner.
    """

    folder: Path
    host: str
    port: int
    state_folder: Path
    pid_file: Path | None = None
    most_inflight: int = 100
    most_queued_mb: int = 256
    most_packet_bytes: int = 270_000
    group: str | None = None


def mosquitto_conf(settings: MosquittoSettings) -> str:
    """The configuration: TLS 1.3 with certificates of ours, everything bounded."""
    folder = settings.folder
    lines = [
        "# Written by the coordinator; changes are lost.",
        "per_listener_settings false",
        f"listener {settings.port} {settings.host}",
        "tls_version tlsv1.3",
        f"cafile {folder}/trust.pem",
        f"certfile {folder}/server.pem",
        f"keyfile {folder}/server.key",
        f"crlfile {folder}/{REVOKED}",
        "require_certificate true",
        "use_identity_as_username true",
        # Nobody takes over the session of another by naming its client id.
        "use_username_as_clientid true",
        "allow_anonymous false",
        f"acl_file {folder}/acl",
        "persistence true",
        f"persistence_location {settings.state_folder}/",
        "autosave_interval 60",
        "persistent_client_expiration 14d",
        f"max_inflight_messages {settings.most_inflight}",
        "max_queued_messages 0",
        f"max_queued_bytes {settings.most_queued_mb * 1_000_000}",
        f"max_packet_size {settings.most_packet_bytes}",
        "retain_available false",
        "connection_messages false",
        "log_type error",
        "log_type warning",
        "log_type notice",
    ]
    if settings.pid_file is not None:
        lines.append(f"pid_file {settings.pid_file}")
    return "\n".join([*lines, ""])


def write_mosquitto(
    settings: MosquittoSettings, *, trust: bytes, chain: bytes, key: bytes, revoked: bytes
) -> None:
    """Write the whole folder.

    Args:
        settings: What the configuration says.
        trust: Root and issuing certificates.
        chain: The broker's own certificate and the issuing one.
        key: Its private key.
        revoked: The revocation list.

    Raises:
        UnreachableError: The folder cannot be written.
        ConfigError: There is no such group, or we may not give files to it.
    """
    contents = {
        "trust.pem": trust,
        "server.pem": chain,
        "server.key": key,
        REVOKED: revoked,
        "acl": mosquitto_acl().encode(),
        CONFIG: mosquitto_conf(settings).encode(),
    }
    for name, content in contents.items():
        write_for_broker(settings.folder / name, content, group=settings.group)


def write_for_broker(path: Path, content: bytes, *, group: str | None) -> None:
    """Put a file in place by an atomic rename; readable by owner and group.

    Raises:
        UnreachableError: The folder cannot be written.
        ConfigError: There is no such group, or we may not give files to it.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if group is not None:
            _give(path.parent, beside, group)
        beside.chmod(_MODE)
        beside.replace(path)
    except OSError as error:
        raise UnreachableError(
            f"{path} cannot be written: {error.strerror}",
            hint="give the folder to the user that the coordinator runs as",
        ) from error


def tell_mosquitto(*, pid_file: Path | None, command: Sequence[str]) -> bool:
    """Have mosquitto read its revocation list again.

    Returns:
        False when nobody said how to reach it.

    Raises:
        UnreachableError: It could not be told.
    """
    try:
        if command:
            subprocess.run(  # noqa: S603 - the operator's own command, without a shell
                list(command), check=True, timeout=_RELOAD_S, capture_output=True
            )
            return True
        if pid_file is not None:
            os.kill(int(pid_file.read_text().strip()), signal.SIGHUP)
            return True
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise UnreachableError(
            f"mosquitto was not told of the new revocation list: {error}",
            hint="reload it by hand; correct broker.reload_command or broker.pid_file",
        ) from error
    return False


def _give(folder: Path, path: Path, group: str) -> None:
    try:
        for each in (folder, path):
            shutil.chown(each, group=group)
        folder.chmod(0o750)
    except (LookupError, PermissionError) as error:
        raise ConfigError(
            f"{path} cannot be given to group {group!r}: {error}",
            hint="correct broker.files_group, or add the coordinator's user to that group",
        ) from error
