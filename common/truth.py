"""Counted events and hand-counted truth → missed, false and wrong class, each listed.

Net totals hide faults that cancel (one missed and one false make "correct"), so
events are matched one to one: same section, same direction, at most one second
apart, and the matching that leaves the fewest faults wins.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Annotated, Any, Self

import lap
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from common.errors import ConfigError
from common.geometry import Direction
from common.road_users import RoadUser
from common.settings_files import explain
from common.site import Camera, Section

TOLERANCE_S = 1.0
"""Hand-counted times are good to half a second, ours to a frame."""

_WRONG_CLASS_COST = 2.0
_UNSURE_COST = 4.0
_NO_PAIR = 100.0


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class TrueEvent(_Model):
    """One crossing that somebody saw.

    Attributes:
        time_s: Seconds from the first frame of the clip.
        is_sure: False where the person who counted would accept either answer.
    """

    time_s: float = Field(ge=0)
    road_user: RoadUser = Field(alias="class")
    direction: Direction
    is_sure: bool = Field(default=True, alias="sure")


class TrueLine(_Model):
    """One counting line with everything that crossed it."""

    name: str
    p1: tuple[float, float]
    p2: tuple[float, float]
    events: tuple[TrueEvent, ...] = ()


class Truth(_Model):
    """A truth file: the size of the picture and the lines with their events."""

    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    lines: tuple[TrueLine, ...]

    @model_validator(mode="after")
    def _gives_a_camera(self) -> Self:
        try:
            self.camera("truth")
        except ValidationError as error:
            raise ValueError(explain(error)) from error
        return self

    def camera(self, camera_id: str) -> Camera:
        """A site-file camera with exactly the lines that the truth was counted at."""
        return Camera(
            id=camera_id,
            frame_size=(self.width, self.height),
            sections=tuple(Section(name=line.name, line=(line.p1, line.p2)) for line in self.lines),
        )


def load_truth(path: Path) -> Truth:
    """Read a truth file.

    Raises:
        ConfigError: Missing, not JSON, or without the keys of a truth file.
    """
    try:
        return Truth.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"truth file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        reason = explain(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigError(
            f"truth file {path}: {reason}",
            hint="a truth file holds width, height and lines with name, p1, p2 and events",
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedEvent:
    """One crossing that the box counted, times from the first frame."""

    section: str
    direction: Direction
    road_user: RoadUser
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One event that does not agree with the truth.

    Attributes:
        kind: ``missed``, ``false`` or ``class``.
        expected: The true class, or None for a false event.
        found: The counted class, or None for a missed one.
    """

    kind: str
    section: str
    direction: Direction
    time_s: float
    expected: RoadUser | None
    found: RoadUser | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the counts of one section and direction agree with the truth.

    Attributes:
        true: Sure true events.
        counted: Counted events, those matched with an unsure one left out.
        missed: Sure true events that nothing was matched with.
        false: Counted events that nothing true was matched with.
        wrong_class: Matched, but counted as another class.
        geh: GEH statistic of the two hourly flows (DMRB vol. 12, section 2.1), below 5 is good.
    """

    section: str
    direction: Direction
    true: int
    counted: int
    missed: int
    false: int
    wrong_class: int
    geh: float
    faults: tuple[Fault, ...]


def compare(
    counted: Iterable[CountedEvent], truth: Truth, *, duration_s: float
) -> list[Comparison]:
    """Match counted events with true ones, section by section and direction by direction."""
    events = sorted(counted, key=lambda event: event.time_s)
    rows = []
    for line in truth.lines:
        for direction in Direction:
            true = [event for event in line.events if event.direction is direction]
            ours = [e for e in events if e.section == line.name and e.direction is direction]
            if true or ours:
                rows.append(_compare(line.name, true, ours, duration_s))
    return rows


def _compare(
    section: str, true: Sequence[TrueEvent], ours: Sequence[CountedEvent], duration_s: float
) -> Comparison:
    pairs = _match(true, ours)
    direction = (true[0] if true else ours[0]).direction
    faults: list[Fault] = []

    def add(kind: str, time_s: float, expected: RoadUser | None, found: RoadUser | None) -> None:
        faults.append(
            Fault(
                kind=kind,
                section=section,
                direction=direction,
                time_s=time_s,
                expected=expected,
                found=found,
            )
        )

    for i, event in enumerate(true):
        if i not in pairs and event.is_sure:
            add("missed", event.time_s, event.road_user, None)
        elif i in pairs and event.is_sure and ours[pairs[i]].road_user is not event.road_user:
            add("class", event.time_s, event.road_user, ours[pairs[i]].road_user)
    matched = set(pairs.values())
    for j, counted in enumerate(ours):
        if j not in matched:
            add("false", counted.time_s, None, counted.road_user)
    kinds = [fault.kind for fault in faults]
    sure = sum(event.is_sure for event in true)
    unsure_matched = sum(not true[i].is_sure for i in pairs)
    return Comparison(
        section=section,
        direction=direction,
        true=sure,
        counted=len(ours) - unsure_matched,
        missed=kinds.count("missed"),
        false=kinds.count("false"),
        wrong_class=kinds.count("class"),
        geh=geh(len(ours) - unsure_matched, sure, duration_s=duration_s),
        faults=tuple(sorted(faults, key=lambda fault: fault.time_s)),
    )


def _match(true: Sequence[TrueEvent], ours: Sequence[CountedEvent]) -> Mapping[int, int]:
    """True index → counted index, by the assignment with the fewest and smallest faults."""
    if not true or not ours:
        return {}
    cost = np.full((len(true), len(ours)), _NO_PAIR)
    for i, event in enumerate(true):
        for j, counted in enumerate(ours):
            apart_s = abs(event.time_s - counted.time_s)
            if apart_s <= TOLERANCE_S:
                differs = event.road_user is not counted.road_user
                cost[i, j] = apart_s + _WRONG_CLASS_COST * differs
                cost[i, j] += _UNSURE_COST * (not event.is_sure)
    _, column_of_row, _ = lap.lapjv(cost, extend_cost=True, cost_limit=_NO_PAIR / 2)
    return {i: int(j) for i, j in enumerate(column_of_row) if j >= 0}


def geh(counted: float, true: float, *, duration_s: float) -> float:
    """GEH statistic of two counts after scaling both to an hour; 0 when both are 0."""
    hours = duration_s / 3600
    if counted + true == 0 or hours <= 0:
        return 0.0
    return sqrt(2 * (counted - true) ** 2 / (counted + true) / hours)


def totals(rows: Iterable[Comparison]) -> dict[str, Any]:
    """Sums over sections and directions, and the share of faults among the true events."""
    rows = list(rows)
    true = sum(row.true for row in rows)
    missed, false = sum(row.missed for row in rows), sum(row.false for row in rows)
    wrong = sum(row.wrong_class for row in rows)
    return {
        "true": true,
        "missed": missed,
        "false": false,
        "wrong_class": wrong,
        "fault_share": (missed + false) / true if true else 0.0,
        "wrong_class_share": wrong / true if true else 0.0,
    }
