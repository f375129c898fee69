"""``edge learn`` → what this box keeps to learn from, whether it may train, and its labels."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from common.errors import ConfigError
from common.logs import LogLevel, set_up_logs
from common.readiness_file import ReadinessNote
from common.sample_files import SampleVault
from common.site import load_site
from common.timing import SystemClock
from edge.config import EdgeConfig, load_config
from edge.container import agent_container, edge_container
from edge.learn.idle_teacher import teach, untaught
from edge.learn.label_import import import_labels
from edge.learn.label_quality import SCENES
from edge.learn.label_quality import measure as measure_labels
from edge.learn.learning import open_vault
from edge.learn.lookers import open_lookers
from edge.learn.rate_benchmark import SOURCE, measure_rates
from edge.learn.readiness import judge
from edge.learn.settings import LearnSettings
from edge.learn.train_command import train
from edge.learn.watching import counts
from edge.sensors import Sensors

app = typer.Typer(help="Samples, labels and readiness of this box.", no_args_is_help=True)

app.command()(train)

ConfigFile = Annotated[
    Path, typer.Option("--config", help="The agent's configuration (edge.yaml).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_CONFIG = Path("/etc/its/edge.yaml")
_UNKNOWN = "not known"
_LOAD_S = 0.5


@app.callback()
def set_up() -> None:
    """Samples, labels and readiness of this box."""
    # On the error stream, so that what --json prints stays JSON.
    set_up_logs(level=LogLevel.WARNING, as_json=not sys.stderr.isatty())


@app.command()
def status(config: ConfigFile = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Tell whether this box may train now, and every value with its limit."""
    box, settings = _read(config)
    vault = open_vault(box, settings)
    sensors = Sensors()
    sensors.load()
    _wait_for_a_load()
    note = judge(sensors.read(), counts(vault), settings, now=SystemClock().now()).note()
    if as_json:
        _print({**note.model_dump(mode="json"), "vault_bytes": vault.size_bytes()})
        return
    Console().print(_readiness_table(note))
    typer.echo("ready to train" if note.is_ready else f"not ready: {', '.join(note.reasons)}")
    used_mb = vault.size_bytes() / 1e6
    typer.echo(f"vault: {len(vault.facts())} pictures, {used_mb:.1f} of {settings.vault_mb:g} MB")


