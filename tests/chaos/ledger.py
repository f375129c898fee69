"""Minutes of chaos in a real town → whether its database equals the ledgers of its boxes.

``python -m tests.chaos.ledger --minutes 5 --store postgresql --broker mosquitto --seed 7``
prints one JSON object and ends with 0 when nothing was lost, told twice or altered.
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from coordinator.database import Database
from edge.anonymise.egress_chain import read_entries
from tests.chaos.comparison import Differences, compare
from tests.chaos.expected_rows import base_rows, rolled_up
from tests.chaos.kept_running import run_once
from tests.chaos.mischief import Mischief
from tests.chaos.own_ledger import ledger_bins
from tests.chaos.stored_rows import (
    bins_due,
    losses_told,
    quarantined,
    reports_stored,
    stored_rows,
)
from tests.chaos.town import Town, TownBox, TownSettings, device_of

_SETTLED_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.3


@dataclass(slots=True)
class Verdict:
    """What a run ended with; numbers count reports and bins of all boxes."""

    events: dict[str, int] = field(default_factory=dict)
    ended_by_themselves: dict[str, int] = field(default_factory=dict)
    bins: int = 0
    reports: int = 0
    sent: int = 0
    resent: int = 0
    delivered: int = 0
    outboxes_begun_anew: int = 0
    set_up_s: float = 0.0
    chaos_s: float = 0.0
    settled_s: float = 0.0
    quarantined: dict[str, int] = field(default_factory=dict)
    losses: list[dict[str, Any]] = field(default_factory=list)
    egress: list[str] = field(default_factory=list)
    differences: Differences = field(default_factory=Differences)

    @property
    def is_exact(self) -> bool:
        return self.bins > 0 and self.differences.is_exact

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        wrong = self.differences
        return {
            "verdict": "exact" if self.is_exact else "NOT EXACT",
            "events": dict(sorted(self.events.items())),
            "events_done": sum(n for name, n in self.events.items() if ":" not in name),
            "ended_by_themselves": self.ended_by_themselves,
            "bins": self.bins,
            "reports": self.reports,
            "sent": self.sent,
            "resent": self.resent,
            "delivered": self.delivered,
            "duplicates": max(0, self.delivered - self.reports),
            "outboxes_begun_anew": self.outboxes_begun_anew,
            "quarantined": self.quarantined,
            "losses_told": self.losses,
            "egress": self.egress,
            "set_up_s": round(self.set_up_s, 1),
            "chaos_s": round(self.chaos_s, 1),
            "settled_s": round(self.settled_s, 1),
            "rows_equal": wrong.compared,
            "lost": len(wrong.lost),
            "lost_as_told": len(wrong.as_told),
            "twice": len(wrong.twice),
            "altered": len(wrong.altered),
            "first": wrong.first(),
        }


def run(
    settings: TownSettings,
    *,
    seconds: float,
    ends_with_fresh_boxes: bool = False,
    look_at: Callable[[Town], None] = lambda _town: None,
) -> Verdict:
    """Start a town, do mischief, heal it, wait until all is told, and compare.

    Args:
        settings: The town.
        seconds: How long mischief is done.
        ends_with_fresh_boxes: Kill and start every box last: what they wait for after so many
            failures, up to a minute and more, is forgotten with the process.
        look_at: Called with the quiet town after the comparison; its database still runs.
    """
    moments_s = [time.monotonic()]
    with Town(settings) as town:
        mischief = Mischief(town)
        moments_s.append(time.monotonic())
        mischief.run(seconds)
        mischief.heal()
        for box in town.boxes:
            (box.folder / "enough").touch()
            if ends_with_fresh_boxes:
                box.process.kill()
                box.process.start()
        moments_s.append(time.monotonic())
        _settle(town)
        moments_s.append(time.monotonic())
        verdict = Verdict(events=dict(mischief.done))
        verdict.set_up_s, verdict.chaos_s, verdict.settled_s = (
            after - before for before, after in pairwise(moments_s)
        )
        _end(town, verdict)
        verdict.differences = differences(town)
        look_at(town)
        return verdict


def differences(town: Town) -> Differences:
    """Compare the database with every box's ledger, roll-ups included."""
    found = Differences()
    with closing(town.database()) as database, database.session() as session:
        losses = losses_told(session)
        for box in town.boxes:
            device = device_of(box)
            base = base_rows(ledger_bins(box.folder / "ledger.jsonl"), device=device)
            found.add(
                compare(
                    base | rolled_up(base, zone=box.zone),
                    stored_rows(session, device=device),
                    box=box.name,
                    losses=[loss for loss in losses if loss["device_id"] == device],
                )
            )
    return found


