"""Sensors, samples and the time of day → whether this box may train now, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from common.readiness_file import ReadinessCheck, ReadinessNote
from edge.learn.settings import LearnSettings, window_of
from edge.sensors import Reading

_LASTING = frozenset({"temperature", "mains", "power", "window"})
"""Checks that must hold while training goes on. What training takes itself, load and memory,
must not break it off; those are asked only before it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCounts:
    """What the vault holds."""

    labelled: int
    technician: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether training may begin, or go on.

    Attributes:
        waits_when_unknown: A sensor that is missing keeps the box from training.
    """

    at: datetime
    counts: SampleCounts
    checks: tuple[ReadinessCheck, ...]
    waits_when_unknown: bool

    @property
    def reasons(self) -> tuple[str, ...]:
        """Names of the checks that keep training from beginning."""
        return tuple(check.name for check in self.checks if self._stands_against(check))

    @property
    def is_ready(self) -> bool:
        """Training may begin."""
        return not self.reasons

    @property
    def may_go_on(self) -> bool:
        """Training that runs need not be broken off."""
        return _LASTING.isdisjoint(self.reasons)

    def note(self) -> ReadinessNote:
        """As it is written for training to read."""
        return ReadinessNote(
            checked_at=self.at,
            is_ready=self.is_ready,
            reasons=self.reasons,
            samples=self.counts.labelled,
            checks=self.checks,
        )

    def _stands_against(self, check: ReadinessCheck) -> bool:
        if check.verdict == "not_known":
            return self.waits_when_unknown
        return check.verdict == "not_met"


def judge(
    reading: Reading, counts: SampleCounts, settings: LearnSettings, *, now: datetime
) -> Readiness:
    """Hold everything against its limit."""
    return Readiness(
        at=now,
        counts=counts,
        checks=(*_sensor_checks(reading, settings), *_other_checks(counts, settings, now)),
        waits_when_unknown=settings.readiness.when_unknown == "wait",
    )


def is_within(local: datetime, window: str) -> bool:
    """Whether a local time lies in a window, which may pass midnight; the end is outside."""
    start, end = window_of(window)
    at = local.time().replace(tzinfo=None)
    return start <= at < end if start < end else at >= start or at < end


def _sensor_checks(reading: Reading, settings: LearnSettings) -> Iterable[ReadinessCheck]:
    limits = settings.readiness
    yield _at_most("temperature", reading.temperature_c, limits.most_temperature_c, unit="C")
    if limits.needs_mains:
        mains = reading.is_on_mains
        yield ReadinessCheck(name="mains", value=mains, limit=True, verdict=_verdict(mains))
    if limits.most_power_w is not None:
        yield _at_most("power", reading.power_w, limits.most_power_w, unit="W")
    yield _at_most("load", reading.load, limits.most_load, unit="share")
    memory = reading.free_memory_mb
    yield ReadinessCheck(
        name="memory",
        value=None if memory is None else round(memory),
        limit=limits.least_memory_mb,
        unit="MB",
        verdict=_verdict(None if memory is None else memory >= limits.least_memory_mb),
    )


def _other_checks(
    counts: SampleCounts, settings: LearnSettings, now: datetime
) -> Iterable[ReadinessCheck]:
    limits = settings.readiness
    yield ReadinessCheck(
        name="samples",
        value=counts.labelled,
        limit=limits.least_samples,
        verdict=_verdict(counts.labelled >= limits.least_samples),
    )
    if limits.window is not None:
        local = now.astimezone(settings.zone)
        yield ReadinessCheck(
            name="window",
            value=f"{local:%H:%M}",
            limit=limits.window,
            unit=settings.timezone,
            verdict=_verdict(is_within(local, limits.window)),
        )


def _at_most(name: str, value: float | None, most: float, *, unit: str) -> ReadinessCheck:
    return ReadinessCheck(
        name=name,
        value=None if value is None else round(value, 3),
        limit=most,
        unit=unit,
        verdict=_verdict(None if value is None else value <= most),
    )


def _verdict(holds: bool | None) -> Literal["ok", "not_met", "not_known"]:
    if holds is None:
        return "not_known"
    return "ok" if holds else "not_met"
