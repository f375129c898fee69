"""A folder and PostgreSQL's binaries → a server for one benchmark, removed afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from common.errors import ConfigError, UnreachableError
from common.free_ports import free_port
from coordinator.database import Database

DEFAULT_BINARIES = Path("/usr/lib/postgresql/15/bin")
_PATIENCE_S = 60.0
_STOP_S = 60.0
_DATABASE = "postgres"
_ACCOUNTS = ("postgres", "nobody")

_SETTINGS = {
    "shared_buffers": "1GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "16GB",
    "checkpoint_timeout": "30min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # Nothing here is worth keeping, and what is measured only reads.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "random_page_cost": "1.1",
    "listen_addresses": "127.0.0.1",
}


@contextmanager
def benchmark_server(folder: Path, *, binaries: Path, keep: bool) -> Iterator[str]:
    """Address of the server's database while the block runs.

    Args:
        folder: Where the cluster is made; one that is already there is used again.
        binaries: Folder with ``initdb`` and ``postgres``.
        keep: Leave the cluster there, so that a later run goes on with it.

    Raises:
        ConfigError: No PostgreSQL there.
        UnreachableError: The server did not start.
    """
    if not (binaries / "postgres").is_file():
        raise ConfigError(
            f"no PostgreSQL at {binaries}, expected initdb and postgres",
            hint="name the folder with --binaries",
        )
    data = folder / "cluster"
    account = _account()
    if not data.exists():
        data.mkdir(parents=True)
        if account is not None:
            shutil.chown(data, account)
        _initialise(binaries, data, account)
    port = free_port()
    settings = {**_SETTINGS, "port": str(port), "unix_socket_directories": str(data)}
    process = subprocess.Popen(  # noqa: S603 - the operator named the folder
        [binaries / "postgres", "-D", data, *(f"-c{k}={v}" for k, v in settings.items())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=data,
        **_identity(account),
    )
    try:
        url = f"postgresql://its@127.0.0.1:{port}/{_DATABASE}"
        _wait(url, process)
        yield url
    finally:
        # SIGTERM would wait for clients that are still connected; nothing here is worth that.
        process.send_signal(signal.SIGINT)
        process.wait(_STOP_S)
        if not keep:
            shutil.rmtree(data)


def _initialise(binaries: Path, data: Path, account: str | None) -> None:
    done = subprocess.run(  # noqa: S603 - the operator named the folder
        [binaries / "initdb", "-D", data, "-U", "its", "-A", "trust", "-E", "UTF8",
         "--locale=C", "--no-sync", "--no-instructions"],
        capture_output=True, text=True, check=False, cwd=data, **_identity(account),
    )  # fmt: skip
    if done.returncode:
        raise ConfigError(
            f"initdb failed: {done.stderr.strip()[-300:]}",
            hint="the folder and all above it must be open to the server's account",
        )


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    database = Database(url)
    deadline = time.monotonic() + _PATIENCE_S
    try:
        while True:
            try:
                database.check()
            except UnreachableError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            else:
                return
    finally:
        database.close()


class _Identity(TypedDict, total=False):
    user: str
    extra_groups: list[int]


def _identity(account: str | None) -> _Identity:
    return {} if account is None else {"user": account, "extra_groups": []}


def _account() -> str | None:
    """PostgreSQL refuses to run as root: an account to run it as, None when we are not root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in _ACCOUNTS if name in names), None)
