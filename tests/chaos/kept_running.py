"""Commands → processes that are killed with -9, and started again as a supervisor would."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
_RESTART_AFTER_S = 1.0
_STOP_S = 45.0


class KeptRunning:
    """One process; ``look`` starts it again when it ended by itself."""

    def __init__(self, name: str, log_file: Path, arguments: Sequence[str]) -> None:
        """Prepare.

        Args:
            name: For messages.
            log_file: Gets everything that all lives of the process write.
            arguments: Of the Python interpreter.
        """
        self.name = name
        self.starts = 0
        self.ended_by_itself = 0
        self._log_file = log_file
        self._command = [sys.executable, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self._is_wanted = False
        self._again_at_s = 0.0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        assert not self.is_running, f"{self.name} runs already"
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, cwd=REPOSITORY
            )
        self._is_wanted = True
        self.starts += 1

    def kill(self) -> None:
        """End at once; it stays away until ``start``."""
        self._is_wanted = False
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int | None:
        """Ask it to end, as systemd does.

        Returns:
            Its exit code, or None when it had to be killed.
        """
        self._is_wanted = False
        if self._process is None:
            return None
        self._process.terminate()
        try:
            return self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def ask(self) -> None:
        """Have a box write into its log what it waits for."""
        if self._process is not None and self.is_running:
            self._process.send_signal(signal.SIGUSR1)

    def look(self) -> None:
        """Start it again, a moment after it ended by itself."""
        if not self._is_wanted or self.is_running:
            return
        now_s = time.monotonic()
        if not self._again_at_s:
            self.ended_by_itself += 1
            self._again_at_s = now_s + _RESTART_AFTER_S
        elif now_s >= self._again_at_s:
            self._again_at_s = 0.0
            self.start()

    def log_tail(self, characters: int = 3000) -> str:
        text = self._log_file.read_text(errors="replace") if self._log_file.exists() else ""
        return text[-characters:]


def run_once(*arguments: str, within_s: float = 120.0) -> str:
    """Run the interpreter with these arguments to its end; returns what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True, text=True, check=False, timeout=within_s, cwd=REPOSITORY,
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr[-2000:]}"
    return done.stdout
