"""What the pages of quality, boxes and rounds say, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common.rounds import RunState
from coordinator.dashboard.anomaly_words import Seen, tell
from coordinator.dashboard.form_fields import FormFields
from coordinator.dashboard.gap_strips import draw_strip, ticks
from coordinator.dashboard.launch_form import wish_of
from coordinator.dashboard.quality_filters import QualityQuery
from coordinator.dashboard.release_words import release_reason
from coordinator.dashboard.run_facts import stages
from coordinator.traffic.anomaly_store import AnomalyKind
from coordinator.traffic.gap_store import GapScan, KnownGap
from coordinator.traffic.gaps import Gap, Reason
from coordinator.traffic.ledger_answers import Place, Strip
from coordinator.traffic.periods import Period
from coordinator.traffic.scenes import Camera, Site

pytestmark = pytest.mark.unit

START = datetime(2026, 5, 1, tzinfo=UTC)
DAY = timedelta(days=1)
VIENNA = ZoneInfo("Europe/Vienna")


def strip(*gaps: Gap, scanned_until: datetime | None) -> Strip:
    scan = None
    if scanned_until is not None:
        scan = GapScan(threshold_s=120.0, learned_from_pauses=9, scanned_until=scanned_until)
    site = Site(id=1, slug="elm", name="Elm", timezone="UTC", latitude=None, longitude=None)
    camera = Camera(id=1, site_id=1, slug="cam", created_at=START)
    return Strip(
        place=Place(site=site, camera=camera, scan=scan),
        gaps=tuple(KnownGap(camera_id=1, gap=gap, threshold_s=120.0) for gap in gaps),
        works=(),
        lost_s=sum(gap.seconds for gap in gaps),
    )


def drawn(one: Strip, *, now: datetime) -> list[tuple[str, float, float]]:
    period = Period(START, START + 4 * DAY)
    pieces = draw_strip(one, period, now=now, zone=VIENNA).pieces
    return [(piece.tone, piece.left, piece.width) for piece in pieces]


def test_a_gap_is_drawn_where_it_was() -> None:
    gap = Gap(start=START + DAY, end=START + 2 * DAY, reason=Reason.OFFLINE)
    end = START + 4 * DAY

    assert drawn(strip(gap, scanned_until=end), now=end) == [("bad", 25.0, 25.0)]


def test_a_short_gap_can_still_be_seen() -> None:
    end = START + 4 * DAY
    gap = Gap(start=end - timedelta(minutes=3), end=end, reason=Reason.CLOCK)

    ((tone, left, width),) = drawn(strip(gap, scanned_until=end), now=end)

    assert (tone, width, left + width <= 100) == ("watch", 0.25, True)


def test_what_was_not_judged_is_never_shown_as_watched() -> None:
    now = START + 3 * DAY

    assert drawn(strip(scanned_until=None), now=now) == [("unknown", 0.0, 100.0)]
    assert drawn(strip(scanned_until=START + 2 * DAY), now=now) == [("unknown", 50.0, 50.0)]


@pytest.mark.parametrize(
    ("days", "labels", "minor"), [(4, 4, 2), (30, 8, 4)], ids=["four", "thirty"]
)
def test_days_are_named_as_far_as_they_can_be_read(days: int, labels: int, minor: int) -> None:
    found = ticks(Period(START, START + days * DAY), ZoneInfo("UTC"))

    assert (len(found), sum(1 for tick in found if tick.is_minor)) == (labels, minor)
    assert (found[0].at, found[0].label) == (0.0, "1 May")


@pytest.mark.parametrize(
    ("kind", "subject", "detail", "sentence"),
    [
        (AnomalyKind.LEVEL_SHIFT, "north right", {"ratio": 0.54},
         "Counts on north (right) stay 46 % below what is usual there."),
        (AnomalyKind.LEVEL_SHIFT, "north right", {"ratio": 1.3},
         "Counts on north (right) stay 30 % above what is usual there."),
        (AnomalyKind.LEVEL_SHIFT, "north right", {"ratio": 4.25},
         "Counts on north (right) stay at 4.2 times what is usual there."),
        (AnomalyKind.LEVEL_SHIFT, "north right", {"ratio": 0.001},
         "Almost nothing is counted on north (right) any more."),
        (AnomalyKind.LEVEL_SHIFT, "north right", {},
         "Counts on north (right) stay away from what is usual there."),
        (AnomalyKind.SILENT_CLASS, "bicycle", {"expected": 100.2},
         "No bicycle was counted in 10 h 00 min; about 100 would have been usual."),
        (AnomalyKind.LEG_SWAP, "a, b", {"looks_like": {"a": "b"}, "misfit": 30.0,
                                         "misfit_if_exchanged": 0.5},
         "A shows the traffic of b. With the names exchanged the day fits 60 times better."),
        (AnomalyKind.LEG_SWAP, "a, b", {}, "Lines changed places: a, b."),
    ],
)  # fmt: skip
def test_an_anomaly_is_told_in_a_sentence(
    kind: AnomalyKind, subject: str, detail: dict[str, object], sentence: str
) -> None:
    end = START + timedelta(hours=10)
    seen = Seen(kind=kind, subject=subject, start=START, end=end, detail=detail)

    assert tell(seen).sentence == sentence


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({}, ("2026-04-25", "2026-05-01")),
        ({"from": "2026-04-01"}, ("2026-04-01", "2026-05-01")),
        ({"to": "2026-03-10"}, ("2026-03-04", "2026-03-10")),
        ({"from": "2026-03-10", "to": "2026-03-01"}, ("2026-03-01", "2026-03-10")),
        ({"from": "2020-01-01", "to": "2026-03-10"}, ("2025-12-09", "2026-03-10")),
        ({"from": "0001-01-01", "to": "9999-01-01"}, ("2026-04-25", "2026-05-01")),
    ],
    ids=["week", "since", "until", "turned", "too long", "no such days"],
)
def test_any_two_days_become_a_period(given: dict[str, str], days: tuple[str, str]) -> None:
    query = QualityQuery.model_validate(given)

    assert query.days(START, VIENNA) == tuple(map(date.fromisoformat, days))


def test_an_address_keeps_what_is_chosen() -> None:
    query = QualityQuery.model_validate({"site": "elm", "from": "2026-05-01", "page": "3"})

    assert query.address(page=4) == "/quality?site=elm&from=2026-05-01&page=4"
    assert query.address(page=None, site=None) == "/quality?from=2026-05-01"


@pytest.mark.parametrize(
    ("state", "marks"),
    [
        (RunState.PLANNED, ["now", "ahead", "ahead", "ahead", "ahead"]),
        (RunState.RUNNING, ["done", "now", "ahead", "ahead", "ahead"]),
        (RunState.CANDIDATE, ["done", "done", "ahead", "ahead", "done"]),
        (RunState.FAILED, ["done", "done", "ahead", "ahead", "failed"]),
    ],
)
def test_the_way_of_a_run_is_marked(state: RunState, marks: list[str]) -> None:
    assert [stage.mark for stage in stages(state, ["planned", "running"])] == marks


def test_a_code_of_a_box_is_told_in_words_and_an_unknown_one_as_it_is() -> None:
    assert release_reason("slow") == "a camera gives less than half the frames it gave before"
    assert release_reason("brand_new") == "brand new"


def test_a_form_becomes_a_wish_with_what_was_filled_in() -> None:
    form = FormFields({"rounds": ("3",), "who": ("all",), "quorum": ("",), "epochs": ("2",)})

    wish, mistakes = wish_of(form, anchor_data=None)

    assert mistakes == {}
    assert wish is not None
    assert (wish.rounds, wish.quorum, wish.local.epochs, wish.devices) == (3, None, 2, ())


def test_every_mistake_of_a_form_is_named() -> None:
    form = FormFields({
        "rounds": ("none",), "who": ("chosen",), "deadline_min": ("soon",), "epochs": ("99",),
        "is_private": ("yes",), "clip_norm": ("-1",), "noise_multiplier": ("1",),
        "most_epsilon": ("8",),
    })  # fmt: skip

    wish, mistakes = wish_of(form, anchor_data=None)

    assert wish is None
    assert mistakes.keys() == {"rounds", "devices", "deadline_min", "epochs", "clip_norm"}
