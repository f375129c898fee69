"""A wish → a candidate folder as a bench seals it, with made-up figures."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.release.candidate import METRICS_FILE, VERDICT_FILE, Lineage
from models.registry_entry import seal_entry

NAME = "its-tiny"


def sealed_candidate(
    folder: Path,
    *,
    version: str = "1.0.0+night-3",
    weights: bytes = b"weights",
    rejections: tuple[str, ...] = (),
    is_measured: bool = True,
) -> Path:
    """Weights, metrics, verdict and lineage."""
    folder.mkdir(parents=True)
    (folder / f"{NAME}-{version}.onnx").write_bytes(weights)
    passed = not rejections
    judged = _judged(rejections) if is_measured else None
    _write(folder / METRICS_FILE, {"rounds": [], "judged": judged})
    _write(folder / VERDICT_FILE, {"passed": passed, "reasons": list(rejections)})
    seal_entry(
        folder,
        Lineage(
            name=NAME,
            model_version=version,
            created_at=datetime(2026, 3, 2, tzinfo=UTC),
            parent_name=NAME,
            parent_version="1.0.0",
            parent_sha256="ab" * 32,
            run="night-3",
            rounds=2,
            clients=(),
            data_statement="made up for a test",
            code_version="0.1.0+src.test",
            passed=passed,
        ),
    )
    return folder


def _judged(rejections: tuple[str, ...]) -> dict[str, Any]:
    precision = {"map50": 0.6, "map50_95": 0.4, "boxes": 50}
    side = {
        "scores": {"roadside": {"mean": precision, "classes": {"car": precision}}},
        "counts": [{"scene": "day", "true": 40, "missed": 1, "false": 0, "wrong_class": 2}],
        "counts_together": {"true": 40, "missed": 1, "false": 0, "wrong_class": 2},
    }
    return {
        "passed": not rejections,
        "reasons": list(rejections),
        "gain_map50_95": 0.012,
        "code_version": "0.1.0+src.test",
        "candidate": side,
        "against": side,
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
