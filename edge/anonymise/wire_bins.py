"""A stored bin → the closed wire model; what that has no field for stays on the box."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from common.errors import ItsError
from common.messages import AreaFigures, CameraBin, FlowCounts, SectionCounts
from common.road_users import ROAD_USERS
from common.settings_files import explain
from common.wire import ClockState, PrivacyMode
from edge.keeping.stored import StoredBin


class UnsendableBinError(ItsError):
    """A stored bin that the wire has no form for, such as one that a fault has damaged."""


def to_wire(stored: StoredBin, *, mode: PrivacyMode, clock: ClockState) -> CameraBin:
    """Copy the known fields, one by one.

    Raises:
        UnsendableBinError: A field is missing or outside its bounds.
    """
    content = stored.content
    try:
        return CameraBin(
            camera=stored.camera_id,
            start=stored.start,
            part=stored.part,
            width_s=content["width_s"],
            clock=clock,
            mode=mode,
            coverage_s=content["coverage_s"],
            frames_seen=content["frames_seen"],
            frames_dropped=content["frames_dropped"],
            unassigned_share=content["unassigned_share"],
            brightness=content["brightness"],
            quality=content["quality"],
            flags=tuple(content["flags"]),
            gaps=tuple((from_s, to_s) for from_s, to_s in content["gaps"]),
            sections=tuple(_section(each) for each in content["sections"]),
            flows=tuple(
                FlowCounts(flow=each["flow"], counts=_counts(each["counts"]))
                for each in content["flows"]
            ),
            areas=tuple(_area(each) for each in content["areas"]),
            incidents=content["incidents"],
            conflicts=content["conflicts"],
        )
    except ValidationError as error:
        raise _unsendable(stored, explain(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unsendable(stored, f"{type(error).__name__} {error}") from error


def _section(content: Mapping[str, Any]) -> SectionCounts:
    speeds = tuple((int(label.partition("-")[0]), n) for label, n in content["speeds"].items())
    return SectionCounts(
        section=content["section"],
        direction=content["direction"],
        counts=_counts(content["counts"]),
        inferred=content["inferred"],
        speeds=speeds,
        speed_sum_kmh=_sum(content, "speed_sum_kmh", "speed_mean_kmh", sum(n for _, n in speeds)),
        headways=content["headways"],
        headway_sum_s=_sum(content, "headway_sum_s", "headway_mean_s", content["headways"]),
        headway_least_s=content["headway_least_s"],
        time_gaps=content["time_gaps"],
        time_gap_sum_s=_sum(content, "time_gap_sum_s", "time_gap_mean_s", content["time_gaps"]),
    )


def _area(content: Mapping[str, Any]) -> AreaFigures:
    return AreaFigures(
        section=content["section"],
        occupied_share=content["occupied_share"],
        queue_most=content["queue_most"],
        queue_most_m=content["queue_most_m"],
        dwell_mean_s=content["dwell_mean_s"],
        walks=content["walks"],
    )


def _counts(by_class: Mapping[str, int] | None) -> tuple[int, ...] | None:
    return None if by_class is None else tuple(by_class[user.value] for user in ROAD_USERS)


def _sum(content: Mapping[str, Any], key: str, mean_key: str, number: int) -> float:
    """Bins of earlier releases hold means only."""
    return float(content[key] if key in content else (content.get(mean_key) or 0.0) * number)


def _unsendable(stored: StoredBin, why: str) -> UnsendableBinError:
    return UnsendableBinError(
        f"bin {stored.row_id} of camera {stored.camera_id!r} cannot be sent: {why}",
        hint="keep bins.sqlite and report this",
    )
