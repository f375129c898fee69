"""Commands of ``flwr`` → the answers of a SuperLink in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.errors import UnreachableError


class FlwrAnswers:
    """Stands in for ``flower_control.asker``; answers have the shape that Flower 1.41 prints."""

    def __init__(self) -> None:
        self.nodes: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.runs: dict[str, str] = {}
        self.commands: list[str] = []
        self.is_away = False
        self._next = 100

    def __call__(self, command: Sequence[str]) -> Mapping[str, Any]:
        words = list(command[1:-2])
        if self.is_away:
            raise UnreachableError("flwr did not answer")
        said = " ".join(words[:2]) if words[0] == "supernode" else words[0]
        self.commands.append(said)
        return {"success": True} | self._answer(said, words)

    def _answer(self, said: str, words: list[str]) -> dict[str, Any]:
        if said == "supernode list":
            listed = [{"node-id": node, "status": "online"} for node in self.nodes]
            return {"nodes": listed}
        if said == "supernode register":
            node = self._number()
            self.nodes[node] = words[-1]
            self.keys[node] = Path(words[2]).read_text().strip()
            return {"node-id": int(node)}
        if said == "supernode unregister":
            del self.nodes[words[2]]
            return {}
        if said == "run":
            run = self._number()
            self.runs[run] = "running"
            return {"run-id": run}
        if said == "stop":
            self.runs[words[1]] = "finished:stopped"
            return {}
        return {"runs": [{"run-id": run, "status": told} for run, told in self.runs.items()]}

    def _number(self) -> str:
        self._next += 1
        return str(self._next)
