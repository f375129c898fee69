"""Options of a comparison → every row of every seed, one after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from common.rounds import (
    AnchorSettings,
    LocalTraining,
    ParentModel,
    PlannedClient,
    RunPlan,
)
from models.detector import load_model
from models.federated.federated_benchmark import (
    METHODS,
    Comparison,
    Facts,
    anchor_rows,
    run_row,
)
from models.federated.laboratory import Bench
from models.federated.laboratory_data import DataChoice, LaboratoryData, collect
from models.federated.network import layout_of_network, vector_of
from models.runtime import keep_freed_memory, prepare, use_all_threads


class What(StrEnum):
    """Which rows are compared."""

    METHODS = "methods"
    ANCHORS = "anchors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person asked for.

    Attributes:
        model: Weights that everybody starts from.
        out: Folder for copies, the teacher's answers and the scores.
        only: Names of rows; empty for all.
        elsewhere: Sets that are scored for forgetting.
        seeds: Each draws its own pictures and its own chance.
        folds: Cameras left out in turn per seed; seed s begins with camera s.
        scored_px: Longer side of the input when scoring.
        threads: Of torch; 0 for every core.
    """

    data: Path
    model: str
    out: Path
    what: What = What.METHODS
    only: tuple[str, ...] = ()
    choice: DataChoice = DataChoice()  # noqa: RUF009 - frozen
    elsewhere: tuple[str, ...] = ("roadside_tidar",)
    seeds: tuple[int, ...] = (0,)
    folds: int = 1
    rounds: int = 3
    local: LocalTraining
    anchor: AnchorSettings
    scored_px: int = 640
    threads: int = 0


def compare(options: Options, report: Callable[[str], None]) -> dict[str, list[Facts]]:
    """Run what is not yet on disk.

    Args:
        options: What to run.
        report: Told what is going on.

    Returns:
        Row → its facts, one for each seed.

    Raises:
        ItsError: No data, or a folder with scores of other settings.
    """
    prepare()
    keep_freed_memory()
    use_all_threads(options.threads)
    start = load_model(options.model)
    runs: dict[str, list[Facts]] = {}
    for seed in options.seeds:
        choice = DataChoice(
            clients=options.choice.clients,
            samples=options.choice.samples,
            scored=options.choice.scored,
            seed=seed,
        )
        data = collect(options.data, options.out, start=start, choice=choice)
        sizes = ", ".join(f"{one.name} {len(one.labelled)}" for one in data.clients)
        report(f"seed {seed}: {sizes}")
        comparison = _comparison(options, start, data, seed)
        rows = METHODS
        if options.what is What.ANCHORS:
            anchor = options.anchor
            rows = anchor_rows(data.server, steps=anchor.steps, rate=anchor.learning_rate)
        for row in rows:
            if not options.only or row.name in options.only:
                runs.setdefault(row.name, []).append(run_row(comparison, row, report))
    return runs


def _comparison(options: Options, start: Any, data: LaboratoryData, seed: int) -> Comparison:
    layout = layout_of_network(start)
    names = [one.name for one in data.clients]
    clients = (PlannedClient(device=f"client{n}", samples=1) for n in range(len(names)))
    plan = RunPlan(
        run="laboratory",
        created_at=datetime.fromtimestamp(0, UTC),
        parent=_parent(options.model),
        clients=tuple(clients),
        rounds=options.rounds,
        seed=seed,
        local=options.local,
        anchor=options.anchor.model_copy(update={"data": data.server}),
    )
    folds = min(options.folds, len(names))
    return Comparison(
        bench=Bench(model=start, start=vector_of(start, layout), layout=layout, plan=plan),
        data=data,
        folder=options.out / options.what / f"seed{seed}",
        unseen=tuple(names[(seed + k) % len(names)] for k in range(folds)),
        elsewhere=options.elsewhere,
        image_px=options.scored_px,
        threads=options.threads,
    )


def _parent(model: str) -> ParentModel:
    path = Path(model)
    content = path.read_bytes() if path.is_file() else model.encode()
    digest = hashlib.sha256(content).hexdigest()
    return ParentModel(name="start", version="0.0.0", sha256=digest, file=path)
