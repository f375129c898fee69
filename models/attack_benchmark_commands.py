"""Command line → ``ml benchmark attacks`` and ``ml benchmark updates``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from common.rounds import ScreeningSettings, Strategy
from models.catalogue import START_NAME

if TYPE_CHECKING:
    from models.federated.attack_problem import AttackProblem
    from models.federated.attack_report import Row
    from models.federated.verdicts import ClassRise

DataOption = Annotated[
    Path, typer.Option(help="Folder above a few labelled cameras (YOLO layout, data.yaml each).")
]
OutOption = Annotated[
    Path, typer.Option(help="Keeps updates and scores; the same folder goes on where it was.")
]
ModelOption = Annotated[str, typer.Option(help="Start weights: a .pt file or an Ultralytics name.")]
ServerOption = Annotated[
    Path | None,
    typer.Option(
        help="Folder above the server's labelled sets, none of them a client's: screening asks "
        "every update about 48 of their pictures. Without it nothing is asked."
    ),
]
_MEASURED = (Strategy.FEDAVG, Strategy.FEDADAM, Strategy.FEDMEDIAN, Strategy.TRIMMED_MEAN)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def attacks(
    data: DataOption,
    out: OutOption = Path("runs/attacks"),
    model: ModelOption = START_NAME,
    server: ServerOption = None,
    strategy: Annotated[
        list[Strategy] | None, typer.Option(help="Only these; all of the table unless given.")
    ] = None,
    attackers: Annotated[
        int, typer.Option(help="Up to so many of the ten clients.", min=1, max=3)
    ] = 3,
    minutes: Annotated[
        float, typer.Option(help="Begin no row after so long; the next start goes on.", min=0.1)
    ] = 600,
    as_json: AsJson = False,
) -> None:
    """Ten clients of which one to three are bad: mAP50 per strategy, with and without screening.

    Exit code 1 when screening lost more than a point with one or two of them.
    """
    problem = _problem(data, out, model)
    from models.federated.attack_report import as_plain, broken_promises, table
    from models.federated.attack_table import STRATEGIES, AttackTable

    until_s = time.monotonic() + 60 * minutes
    table_of = AttackTable(problem, out, class_rise=_class_rise(problem, server))
    wanted = table_of.rows(
        strategies=tuple(strategy or STRATEGIES), most_attackers=attackers, report=_Report()
    )
    rows: list[Row] = []
    for row in wanted:
        rows.append(row)
        if is_cut := time.monotonic() > until_s:
            break
    broken = broken_promises(rows)
    if as_json:
        result = {"is_whole": not is_cut, "broken_promises": broken, "rows": as_plain(rows)}
        typer.echo(json.dumps(result, indent=1))
    else:
        typer.echo(table(rows))
        if is_cut:
            typer.echo("\nnot whole: start it again with the same --out to go on")
        typer.echo(f"\nscreened, up to two attackers, lost over a point: {len(broken)} rows")
        for line in broken:
            typer.echo(f"  {line}")
    if broken:
        raise typer.Exit(1)


def updates(
    data: DataOption,
    out: OutOption = Path("runs/attacks"),
    model: ModelOption = START_NAME,
    clients: Annotated[
        int, typer.Option(help="Made-up clients whose aggregation is measured; 0: none.", min=0)
    ] = 200,
    as_json: AsJson = False,
) -> None:
    """Bytes and mAP50 of every packing, and a round's work beside plain Flower FedAvg."""
    problem = _problem(data, out, model)
    from models.federated.aggregation_benchmark import aggregation_memory
    from models.federated.attack_table import score_held_out
    from models.federated.update_benchmark import as_plain, packing_rows, shown, time_round

    report = _Report()
    rows = packing_rows(problem, lambda vector: score_held_out(problem, vector)[0])
    report("packings scored")
    times = time_round(problem.layout, problem.base, problem.deltas, problem.samples)
    report("a round timed")
    costs = aggregation_memory(clients, strategies=_MEASURED) if clients else []
    if as_json:
        typer.echo(json.dumps(as_plain(rows, times, costs), indent=1))
        return
    typer.echo(shown(rows, times, costs))


def _problem(data: Path, out: Path, model: str) -> AttackProblem:
    from models.runtime import keep_freed_memory, prepare

    prepare()
    keep_freed_memory()
    from models.federated.attack_problem import build_problem

    return build_problem(data, out, model=model, report=_Report())


def _class_rise(problem: AttackProblem, server: Path | None) -> ClassRise | None:
    if server is None:
        return None
    from models.federated.class_probe import ClassProbe, ProbePictures, rise_over

    settings = problem.settings
    pictures = ProbePictures(
        data=server,
        count=ScreeningSettings().pictures,
        seed=settings.seed,
        side_px=settings.image_px,
    )
    return rise_over(ClassProbe(problem.parent, problem.layout, pictures), problem.base)


class _Report:
    """Lines on stderr with the seconds since the start."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()

    def __call__(self, line: str) -> None:
        typer.echo(f"[{time.monotonic() - self._started_s:6.0f} s] {line}", err=True)
