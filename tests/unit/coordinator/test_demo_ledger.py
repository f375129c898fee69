from __future__ import annotations

import pytest

from coordinator.demo_ledger import (
    LedgerRow,
    box_tally,
    side_by_side,
    stored_tally,
    true_tally,
)

pytestmark = pytest.mark.unit

NOBODY = {"person": 0, "bicycle": 0, "car": 0, "motorcycle": 0, "bus": 0, "truck": 0}


def test_truth_box_and_database_stand_side_by_side() -> None:
    events = [{"direction": "right", "class": "car"}, {"direction": "right", "class": "car"}]
    truth = {"lines": [{"name": "near", "events": events}]}
    section = {"section": "near", "direction": "right", "counts": {**NOBODY, "car": 1}}
    bins = [{"sections": [section]}, {"sections": [{**section, "counts": None}]}]
    counts = {"person": [0, None], "car": [1, None], "bus": [1, None]}
    line = {"kind": "line", "name": "near", "direction": "right", "counts": counts}
    flow = {"kind": "flow", "name": "north", "direction": "", "counts": counts}

    rows = side_by_side(true_tally(truth), box_tally(bins), stored_tally({"series": [line, flow]}))

    assert rows == [
        LedgerRow(row=("near", "right", "bus"), true=0, box=0, stored=1),
        LedgerRow(row=("near", "right", "car"), true=2, box=1, stored=1),
    ]
