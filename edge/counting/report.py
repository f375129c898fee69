"""Steps of one camera → the report that people and other programs read."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.geometry import Direction
from common.road_users import ROAD_USERS
from common.site import Camera
from common.truth import Comparison, CountedEvent, totals
from edge.capture.outages import Gap
from edge.capture.quality import QualityVerdict
from edge.detect.engine import EngineInfo
from edge.measure.bins import MinuteBin
from edge.measure.events import Crossing
from edge.measure.stage import Measured
from edge.pipeline import Step


@dataclass(slots=True, kw_only=True)
class Count:
    """Everything one run over one source found; grows with the events, not with the frames.

    Attributes:
        source: As named by the operator, without credentials.
        camera: Its sections and flows are the rows of the tables.
        duration_s: Stream time from the first frame to the last.
        wall_s: Time the run took.
    """

    source: str
    camera: Camera
    engine: EngineInfo
    first_s: float = 0.0
    duration_s: float = 0.0
    wall_s: float = 0.0
    read: int = 0
    processed: int = 0
    dropped: int = 0
    measured: list[Measured] = field(default_factory=list)
    bins: list[MinuteBin] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    issues: Counter[str] = field(default_factory=Counter)
    brightness_sum: float = 0.0
    unassigned: int = 0

    def add(self, step: Step) -> None:
        """Take in one step of the pipeline."""
        if step.gap is not None:
            self.gaps.append(step.gap)
        if step.frame is not None:
            if self.processed == 0:
                self.first_s = step.frame.captured_s
            self.processed += 1
            self.duration_s = step.frame.captured_s - self.first_s
        if step.quality is not None:
            self._add_quality(step.quality)
        if step.tracked is not None:
            self.unassigned += step.tracked.unassigned
        self.bins.extend(step.bins)
        if step.measured != Measured():
            self.measured.append(step.measured)

    def _add_quality(self, quality: QualityVerdict) -> None:
        self.brightness_sum += quality.brightness
        self.issues.update(issue.value for issue in quality.issues)

    @property
    def crossings(self) -> list[Crossing]:
        """Every crossing, by its moment."""
        found = [crossing for measured in self.measured for crossing in measured.crossings]
        return sorted(found, key=lambda crossing: crossing.at_s)

    @property
    def events(self) -> list[CountedEvent]:
        """The crossings as they are compared with a truth file."""
        return [
            CountedEvent(
                section=crossing.section,
                direction=crossing.direction,
                road_user=crossing.road_user,
                time_s=crossing.at_s,
            )
            for crossing in self.crossings
        ]


def to_report(count: Count, comparison: Sequence[Comparison] | None = None) -> dict[str, Any]:
    """The report as plain values; every line and direction has a row, also those with nothing."""
    report: dict[str, Any] = {
        "source": count.source,
        "camera": count.camera.id,
        "duration_s": round(count.duration_s, 3),
        "wall_s": round(count.wall_s, 3),
        "frames": {"read": count.read, "processed": count.processed, "dropped": count.dropped},
        "model": {
            "name": count.engine.name,
            "version": count.engine.version,
            "backend": count.engine.backend,
            "sha256": count.engine.sha256,
        },
        "sections": _section_rows(count),
        "events": [_event(crossing) for crossing in count.crossings],
        "flows": _flow_rows(count),
        "incidents": _others(count, "incidents"),
        "conflicts": _others(count, "conflicts"),
        "bins": [bin_.to_dict() for bin_ in count.bins],
        "quality": _quality(count),
    }
    if comparison is not None:
        report["truth"] = {
            "totals": totals(comparison),
            "sections": [_compared(row) for row in comparison],
        }
    return report


def write_report(report: dict[str, Any], path: Path) -> None:
    """Write the report as JSON.

    Raises:
        ConfigError: The file cannot be written.
    """
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    with _writing(path):
        path.write_text(text, encoding="utf-8")


def write_events(events: Iterable[dict[str, Any]], path: Path) -> None:
    """Write the events as CSV, one line each.

    Raises:
        ConfigError: The file cannot be written.
    """
    with _writing(path), path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(_EVENT_KEYS))
        writer.writeheader()
        writer.writerows(events)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {error.strerror}", hint="name a file in an existing folder"
        ) from error


_EVENT_KEYS = ("section", "direction", "class", "time_s", "at", "track", "speed_kmh", "inferred")


def _event(crossing: Crossing) -> dict[str, Any]:
    return {
        "section": crossing.section,
        "direction": crossing.direction.value,
        "class": crossing.road_user.value,
        "time_s": round(crossing.at_s, 3),
        "at": crossing.at.isoformat(timespec="milliseconds"),
        "track": crossing.track_id,
        "speed_kmh": round(crossing.speed.kmh, 1) if crossing.speed else None,
        "inferred": crossing.is_inferred,
    }


def _section_rows(count: Count) -> list[dict[str, Any]]:
    found = Counter((c.section, c.direction, c.road_user) for c in count.crossings)
    return [
        {
            "name": section.name,
            "direction": direction.value,
            "class": road_user.value,
            "count": found[section.name, direction, road_user],
        }
        for section in count.camera.sections
        if section.line is not None
        for direction in Direction
        for road_user in ROAD_USERS
    ]


def _flow_rows(count: Count) -> list[dict[str, Any]]:
    found = Counter(
        (passage.flow, passage.road_user)
        for measured in count.measured
        for passage in measured.passages
    )
    return [
        {
            "name": flow.name,
            "movement": flow.movement.value,
            "class": road_user.value,
            "count": found[flow.name, road_user],
        }
        for flow in count.camera.flows
        for road_user in ROAD_USERS
    ]


def _others(count: Count, kind: str) -> dict[str, int]:
    found: Counter[str] = Counter(
        one.kind.value for measured in count.measured for one in getattr(measured, kind)
    )
    return dict(sorted(found.items()))


def _quality(count: Count) -> dict[str, Any]:
    frames = max(count.processed, 1)
    covered_s = sum(bin_.coverage_s for bin_ in count.bins)
    return {
        "coverage_s": round(covered_s, 3),
        "brightness": round(count.brightness_sum / frames, 3) if count.processed else None,
        "issues": {name: round(n / frames, 4) for name, n in sorted(count.issues.items())},
        "unassigned_per_frame": round(count.unassigned / frames, 4),
        "gaps": [
            {
                "since_s": round(gap.since_s, 3),
                "until_s": round(gap.until_s, 3),
                "reason": gap.reason.value,
            }
            for gap in count.gaps
        ],
    }


def _compared(row: Comparison) -> dict[str, Any]:
    return {
        "section": row.section,
        "direction": row.direction.value,
        "true": row.true,
        "counted": row.counted,
        "missed": row.missed,
        "false": row.false,
        "wrong_class": row.wrong_class,
        "geh": round(row.geh, 2),
        "faults": [
            {
                "kind": fault.kind,
                "time_s": round(fault.time_s, 2),
                "expected": fault.expected.value if fault.expected else None,
                "found": fault.found.value if fault.found else None,
            }
            for fault in row.faults
        ],
    }
