"""The packaged weights and what this demo measured of them → a sealed candidate, openly the same.

Nothing is trained here, and nothing gets better: a bench would reject it for that. It is made so
that the delivery of a release can be seen when no trained candidate may go out, and its lineage
says so to whoever looks at it, on the dashboard and on every box.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.release.calibration import read_calibration
from common.release.candidate import LINEAGE_FILE, METRICS_FILE, VERDICT_FILE, Lineage
from coordinator.demo_counting import SiteResult
from coordinator.demo_ledger import LedgerRow
from coordinator.demo_precision import scores_of
from coordinator.demo_processes import run_command
from coordinator.registry.packaged import PackagedModel, packaged_folder, packaged_models

FRAMES = 8
"""Of the calibration set: two of day, night, rain and dusk."""


def packaged() -> tuple[PackagedModel, Path]:
    """The model that every box was installed with, and its file.

    Raises:
        ConfigError: None is installed.
    """
    folder = packaged_folder()
    models = packaged_models(folder)
    if folder is None or not models:
        raise ConfigError("no packaged model is installed", hint="install the package again")
    return models[-1], folder / models[-1].default


def rerelease(folder: Path, results: Sequence[SiteResult]) -> str:
    """Seal the packaged weights under the next number; gives the number.

    Args:
        folder: New; the candidate is written there.
        results: What these weights counted in this demo.

    Raises:
        ItsError: No packaged model, or it cannot be measured.
    """
    model, weights = packaged()
    called = _next(model.version)
    folder.mkdir(parents=True)
    shutil.copyfile(weights, folder / f"{model.name}-{called}.onnx")
    calibration = folder.with_name("calibration.npz")
    run_command(
        "edge", "calibration", "--model", str(weights), "--out", str(calibration),
        "--frames", str(FRAMES), "--json",
    )  # fmt: skip
    side = {"scores": {"calibration": scores_of(read_calibration(calibration))}, **counts(results)}
    judged = {
        "passed": True,
        "reasons": [],
        "gain_map50_95": 0.0,
        "code_version": _code(),
        # One file, one measurement: both sides are the same bytes.
        "candidate": side,
        "against": side,
    }
    _write(folder / METRICS_FILE, {"rounds": [], "judged": judged})
    _write(folder / VERDICT_FILE, {"passed": True, "reasons": []})
    _seal(folder, _lineage(model, called))
    return called


def counts(results: Iterable[SiteResult]) -> dict[str, Any]:
    """Crossings that were missed, invented and classed wrongly, scene by scene and together."""
    together: Counter[str] = Counter()
    rows = []
    for result in results:
        faults = _faults(result.rows)
        together.update(faults)
        rows.append({"scene": result.site.name, **faults})
    return {"counts": rows, "counts_together": {"scene": "all", **together}}


def _faults(rows: Iterable[LedgerRow]) -> dict[str, int]:
    """As far as sums can tell: one too few of a class and one too many of another is a mix-up."""
    less: Counter[tuple[str, str]] = Counter()
    more: Counter[tuple[str, str]] = Counter()
    true = 0
    for row in rows:
        place = row.row[:2]
        true += row.true
        less[place] += max(row.true - row.box, 0)
        more[place] += max(row.box - row.true, 0)
    wrong = {place: min(less[place], more[place]) for place in less}
    return {
        "true": true,
        "missed": less.total() - sum(wrong.values()),
        "false": more.total() - sum(wrong.values()),
        "wrong_class": sum(wrong.values()),
    }


def _lineage(model: PackagedModel, called: str) -> Lineage:
    return Lineage(
        name=model.name,
        model_version=called,
        created_at=datetime.now(UTC),
        parent_name=model.name,
        parent_version=model.version,
        parent_sha256=model.sha256[model.default],
        run="re-release",
        rounds=0,
        clients=(),
        data_statement=(
            f"A re-release that the demo made to show the delivery: the very bytes of {model.name} "
            f"{model.version} under the number {called}. Nothing was trained, no bench judged it, "
            "and it finds exactly what its parent finds"
        ),
        code_version=_code(),
        passed=True,
    )


def _seal(folder: Path, lineage: Lineage) -> None:
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }
    sealed = lineage.model_copy(update={"files": files})
    (folder / LINEAGE_FILE).write_text(sealed.model_dump_json(indent=1) + "\n", encoding="utf-8")


def _next(called: str) -> str:
    major, minor, patch = called.partition("-")[0].split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def _code() -> str:
    return f"{version('its-camera-ai')} demo"


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
