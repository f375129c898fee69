"""Sums of what the store lost → what was not told yet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from common.messages import LostBins
from edge.keeping.stored import Loss


def untold(losses: Sequence[Loss], told: str) -> tuple[list[LostBins], str]:
    """Compare the store's sums with those of the last time.

    Args:
        losses: What ``BinStore.losses`` gives: sums since the file began.
        told: What this function gave the last time, empty at first.

    Returns:
        What is new, and what to remember for the next time.
    """
    before = json.loads(told) if told else {}
    after, fresh = {}, []
    for loss in losses:
        name = "|".join((loss.camera_id, loss.reason, loss.detail))
        last_s = None if loss.last_at is None else int(loss.last_at.timestamp())
        after[name] = [loss.bins, last_s]
        bins_before, last_before_s = before.get(name, [0, None])
        if loss.bins == bins_before:
            continue
        # A smaller sum is that of another file.
        is_more = loss.bins is not None and bins_before and loss.bins > bins_before
        fresh.append(
            LostBins(
                camera=loss.camera_id or None,
                reason=loss.reason,
                bins=loss.bins - bins_before if is_more and loss.bins is not None else loss.bins,
                first_at=(
                    datetime.fromtimestamp(last_before_s, UTC)
                    if is_more and last_before_s is not None
                    else loss.first_at
                ),
                last_at=loss.last_at,
            )
        )
    return fresh, json.dumps(after, sort_keys=True, separators=(",", ":"))
