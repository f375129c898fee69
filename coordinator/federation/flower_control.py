"""Words of ``flwr`` → runs and nodes of our SuperLink, asked through its own commands.

Each command is a fresh interpreter of a second or two, so callers ask rarely.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import UnreachableError
from common.flower_processes import (
    list_nodes_command,
    list_runs_command,
    register_node_command,
    run_command,
    stop_run_command,
    unregister_node_command,
)

_ANSWER_S = 60.0
_FINISHED = "finished"

Asker = Callable[[Sequence[str]], Mapping[str, Any]]
"""A command → the JSON object that it prints; raises UnreachableError."""


class FlowerControl:
    """Runs and nodes of one SuperLink."""

    def __init__(self, ask: Asker) -> None:
        """Ask through ``ask``: ``asker`` for the real one."""
        self._ask = ask

    def start(self, run: str) -> str:
        """Start the signed bundle on a run folder; gives Flower's id of the run."""
        return str(self._ask(run_command(run))["run-id"])

    def is_running(self, flower_run: str) -> bool:
        """True until it finished in any way; Flower may have forgotten it too."""
        return flower_run in self.running()

    def running(self) -> list[str]:
        """Every run that has not finished."""
        runs = self._ask(list_runs_command())["runs"]
        return [str(run["run-id"]) for run in runs if not str(run["status"]).startswith(_FINISHED)]

    def stop(self, flower_run: str) -> None:
        """Stop a run."""
        self._ask(stop_run_command(int(flower_run)))

    def register(self, public_key: Path, *, device: str) -> str:
        """Believe a node's key; gives Flower's id of the node."""
        return str(self._ask(register_node_command(public_key, name=device))["node-id"])

    def unregister(self, node_id: str) -> None:
        """Believe it no more."""
        self._ask(unregister_node_command(int(node_id)))

    def nodes(self) -> dict[str, str]:
        """Node id → ``online``, ``offline`` or ``registered``."""
        nodes = self._ask(list_nodes_command())["nodes"]
        return {str(node["node-id"]): str(node["status"]) for node in nodes}


def asker(environment: Mapping[str, str], *, folder: Path) -> Asker:
    """Asks with the real commands.

    Args:
        environment: Of ``common.flower_processes.flower_environment``.
        folder: Where the commands run; Flower looks around itself there.
    """

    def ask(command: Sequence[str]) -> Mapping[str, Any]:
        said = " ".join(command[1:3])
        try:
            answered = subprocess.run(  # noqa: S603 - built by flower_processes, without a shell
                list(command),
                env=dict(environment),
                cwd=folder,
                capture_output=True,
                timeout=_ANSWER_S,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise UnreachableError(f"flwr {said} did not answer: {error}") from error
        try:
            answer: Mapping[str, Any] = json.loads(answered.stdout)
        except ValueError as error:
            words = (answered.stderr or answered.stdout).decode(errors="replace").split()
            raise UnreachableError(
                f"flwr {said} failed: {' '.join(words)[-300:]}",
                hint="look at superlink.log in data_folder/federation/flower",
            ) from error
        if not answer.get("success", False):
            why = answer.get("error-message") or answer.get("error") or "no reason given"
            raise UnreachableError(f"flwr {said} was refused: {str(why)[:300]}")
        return answer

    return ask
