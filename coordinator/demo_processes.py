"""Commands of the product → processes that are started, waited for and stopped together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import UnreachableError

_READY_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 40.0
_LOOK_EVERY_S = 0.3


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def run_command(*arguments: str) -> str:
    """Run ``its-camera-ai …`` to its end; returns what it printed.

    Raises:
        UnreachableError: It failed; its own words are passed on.
    """
    done = subprocess.run(  # noqa: S603 - our own command
        _command(arguments), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise UnreachableError(
            f"its-camera-ai {' '.join(arguments[:3])} ended with {done.returncode}: "
            f"{' '.join(done.stderr.split())[-400:]}"
        )
    return done.stdout


@contextmanager
def running(log_file: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``its-camera-ai …`` beside this process until the block ends; its log goes to a file."""
    with log_file.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            _command(arguments), stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            _stop(process)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], *, log_file: Path) -> None:
    """Wait until a coordinator answers that every part of it works.

    Raises:
        UnreachableError: It ended, or did not get ready in time.
    """
    give_up_s = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < give_up_s and process.poll() is None:
        try:
            get_json(url)
        except UnreachableError:
            time.sleep(_LOOK_EVERY_S)
        else:
            return
    raise UnreachableError(f"the coordinator at {url} is not ready", hint=f"its log is {log_file}")


def wait_for_all(processes: Mapping[str, subprocess.Popen[bytes]], *, within_s: float) -> None:
    """Wait until each of several processes ended well.

    Raises:
        UnreachableError: One failed, or is still there after ``within_s``.
    """
    give_up_s = time.monotonic() + within_s
    for name, process in processes.items():
        try:
            code = process.wait(timeout=max(give_up_s - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(f"{name} still runs after {within_s:.0f} s") from error
        if code != 0:
            raise UnreachableError(f"{name} ended with {code}", hint="look into its log")


def get_json(url: str) -> Any:
    """What a loopback address answers.

    Raises:
        UnreachableError: No answer, or another status than 200.
    """
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback address  # nosec B310
            return json.load(answer)
    except (OSError, urllib.error.HTTPError) as error:
        raise UnreachableError(f"{url} did not answer: {error}") from error


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "common.cli", *arguments]


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=_STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
