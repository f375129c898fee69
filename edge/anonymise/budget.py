"""A wish for noisy counts → the draw, charged and on disk before anybody sees it."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from common.durable_files import Layout, is_damage, move_aside, open_durable
from common.errors import UnreachableError
from common.timing import Clock
from edge.anonymise.geometric import GeometricMechanism
from edge.anonymise.settings import NoiseSettings

KEPT_DAYS = 60
"""Draws are remembered this long; a bin of an older day gets no noise, so no second draw."""

_ROUNDING = 1e-9
_DAY_S = 86_400
_SCHEMA = """
CREATE TABLE IF NOT EXISTS draw (
    camera TEXT NOT NULL,
    start_s INTEGER NOT NULL,
    part INTEGER NOT NULL,
    day INTEGER NOT NULL,
    epsilon REAL NOT NULL,
    counts TEXT,
    PRIMARY KEY (camera, start_s, part)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS draw_by_day ON draw (day);
CREATE TABLE IF NOT EXISTS closed (before_day INTEGER NOT NULL);
"""
_BUDGET = Layout(name="noise budget", schema=_SCHEMA)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BinKey:
    """Which bin noise is wanted for."""

    camera: str
    start: datetime
    part: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseWish:
    """True counts, and how much of the budget their noisy form may cost.

    Attributes:
        counts: Every count of the bin, in a fixed order.
        sensitivity: By how much one road user changes all of them together (L1).
        settings: Privacy loss of a bin and of a day.
    """

    counts: tuple[int, ...]
    sensitivity: int
    settings: NoiseSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """Noisy counts, possibly below zero, and what they cost."""

    counts: tuple[int, ...]
    epsilon: float


Mechanism = Callable[[NoiseWish], Draw]


def geometric(wish: NoiseWish) -> Draw:
    """Fresh geometric noise on every count."""
    mechanism = GeometricMechanism(
        epsilon=wish.settings.epsilon_per_bin, sensitivity=wish.sensitivity
    )
    return Draw(counts=mechanism.add(wish.counts), epsilon=mechanism.epsilon)


class NoiseBudget:
    """Keep account per camera and UTC day of the bin; safe to share between threads.

    Losses of bins add up (sequential composition, Dwork and Roth 2014, theorem 3.14), so what
    was spent of a day is a plain sum. Each answer, a refusal too, is committed with
    ``synchronous = FULL`` before it is given and is given again for the same bin: sending a
    bin twice costs once and shows the same numbers.
    """

    def __init__(self, path: Path, *, clock: Clock, mechanism: Mechanism = geometric) -> None:
        """Open or create the file.

        A damaged file is put aside. Nobody knows then what was spent, so every day up to
        today counts as spent.

        Raises:
            ConfigError: A newer version of the product wrote it.
            UnreachableError: It cannot be opened or created.
        """
        self._path = path
        self._clock = clock
        self._mechanism = mechanism
        self._lock = threading.Lock()
        try:
            self._database = open_durable(path, _BUDGET)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise self._unusable(error) from error
            self._start_anew(error)

    def draw(self, key: BinKey, wish: NoiseWish) -> Draw | None:
        """Noisy counts of a bin, or None when the day's budget does not reach.

        Raises:
            UnreachableError: The file cannot be written; nothing was drawn.
        """
        with self._lock:
            try:
                with self._transaction():
                    return self._drawn(key, wish)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise self._unusable(error) from error
                self._database.close()
                self._start_anew(error)
                return None

    def spent(self, camera: str, day: datetime) -> float:
        """Epsilon spent for this camera on the UTC day that holds ``day``."""
        with self._lock:
            try:
                return self._spent(camera, _day(day))
            except sqlite3.Error as error:
                raise self._unusable(error) from error

    def close(self) -> None:
        """Finish; safe to call twice."""
        with self._lock:
            self._database.close()

    def _drawn(self, key: BinKey, wish: NoiseWish) -> Draw | None:
        start_s, day = int(key.start.timestamp()), _day(key.start)
        row = self._database.execute(
            "SELECT epsilon, counts FROM draw WHERE camera = ? AND start_s = ? AND part = ?",
            (key.camera, start_s, key.part),
        ).fetchone()
        if row is not None:
            return _remembered(row[0], row[1], wish)
        if day < self._closed_before():
            return None
        self._forget_before(day - KEPT_DAYS)
        answer = self._affordable(key.camera, day, wish)
        self._database.execute(
            "INSERT INTO draw (camera, start_s, part, day, epsilon, counts)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                key.camera,
                start_s,
                key.part,
                day,
                0.0 if answer is None else answer.epsilon,
                None if answer is None else json.dumps(answer.counts),
            ),
        )
        if answer is None:
            log.warning("noise_budget_spent", camera_id=key.camera, start=key.start.isoformat())
        return answer

    def _affordable(self, camera: str, day: int, wish: NoiseWish) -> Draw | None:
        limit = wish.settings.epsilon_per_day * (1 + _ROUNDING)
        spent = self._spent(camera, day)
        if spent + wish.settings.epsilon_per_bin > limit:
            return None
        draw = self._mechanism(wish)
        # The library may prove a little more than was asked for; a draw nobody sees is free.
        return draw if spent + draw.epsilon <= limit else None

    def _spent(self, camera: str, day: int) -> float:
        query = "SELECT COALESCE(SUM(epsilon), 0) FROM draw WHERE camera = ? AND day = ?"
        return float(self._database.execute(query, (camera, day)).fetchone()[0])

    def _closed_before(self) -> int:
        query = "SELECT COALESCE(MAX(before_day), 0) FROM closed"
        return int(self._database.execute(query).fetchone()[0])

    def _forget_before(self, day: int) -> None:
        # A clock that is far ahead for a moment must not close the real days.
        day = min(day, _day(self._clock.now()) - KEPT_DAYS)
        if day > self._closed_before():
            self._database.execute("DELETE FROM draw WHERE day < ?", (day,))
            self._close_days_before(day)

    def _close_days_before(self, day: int) -> None:
        self._database.execute("DELETE FROM closed")
        self._database.execute("INSERT INTO closed (before_day) VALUES (?)", (day,))

    def _start_anew(self, error: sqlite3.Error) -> None:
        now = self._clock.now()
        try:
            if self._path.exists():
                move_aside(self._path, now)
            self._database = open_durable(self._path, _BUDGET)
            with self._transaction():
                self._close_days_before(_day(now) + 1)
        except (sqlite3.Error, OSError) as again:
            raise self._unusable(again) from again
        log.error("noise_budget_damaged", error=str(error), closed_until=_day(now) + 1)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        finally:
            # Whatever failed, a draw that is not on disk must not count as one.
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _unusable(self, error: sqlite3.Error | OSError) -> UnreachableError:
        return UnreachableError(
            f"noise budget {self._path} cannot be used: {error}, "
            "expected a healthy disk with free space",
            hint="free disk space and look for disk errors in the system log",
        )


def _remembered(epsilon: float, counts: str | None, wish: NoiseWish) -> Draw | None:
    if counts is None:
        return None
    draw = Draw(counts=tuple(json.loads(counts)), epsilon=epsilon)
    # A bin's rows never change; one that did is not the bin this was drawn for.
    return draw if len(draw.counts) == len(wish.counts) else None


def _day(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) // _DAY_S
