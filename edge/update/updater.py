"""A wished release → fetched, verified, judged, activated and watched, beside the cameras.

Nothing here decides: each step asks the world one thing and hands the answer to
``edge.update.machine``. Killed anywhere, the next start goes on from the record.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from common.errors import NotFoundError, TrustError, UnreachableError
from common.release import reasons
from common.release.client import FetchedRelease, ReleaseSource, fetch_release
from common.release_state import SlotName, Step
from common.timing import Clock
from edge.health import CameraHealth
from edge.update import machine
from edge.update.candidate import gate_order, unusable
from edge.update.gate import verdict
from edge.update.gate_process import GateOrder, Judged
from edge.update.record import PREPARING, Record, Wish
from edge.update.releases import ChosenModel, Releases
from edge.update.root import remember_root
from edge.update.settings import ReleaseSettings
from edge.update.watch import Watch, WatchTimes

log = structlog.get_logger(__name__)

ROLL_BACK_FILE = "roll_back"
"""Made by ``edge release roll-back`` where an agent runs; the agent acts and removes it."""

_LOOK_S = 0.5
_MOST_UNTRUSTED = 3
"""Fetches in a row that do not hold. One alone may be a clock that is not set yet after the
power came back; an attacker gains nothing from two more refusals."""
_JITTER = 0.2

Source = Callable[[], ReleaseSource | None]


class Gate(Protocol):
    """What measures a candidate; ``GateProcess`` does."""

    def judge(
        self, order: GateOrder, *, is_wanted: Callable[[], bool], on_built: Callable[[], object]
    ) -> Judged:
        """Wait for the figures, as long as they are wanted."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdaterParts:
    """What the updater works with.

    Attributes:
        releases: Of this process.
        running: What the cameras count with now.
        backend: What runs it, as edge.yaml names it.
        engine_cache: Where engines are kept.
        source: Asked before each fetch; None while nobody told whom to believe.
        cameras: Asked for the newest health.
        restart: Asks for a new start of the agent, with the model that is active then.
        gate: Runs the gate.
        clock: Of the agent.
        look_s: How often the record is looked at.
    """

    releases: Releases
    running: ChosenModel
    backend: str
    engine_cache: Path
    source: Source
    cameras: Callable[[], Sequence[CameraHealth]]
    restart: Callable[[], None]
    gate: Gate
    clock: Clock
    look_s: float = _LOOK_S


