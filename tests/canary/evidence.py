"""A town → every byte that left its cameras' frames behind, by the place where it was found."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

import psycopg

from common.encryption import (
    AtRestKey,
    EncryptionManager,
    EnvelopeError,
    OpeningKey,
    parse_envelope,
)
from common.errors import TrustError
from edge.deliver.outbox_rows import RowCipher
from edge.deliver.thinning import bin_context
from tests.canary.canary_town import CanaryTown
from tests.fakes.canary import Canary

Evidence = Mapping[str, bytes]
"""Place → its bytes; the part of a place's name before the colon is its kind."""

KINDS = ("wire", "opened", "broker", "outbox", "outbox opened", "box", "log", "database")
_LONG_NOTHING = re.compile(rb"\0{64,}")
_JPEG_START = re.compile(rb"\xff\xd8\xff[\xc0-\xc2\xdb\xe0-\xef\xfe](..)", re.DOTALL)


def everything_that_left(town: CanaryTown) -> dict[str, bytes]:
    """What a reader with every key finds now; the broker must have saved its files."""
    found = {"wire: inside the TLS": town.recorder.recorded}
    found["opened: what boxes published"] = b"\n".join(_opened(town))
    found |= _files("box", town.box_config.data_folder, but=("outbox.sqlite",))
    outbox = town.box_config.outbox_file
    found |= {f"outbox: {path.name}": path.read_bytes() for path in _beside(outbox)}
    found["outbox opened: every row"] = b"\n".join(_rows_of_outbox(town))
    assert town.mosquitto is not None
    found |= _files("broker", town.state_folder)
    found |= _files("broker", town.mosquitto.folder)
    found["log: mosquitto"] = town.mosquitto.log.encode()
    found |= {f"log: {path.name}": path.read_bytes() for path in _logs(town)}
    return found | _database(town)


def traces(evidence: Evidence, canary: Canary) -> dict[str, frozenset[str]]:
    """Places with traces of the canary, or of any picture."""
    found = {place: _traces_in(data, canary) for place, data in evidence.items()}
    return {place: names for place, names in found.items() if names}


def assert_nothing_left(evidence: Evidence, canary: Canary) -> None:
    """The claim that is tested."""
    assert {place.partition(":")[0] for place in evidence} == set(KINDS)
    # What is acknowledged is not in the outbox any more; every other kind of place holds much.
    assert all(len(places_of(evidence, k)) > 1000 for k in KINDS if k != "outbox opened")
    found = traces(evidence, canary)
    assert not found, f"traces in {found}"


def places_of(evidence: Evidence, kind: str) -> bytes:
    """All bytes of one kind of place."""
    return b"\n".join(data for place, data in evidence.items() if place.partition(":")[0] == kind)


@cache  # the same untouched places are searched for every leak
def _traces_in(data: bytes, canary: Canary) -> frozenset[str]:
    # Nothing is drawn with zeros, and a database is full of them.
    found = canary.traces_in(_LONG_NOTHING.sub(b"\0" * 32, data))
    if "a JPEG file" in found and not _holds_a_jpeg(data):
        found.remove("a JPEG file")
    return frozenset(found)


def _holds_a_jpeg(data: bytes) -> bool:
    """Three bytes occur by chance in sealed ones; a second segment where the first ends does not.

    ITU-T T.81, B.1.1.4: a segment's length counts its own two bytes and not the marker's.
    """
    for start in _JPEG_START.finditer(data):
        second = start.start() + 4 + int.from_bytes(start[1], "big")
        if data[second : second + 1] == b"\xff":
            return True
    return False


def _opened(town: CanaryTown) -> Iterator[bytes]:
    """Bodies of what boxes published, opened with the coordinator's keys."""
    keys = [OpeningKey.load(path) for path in town.opening_key_files()]
    manager = EncryptionManager(opening=keys)
    for topic, payload in town.recorder.published():
        yield topic.encode()
        try:
            yield manager.open(parse_envelope(payload))
        except EnvelopeError:
            yield payload


def _rows_of_outbox(town: CanaryTown) -> Iterator[bytes]:
    """Rows of the outbox, opened with the box's own key."""
    config = town.box_config
    cipher = RowCipher(AtRestKey.load_or_create(config.at_rest_key_file))
    with closing(sqlite3.connect(config.outbox_file)) as outbox:
        for epoch, sequence, content in outbox.execute(
            "SELECT epoch, sequence, content FROM report"
        ):
            yield _opened_row(cipher, content, f"outbox report {epoch} {sequence}")
        for camera, start_s, width_s, part, content in outbox.execute(
            "SELECT camera, start_s, width_s, part, content FROM waiting"
        ):
            yield _opened_row(cipher, content, bin_context(camera, start_s, width_s, part))


def _opened_row(cipher: RowCipher, content: bytes, context: str) -> bytes:
    try:
        return cipher.open(content, context)
    except TrustError:
        return content


def _database(town: CanaryTown) -> dict[str, bytes]:
    """The files as they lie on the disk, and every row as text and as PostgreSQL sends it."""
    if town.postgres is None:
        file = town.folder / "coordinator" / "coordinator.sqlite"
        found = {f"database: {path.name}": path.read_bytes() for path in _beside(file)}
        with closing(sqlite3.connect(file)) as database:
            rows = "\n".join(database.iterdump()).encode(errors="surrogateescape")
        return found | {"database: rows": rows}
    with psycopg.connect(town.database_url, autocommit=True) as database:
        database.execute("CHECKPOINT")
        (oid,) = database.execute(
            "SELECT oid FROM pg_database WHERE datname = current_database()"
        ).fetchone() or (0,)
        tables = database.execute(
            "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        rows = b"\n".join(_copied(database, table) for (table,) in tables)
    folder = town.postgres.folder / "data"
    return (
        {"database: rows": rows}
        | _files("database", folder / "base" / str(oid))
        | _files("database", folder / "pg_wal")
    )


def _copied(database: psycopg.Connection, table: str) -> bytes:
    found = b""
    for form in ("text", "binary"):
        query = f"COPY (SELECT * FROM {table}) TO STDOUT (FORMAT {form})"  # noqa: S608
        with database.cursor().copy(query.encode()) as copy:
            found += b"".join(bytes(part) for part in copy)
    return found


def _logs(town: CanaryTown) -> list[Path]:
    logs = [*town.folder.glob("*.log"), *town.box.folder.glob("*.log")]
    return logs if town.postgres is None else [*logs, town.postgres.folder / "log.txt"]


def _beside(file: Path) -> list[Path]:
    """A database and its journal."""
    return sorted(file.parent.glob(f"{file.name}*"))


def _files(kind: str, folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, bytes]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith(but or ("\0",)):
            continue
        with suppress(FileNotFoundError):  # a server may drop a file of its own meanwhile
            found[f"{kind}: {path.relative_to(folder)}"] = path.read_bytes()
    return found
