"""Commands of the product → processes that are started, waited for and stopped together."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common.errors import UnreachableError
from coordinator.demo_http import ask

Process = subprocess.Popen[bytes]

_READY_WITHIN_S = 60.0
_STOPPED_WITHIN_S = 40.0
_LOOK_EVERY_S = 0.3


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
def running(log_file: Path, *arguments: str) -> Iterator[Process]:
    """Run ``its-camera-ai …`` beside this process until the block ends; its log goes to a file."""
    with running_all({"it": (log_file, arguments)}) as processes:
        yield processes["it"]


@contextmanager
def running_all(
    commands: Mapping[str, tuple[Path, Sequence[str]]],
) -> Iterator[dict[str, Process]]:
    """Run several beside this process until the block ends; then all are told before one waits.

    Begin them in the main thread: they end with the thread that began them, even a killed one.

    Args:
        commands: Name → file of its log, and its words.
    """
    processes: dict[str, Process] = {}
    with ExitStack() as logs:
        try:
            for name, (log_file, arguments) in commands.items():
                processes[name] = subprocess.Popen(  # noqa: S603 - our own command
                    [*_ends_with_us(), *_command(arguments)],
                    stdout=logs.enter_context(log_file.open("ab")),
                    stderr=subprocess.STDOUT,
                )
            yield processes
        finally:
            _stop(processes.values())


def wait_until_ready(url: str, process: Process, *, log_file: Path) -> None:
    """Wait until a coordinator answers that every part of it works.

    Raises:
        UnreachableError: It ended, or did not get ready in time.
    """
    give_up_s = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < give_up_s and process.poll() is None:
        try:
            ask(url)
        except UnreachableError:
            time.sleep(_LOOK_EVERY_S)
        else:
            return
    raise UnreachableError(f"the coordinator at {url} is not ready", hint=f"its log is {log_file}")


def wait_for_all(processes: Mapping[str, Process], *, within_s: float) -> None:
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


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "common.cli", *arguments]


def _ends_with_us() -> list[str]:
    """Before a command: it is stopped when this process is killed (prctl(2), PR_SET_PDEATHSIG)."""
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", "TERM", "--"] if program else []


def _stop(processes: Collection[Process]) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(timeout=_STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
