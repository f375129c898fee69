"""Bins of one camera → one coarser bin with the same sums.

When a box has been offline for so long that its outbox is full, an hour as one figure is
better than no figure. Unknown stays apart from zero: ``None`` and a number give the number,
and the coverage, which adds up too, tells how much of the time it stands for.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import timedelta
from typing import Literal, TypeVar

from common.messages import AreaFigures, CameraBin, FlowCounts, SectionCounts, aligned
from common.wire import WIDTHS_S, ClockState, Counts, PrivacyMode

Quality = Literal["good", "partial", "degraded", "no_data"]
Item = TypeVar("Item")

_WORSE: tuple[Quality, ...] = ("good", "partial", "degraded")
_MOST_COUNT = 1_000_000
_MOST_AMOUNT = 1e9
_MOST_CLASSES = 64
_MOST_SECTIONS, _MOST_FLOWS, _MOST_AREAS, _MOST_FLAGS, _MOST_KINDS = 128, 256, 64, 32, 16


def merged(bins: Sequence[CameraBin], *, width_s: int, part: int = 0) -> CameraBin:
    """Add bins up.

    Shares and mean values are weighted by the time that was watched (brightness and
    unassigned tracks: by frames), so merging in steps gives what merging at once gives. A row
    with something withheld stays withheld as a whole: its sum without that part would be wrong.

    Args:
        bins: At least one, of one camera and inside one bin of the new width.
        width_s: The new width, one of ``WIDTHS_S``.
        part: Part of the new bin.

    Raises:
        ValueError: Bins of several cameras, or outside the new bin, or no bins.
    """
    if not bins or width_s not in WIDTHS_S:
        raise ValueError(f"{len(bins)} bins to merge into {width_s} s, expected some and a width")
    start = aligned(bins[0].start, width_s)
    end = start + timedelta(seconds=width_s)
    if any(b.camera != bins[0].camera or b.start < start or b.end > end for b in bins):
        raise ValueError(f"bins to merge are not all of one camera between {start} and {end}")
    return CameraBin(
        camera=bins[0].camera,
        start=start,
        part=part,
        width_s=width_s,
        clock=_either(bins, lambda b: b.clock, ClockState.UNSURE, ClockState.TRUSTED),
        mode=_either(bins, lambda b: b.mode, PrivacyMode.OPERATIONAL, PrivacyMode.STATISTICS),
        coverage_s=min(float(width_s), sum(b.coverage_s for b in bins)),
        frames_seen=_count(b.frames_seen for b in bins),
        frames_dropped=_count(b.frames_dropped for b in bins),
        unassigned_share=_mean((b.unassigned_share, b.frames_seen) for b in bins),
        brightness=_mean((b.brightness, b.frames_seen) for b in bins),
        quality=_quality([b.quality for b in bins]),
        flags=tuple(sorted({flag for b in bins for flag in b.flags}))[:_MOST_FLAGS],
        sections=tuple(
            _section([row for _, row in rows])
            for rows in _grouped(bins, lambda b: b.sections, lambda s: (s.section, s.direction))
        )[:_MOST_SECTIONS],
        flows=tuple(
            _flow([row for _, row in rows])
            for rows in _grouped(bins, lambda b: b.flows, lambda f: f.flow)
        )[:_MOST_FLOWS],
        areas=tuple(_area(rows) for rows in _grouped(bins, lambda b: b.areas, lambda a: a.section))[
            :_MOST_AREAS
        ],
        incidents=_kinds([b.incidents for b in bins]),
        conflicts=_kinds([b.conflicts for b in bins]),
        noise_epsilon=_amount(b.noise_epsilon for b in bins),
    )


def _section(rows: Sequence[SectionCounts]) -> SectionCounts:
    first = rows[0]
    if any(row.withheld for row in rows):
        return SectionCounts(
            section=first.section, direction=first.direction, counts=None, withheld=True
        )
    return SectionCounts(
        section=first.section,
        direction=first.direction,
        counts=_counts(row.counts for row in rows),
        inferred=_count(row.inferred for row in rows),
        speeds=_histogram(rows),
        speed_sum_kmh=_sum(row.speed_sum_kmh for row in rows),
        headways=_count(row.headways for row in rows),
        headway_sum_s=_sum(row.headway_sum_s for row in rows),
        headway_least_s=min(_known(row.headway_least_s for row in rows), default=None),
        time_gaps=_count(row.time_gaps for row in rows),
        time_gap_sum_s=_sum(row.time_gap_sum_s for row in rows),
    )


def _flow(rows: Sequence[FlowCounts]) -> FlowCounts:
    if any(row.withheld for row in rows):
        return FlowCounts(flow=rows[0].flow, counts=None, withheld=True)
    return FlowCounts(flow=rows[0].flow, counts=_counts(row.counts for row in rows))


def _area(rows: Sequence[tuple[CameraBin, AreaFigures]]) -> AreaFigures:
    section = rows[0][1].section
    if any(row.withheld for _, row in rows):
        return AreaFigures(section=section, withheld=True)
    walks = _known(row.walks for _, row in rows)
    return AreaFigures(
        section=section,
        occupied_share=_mean((row.occupied_share, b.coverage_s) for b, row in rows),
        queue_most=max(_known(row.queue_most for _, row in rows), default=None),
        queue_most_m=max(_known(row.queue_most_m for _, row in rows), default=None),
        # How many stays a mean is of is not told; the watched time stands in for it.
        dwell_mean_s=_mean((row.dwell_mean_s, b.coverage_s) for b, row in rows),
        walks=_count(walks) if walks else None,
    )


def _grouped(
    bins: Sequence[CameraBin],
    rows_of: Callable[[CameraBin], Iterable[Item]],
    key_of: Callable[[Item], Hashable],
) -> Iterable[list[tuple[CameraBin, Item]]]:
    """Rows with the same name, in order of first appearance, each with the bin it is of."""
    groups: dict[Hashable, list[tuple[CameraBin, Item]]] = {}
    for bin_ in bins:
        for row in rows_of(bin_):
            groups.setdefault(key_of(row), []).append((bin_, row))
    return groups.values()


def _quality(verdicts: Sequence[Quality]) -> Quality:
    watched = [verdict for verdict in verdicts if verdict != "no_data"]
    if not watched:
        return "no_data"
    worst = max(watched, key=_WORSE.index)
    # "no_data" for the whole would deny the numbers that there are.
    return "partial" if worst == "good" and len(watched) < len(verdicts) else worst


def _histogram(rows: Sequence[SectionCounts]) -> tuple[tuple[int, int], ...]:
    classes: dict[int, int] = {}
    for row in rows:
        for low_kmh, vehicles in row.speeds:
            classes[low_kmh] = min(_MOST_COUNT, classes.get(low_kmh, 0) + vehicles)
    ordered = sorted(classes.items())
    kept, above = ordered[:_MOST_CLASSES], ordered[_MOST_CLASSES:]
    if above:
        low_kmh, vehicles = kept[-1]
        kept[-1] = (low_kmh, _count([vehicles, *(more for _, more in above)]))
    return tuple(kept)


def _counts(vectors: Iterable[Counts | None]) -> Counts | None:
    known = _known(vectors)
    return tuple(_count(column) for column in zip(*known, strict=True)) if known else None


def _kinds(all_kinds: Sequence[dict[str, int] | None]) -> dict[str, int] | None:
    known = _known(all_kinds)
    if not known:
        return None
    names = dict.fromkeys(name for kinds in known for name in kinds)
    sums = {name: _count(kinds.get(name, 0) for kinds in known) for name in names}
    return dict(sorted(sums.items())[:_MOST_KINDS])


def _mean(weighted: Iterable[tuple[float | None, float]]) -> float | None:
    known = [(value, weight) for value, weight in weighted if value is not None]
    total = sum(weight for _, weight in known)
    if not known:
        return None
    if not total:
        return sum(value for value, _ in known) / len(known)
    mean = sum(value * weight for value, weight in known) / total
    # Rounding must not carry a share above 1.
    return min(max(mean, min(v for v, _ in known)), max(v for v, _ in known))


def _amount(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return _sum(known) if known else None


def _sum(values: Iterable[float]) -> float:
    return min(_MOST_AMOUNT, sum(values))


def _count(values: Iterable[int]) -> int:
    return min(_MOST_COUNT, sum(values))


def _known(values: Iterable[Item | None]) -> list[Item]:
    return [value for value in values if value is not None]


Pick = TypeVar("Pick", ClockState, PrivacyMode)


def _either(
    bins: Sequence[CameraBin], of: Callable[[CameraBin], Pick], some: Pick, none: Pick
) -> Pick:
    """``some`` as soon as one bin says so."""
    return some if any(of(bin_) is some for bin_ in bins) else none
