from __future__ import annotations

import io

import pytest
from rich.console import Console

from coordinator.demo_round import RoundResult, show_round

pytestmark = pytest.mark.unit

CLIENT = {
    "device": "night-1",
    "verdict": "accepted",
    "samples": 25,
    "sent_bytes": 656_543,
    "train_s": 24.4,
}


def told(before: dict[str, float], after: dict[str, float], *, state: str = "candidate") -> str:
    """What is printed of a round."""
    out = io.StringIO()
    result = RoundResult(
        state=state, reasons=("because",), before=before, after=after, clients=(CLIENT,), lines=8
    )
    show_round(result, Console(file=out, width=120))
    return out.getvalue()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        pytest.param(0.75, "sees better: mAP50 +0.050", id="better"),
        pytest.param(0.701, "did not get visibly better: mAP50 +0.001", id="chance"),
        pytest.param(0.65, "sees WORSE: mAP50 -0.050", id="worse"),
    ],
)
def test_what_a_round_did_to_the_night_camera_is_said_as_it_is(after: float, words: str) -> None:
    assert words in told({"night": 0.7}, {"night": after})


def test_a_round_without_scores_claims_nothing() -> None:
    words = told({}, {}, state="failed")

    assert "it was not scored" in words
    assert "the run ended as failed" in words


def test_every_box_is_listed_with_what_it_sent() -> None:
    assert "night-1: accepted, 25 pictures, 0.66 MB sent, 24 s" in told({}, {})
