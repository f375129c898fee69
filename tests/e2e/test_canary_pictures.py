"""A face and a plate in front of the camera: no byte that the box writes or tells holds them.

Frames with both go through capture, tracking and measuring into the bin store, through the
privacy engine in each of its modes, into reports, the egress log and the log of the process.
Then every byte of all that is searched. The same search finds both wherever they are put
on purpose.
"""

from __future__ import annotations

import base64
import io
import json
import sqlite3
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, redirect_stderr
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import structlog
from numpy.typing import NDArray

from common.logs import LogLevel, set_up_logs
from common.messages import BinReport, IncidentReport
from common.site import Camera
from common.wire import PrivacyMode
from edge.anonymise.budget import NoiseBudget
from edge.anonymise.egress_entry import Leaving
from edge.anonymise.egress_log import EgressLog
from edge.anonymise.engine import PrivacyEngine
from edge.anonymise.preview import Preview
from edge.anonymise.redaction import Redactor
from edge.anonymise.settings import CameraPrivacy, NoiseSettings
from edge.capture.frames import Frame
from edge.capture.ingestion import DataIngestionPipeline
from edge.capture.pixels import Bgr
from edge.keeping.store import BinStore
from edge.keeping.stored import StoredBin, StoreLimits
from edge.measure.events import Incident
from edge.measure.stage import Measure
from edge.pipeline import CameraPipeline, Stages
from edge.track.tracker import Tracker
from tests.fakes.canary import PLATE_TEXT, Canary
from tests.fakes.clocks import StandingClock
from tests.fakes.white_car_engine import WhiteCarEngine

pytestmark = pytest.mark.e2e

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FPS = 10
WIDTH, HEIGHT = 320, 240
CAMERA = Camera.model_validate(
    {
        "id": "cam",
        "frame_size": [WIDTH, HEIGHT],
        "sections": [
            {"name": "line", "line": [[160, 0], [160, 240]]},
            {
                "name": "road",
                "polygon": [[0, 0], [320, 0], [320, 240], [0, 240]],
                "use": "carriageway",
            },
        ],
    }
)
MODES = {
    "statistics": CameraPrivacy(),
    "operational": CameraPrivacy(mode=PrivacyMode.OPERATIONAL),
    "withheld": CameraPrivacy(withhold_below=5),
    "noisy": CameraPrivacy(noise=NoiseSettings(epsilon_per_bin=1, epsilon_per_day=100)),
}


@pytest.fixture(scope="module")
def canary() -> Canary:
    return Canary()


class PassingCars:
    """A white car with the canary on it crosses the picture once in ten seconds, then stands."""

    native_size = (WIDTH, HEIGHT)
    is_live = False

    def __init__(self, canary: Canary, *, duration_s: int) -> None:
        self._canary = canary
        self.expected_frames = duration_s * FPS

    def frames(self) -> Iterator[Frame]:
        for index in range(self.expected_frames):
            at_s = index / FPS
            yield Frame(
                camera_id="cam",
                index=index,
                captured_s=at_s,
                captured_at=NOON + timedelta(seconds=at_s),
                pixels=Bgr(self._picture(at_s)),
                native_size=self.native_size,
            )

    def close(self) -> None:
        """Nothing is open."""

    def _picture(self, at_s: float) -> NDArray[np.uint8]:
        image = np.full((HEIGHT, WIDTH, 3), 60, dtype=np.uint8)
        left = int((at_s if at_s < 50 else 50) % 10 * 22)
        image[60:180, left : left + 100] = 255
        self._canary.plant(image, x=left + 8, y=90)
        return image


class Box:
    """What a box wrote while the canary was in front of its camera, and what it would tell."""

    def __init__(self, folder: Path, canary: Canary) -> None:
        self.folder = folder
        self.clock = StandingClock(NOON + timedelta(minutes=5))
        limits = StoreLimits(max_days=30, max_bytes=10_000_000)
        log = io.StringIO()
        with (
            redirect_stderr(log),
            closing(BinStore(folder / "bins.sqlite", limits=limits, clock=self.clock)) as store,
        ):
            set_up_logs(level=LogLevel.DEBUG)
            self.incidents = list(self._watch(canary, store))
            self.stored = list(store.bins())
        (folder / "agent.log").write_text(log.getvalue())

    def _watch(self, canary: Canary, store: BinStore) -> Iterator[Incident]:
        source = PassingCars(canary, duration_s=80)
        stop = threading.Event()
        capture = DataIngestionPipeline(
            lambda: source, camera_id="cam", clock=self.clock, stop=stop
        )
        stages = Stages(detector=WhiteCarEngine(), tracker=Tracker(), measure=Measure(CAMERA))
        for step in CameraPipeline(camera=CAMERA, capture=capture, stages=stages, stop=stop):
            store.add(step.bins)
            yield from step.measured.incidents

    def tell(self, mode: str, folder: Path, *, stored: Sequence[StoredBin] = ()) -> bytes:
        """Everything that leaves in one mode, as the payloads that are sealed."""
        budget = NoiseBudget(folder / "budget.sqlite", clock=self.clock)
        engine = PrivacyEngine({"cam": MODES[mode]}, budget=budget, cameras=[CAMERA])
        report = BinReport(bins=tuple(engine.bins(stored or self.stored)))
        payloads = [report.model_dump_json().encode()]
        notes = engine.incidents("cam", self.incidents)
        if notes:
            payloads.append(IncidentReport(incidents=tuple(notes)).model_dump_json().encode())
        with closing(EgressLog(folder / "egress", clock=self.clock)) as log:
            for sequence, payload in enumerate(payloads, start=1):
                log.append(
                    Leaving.report(report, payload, device="box", epoch=1, sequence=sequence)
                )
        budget.close()
        return b"\n".join(payloads)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> Box:
    return Box(tmp_path_factory.mktemp("box"), canary)


