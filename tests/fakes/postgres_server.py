"""PostgreSQL's own binaries → a throw-away server on loopback that tests may kill.

Import the fixtures ``postgres_server`` (one server a session) and ``postgres_url`` (one empty
database a test) in a ``conftest.py``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path

import psycopg
import pytest

from common.free_ports import free_port

USER = "its"
_PATIENCE_S = 30.0
_FAST: Mapping[str, str] = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
"""A process that dies loses nothing by these; only a machine that loses power does."""


class PostgresServer:
    """One cluster in a folder of its own; the port stays the same over restarts."""

    def __init__(self, binaries: Path, *, settings: Mapping[str, str] = _FAST) -> None:
        """Prepare the files; call ``start`` next."""
        self._binaries = binaries
        self._settings = dict(settings)
        self._account = _account()
        self.folder = Path(tempfile.mkdtemp(prefix="its-postgres-"))
        self._data = self.folder / "data"
        self._log = self.folder / "log.txt"
        self._numbers = count(1)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        if self._account is not None:
            os.chown(self.folder, self._account.pw_uid, self._account.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", USER, "-A", "trust", "-E", "UTF8",
                  "--locale=C", "--no-sync", "--no-instructions")  # fmt: skip

    def start(self) -> None:
        """Start and wait until it answers; after a kill, wait for the orphans to leave."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            if self._process is None or self._process.poll() is not None:
                self._process = self._spawn(options)
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=2).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"no PostgreSQL: {error}\n{self.log_text()}") from error
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """Stop as an operator would (fast: open transactions are rolled back)."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Die at once, as with kill -9; the next ``start`` recovers."""
        self._signal(signal.SIGKILL)

    def url(self, database: str) -> str:
        """Address of one database for ``coordinator.database`` and for psycopg."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> str:
        """Address of a new, empty database."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def log_text(self) -> str:
        """What the server wrote, for messages of failing tests."""
        return self._log.read_text(errors="replace")[-4000:] if self._log.exists() else ""

    def remove(self) -> None:
        """Stop and delete every file."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self, options: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [
                    str(self._binaries / "postgres"),
                    "-D", str(self._data), "-p", str(self.port), "-h", "127.0.0.1",
                    "-k", str(self.folder), *options,
                ],
                stdout=log, stderr=log, cwd=self.folder, env={**os.environ, "LC_ALL": "C"},
                start_new_session=True, **self._identity(),
            )  # fmt: skip

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            # After a kill the backends are orphans; they notice within moments and leave.
            self._process.send_signal(number)
            self._process.wait(_PATIENCE_S)

    def _run(self, program: str, *arguments: str) -> None:
        finished = subprocess.run(
            [str(self._binaries / program), *arguments],
            capture_output=True, text=True, check=False, cwd=self.folder, **self._identity(),
        )  # fmt: skip
        if finished.returncode:
            raise RuntimeError(f"{program} failed: {finished.stderr}")

    def _identity(self) -> dict[str, int | list[int]]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}


def find_binaries() -> Path | None:
    """Folder of ``postgres`` and ``initdb``, the newest version first."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if on_path := shutil.which("initdb"):
        folders.append(Path(on_path).resolve().parent)
    return next(
        (f for f in folders if (f / "initdb").is_file() and (f / "postgres").is_file()), None
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole run; skips (or fails with ITS_REQUIRE_SYSTEM=1) without binaries."""
    binaries = find_binaries()
    if binaries is None:
        missing = "PostgreSQL's initdb and postgres are not installed"
        if os.environ.get("ITS_REQUIRE_SYSTEM") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    server = PostgresServer(binaries)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """An empty database."""
    return postgres_server.create_database()


def _account() -> pwd.struct_passwd | None:
    """Whom to run as: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("no account postgres or nobody to run PostgreSQL as")