@app.command()
def samples(
    config: ConfigFile = DEFAULT_CONFIG,
    camera: Annotated[str | None, typer.Option(help="Only this camera.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the pictures that are kept, why, and who labelled them; no picture is shown."""
    box, settings = _read(config)
    kept = [f for f in open_vault(box, settings).facts() if camera in (None, f.camera)]
    if as_json:
        _print({"samples": [facts.model_dump(mode="json") for facts in kept]})
        return
    table = Table(title="kept pictures (UTC)", title_justify="left", box=None, pad_edge=False)
    for heading in ("taken", "camera", "reasons", "labels", "boxes", "ignored", "value"):
        table.add_column(heading)
    for facts in kept:
        table.add_row(
            f"{facts.taken_at:%m-%d %H:%M:%S}",
            facts.camera,
            ", ".join(facts.reasons),
            facts.source.value,
            str(len(facts.boxes)),
            str(len(facts.ignore)),
            f"{facts.value:.2f}",
        )
    Console().print(table)


@app.command()
def labels(
    config: ConfigFile = DEFAULT_CONFIG,
    now: Annotated[
        bool, typer.Option("--now", help="Look again at every picture that waits for it, first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Tell how many road users of each class are labelled, and by whom."""
    box, settings = _read(config)
    vault = open_vault(box, settings)
    if now:
        model = agent_container(box).model()
        lookers = open_lookers(model, long_side_px=settings.teaching.long_side_px)
        for sample_id in untaught(vault):
            teach(vault, sample_id, lookers)
    found = _by_class(vault)
    if as_json:
        _print({"labels": found, "waiting": len(untaught(vault))})
        return
    table = Table(title="labelled road users", title_justify="left", box=None, pad_edge=False)
    for heading in ("class", "labelled by", "boxes"):
        table.add_column(heading)
    for name, by_source in found.items():
        for source, boxes in by_source.items():
            table.add_row(name, source, str(boxes))
    Console().print(table)
    typer.echo(f"{len(untaught(vault))} pictures wait for the better pass")


@app.command("label-import")
def label_import(
    folder: Annotated[Path, typer.Argument(help="Folder with images/ and labels/ (YOLO layout).")],
    camera: Annotated[
        str | None, typer.Option(help="Camera of the site that took the pictures.")
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
) -> None:
    """Keep pictures that somebody labelled; with one mistake nothing is kept."""
    box, settings = _read(config)
    known = [each.id for each in load_site(box.site_file).cameras]
    if camera is None and len(known) == 1:
        camera = known[0]
    if camera not in known:
        raise ConfigError(
            f"camera {camera!r} is none of the site's, expected one of {', '.join(known)}",
            hint="name it with --camera",
        )
    done = import_labels(
        folder,
        open_vault(box, settings),
        camera=camera,
        most_side_px=settings.sampling.most_side_px,
    )
    typer.echo(f"imported: {done.pictures} pictures with {done.boxes} road users for {camera}")
    if done.refused:
        typer.echo(f"{done.refused} found no room, raise learn.vault_mb")


@app.command("benchmark-labels", hidden=True)
def benchmark_labels(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Simulated scenes with an end; default: eight.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Packaged model or .onnx file.")] = None,
    every: Annotated[float, typer.Option(help="Seconds between two pictures.", min=0.1)] = 2.0,
    larger: Annotated[int, typer.Option(help="Larger input of the better pass.")] = 960,
) -> None:
    """Compare pseudo-labels of simulated scenes with exact truth; prints JSON."""
    container = edge_container(model=model)
    lookers = open_lookers(container.model(), long_side_px=larger)
    result = measure_labels(container, sources or SCENES, lookers, every_s=every)
    _print({"model": container.model().name, "larger_px": larger, **result})


@app.command("benchmark-rate", hidden=True)
def benchmark_rate(
    source: Annotated[str, typer.Argument(help="A simulated scene with pace=1.")] = SOURCE,
    seconds: Annotated[float, typer.Option(help="Of each measurement.", min=1)] = 10.0,
    rounds: Annotated[int, typer.Option(help="Of all measurements.", min=1)] = 3,
) -> None:
    """Measure how counting keeps its frame rate beside a busy trainer; prints JSON."""
    _print(measure_rates(edge_container(), source, seconds=seconds, rounds=rounds))


def _read(config: Path) -> tuple[EdgeConfig, LearnSettings]:
    box = load_config(config)
    if box.learn is None:
        raise ConfigError(
            f"{config} has no learn section, so this box keeps nothing to learn from",
            hint="add `learn: {}` to the configuration",
        )
    return box, box.learn


def _wait_for_a_load() -> None:
    """A load is a share of the time between two readings."""
    threading.Event().wait(_LOAD_S)


def _by_class(vault: SampleVault) -> dict[str, dict[str, int]]:
    found: Counter[tuple[str, str]] = Counter(
        (box.road_user.value, facts.source.value) for facts in vault.facts() for box in facts.boxes
    )
    result: dict[str, dict[str, int]] = {}
    for (name, source), boxes in sorted(found.items()):
        result.setdefault(name, {})[source] = boxes
    return result


def _readiness_table(note: ReadinessNote) -> Table:
    table = Table(title="readiness", title_justify="left", box=None, pad_edge=False)
    for heading in ("check", "value", "limit", "unit", "verdict"):
        table.add_column(heading)
    for check in note.checks:
        value = _UNKNOWN if check.value is None else str(check.value)
        verdict = check.verdict.replace("_", " ")
        table.add_row(check.name, value, str(check.limit), check.unit, verdict)
    return table


def _print(content: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