class Updater:
    """Takes the box from a wish to a model that counts; a service of the agent."""

    name = "updater"

    def __init__(self, parts: UpdaterParts, settings: ReleaseSettings) -> None:
        self._parts = parts
        self._releases = parts.releases
        self._settings = settings
        self._chance = random.Random()  # noqa: S311 - spreads load  # nosec B311
        self._fetch_due_s = 0.0
        self._fetching: Wish | None = None
        self._untrusted = 0
        self._watch: Watch | None = None
        self._releases.rates.forget()

    def run(self, stop: threading.Event) -> None:
        """Look after the wish until told to stop.

        Raises:
            ConfigError: The identity is damaged, or the folder cannot be made.
            UnreachableError: The disk is full or failing.
        """
        while not stop.wait(self._parts.look_s):
            self._releases.rates.note(self._parts.cameras())
            self._roll_back_by_hand()
            record = self._releases.book.record
            if record.active is not self._parts.running.slot:
                self._restart(stop)
            elif record.step is Step.FETCHING:
                self._fetch(record, stop)
            elif record.step in PREPARING and record.target is not None:
                self._activate(record, stop)
            elif record.step in PREPARING:
                self._judge(record, stop)
            elif record.step is Step.WATCHING:
                self._look_on(record)

    def _fetch(self, record: Record, stop: threading.Event) -> None:
        wish, clock = record.wish, self._parts.clock
        if wish is None or (wish == self._fetching and clock.monotonic_s() < self._fetch_due_s):
            return
        if wish != self._fetching:
            self._releases.slots.tidy(record.slots, keeps_fetched=False)
            self._fetching, self._untrusted = wish, 0
        jitter = 1 + _JITTER * self._chance.random()
        self._fetch_due_s = clock.monotonic_s() + self._settings.poll_s * jitter
        reason = self._fetched(wish, stop)
        if reason == reasons.UNTRUSTED:
            self._untrusted += 1
        now = clock.now()
        if reason is None:
            self._untrusted = 0
            note = self._releases.slots.note_of(wish.name, wish.version)
            self._advance(wish, lambda record: machine.fetched(record, note, now))
        elif self._untrusted >= _MOST_UNTRUSTED:
            self._untrusted = 0
            self._advance(wish, lambda record: machine.refused(record, reason, now))
        elif not stop.is_set():
            self._advance(wish, lambda record: machine.delayed(record, reason, now))

    def _fetched(self, wish: Wish, stop: threading.Event) -> str | None:
        """Bring the files; why that failed, or None."""
        slots = self._releases.slots
        slots.make()
        source = self._parts.source()
        if source is None:
            return reasons.NO_ROOT
        if slots.free_bytes() < self._settings.free_mb * 1_000_000:
            return reasons.DISK_FULL
        remember_root(slots.folder, source.root)
        try:
            fetched = fetch_release(
                slots.folder, source, name=wish.name, version=wish.version, stop=stop
            )
        except TrustError as error:
            log.error("release_untrusted", version=wish.version, error=str(error))  # noqa: TRY400
            return reasons.UNTRUSTED
        except NotFoundError as error:
            log.warning("release_not_listed", version=wish.version, error=str(error))
            return reasons.UNKNOWN
        except UnreachableError as error:
            log.warning("release_not_fetched", version=wish.version, error=str(error))
            return reasons.UNREACHABLE
        log.info("release_fetched", version=wish.version, size_bytes=_size_bytes(fetched))
        return None

    def _judge(self, record: Record, stop: threading.Event) -> None:
        """Verify, build and gate, in one go: each of them is cheap to do again."""
        wish, candidate, now = record.wish, record.candidate, self._parts.clock.now
        if wish is None or candidate is None:
            return
        try:
            files = self._releases.slots.candidate(candidate)
        except TrustError as error:
            # Changed under our hands, or the power went while the disk was full: fetch anew.
            log.error("release_download_damaged", error=str(error))  # noqa: TRY400
            self._advance(wish, lambda record: machine.delayed(record, reasons.DAMAGED, now()))
            return
        reason = unusable(files)
        if reason is not None:
            self._refuse(wish, reason)
            return
        self._advance(wish, lambda record: machine.verified(record, now()))
        judged = self._parts.gate.judge(
            gate_order(
                files,
                self._parts.running,
                backend=self._parts.backend,
                engine_cache=self._parts.engine_cache,
            ),
            is_wanted=lambda: not stop.is_set() and self._is_wanted(wish),
            on_built=lambda: self._advance(wish, lambda record: machine.built(record, now())),
        )
        figures = judged.figures
        if figures is None:
            if judged.reason is not None:
                self._refuse(wish, judged.reason)
            return
        reason = verdict(files.manifest.gate, figures)
        log.info("release_gated", version=wish.version, reason=reason, **figures.model_dump())
        if reason is not None:
            self._advance(
                wish, lambda record: machine.refused(record, reason, now(), figures=figures)
            )
            self._releases.tidy(self._releases.book.record)
            return
        self._advance(wish, lambda record: machine.passed(record, figures, now()))

    def _activate(self, record: Record, stop: threading.Event) -> None:
        """Into its slot, then the pointer; with the pointer the box counts with it."""
        rates, wish = self._releases.rates, record.wish
        if record.candidate is None or record.target is None or wish is None:
            return
        if not rates.is_known:
            return  # nothing to compare with yet; the next health reports will tell
        now, before = self._parts.clock.now(), rates.means()
        try:
            self._releases.slots.install(record.candidate, record.target)
        except TrustError as error:
            log.error("release_download_damaged", error=str(error))  # noqa: TRY400
            self._advance(wish, lambda record: machine.delayed(record, reasons.DAMAGED, now))
            return
        done = self._advance(wish, lambda record: machine.activated(record, before, now))
        self._releases.tidy(done)
        if done.active is not self._parts.running.slot:
            self._restart(stop)

    def _look_on(self, record: Record) -> None:
        cameras, at_s = self._parts.cameras(), self._parts.clock.monotonic_s()
        if self._watch is None:
            self._watch = Watch(record.before, WatchTimes(watch_s=self._settings.watch_s))
        self._watch.note(cameras, at_s=at_s)
        fault, now = self._watch.fault(at_s=at_s), self._parts.clock.now()
        factory = self._releases.factory
        if fault is not None:
            log.error("release_harms", reason=fault, slot=record.active.value)
            self._releases.book.change(
                lambda record: machine.rolled_back(record, fault, factory=factory, now=now)
            )
        elif self._watch.is_over(at_s=at_s):
            self._releases.book.change(
                lambda record: machine.confirmed(record, factory=factory, now=now)
            )
        else:
            return
        self._watch = None
        self._releases.tidy(self._releases.book.record)

    def _is_wanted(self, wish: Wish) -> bool:
        return self._releases.book.record.wish == wish and not self._asked_by_hand.exists()

    def _roll_back_by_hand(self) -> None:
        if self._asked_by_hand.exists():
            self._releases.roll_back()
            self._asked_by_hand.unlink(missing_ok=True)

    @property
    def _asked_by_hand(self) -> Path:
        return self._releases.slots.folder / ROLL_BACK_FILE

    def _restart(self, stop: threading.Event) -> None:
        slot: SlotName = self._releases.book.record.active
        log.info("release_switched", slot=slot.value)
        self._parts.restart()
        stop.wait()

    def _refuse(self, wish: Wish, reason: str) -> None:
        now = self._parts.clock.now()
        done = self._advance(wish, lambda record: machine.refused(record, reason, now))
        self._releases.tidy(done)

    def _advance(self, wish: Wish, step: Callable[[Record], Record]) -> Record:
        """Change the record, unless another release is wished by now."""
        return self._releases.book.change(
            lambda record: (
                step(record) if record.wish == wish and record.step in PREPARING else record
            )
        )


def _size_bytes(fetched: FetchedRelease) -> int:
    return sum(part.size_bytes for part in fetched.manifest.artefacts)
