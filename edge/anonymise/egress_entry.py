"""Something that leaves or is shown → one line of the egress log, linked to the one before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import TrustError
from common.messages import (
    BinReport,
    HealthReport,
    IncidentReport,
    LossReport,
    SiteReport,
    UpMessage,
)
from common.plates import PlateReport

GENESIS = "0" * 64
"""What the first entry follows."""

PREVIEW, REPAIR = "preview", "repair"
"""Kinds of entry that are no report: a redacted live view, and a torn line that was cut off."""

MOST_LINE_BYTES = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """What is about to leave, in words that say which numbers, not what they were.

    Attributes:
        kind: Kind of the report, ``preview`` or ``repair``.
        device: The box, empty for what never leaves it.
        epoch: Stream of the report, 0 for what is no report.
        sequence: Its number in the stream, 0 for what is no report.
        size_bytes: Bytes of the sealed envelope, or of all pictures shown.
        sha256: Digest of the sealed envelope, in hex; empty for what is no report.
        cameras: Cameras that it tells of, sorted.
        items: Bins, incidents, losses or frames in it.
        first_at: Earliest moment that it tells of, or None.
        last_at: End of the latest, or None.
    """

    kind: str
    device: str = ""
    epoch: int = 0
    sequence: int = 0
    size_bytes: int = 0
    sha256: str = ""
    cameras: tuple[str, ...] = ()
    items: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    @classmethod
    def report(
        cls, message: UpMessage, envelope: bytes, *, device: str, epoch: int, sequence: int
    ) -> Leaving:
        """A sealed report, summed up from the message that was sealed."""
        return replace(
            _summary(message),
            device=device,
            epoch=epoch,
            sequence=sequence,
            size_bytes=len(envelope),
            sha256=hashlib.sha256(envelope).hexdigest(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressEntry:
    """One line of the log.

    Attributes:
        index: Rises by one from 1.
        at: When it was written down, before it left.
        what: What left.
        previous: Link of the entry before.
    """

    index: int
    at: datetime
    what: Leaving
    previous: str

    @property
    def link(self) -> str:
        """SHA-256 over the link before and everything else in this entry."""
        return hashlib.sha256(self._canonical()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        what = {
            key: _text(value) if isinstance(value, datetime) else value
            for key, value in asdict(self.what).items()
        }
        return {
            "index": self.index,
            "at": _text(self.at),
            **what,
            "cameras": list(self.what.cameras),
            "previous": self.previous,
        }

    def to_line(self) -> bytes:
        """The line with its link, newline included."""
        return _json({**self.to_dict(), "link": self.link}) + b"\n"

    def _canonical(self) -> bytes:
        return _json(self.to_dict())


def read_line(line: bytes) -> EgressEntry:
    """The entry of one line.

    Raises:
        TrustError: It is no entry, or its own link does not fit it.
    """
    if len(line) > MOST_LINE_BYTES:
        raise TrustError(f"a line has {len(line)} bytes, expected at most {MOST_LINE_BYTES}")
    try:
        content = json.loads(line)
        link = content.pop("link")
        moments = {
            key: None if content[key] is None else datetime.fromisoformat(content[key])
            for key in ("first_at", "last_at")
        }
        named = {field.name: content[field.name] for field in fields(Leaving)}
        entry = EgressEntry(
            index=content["index"],
            at=datetime.fromisoformat(content["at"]),
            what=Leaving(**{**named, **moments, "cameras": tuple(content["cameras"])}),
            previous=content["previous"],
        )
        is_whole = entry.link == link and entry.to_line() == line
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise TrustError(f"a line is no entry: {type(error).__name__}") from error
    if not is_whole:
        raise TrustError(f"entry {entry.index} does not fit its own link")
    return entry


def _summary(message: UpMessage) -> Leaving:
    kind = message.kind.value
    match message:
        case BinReport():
            return Leaving(
                kind=kind,
                cameras=tuple(sorted({bin_.camera for bin_ in message.bins})),
                items=len(message.bins),
                first_at=min(bin_.start for bin_ in message.bins),
                last_at=max(bin_.end for bin_ in message.bins),
            )
        case IncidentReport():
            moments = [note.at for note in message.incidents]
            return Leaving(
                kind=kind,
                cameras=tuple(sorted({note.camera for note in message.incidents})),
                items=len(moments),
                first_at=min(moments),
                last_at=max(moments),
            )
        case LossReport():
            cameras = {loss.camera for loss in message.losses if loss.camera is not None}
            return Leaving(kind=kind, cameras=tuple(sorted(cameras)), items=len(message.losses))
        case PlateReport(camera=camera, at=at, picture=picture):
            is_there = picture is not None
            began = at - timedelta(seconds=picture.span_s) if picture is not None else None
            return Leaving(
                kind=kind,
                cameras=(camera,),
                items=int(is_there),
                first_at=began,
                last_at=at if is_there else None,
            )
        case SiteReport() | HealthReport():
            cameras = {camera.camera for camera in message.cameras}
            return Leaving(kind=kind, cameras=tuple(sorted(cameras)))


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
