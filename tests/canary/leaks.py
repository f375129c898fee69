"""The canary, put on purpose into every kind of place in which it must never be."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import cv2
from sqlalchemy import text

from common.encryption import AtRestKey, EncryptionManager, UnsealedHeader
from common.timing import SystemClock
from common.topics import Topic, Way
from common.wire import ClockState, Kind
from edge.anonymise.egress_entry import Leaving
from edge.anonymise.egress_log import EgressLog
from edge.deliver.outbox_rows import RowCipher
from tests.canary.canary_town import CanaryTown
from tests.canary.silent_listener import publish_as_box
from tests.chaos.kept_running import REPOSITORY
from tests.fakes.canary import PLATE_TEXT, Canary

_LOGS = """
import sys, structlog
from common.logs import LogLevel, set_up_logs
set_up_logs(level=LogLevel.DEBUG, as_json=True)
structlog.get_logger().info("frame_seen", picture=sys.argv[1])
"""


def publish_pictures(town: CanaryTown, canary: Canary) -> int:
    """Let the box send the face as a JPEG, and both inside a report that is sealed and signed.

    Returns:
        How many messages those are.
    """
    identity = town.identity()
    header = UnsealedHeader(
        device=identity.device,
        kind=Kind.BINS,
        epoch=1,
        sequence=1,
        created_at=datetime.now(UTC),
        clock=ClockState.TRUSTED,
    )
    body = {"bins": [], "picture": _as_text(canary), "plate": PLATE_TEXT}
    sealing = identity.sealing[0][1]
    sealed = EncryptionManager(signing=identity.signing, sealing=sealing).seal(
        header, json.dumps(body).encode()
    )
    topic = str(Topic(identity.device, Way.UP, Kind.BINS))
    messages = (bytes(cv2.imencode(".jpg", canary.face)[1]), sealed)
    publish_as_box(town, topic, *messages)
    return len(messages)


def write_pictures_elsewhere(town: CanaryTown, canary: Canary) -> None:
    """Into the outbox as it is and encrypted, the egress log, a log and a column."""
    config = town.box_config
    cipher = RowCipher(AtRestKey.load_or_create(config.at_rest_key_file))
    row = cipher.close(canary.plate.tobytes(), "outbox report 7 7")
    with closing(sqlite3.connect(config.outbox_file)) as outbox, outbox:
        outbox.execute("INSERT INTO fact VALUES ('picture', ?)", (_as_text(canary),))
        outbox.execute(
            "INSERT INTO report (epoch, sequence, kind, created_ms, clock, bins, content)"
            " VALUES (7, 7, 'bins', 0, 'trusted', 0, ?)",
            (row,),
        )
    with closing(EgressLog(config.egress_folder, clock=SystemClock())) as log:
        log.append(Leaving(kind=_as_text(canary)))
    with (town.box.folder / "box.log").open("ab") as file:
        subprocess.run(
            [sys.executable, "-c", _LOGS, _as_text(canary)],
            check=True, stdout=file, stderr=subprocess.STDOUT, cwd=REPOSITORY, timeout=60,
        )  # fmt: skip
    with closing(town.database()) as database, database.session() as session:
        session.connection().execute(text("UPDATE site SET name = :name"), {"name": PLATE_TEXT})


def _as_text(canary: Canary) -> str:
    return base64.b64encode(canary.plate.tobytes()).decode()[:4000]
