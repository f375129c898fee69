"""Command line → a fleet of simulated devices on one real mosquitto, and figures as JSON.

``python -m tests.load.fleet --devices 10000 --minutes 5 --store postgresql``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from sqlalchemy import text

from coordinator.container import CoordinatorContainer
from tests.load.enrolling import BulkEnrolment, EnrolledBox
from tests.load.generator import Generator, GeneratorSettings
from tests.load.installation import Installation, Store
from tests.load.processes import Usage, family_processor_s, usage
from tests.load.verdict import Verdict, compare

_SPARE_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSettings:
    """What is run."""

    devices: int
    store: Store
    rounds: int
    every_s: float = 60.0
    connect_s: float = 150.0


@dataclass(slots=True)
class Usages:
    """What each process used, at both ends of the counted time."""

    installation: Installation
    before: dict[str, Usage] = field(default_factory=dict)
    after: dict[str, Usage] = field(default_factory=dict)
    postgresql_s: list[float] = field(default_factory=list)
    began_s: float = 0.0

    def take(self, into: dict[str, Usage]) -> None:
        for name, process in self.installation.running.items():
            into[name] = usage(process.pid)
        into["generator"] = usage(os.getpid())
        if self.installation.postgres is not None:
            self.postgresql_s.append(family_processor_s(_postmaster(self.installation)))

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            name: {
                "processor_s": round(after.processor_s - self.before[name].processor_s, 2),
                "processor_s_in_all": after.processor_s,
                "resident_mb": after.resident_mb,
                "peak_mb": after.peak_mb,
            }
            for name, after in self.after.items()
        }
        if self.postgresql_s:
            before, after = self.postgresql_s
            told["postgresql"] = {"processor_s": round(after - before, 2)}
        return told


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetResult:
    """The verdict, and everything that was measured."""

    verdict: Verdict
    generator: Generator
    figures: Mapping[str, Any]


def run_fleet(settings: FleetSettings, *, spoil: str = "") -> FleetResult:
    """Install, enrol, connect, report, compare.

    Args:
        settings: What is run.
        spoil: SQL that is run before the comparison, by tests of the comparison itself.
    """
    _allow_files(settings.devices + _SPARE_FILES)
    with Installation(settings.store) as installation:
        container = installation.container()
        enrolment = BulkEnrolment(container, installation.folder / "devices")
        _say(f"enrolling {settings.devices} devices")
        boxes = enrolment.enrol(settings.devices)
        _say(f"enrolled: {asdict(enrolment.times)}")
        installation.start_part("ingest")
        generator = _generator(installation, container, boxes, settings)
        usages = Usages(installation)

        def begin() -> None:
            usages.take(usages.before)
            usages.began_s = perf_counter()
            _say(f"connected: {asdict(generator.course)} {asdict(generator.tally)}")

        def end() -> None:
            usages.take(usages.after)
            _say(f"answered: {asdict(generator.tally) | {'reasons': ''}}")

        asyncio.run(generator.run(on_connected=begin, on_answered=end))
        if spoil:
            with container.database().session() as session:
                session.connection().execute(text(spoil))
        verdict = compare(generator.devices, container.database())
        figures = {
            "devices": settings.devices,
            "store": settings.store,
            "cores": os.cpu_count(),
            "enrolment": asdict(enrolment.times),
            "course": asdict(generator.course),
            "counted": asdict(generator.tally) | {"reasons": sorted(generator.tally.reasons)},
            "verdict": asdict(verdict) | {"is_exact": verdict.is_exact},
            "processes_in_counted_time": usages.to_dict(),
        }
        return FleetResult(verdict=verdict, generator=generator, figures=figures)


def _generator(
    installation: Installation,
    container: CoordinatorContainer,
    boxes: list[EnrolledBox],
    settings: FleetSettings,
) -> Generator:
    return Generator(
        boxes,
        port=installation.broker_port,
        trust_file=container.certificates().trust_file,
        order_keys={key.key_id: key for key, _ in container.ring().order_offers()},
        settings=GeneratorSettings(
            rounds=settings.rounds, every_s=settings.every_s, connect_s=settings.connect_s
        ),
    )


def _allow_files(wanted: int) -> None:
    """The broker inherits the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert wanted <= hard, f"{wanted} open files are needed, this system allows {hard} (ulimit -n)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _postmaster(installation: Installation) -> int:
    assert installation.postgres is not None
    return int((installation.postgres.folder / "data" / "postmaster.pid").read_text().split()[0])


def _say(words: str) -> None:
    sys.stderr.write(words + "\n")


def main() -> int:
    """Print the figures; 1 when a report was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--minutes", type=int, default=5)
    parser.add_argument("--store", choices=["postgresql", "sqlite"], default="postgresql")
    parser.add_argument("--connect-seconds", type=float, default=150.0)
    arguments = parser.parse_args()
    result = run_fleet(
        FleetSettings(
            devices=arguments.devices,
            store=arguments.store,
            rounds=arguments.minutes,
            connect_s=arguments.connect_seconds,
        )
    )
    sys.stdout.write(json.dumps(result.figures, indent=1) + "\n")
    return 0 if result.verdict.is_exact else 1


if __name__ == "__main__":
    sys.exit(main())
