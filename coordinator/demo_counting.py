"""What a demo box counted → beside the truth and the database, row by row, and what it cost."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table

from common.errors import UnreachableError
from coordinator.demo_ledger import LedgerRow, box_tally, side_by_side, stored_tally, true_tally
from coordinator.demo_people import DemoPerson
from coordinator.demo_processes import run_command
from coordinator.demo_sites import DemoBox, DemoSite

_STORED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteResult:
    """What became of one site's counts.

    Attributes:
        rows: Truth, box and database, row by row.
        uplink_bytes: Everything that the box sent.
        watched_s: How long its camera watched.
    """

    site: DemoSite
    rows: tuple[LedgerRow, ...]
    uplink_bytes: int
    watched_s: float

    @property
    def is_stored_exactly(self) -> bool:
        """True when the database holds what the box measured, row by row."""
        return all(row.box == row.stored for row in self.rows)

    @property
    def is_counted_exactly(self) -> bool:
        """True when the box measured what is true."""
        return all(row.box == row.true for row in self.rows)


def result_of(box: DemoBox, *, reader: DemoPerson, since: datetime) -> SiteResult:
    """Ask the simulation, the box and the coordinator.

    Args:
        box: It has counted its clip.
        reader: Who asks the coordinator.
        since: Before the first minute.

    Raises:
        UnreachableError: The coordinator does not have every minute of the box in time.
    """
    config = str(box.config_file)
    truth = json.loads(box.truth_file.read_text(encoding="utf-8"))
    bins = json.loads(run_command("edge", "bins", "--config", config, "--json"))["bins"]
    egress = json.loads(
        run_command("edge", "egress", "show", "--config", config, "--last", "0", "--json")
    )
    stored = stored_tally(_stored_counts(box, bins, reader=reader, since=since))
    return SiteResult(
        site=box.site,
        rows=tuple(side_by_side(true_tally(truth), box_tally(bins), stored)),
        uplink_bytes=sum(entry["size_bytes"] for entry in egress["entries"]),
        watched_s=sum(one["coverage_s"] for one in bins),
    )


def _stored_counts(
    box: DemoBox, bins: Sequence[dict[str, Any]], *, reader: DemoPerson, since: datetime
) -> dict[str, Any]:
    """The coordinator's answer, once it has every minute of the box."""
    until = datetime.now(UTC) + timedelta(minutes=1)
    path = (
        f"/sites/{box.site.name}/counts?width=1min&kind=line"
        f"&from={_stamp(since)}&to={_stamp(until)}"
    )
    minutes = {one["start"] for one in bins}
    give_up_s = time.monotonic() + _STORED_WITHIN_S
    while time.monotonic() < give_up_s:
        answer: dict[str, Any] = reader.get(path)
        reported = {
            start
            for series in answer["series"]
            for start, total in zip(answer["starts"], series["total"], strict=True)
            if total is not None
        }
        if minutes <= reported:
            return answer
        time.sleep(0.5)
    raise UnreachableError(
        f"site {box.site.name}: {len(minutes)} minutes measured, not all stored",
        hint=f"the logs are in {box.folder}",
    )


def show(results: Sequence[SiteResult], console: Console, *, video_bytes_per_s: float) -> None:
    """Print the ledger and what it cost to send it."""
    table = Table(title="truth → box → database, row by row", title_justify="left")
    for heading in ("site", "line", "direction", "class"):
        table.add_column(heading)
    for heading in ("true", "box", "database"):
        table.add_column(heading, justify="right")
    for result in results:
        for row in result.rows:
            table.add_row(result.site.name, *row.row, str(row.true), str(row.box), str(row.stored))
        table.add_section()
    console.print(table)
    for result in results:
        hourly = result.uplink_bytes / result.watched_s * 3600
        share = hourly / (video_bytes_per_s * 3600)
        kind = "easy" if result.site.is_easy else "hard"
        verdict = "exact" if result.is_counted_exactly else "with the errors above"
        console.print(
            f"{result.site.name} ({kind}): counted {verdict}; database equals box: "
            f"{'yes' if result.is_stored_exactly else 'NO'}; {hourly / 1000:.0f} kB an hour left "
            f"the box, {share:.3%} of the video"
        )


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:00Z")
