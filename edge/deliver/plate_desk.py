"""Orders for plates → answers in the outbox, each number once, also over restarts."""

from __future__ import annotations

from typing import Protocol

import structlog

from common.plates import PlateReport, PlateRequest
from edge.deliver.clock_trust import ClockTrust
from edge.deliver.outbox import Outbox

log = structlog.get_logger(__name__)


class Plates(Protocol):
    """Takes plates, or says why not; ``edge.anonymise.plates`` does."""

    def ask(self, request: PlateRequest) -> None:
        """Called in the sender's thread with a verified order; returns at once."""
        ...

    def answers(self) -> list[PlateReport]:
        """What became ready since the last call."""
        ...


class NoPlates:
    """For a box that has nobody who could take one."""

    def ask(self, request: PlateRequest) -> None:
        """Nobody answers."""

    def answers(self) -> list[PlateReport]:
        """Nothing."""
        return []


class PlateDesk:
    """What stands between the broker and whoever takes plates; for the outbox's thread."""

    def __init__(self, plates: Plates, outbox: Outbox, *, trust: ClockTrust) -> None:
        self._plates = plates
        self._outbox = outbox
        self._trust = trust

    def take(self, request: PlateRequest) -> None:
        """Pass an order on, unless it was answered before: brokers repeat, and others might."""
        if request.number > int(self._outbox.fact(_fact(request.camera)) or 0):
            self._plates.ask(request)

    def tell(self) -> bool:
        """Put answers into the outbox; False when there are none.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        answers = self._plates.answers()
        for answer in answers:
            facts = {_fact(answer.camera): str(answer.number)}
            self._outbox.add_report(answer, clock=self._trust.state, facts=facts)
            log.info("plate_answered", camera_id=answer.camera, outcome=answer.outcome.value)
        return bool(answers)


def _fact(camera_id: str) -> str:
    return f"plate_answered|{camera_id}"
