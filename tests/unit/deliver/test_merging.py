from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.geometry import Direction
from common.messages import AreaFigures, CameraBin, FlowCounts, SectionCounts
from common.wire import ClockState, PrivacyMode
from edge.deliver.merging import merged

pytestmark = pytest.mark.unit

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
COUNTS = st.none() | st.tuples(*[st.integers(0, 1000)] * 6)


def minute(number: int, **changes: Any) -> CameraBin:
    values: dict[str, Any] = {
        "camera": "north",
        "start": NINE + timedelta(minutes=number),
        "coverage_s": 60.0,
        "frames_seen": 600,
        "frames_dropped": 0,
        "quality": "good",
    }
    return CameraBin(**{**values, **changes})


def line(counts: tuple[int, ...] | None, **changes: Any) -> SectionCounts:
    return SectionCounts(section="mid", direction=Direction.LEFT, counts=counts, **changes)


def cars(number: int) -> tuple[int, ...]:
    return (0, 0, 0, number, 0, 0)


@st.composite
def minutes(draw: st.DrawFn) -> list[CameraBin]:
    """Up to 15 minutes of a quarter of an hour, some of them unwatched, some in parts."""
    numbers = draw(st.lists(st.integers(0, 14), min_size=1, max_size=15, unique=True))
    found = []
    for number in sorted(numbers):
        counts = draw(COUNTS)
        is_watched = counts is not None
        found.append(
            minute(
                number,
                coverage_s=float(draw(st.integers(1, 60))) if is_watched else 0.0,
                frames_seen=draw(st.integers(1, 600)) if is_watched else 0,
                quality=draw(st.sampled_from(["good", "partial", "degraded"]))
                if is_watched
                else "no_data",
                brightness=float(draw(st.integers(0, 255))) if is_watched else None,
                sections=(
                    line(
                        counts,
                        speeds=draw(
                            st.lists(
                                st.tuples(st.sampled_from([0, 5, 10, 50]), st.integers(1, 9)),
                                unique_by=lambda pair: pair[0],
                            )
                        )
                        if is_watched
                        else (),
                    ),
                ),
                flows=(FlowCounts(flow="N-S", counts=counts),),
                areas=(
                    AreaFigures(
                        section="lane",
                        occupied_share=draw(st.integers(0, 4)) / 4 if is_watched else None,
                        queue_most=draw(st.integers(0, 20)) if is_watched else None,
                        walks=draw(st.integers(0, 9)) if is_watched else None,
                    ),
                ),
                incidents={"stopped_vehicle": draw(st.integers(0, 3))} if is_watched else None,
                noise_epsilon=draw(st.none() | st.just(0.5)),
            )
        )
    return found


def total(bins: list[CameraBin]) -> list[int] | None:
    known = [b.sections[0].counts for b in bins if b.sections[0].counts is not None]
    return [sum(column) for column in zip(*known, strict=True)] if known else None


@given(minutes())
def test_every_count_of_the_minutes_is_in_the_quarter_hour(bins: list[CameraBin]) -> None:
    whole = merged(bins, width_s=900)

    found = whole.sections[0].counts
    assert (None if found is None else list(found)) == total(bins)
    assert whole.flows[0].counts == found
    assert whole.coverage_s == sum(b.coverage_s for b in bins)
    assert whole.frames_seen == sum(b.frames_seen for b in bins)


