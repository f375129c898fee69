"""A question about a whole range → the range that is answered, and how well it was watched."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from coordinator.traffic.answers_store import AnswersStore, widest_within
from coordinator.traffic.coverage import Watched
from coordinator.traffic.pages import watched_of
from coordinator.traffic.periods import Period, Width, whole_bins
from coordinator.traffic.questions import Question
from coordinator.traffic.scenes import Scene


def watched_in(
    store: AnswersStore, scene: Scene, question: Question, now: datetime
) -> tuple[Period, dict[int, Watched]]:
    """The asked range, widened to quarter hours, and camera id → coverage over all of it.

    Of a range that reaches beyond ``now`` only the time that has passed is wanted.
    """
    zone = scene.site.zone
    period = whole_bins(question.period(zone), Width.QUARTER_HOUR, zone)
    wanted_s = max(1.0, (min(period.end, now) - period.start).total_seconds())
    found = {
        row.camera_id: row
        for row in store.coverage_of_period(scene.camera_ids, widest_within(period), period)
    }
    return period, {camera: watched_of(found.get(camera), wanted_s) for camera in scene.camera_ids}


def range_fields(scene: Scene, period: Period) -> dict[str, Any]:
    """What every ``AnswerView`` about a whole range begins with."""
    return {
        "site": scene.site.slug,
        "timezone": scene.site.timezone,
        "from_": period.start,
        "to": period.end,
    }
