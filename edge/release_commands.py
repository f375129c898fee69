"""``edge release`` → which model this box counts with, and the way back to the one before."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated

import typer

from common.errors import ConfigError, ConflictError, ItsError, TrustError, UnreachableError
from common.release import reasons
from common.release_state import ReleaseState, SlotName
from common.timing import SystemClock
from edge.agent_commands import alone
from edge.config import EdgeConfig, load_config
from edge.container import agent_container, edge_container
from edge.detect.engine import InferenceEngine
from edge.update.book import read_record
from edge.update.gate_process import GateNews, GateOrder, ModelToMeasure
from edge.update.measuring import measured
from edge.update.releases import Releases
from edge.update.updater import ROLL_BACK_FILE

app = typer.Typer(help="The model of this box, and how it came there.", no_args_is_help=True)

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The agent's configuration (edge.yaml).")
]
DEFAULT_CONFIG = Path("/etc/its/edge.yaml")
_WAIT_S = 30.0
_LOOK_S = 0.2
_MOST_ORDER_BYTES = 65_536


@app.command()
def show(
    config: ConfigFile = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Tell which model this box counts with, and what became of the last wish."""
    releases = _releases(load_config(config))
    state = releases.state()
    if as_json:
        sys.stdout.write(state.model_dump_json(indent=1) + "\n")
        return
    record = releases.book.record
    typer.echo(
        f"counts with   {state.active_version}  (slot {state.slot.value}, "
        f"{state.active_sha256[:12]})"
    )
    former = record.slots.get(record.former)
    if record.active is not record.former:
        typer.echo(f"before        {former.version if former else releases.factory.version}")
    typer.echo(f"wanted        {state.wanted_version or 'nothing'}")
    typer.echo(f"step          {_step(state)}")
    if state.gate is not None:
        active = (
            "" if state.gate.active_f1 is None else f", model in use {state.gate.active_f1:.3f}"
        )
        typer.echo(f"gate          match {state.gate.match:.3f}, F1 {state.gate.f1:.3f}{active}")


@app.command("roll-back")
def roll_back(config: ConfigFile = DEFAULT_CONFIG) -> None:
    """Count with the model before again; the release is not tried again by itself."""
    settings = load_config(config)
    releases = _releases(settings)
    before = releases.book.record
    if before.active is before.former:
        raise ConflictError(
            f"this box counts with the model of slot {before.active.value}, "
            "expected one that followed another",
            hint="see its-camera-ai edge release show",
        )
    try:
        with alone(settings):
            releases.roll_back()
    except ConflictError:
        _ask_agent(settings, before.active)
    state = _releases(settings).state()
    typer.echo(f"counts with {state.active_version} (slot {state.slot.value})")


@app.command(hidden=True)
def gate() -> None:
    """Measure two models as standard input says, and print the figures; the agent calls it."""
    order = GateOrder.model_validate_json(sys.stdin.buffer.read(_MOST_ORDER_BYTES))

    def open_looker(model: ModelToMeasure) -> InferenceEngine:
        container = edge_container(
            model=str(model.path),
            backend=order.backend,
            threads=1,
            engine_cache=order.engine_cache,
            input_long_side=model.input_long_side,
        )
        return container.engine()

    try:
        figures = measured(
            order, open_looker=open_looker, on_built=lambda: _say(GateNews(is_built=True))
        )
    except TrustError as error:
        _say(GateNews(reason=reasons.UNTRUSTED, message=str(error)[:1000]))
    except ItsError as error:
        _say(GateNews(reason=reasons.UNUSABLE, message=str(error)[:1000]))
    else:
        _say(GateNews(figures=figures))


def _releases(config: EdgeConfig) -> Releases:
    releases = agent_container(config).releases()
    if releases is None:
        raise ConfigError(
            "this box takes no releases, expected a coordinator section and release.enabled",
            hint="add `coordinator: {}` to the configuration",
        )
    return releases


def _ask_agent(config: EdgeConfig, active: SlotName) -> None:
    """The running agent holds the record: leave it a word, and wait for what it does."""
    asked = config.release_folder / ROLL_BACK_FILE
    asked.touch(mode=0o600)
    clock, pause = SystemClock(), threading.Event()
    ends_s = clock.monotonic_s() + _WAIT_S
    while asked.exists() or read_record(config.release_folder).active is active:
        if clock.monotonic_s() > ends_s:
            raise UnreachableError(
                f"the agent did not go back within {_WAIT_S:.0f} s",
                hint="look at its log; it goes back when it runs again",
            )
        pause.wait(_LOOK_S)


def _step(state: ReleaseState) -> str:
    words = state.step.value.replace("_", " ")
    if state.reason is not None:
        words += f": {reasons.IN_WORDS.get(state.reason, state.reason)}"
    return f"{words}, since {state.since:%Y-%m-%d %H:%M} UTC"


def _say(news: GateNews) -> None:
    sys.stdout.write(news.model_dump_json() + "\n")
    sys.stdout.flush()