def _settle(town: Town) -> None:
    """Wait until every box has told everything and everything is summed."""
    give_up_s = time.monotonic() + _SETTLED_WITHIN_S
    with closing(town.database()) as database:
        while waiting := _waiting(town, database):
            for process in town.processes:
                process.look()
            if time.monotonic() > give_up_s:
                for box in town.boxes:
                    box.process.ask()
                time.sleep(2.0)
                raise AssertionError(f"not settled: {waiting}\n{_logs(town)}")
            time.sleep(_LOOK_EVERY_S)


def _waiting(town: Town, database: Database) -> str:
    """What is not told or summed yet, in words; empty when all is."""
    for box in town.boxes:
        if not (box.folder / "made").exists():
            return f"{box.name} still makes bins"
        if left := _left_in(box):
            return f"{box.name}: {left}"
    with database.session() as session:
        due = bins_due(session)
    return f"{due} five minutes to be summed" if due else ""


def _left_in(box: TownBox) -> str:
    data = box.folder / "data"
    try:
        last = _asked(data / "bins.sqlite", "SELECT COALESCE(MAX(id), 0) FROM bin")
        read = _asked(
            box.outbox_file,
            "SELECT CAST(substr(value, 1, instr(value, '|') - 1) AS INTEGER) FROM fact"
            " WHERE name = 'cursor'",
        )
        left = _asked(
            box.outbox_file, "SELECT (SELECT COUNT(*) FROM waiting) + (SELECT COUNT(*) FROM report)"
        )
    except (sqlite3.Error, TypeError) as error:
        return f"outbox not ready: {error}"
    if read < last:
        return f"row {read} of {last} is read"
    return f"{left} bins and reports wait" if left else ""


def _asked(path: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
        return int(database.execute(query).fetchone()[0])


def _end(town: Town, verdict: Verdict) -> None:
    """Stop the processes in order, and collect what they leave."""
    for box in town.boxes:
        code = box.process.stop()
        assert code == 0, f"{box.name} ended with {code}:\n{box.process.log_tail()}"
        sent = [entry.what for entry in read_entries(box.folder / "data" / "egress")]
        numbered = [(what.epoch, what.sequence) for what in sent if what.epoch]
        verdict.sent += len(numbered)
        verdict.resent += len(numbered) - len(set(numbered))
        verdict.egress.append(_egress(box))
        verdict.outboxes_begun_anew += box.process.log_tail(2**30).count('"outbox_damaged"')
        verdict.bins += sum(1 for _ in ledger_bins(box.folder / "ledger.jsonl"))
    town.deliveries.read()
    for process in town.coordinator:
        code = process.stop()
        assert code == 0, f"{process.name} ended with {code}:\n{process.log_tail()}"
    verdict.delivered = town.deliveries.total
    verdict.ended_by_themselves = {
        process.name: process.ended_by_itself
        for process in town.processes
        if process.ended_by_itself
    }
    with closing(town.database()) as database, database.session() as session:
        verdict.reports = reports_stored(session)
        verdict.quarantined = quarantined(session)
        verdict.losses = [
            {name: str(value) for name, value in loss.items()} for loss in losses_told(session)
        ]


def _egress(box: TownBox) -> str:
    """The box's own verdict on its egress log."""
    told = run_once(
        "-m", "common.cli", "edge", "egress", "verify", "--config", str(box.folder / "edge.yaml")
    )
    return re.sub(r"\s+", " ", told).strip()


def _logs(town: Town) -> str:
    return "\n".join(f"--- {each.name}\n{each.log_tail(8000)}" for each in town.processes)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--store", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--broker", choices=("mosquitto", "amqtt"), default="mosquitto")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pace", type=float, default=20.0, help="minutes of bins a second")
    arguments = parser.parse_args()
    # Stopped early, as by timeout(1), it still ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = TownSettings(
        store=arguments.store, broker=arguments.broker, seed=arguments.seed, pace=arguments.pace
    )
    verdict = run(settings, seconds=60 * arguments.minutes)
    json.dump(verdict.to_dict(), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0 if verdict.is_exact else 1


if __name__ == "__main__":
    sys.exit(main())