def test_the_canary_was_seen_and_counted(box: Box) -> None:
    counted = sum(
        sum(row["counts"].values())
        for bin_ in box.stored
        for row in bin_.content["sections"]
        if row["counts"]
    )

    assert counted >= 5
    assert [incident.kind.value for incident in box.incidents] == ["stopped_vehicle"]


def test_no_file_that_a_box_writes_holds_face_or_plate(box: Box, canary: Canary) -> None:
    assert (box.folder / "bins.sqlite").stat().st_size > 4096
    assert canary.traces_in_folder(box.folder) == {}


@pytest.mark.parametrize("mode", MODES)
def test_no_byte_that_a_box_tells_holds_face_or_plate(
    box: Box, mode: str, canary: Canary, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(level=LogLevel.DEBUG)
    told = box.tell(mode, tmp_path)
    structlog.get_logger().info("report_told", size_bytes=len(told))

    logged = "".join(capfd.readouterr()).encode()
    assert len(told) > 500
    assert b"report_told" in logged
    assert canary.traces_in(told) == set()
    assert canary.traces_in(logged) == set()
    assert canary.traces_in_folder(tmp_path) == {}


def test_only_operational_mode_tells_the_single_incident(box: Box, tmp_path: Path) -> None:
    told = {}
    for mode in MODES:
        (tmp_path / mode).mkdir()
        told[mode] = b'"incident":"stopped_vehicle"' in box.tell(mode, tmp_path / mode)

    assert told == {"statistics": False, "operational": True, "withheld": False, "noisy": False}


def test_a_picture_that_a_fault_put_into_a_stored_bin_stays_there(
    box: Box, canary: Canary, tmp_path: Path
) -> None:
    picture = base64.b64encode(canary.face.tobytes()).decode()
    fault = {"picture": picture, "plate": PLATE_TEXT}
    sections = [{**row, **fault} for row in box.stored[0].content["sections"]]
    content = {**box.stored[0].content, **fault, "sections": sections}

    told = box.tell("statistics", tmp_path, stored=[replace(box.stored[0], content=content)])

    assert canary.traces_in(json.dumps(content).encode()) != set()
    assert canary.traces_in(told) == set()


@pytest.mark.parametrize("field", ["quality", "flags", "section", "direction", "incidents"])
def test_a_picture_in_place_of_a_known_text_keeps_the_bin_back(
    box: Box, canary: Canary, field: str
) -> None:
    picture = base64.b64encode(canary.face.tobytes()).decode()
    content = dict(box.stored[0].content)
    if field in ("section", "direction"):
        content["sections"] = [{**row, field: picture} for row in content["sections"]]
    else:
        wrong = {"quality": picture, "flags": [picture], "incidents": {picture: 1}}
        content[field] = wrong[field]
    kept_back: list[StoredBin] = []
    engine = PrivacyEngine({}, on_left_out=lambda bin_, _why: kept_back.append(bin_))

    bins = engine.bins([replace(box.stored[0], content=content), *box.stored[1:]])

    assert [bin_.row_id for bin_ in kept_back] == [box.stored[0].row_id]
    report = BinReport(bins=tuple(bins)).model_dump_json().encode()
    assert canary.traces_in(report) == set()


class NoFaces:
    def find(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:  # noqa: ARG002
        return np.zeros((0, 4))


def test_the_live_view_shows_neither(tmp_path: Path, canary: Canary) -> None:
    clock = StandingClock(NOON)
    shown: list[bytes] = []
    with closing(EgressLog(tmp_path, clock=clock)) as log:
        preview = Preview(
            Redactor(WhiteCarEngine(), faces=NoFaces()),
            log=log,
            clock=clock,
            stop=threading.Event(),
        )
        preview.run(PassingCars(canary, duration_s=20).frames(), camera_id="cam", show=shown.append)

    assert len(shown) > 50
    assert max(likeness(picture, canary) for picture in shown) < 0.5
    assert canary.traces_in_folder(tmp_path) == {}


def test_the_live_view_would_have_shown_them_without_redaction(canary: Canary) -> None:
    frame = next(PassingCars(canary, duration_s=1).frames())
    _, picture = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, 80])

    assert likeness(bytes(picture), canary) > 0.7


