"""What a bench measured of two models → rows of a table: set, class, before, after.

The scores are the bench's own JSON, and may grow fields: what is not a number is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from common.release.candidate import Judged

_TOGETHER = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRow:
    """One class of one set.

    Attributes:
        label: A road user, or ``all`` for their mean.
        before: mAP50 of the model in use as a share, None where it was not measured.
        after: Of the candidate.
    """

    name: str
    label: str
    before: float | None
    after: float | None

    @property
    def change(self) -> float | None:
        """Of mAP50, as a share."""
        return None if self.before is None or self.after is None else self.after - self.before


def score_rows(judged: Judged | None) -> list[ScoreRow]:
    """Every set with its mean first; empty when nothing was measured."""
    if judged is None:
        return []
    before, after = judged.against.scores, judged.candidate.scores
    return [
        ScoreRow(
            name=name,
            label=label,
            before=_map50(before.get(name), label),
            after=_map50(after.get(name), label),
        )
        for name in after
        for label in _labels(after.get(name))
    ]


def _labels(score: Any) -> Iterator[str]:
    yield _TOGETHER
    classes = score.get("classes") if isinstance(score, Mapping) else None
    if isinstance(classes, Mapping):
        yield from (str(label) for label in classes)


def _map50(score: Any, label: str) -> float | None:
    if not isinstance(score, Mapping):
        return None
    held = score.get("mean") if label == _TOGETHER else (score.get("classes") or {}).get(label)
    value = held.get("map50") if isinstance(held, Mapping) else None
    return float(value) if isinstance(value, int | float) else None
