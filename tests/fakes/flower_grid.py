"""Flower's grid in this process: nodes that answer, fail, vanish or lie, on a steered clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from flwr.app import Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

Answer = Callable[[Message], RecordDict | Error | None]
"""A message → what the node replies; None for nothing."""


class FakeGrid(Grid):
    """Nodes are functions; whoever is not in ``online`` cannot be sent anything."""

    def __init__(self, answers: dict[int, Answer]) -> None:
        # Flower's messages ask this process who it is.
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
        self.answers = answers
        self.online = set(answers)
        self.pushed: list[Message] = []
        self.replied_by: dict[int, int] = {}
        self._waiting: dict[str, Message] = {}

    def set_run(self, run: Run) -> None:
        raise NotImplementedError(run)

    @property
    def run(self) -> Run:
        raise NotImplementedError

    def create_message(self, *arguments: object, **more: object) -> Message:
        raise NotImplementedError(arguments, more)

    def get_node_ids(self) -> Iterable[int]:
        return sorted(self.online)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        ids = []
        for message in messages:
            name = f"message-{len(self.pushed)}"
            message.metadata.__dict__["_message_id"] = name
            self.pushed.append(message)
            self._waiting[name] = message
            ids.append(name)
        return ids

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        found = []
        for name in message_ids:
            asked = self._waiting.get(name)
            node = asked.metadata.dst_node_id if asked else 0
            said = self.answers[node](asked) if asked and node in self.online else None
            if asked is None or said is None:
                continue
            del self._waiting[name]
            reply = Message(said, reply_to=asked)
            reply.metadata.__dict__["_src_node_id"] = self.replied_by.get(node, node)
            found.append(reply)
        return found

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        raise NotImplementedError(messages, timeout)


class RushingClock:
    """Every look at it is a second later than the one before."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def now(self) -> datetime:
        return datetime(2026, 5, 4, 12, tzinfo=UTC)

    def monotonic_s(self) -> float:
        self._now_s += 1
        return self._now_s
