"""What happened in a demo → a table in plain words, a link to the dashboard, and a wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.table import Table

from coordinator.demo import ADMINISTRATOR, Demo, Story
from coordinator.demo_processes import Process, run_command
from coordinator.demo_rollout import Delivery
from coordinator.demo_round import RoundResult, in_words

_LOOK_EVERY_S = 1.0


def show_story(story: Story, demo: Demo, console: Console, *, folder: Path) -> None:
    """Print what happened, one line each, with its numbers."""
    table = Table(title="what happened", title_justify="left", show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("how it went")
    table.add_row("counted", _counted(story))
    table.add_row("stored", _stored(story))
    table.add_row("learnt", _learnt(story.learnt))
    if story.delivery is not None:
        table.add_row("released", _released(story.delivery))
        table.add_row("on the boxes", _on_the_boxes(story.delivery))
    table.add_row("took", _took(story, demo.took_s))
    table.add_row("lies in", f"{folder}: pictures, logs, keys and databases of this demo alone")
    console.print(table)


def is_good(story: Story) -> bool:
    """Whether everything came out as it must; a trained candidate may be refused."""
    is_exact = all(result.is_stored_exactly for result in story.results) and all(
        result.is_counted_exactly for result in story.results if result.site.is_easy
    )
    delivery = story.delivery
    return is_exact and (delivery is None or delivery.is_everywhere or not delivery.is_again)


def show_way_in(demo: Demo, console: Console) -> None:
    """Print a link that signs the administrator in, once."""
    link = run_command(
        "security", "link", "--user", ADMINISTRATOR, "--config", str(demo.config_file)
    ).strip()
    console.print("the dashboard, with everything above in it (a link for one use, ten minutes):")
    # As it is: a link that is broken into two lines leads nowhere.
    console.print(f"  {link}", soft_wrap=True, highlight=False, markup=False)


def stay(processes: Mapping[str, Process], demo: Demo, console: Console) -> None:
    """Leave everything running until Ctrl-C; tell of what ends before that."""
    console.print("another link: ", end="")
    console.print(
        f"its-camera-ai security link --user {ADMINISTRATOR} --config {demo.config_file}",
        soft_wrap=True, highlight=False, markup=False,
    )  # fmt: skip
    console.print("three cameras go on counting; Ctrl-C stops everything")
    told: set[str] = set()
    pause = threading.Event()
    while not pause.wait(_LOOK_EVERY_S):
        for name, process in processes.items():
            if process.poll() is not None and name not in told:
                told.add(name)
                console.print(f"{name} ended with {process.returncode}; its log tells why")


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """SIGTERM stops this process as Ctrl-C does, so that it leaves nothing behind."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _counted(story: Story) -> str:
    said = []
    for result in story.results:
        true = sum(row.true for row in result.rows)
        off = sum(abs(row.box - row.true) for row in result.rows)
        said.append(f"{result.site.name} {true} road users, {f'{off} off' if off else 'exactly'}")
    return "; ".join(said)


def _stored(story: Story) -> str:
    rows = sum(len(result.rows) for result in story.results)
    same = sum(row.box == row.stored for result in story.results for row in result.rows)
    sent = sum(result.uplink_bytes for result in story.results)
    return f"{same} of {rows} rows are in the database as counted; {sent / 1000:.0f} kB were sent"


def _learnt(learnt: RoundResult | None) -> str:
    if learnt is None:
        return "nothing: without --lite, the boxes train a round together"
    pictures = sum(client["samples"] for client in learnt.clients)
    return f"one round from {pictures} pictures that stayed on the boxes; {in_words(learnt)}"


def _released(delivery: Delivery) -> str:
    what = "the packaged weights again" if delivery.is_again else "what the boxes learnt"
    if not delivery.approved_by:
        return f"{delivery.version}, {what}: it came as far as {delivery.state}"
    return (
        f"{delivery.version}, {what}; proposed by {delivery.proposed_by}, "
        f"approved by {delivery.approved_by}"
    )


def _on_the_boxes(delivery: Delivery) -> str:
    said = ", ".join(f"{site} {version}" for site, version in sorted(delivery.running.items()))
    return f"{said}; {delivery.canary} tried it first; {delivery.took_s:.0f} s from box to fleet"


def _took(story: Story, took_s: float) -> str:
    whole = f"{int(took_s) // 60} min {int(took_s) % 60} s in all"
    if story.first_counts_s is None:
        return whole
    return f"{story.first_counts_s:.0f} s to the first counts, {whole}"
