"""A Flower run → the rounds of one of our run folders; below its quorum it fails loudly.

Flower hands in a grid and the name of the run; the folder above all runs is known from the
environment of the process, so a bundle or a run value cannot point anywhere else. What Flower
thinks of the run (completed, failed) follows from whether this raises.
"""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import structlog
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from common.errors import ConfigError
from common.flower_processes import RUN_KEY, RUNS_VARIABLE
from common.ids import SLUG_PATTERN
from models.federated.grid_exchange import GridExchange, Patience, read_nodes
from models.federated.installed_trainers import bench_for
from models.federated.round_files import read_plan
from models.federated.round_loop import run_rounds
from models.federated.secure_sum import SecureGrid

log = structlog.get_logger(__name__)

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Work on the run until there is a verdict.

    Raises:
        ItsError: It cannot go on; status and ledger of the run say why.
    """
    folder = run_folder(str(context.run_config.get(RUN_KEY, "")))
    plan = read_plan(folder)
    exchange = GridExchange(
        grid,
        partial(read_nodes, folder),
        patience=Patience(offline_s=min(60.0, plan.deadline_s / 2), quorum=plan.quorum),
    )
    secure = SecureGrid(grid, context, partial(read_nodes, folder))
    status = run_rounds(exchange, folder, bench=bench_for(plan, folder), secure=secure)
    log.info("run_ended", run=plan.run, state=status.state, reasons=status.verdict)


def run_folder(run: str) -> Path:
    """Where a run lies.

    Raises:
        ConfigError: No such run, or the process was not told where runs lie.
    """
    above = os.environ.get(RUNS_VARIABLE)
    if not above:
        raise ConfigError(
            f"{RUNS_VARIABLE} is not set", hint="it belongs to the SuperExec beside the SuperLink"
        )
    folder = Path(above) / run
    if not re.fullmatch(SLUG_PATTERN, run) or not folder.is_dir():
        raise ConfigError(f"no run {run!r} below {above}")
    return folder
