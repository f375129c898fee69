"""A box without cameras: a bin store that tests fill, and the real sender beside it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from common.encryption import AtRestKey, EncryptionManager, OpeningKey, SigningKey, VerifyingKey
from common.errors import ItsError
from common.geometry import Direction
from common.orders import DesiredConfiguration
from common.site import Camera, Section
from common.timing import Clock, SystemClock
from edge.anonymise.egress_log import EgressLog
from edge.anonymise.engine import PrivacyEngine
from edge.deliver.clock_trust import TimeSource, TrustedTime
from edge.deliver.flights import FlightSettings
from edge.deliver.health_telling import BoxFacts
from edge.deliver.outbox import Outbox
from edge.deliver.sealing import Credentials
from edge.deliver.sender import Sender, SenderParts, SenderSettings
from edge.deliver.twin import TwinState
from edge.keeping.store import BinStore
from edge.keeping.stored import StoreLimits
from edge.measure.bins import MinuteBin, Quality, SectionBin

CAMERA = Camera(
    id="north",
    source="rtsp://10.0.0.5/1",
    frame_size=(100, 100),
    sections=(Section(name="mid", line=((10, 10), (90, 90))),),
)
QUICK = FlightSettings(window=16, resend_after_s=0.5, resend_at_most_s=1.0)


def minute_bin(start: datetime, *, cars: int = 1, part: int = 0) -> MinuteBin:
    """A minute in which some cars crossed the one line."""
    return MinuteBin(
        camera_id="north",
        start=start,
        part=part,
        coverage_s=60.0,
        frames_seen=600,
        frames_dropped=0,
        unassigned_share=0.0,
        brightness=100.0,
        quality=Quality.GOOD,
        sections=(
            SectionBin(section="mid", direction=Direction.LEFT, counts=(0, 0, 0, cars, 0, 0)),
        ),
        incidents=(),
        conflicts=(),
    )


class NoTwin:
    """Remembers what was wanted and does nothing."""

    version = 0
    state: TwinState = "none"
    seen = 0
    reason: str | None = None

    def __init__(self) -> None:
        self.wanted: list[DesiredConfiguration] = []

    def desire(self, wanted: DesiredConfiguration) -> None:
        self.wanted.append(wanted)

    def watch(self) -> None:
        return


class SendingBox:
    """``with SendingBox(folder, port=…, …) as box`` runs the sender; ``stop`` and ``start`` too."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int,
        opening: OpeningKey,
        order_key: VerifyingKey,
        clock: Clock | None = None,
        time_source: TimeSource | None = None,
        outbox_bytes: int = 50_000_000,
        settings: SenderSettings | None = None,
        protocol: str = "3.1.1",
    ) -> None:
        self.folder = folder
        self.port = port
        self.protocol = protocol
        self.signing = SigningKey.generate()
        self.sealing = opening.public
        self.order_keys = {order_key.key_id: order_key}
        self.clock = clock or SystemClock()
        self.outbox_bytes = outbox_bytes
        self.twin = NoTwin()
        self.errors: list[ItsError] = []
        self._time_source = time_source or TrustedTime()
        self._settings = settings or SenderSettings(flights=QUICK, pass_every_s=0.05, linger_s=10)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.store = self.open_store()

    def open_store(self) -> BinStore:
        limits = StoreLimits(max_days=3660, max_bytes=100_000_000)
        return BinStore(self.folder / "bins.sqlite", limits=limits, clock=self.clock)

    def open_outbox(self) -> Outbox:
        return Outbox(
            self.folder / "outbox.sqlite",
            key=AtRestKey.load_or_create(self.folder / "at_rest.key"),
            max_bytes=self.outbox_bytes,
            clock=self.clock,
        )

    def credentials(self) -> Credentials:
        return Credentials(
            device="box-1",
            host="127.0.0.1",
            port=self.port,
            protocol=self.protocol,
            encryption=EncryptionManager(signing=self.signing, sealing=self.sealing),
            order_keys=self.order_keys,
        )

    def parts(self) -> SenderParts:
        return SenderParts(
            store=self.store,
            open_outbox=self.open_outbox,
            open_privacy=lambda left_out: PrivacyEngine({}, cameras=[CAMERA], on_left_out=left_out),
            open_egress=lambda: EgressLog(self.folder / "egress", clock=self.clock),
            load_credentials=self.credentials,
            time_source=self._time_source,
            facts=BoxFacts(
                software="0.1.0",
                model="its-yolo11n 1.0.0 onnx",
                cameras=lambda: (),
                disk_free_bytes=lambda: 1_000_000,
            ),
            twin=self.twin,
            site="elm-and-main",
            cameras=(CAMERA,),
            clock=self.clock,
        )

    def start(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._supervise, args=(self._stop,))
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(40)
            assert not self._thread.is_alive(), "the sender did not stop"

    def measure(self, minutes: int, *, since: datetime) -> list[datetime]:
        """Store so many minutes in a row."""
        starts = [since + timedelta(minutes=minute) for minute in range(minutes)]
        self.store.add([minute_bin(start) for start in starts])
        return starts

    def look_at_keys(self) -> None:
        """Spare a test the minute after which the sender looks for other keys."""
        self.stop()
        self.start()

    def waits_for_nothing(self) -> bool:
        """True when all is acknowledged; asks the file beside the running sender."""
        return (
            self._rows("SELECT (SELECT COUNT(*) FROM waiting) + (SELECT COUNT(*) FROM report)") == 0
        )

    def has_read_everything(self) -> bool:
        """True when every stored bin is in the outbox, or was."""
        last = max((row.row_id for row in self.store.bins()), default=0)
        return self._rows("SELECT CAST(value AS INTEGER) FROM fact WHERE name = 'cursor'") == last

    def _rows(self, query: str) -> int:
        with closing(sqlite3.connect(self.folder / "outbox.sqlite", timeout=10)) as database:
            return int(database.execute(query).fetchone()[0])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.store.close()

    def _supervise(self, stop: threading.Event) -> None:
        """As the agent does: what ends the sender is noted, and it begins again."""
        sender = Sender(self.parts(), self._settings)
        while not stop.is_set():
            try:
                sender.run(stop)
            except ItsError as error:
                self.errors.append(error)
                stop.wait(0.1)


def eventually(claim: Callable[[], bool], *, within_s: float = 30.0) -> bool:
    """True as soon as the claim holds."""
    give_up_s = time.monotonic() + within_s
    while time.monotonic() < give_up_s:
        if claim():
            return True
        time.sleep(0.05)
    return False


def full_minute(minutes_ago: int) -> datetime:
    """Start of a minute in the past."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return now - timedelta(minutes=minutes_ago)