@given(minutes())
def test_merging_in_steps_gives_what_merging_at_once_gives(bins: list[CameraBin]) -> None:
    steps = [
        merged([b for b in bins if b.start.minute // 5 == five], width_s=300)
        for five in sorted({b.start.minute // 5 for b in bins})
    ]

    in_steps, at_once = merged(steps, width_s=900), merged(bins, width_s=900)

    exact = {"brightness", "areas"}
    assert in_steps.model_dump(exclude=exact) == at_once.model_dump(exclude=exact)
    assert in_steps.brightness == pytest.approx(at_once.brightness)
    assert in_steps.areas[0].occupied_share == pytest.approx(at_once.areas[0].occupied_share)
    assert in_steps.areas[0].queue_most == at_once.areas[0].queue_most
    assert in_steps.areas[0].walks == at_once.areas[0].walks


@given(minutes(), st.randoms(use_true_random=False))
def test_the_order_of_the_minutes_does_not_matter(bins: list[CameraBin], chance: Any) -> None:
    shuffled = list(bins)
    chance.shuffle(shuffled)

    first, second = merged(bins, width_s=900), merged(shuffled, width_s=900)

    exact = {"brightness", "areas"}
    assert first.model_dump(exclude=exact) == second.model_dump(exclude=exact)


@pytest.mark.parametrize(
    ("first", "second", "sum_"),
    [
        pytest.param(None, None, None, id="nothing was watched"),
        pytest.param(None, cars(3), cars(3), id="a gap adds nothing"),
        pytest.param(cars(0), None, cars(0), id="worked and saw none stays zero"),
        pytest.param(cars(2), cars(3), cars(5), id="both were watched"),
    ],
)
def test_unknown_stays_apart_from_zero(
    first: tuple[int, ...] | None, second: tuple[int, ...] | None, sum_: tuple[int, ...] | None
) -> None:
    bins = [minute(0, sections=(line(first),)), minute(1, sections=(line(second),))]

    assert merged(bins, width_s=300).sections[0].counts == sum_


def test_a_line_with_something_withheld_is_withheld_as_a_whole() -> None:
    bins = [
        minute(0, sections=(line(cars(9), speeds=((40, 9),)),)),
        minute(1, sections=(line(None, withheld=True),)),
    ]

    (section,) = merged(bins, width_s=300).sections

    assert section == line(None, withheld=True)


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        pytest.param(["good", "good"], "good", id="all good"),
        pytest.param(["good", "degraded"], "degraded", id="the worst counts"),
        pytest.param(["good", "no_data"], "partial", id="a gap makes it partial"),
        pytest.param(["degraded", "no_data"], "degraded", id="degraded is worse than partial"),
        pytest.param(["no_data", "no_data"], "no_data", id="nothing at all"),
    ],
)
def test_the_quality_is_that_of_the_worst_that_was_watched(verdicts: list[str], whole: str) -> None:
    bins = [minute(number, quality=verdict) for number, verdict in enumerate(verdicts)]

    assert merged(bins, width_s=300).quality == whole


def test_shares_are_weighted_by_the_watched_time_and_the_longest_queue_is_kept() -> None:
    bins = [
        minute(
            0, coverage_s=60.0, areas=(AreaFigures(section="a", occupied_share=1, queue_most=4),)
        ),
        minute(
            1, coverage_s=20.0, areas=(AreaFigures(section="a", occupied_share=0, queue_most=7),)
        ),
        minute(2, coverage_s=0.0, areas=(AreaFigures(section="a"),)),
    ]

    (area,) = merged(bins, width_s=300).areas

    assert (area.occupied_share, area.queue_most, area.walks) == (0.75, 7, None)


def test_privacy_loss_adds_up_and_one_unsure_minute_makes_the_hour_unsure() -> None:
    bins = [
        minute(0, noise_epsilon=0.5, clock=ClockState.UNSURE),
        minute(1, noise_epsilon=0.25, mode=PrivacyMode.OPERATIONAL),
        minute(2),
    ]

    whole = merged(bins, width_s=3600, part=2)

    assert (whole.noise_epsilon, whole.clock, whole.mode, whole.part, whole.gaps) == (
        0.75,
        ClockState.UNSURE,
        PrivacyMode.OPERATIONAL,
        2,
        (),
    )


def test_histograms_add_and_stay_within_the_wire() -> None:
    bins = [
        minute(0, sections=(line(cars(2), speeds=((40, 1), (45, 1))),)),
        minute(1, sections=(line(cars(3), speeds=((45, 3),)),)),
        minute(2, sections=(line(cars(64), speeds=tuple((5 * n, 1) for n in range(64))),)),
        minute(3, sections=(line(cars(1), speeds=((500, 1),)),)),
    ]

    assert merged(bins[:2], width_s=300).sections[0].speeds == ((40, 1), (45, 4))
    assert merged(bins[2:], width_s=300).sections[0].speeds[-1] == (315, 2)


@pytest.mark.parametrize(
    "bins",
    [
        pytest.param([], id="none"),
        pytest.param([minute(0), minute(5)], id="of two windows"),
        pytest.param([minute(0), minute(1, camera="south")], id="of two cameras"),
    ],
)
def test_bins_that_do_not_belong_together_are_refused(bins: list[CameraBin]) -> None:
    with pytest.raises(ValueError, match="to merge"):
        merged(bins, width_s=300)
