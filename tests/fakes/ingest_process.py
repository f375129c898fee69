"""Files with keys, a database and a broker's port → an ingest worker in a process of its own.

``python -m tests.fakes.ingest_process URL PORT OPENING.pem ORDERS.pem``; SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from common.encryption import EncryptionManager, OpeningKey, SigningKey
from common.timing import SystemClock
from common.topics import Way, every_device
from coordinator.database import Database
from coordinator.ingest.broker_link import mqtt_links
from coordinator.ingest.intake import Intake
from coordinator.ingest.keys_store import FleetKeys
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.worker import IngestWorker, WorkerParts

_END_S = 30.0


@dataclass(frozen=True)
class PlainLogin:
    """A broker that asks for nothing."""

    port: int
    protocol: str = "3.1.1"
    client_id: str = "coordinator-ingest-0"
    host: str = "127.0.0.1"

    def tls(self) -> ssl.SSLContext | None:
        return None


class IngestProcess:
    """The worker's process, and how much memory it holds."""

    def __init__(self, url: str, port: int, *, opening: Path, orders: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, url, str(port), str(opening), str(orders)],
            stdout=subprocess.DEVNULL,
        )

    @property
    def is_running(self) -> bool:
        """True while the process lives."""
        return self._process.poll() is None

    @property
    def resident_mb(self) -> float:
        """What of it lies in memory now."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024

    def stop(self) -> int:
        """Finish what is in hand and end."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_END_S)


async def work(url: str, port: int, opening: OpeningKey, orders: SigningKey) -> None:
    """Take in until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database, clock, metrics = Database(url), SystemClock(), IngestMetrics()
    manager = EncryptionManager(opening=[opening])
    parts = WorkerParts(
        intake=Intake(
            keys=FleetKeys(database, clock=clock),
            manager=lambda: manager,
            clock=clock,
            metrics=metrics,
        ),
        taker=ReportTaker(database, clock=clock, metrics=metrics),
        links=mqtt_links(lambda: PlainLogin(port), wanted=every_device(Way.UP)),
        signing=lambda: orders,
        clock=clock,
        metrics=metrics,
    )
    await IngestWorker(parts).run(stop)
    database.close()


def main() -> None:
    """Run the command line."""
    url, port, opening, orders = sys.argv[1:]
    keys = OpeningKey.load(Path(opening)), SigningKey.load(Path(orders))
    asyncio.run(work(url, int(port), *keys))


if __name__ == "__main__":
    main()
