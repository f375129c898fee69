"""Scores of rows over several seeds → one summary per row, and a table in mAP points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Facts = dict[str, Any]
PARTS = ("cameras", "unseen", "elsewhere")
MEASURES = ("map50", "map50_95")


def summary(runs: Mapping[str, Sequence[Facts]], *, reference: str = "zero-shot") -> list[Facts]:
    """Means over cameras first and seeds then, as a person reads them.

    Args:
        runs: Row → its facts, one for each seed; ``cameras``, ``unseen`` and ``elsewhere``
            hold name → scores.
        reference: Row that ``elsewhere`` must not fall far below.

    Returns:
        For each row ``<part>_<measure>`` in points (None where nothing was scored), the
        spread over the seeds as ``…_spread``, the change elsewhere against the reference.
    """
    rows = []
    for name, seeds in runs.items():
        row: Facts = {"row": name, "seeds": len(seeds)}
        for part in PARTS:
            for measure in MEASURES:
                values = [_mean(one[part], measure) for one in seeds]
                row |= _over_seeds(f"{part}_{measure}", values)
        row["images"] = round(float(np.mean([one["images"] for one in seeds])))
        row["sent_bytes"] = round(float(np.mean([one["sent_bytes"] for one in seeds])))
        rows.append(row)
    before = next((row for row in rows if row["row"] == reference), None)
    for row in rows:
        now, then = row["elsewhere_map50"], before and before["elsewhere_map50"]
        row["elsewhere_change"] = None if now is None or then is None else round(now - then, 1)
    return rows


def table(rows: Sequence[Facts]) -> str:
    """The summary as Markdown."""
    lines = [
        "| row | own cameras mAP50 / mAP50-95 | unseen camera mAP50 / mAP50-95 | "
        "elsewhere mAP50 / mAP50-95 | change elsewhere | images | bytes an update |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        cells = [" / ".join(_shown(row, part, each) for each in MEASURES) for part in PARTS]
        change = row["elsewhere_change"]
        cells.append("-" if change is None else f"{change:+.1f}")
        cells += [str(row["images"]), str(row["sent_bytes"] or "-")]
        lines.append(f"| {row['row']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def camera_table(runs: Mapping[str, Sequence[Facts]]) -> str:
    """mAP50 of each row on each camera, mean over the seeds, as Markdown."""
    first = next(iter(runs.values()))[0]["cameras"]
    lines = [
        "| row | " + " | ".join(f"{name} ({one['boxes']} boxes)" for name, one in first.items()),
        "|---|" + "---:|" * len(first),
    ]
    lines[0] += " |"
    for name, seeds in runs.items():
        cells = [
            f"{100 * float(np.mean([one['cameras'][camera]['map50'] for one in seeds])):.1f}"
            for camera in first
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mean(scores: Mapping[str, Facts], measure: str) -> float | None:
    values = [one[measure] for one in scores.values()]
    return 100 * float(np.mean(values)) if values else None


def _over_seeds(name: str, values: Sequence[float | None]) -> Facts:
    known = [value for value in values if value is not None]
    if not known:
        return {name: None, f"{name}_spread": None}
    return {
        name: round(float(np.mean(known)), 1),
        f"{name}_spread": round(float(np.ptp(known)), 1),
    }


def _shown(row: Facts, part: str, measure: str) -> str:
    value, spread = row[f"{part}_{measure}"], row[f"{part}_{measure}_spread"]
    if value is None:
        return "-"
    return f"{value:.1f}" if row["seeds"] < 2 else f"{value:.1f} (±{spread / 2:.1f})"
