"""The release folder of a box → the model it counts with, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from common.errors import ItsError
from common.orders import DesiredConfiguration
from common.release import reasons
from common.release_state import ReleaseState, SlotName
from common.timing import Clock
from edge.detect.models import ModelFile, find_model
from edge.update import machine
from edge.update.book import Book
from edge.update.record import PREPARING, Named, Record, Wish
from edge.update.slots import Slots
from edge.update.watch import Rates

log = structlog.get_logger(__name__)

USUAL_LONG_SIDE = 640
"""What the packaged model was trained and judged at."""

_MOST_VERSION = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenModel:
    """What the box counts with."""

    slot: SlotName
    model: ModelFile
    input_long_side: int = USUAL_LONG_SIDE


class Releases:
    """One per process: agents come and go with the models they count with."""

    def __init__(self, folder: Path, *, factory: ModelFile, clock: Clock) -> None:
        """Read what is remembered; nothing is changed.

        Args:
            folder: ``release`` in the data folder.
            factory: The model that came with the box.
            clock: Tells when.
        """
        self.slots = Slots(folder)
        self.book = Book(folder)
        self.rates = Rates()
        self.factory = Named(name=factory.name, version=factory.version)
        self._model = factory
        self._clock = clock
        self._began_at = clock.now()

    def begin(self) -> None:
        """A process begins that will count: settle what the last one left behind.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        if not self.slots.folder.is_dir():
            return
        self.slots.sweep()
        whole = self.slots.whole(self.book.record.slots)
        now = self._clock.now()
        record = self.book.change(
            lambda record: machine.started(record, whole, factory=self.factory, now=now)
        )
        self.tidy(record)

    def tidy(self, record: Record) -> None:
        """Remove files that nothing refers to."""
        self.slots.tidy(record.slots, keeps_fetched=record.step in PREPARING)

    def chosen(self) -> ChosenModel:
        """The model to count with; the factory's when the active one is not whole."""
        record = self.book.record
        for slot in (record.active, record.former):
            note = record.slots.get(slot)
            if note is None:
                break
            try:
                files = self.slots.held(slot, note)
                model = find_model(str(files.model))
            except ItsError as error:
                log.error("release_slot_damaged", slot=slot.value, error=str(error))  # noqa: TRY400
                continue
            named = replace(model, name=note.name, version=note.version)
            long_side = files.manifest.input_long_side
            return ChosenModel(slot=slot, model=named, input_long_side=long_side)
        return ChosenModel(slot=SlotName.FACTORY, model=self._model)

    def failed(self, slot: SlotName) -> None:
        """The model in a slot cannot be loaded: never choose it again.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        now = self._clock.now()

        def left(record: Record) -> Record:
            if record.active is not slot:
                slots = {name: note for name, note in record.slots.items() if name is not slot}
                former = record.former if record.former is not slot else SlotName.FACTORY
                return record.model_copy(update={"slots": slots, "former": former})
            return machine.rolled_back(record, reasons.MODEL_FAILED, factory=self.factory, now=now)

        self.book.change(left)

    def wish(self, order: DesiredConfiguration) -> None:
        """Take note of what a signed order wants; called in the sender's thread.

        Raises:
            ConfigError: The folder cannot be made.
            UnreachableError: The disk is full or failing.
        """
        if order.release is None:
            return
        wish = Wish(**order.release.model_dump(), order=order.version)
        now, before = self._clock.now(), self.rates.means()
        self.slots.make()
        self.book.change(
            lambda record: machine.wished(
                record, wish, factory=self.factory, now=now, before=before
            )
        )

    def roll_back(self) -> bool:
        """Go back by hand; False when there is nothing to go back from.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        now = self._clock.now()
        before = self.book.record

        def back(record: Record) -> Record:
            if record.active is record.former:
                return record
            return machine.rolled_back(record, reasons.BY_HAND, factory=self.factory, now=now)

        return self.book.change(back) != before

    def state(self) -> ReleaseState:
        """As the health report tells it."""
        record = self.book.record
        note = record.slots.get(record.active)
        return ReleaseState(
            active_version=_told(note.version if note else self._model.version),
            active_sha256=note.model_sha256 if note else self._model.sha256,
            slot=record.active,
            wanted_version=record.wish.version if record.wish else None,
            step=record.step,
            reason=record.reason,
            gate=record.gate,
            since=record.since or self._began_at,
        )


def open_releases(folder: Path | None, *, factory: ModelFile, clock: Clock) -> Releases | None:
    """The releases of a box; None where it takes none."""
    return None if folder is None else Releases(folder, factory=factory, clock=clock)


def choose(releases: Releases | None, *, factory: ModelFile, input_long_side: int) -> ChosenModel:
    """What to count with, at ``input_long_side`` when it is the model that came with the box."""
    if releases is not None and (chosen := releases.chosen()).slot is not SlotName.FACTORY:
        return chosen
    return ChosenModel(slot=SlotName.FACTORY, model=factory, input_long_side=input_long_side)


def _told(version: str) -> str:
    """A version in the characters that the wire allows."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in ".+_ -") else "_" for c in version)
    return kept.lstrip(".+_ -")[:_MOST_VERSION] or "unknown"