def likeness(picture: bytes, canary: Canary) -> float:
    """Best correlation of face or plate with any place of the picture, 1 for the same."""
    image = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    return max(
        float(cv2.matchTemplate(image, part, cv2.TM_CCOEFF_NORMED).max())
        for part in (canary.face, canary.plate)
    )


def jpeg(picture: NDArray[np.uint8], *, quality: int = 90) -> bytes:
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def part_of_a_row(canary: Canary) -> bytes:
    return bytes(canary.face[20].tobytes()[31:55])


def npz(canary: Canary) -> bytes:
    file = io.BytesIO()
    np.savez(file, canary.face)
    return file.getvalue()


FORMS: dict[str, Callable[[Canary], bytes]] = {
    "raw pixels": lambda canary: canary.face.tobytes(),
    "raw RGB pixels": lambda canary: np.ascontiguousarray(canary.plate[..., ::-1]).tobytes(),
    "grey pixels": lambda canary: cv2.cvtColor(canary.face, cv2.COLOR_BGR2GRAY).tobytes(),
    "planes": lambda canary: np.ascontiguousarray(canary.plate.transpose(2, 0, 1)).tobytes(),
    "eight pixels of one row": part_of_a_row,
    "a crop": lambda canary: np.ascontiguousarray(canary.face[7:19, 5:21]).tobytes(),
    "JPEG": lambda canary: jpeg(canary.face),
    "poor JPEG": lambda canary: jpeg(canary.plate, quality=20),
    "PNG": lambda canary: bytes(cv2.imencode(".png", canary.face)[1]),
    "WebP": lambda canary: bytes(cv2.imencode(".webp", canary.face)[1]),
    "BMP": lambda canary: bytes(cv2.imencode(".bmp", canary.face)[1]),
    "JPEG in base64": lambda canary: base64.b64encode(jpeg(canary.face)),
    "PNG in base64": lambda canary: base64.b64encode(bytes(cv2.imencode(".png", canary.plate)[1])),
    "JPEG in hex": lambda canary: jpeg(canary.face).hex().encode(),
    "pixels in base64": lambda canary: base64.b64encode(b"x" + canary.face.tobytes()),
    "pixels in hex": lambda canary: canary.plate.tobytes().hex().encode(),
    "pixels as JSON": lambda canary: json.dumps(canary.face.tolist()).encode(),
    "a NumPy file": npz,
    "the plate as text": lambda _: PLATE_TEXT.encode(),
    "the plate without blank": lambda _: PLATE_TEXT.replace(" ", "").encode(),
    "the plate in UTF-16": lambda _: PLATE_TEXT.encode("utf-16-le"),
    "the plate in base64": lambda _: base64.b64encode(PLATE_TEXT.encode()),
}
"""Ways in which a picture could get into bytes."""


def in_a_text(secret: bytes, folder: Path) -> None:
    (folder / "report.json").write_bytes(b'{"bins":[{"camera":"cam","x":"' + secret + b'"}]}')


def in_a_database(secret: bytes, folder: Path) -> None:
    with closing(sqlite3.connect(folder / "outbox.sqlite")) as database:
        database.execute("CREATE TABLE report (content BLOB)")
        database.execute("INSERT INTO report VALUES (?)", (b"\0" * 3000 + secret,))
        database.commit()


def in_an_archive(secret: bytes, folder: Path) -> None:
    with zipfile.ZipFile(folder / "log.zip", "w") as archive:
        archive.writestr("log", b"event " * 100 + secret)


@pytest.mark.parametrize("place", [in_a_text, in_a_database, in_an_archive])
@pytest.mark.parametrize("form", FORMS)
def test_the_search_finds_what_is_planted_on_purpose(
    form: str, place: Callable[[bytes, Path], None], canary: Canary, tmp_path: Path
) -> None:
    place(FORMS[form](canary), tmp_path)

    assert canary.traces_in_folder(tmp_path) != {}


@pytest.mark.parametrize("leak", ["log", "egress log"])
def test_the_search_finds_a_leak_in_what_a_box_really_writes(
    leak: str, canary: Canary, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    set_up_logs(level=LogLevel.DEBUG)
    secret = base64.b64encode(canary.plate.tobytes()).decode()
    with closing(EgressLog(tmp_path, clock=StandingClock(NOON))) as log:
        if leak == "log":
            structlog.get_logger().info("frame_seen", picture=secret)
        else:
            log.append(Leaving(kind=secret[:4000]))

    logged = "".join(capfd.readouterr()).encode()
    assert bool(canary.traces_in(logged)) == (leak == "log")
    assert bool(canary.traces_in_folder(tmp_path)) == (leak == "egress log")
