"""A bin → the same bin with noisy counts, and without what noise does not cover."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from common.messages import AreaFigures, CameraBin, FlowCounts, SectionCounts
from common.road_users import ROAD_USERS
from edge.anonymise.budget import Draw, NoiseWish
from edge.anonymise.settings import NoiseSettings

BUDGET_SPENT = "budget_spent"
_MOST = 1_000_000


def noised(
    bin_: CameraBin, settings: NoiseSettings, draw: Callable[[NoiseWish], Draw | None]
) -> CameraBin:
    """Noise on every count of a watched bin; all else that depends on single road users goes.

    Counts are classes of every line and direction, of every flow, and walks of every area.
    What goes: speeds, headways, gaps, inferred, queues, occupancy, dwell, incidents, conflicts
    and the share of unassigned detections. What stays, without noise, is about the camera:
    coverage, frames, brightness, quality. Noisy counts below zero become 0, which lifts the
    mean of rare classes; they are not independent measurements and need not add up.

    Args:
        bin_: True numbers.
        settings: How much it may cost.
        draw: Gives noisy counts, or None when the budget does not reach: the bin then leaves
            with every count withheld and the flag ``budget_spent``, never without noise.
    """
    rows = _rows(bin_)
    if bin_.coverage_s <= 0 or not rows:
        # Alike whether or not somebody was counted late: the difference would tell.
        return _without_counts(bin_, withheld=False)
    drawn = draw(
        NoiseWish(
            counts=tuple(count for row in rows for count in row),
            sensitivity=min(settings.cells_per_road_user, len(rows)),
            settings=settings,
        )
    )
    if drawn is None:
        spent = _without_counts(bin_, withheld=True)
        flags = tuple(sorted({*spent.flags, BUDGET_SPENT}))
        return spent.model_copy(update={"flags": flags})
    noisy = iter([min(max(count, 0), _MOST) for count in drawn.counts])
    return bin_.model_copy(
        update={
            **_GONE,
            "noise_epsilon": drawn.epsilon,
            "sections": tuple(
                SectionCounts(
                    section=row.section,
                    direction=row.direction,
                    counts=_next_counts(noisy) if row.counts is not None else None,
                )
                for row in bin_.sections
            ),
            "flows": tuple(
                FlowCounts(
                    flow=row.flow, counts=_next_counts(noisy) if row.counts is not None else None
                )
                for row in bin_.flows
            ),
            "areas": tuple(
                AreaFigures(
                    section=row.section,
                    walks=next(noisy) if row.walks is not None else None,
                    withheld=row.walks is None and _has_figures(row),
                )
                for row in bin_.areas
            ),
        }
    )


_GONE = {"incidents": None, "conflicts": None, "unassigned_share": None}


def _rows(bin_: CameraBin) -> list[tuple[int, ...]]:
    """Every row of counts in the order of the bin; one road user changes one count of a row."""
    lines = [row.counts for row in bin_.sections if row.counts is not None]
    flows = [row.counts for row in bin_.flows if row.counts is not None]
    return [*lines, *flows, *((area.walks,) for area in bin_.areas if area.walks is not None)]


def _next_counts(noisy: Iterator[int]) -> tuple[int, ...]:
    return tuple(next(noisy) for _ in ROAD_USERS)


def _without_counts(bin_: CameraBin, *, withheld: bool) -> CameraBin:
    return bin_.model_copy(
        update={
            **_GONE,
            "sections": tuple(
                SectionCounts(
                    section=row.section, direction=row.direction, counts=None, withheld=withheld
                )
                for row in bin_.sections
            ),
            "flows": tuple(
                FlowCounts(flow=row.flow, counts=None, withheld=withheld) for row in bin_.flows
            ),
            "areas": tuple(
                AreaFigures(section=row.section, withheld=withheld or _has_figures(row))
                for row in bin_.areas
            ),
        }
    )


def _has_figures(area: AreaFigures) -> bool:
    return any(
        value is not None
        for value in (area.occupied_share, area.queue_most, area.queue_most_m, area.dwell_mean_s)
    )
