"""An entry of the egress log → a sentence for somebody who answers for the data."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType

from common.wire import Kind
from edge.anonymise.egress_chain import ChainVerdict
from edge.anonymise.egress_entry import PREVIEW, REPAIR, EgressEntry, Leaving


def in_words(entry: EgressEntry) -> str:
    """What left the box or was shown, of which cameras, and of what time."""
    what = entry.what
    if what.kind == PREVIEW and not what.items:
        return f"Redacted live view on the box itself begins{_cameras(what)}"
    if what.kind == Kind.PLATE and not what.items:
        return f"Answer that no background picture is sent{_cameras(what)}"
    return f"{_subject(what)}{_cameras(what)}{_span(what)}"


def verdict_in_words(name: str, verdict: ChainVerdict) -> list[str]:
    """What a check of a whole chain means, one line each."""
    if not verdict.entries:
        return [f"{name}: empty"]
    last = verdict.first_index + verdict.entries - 1
    lines = [
        f"{name}: entries {verdict.first_index} to {last} are whole and in order",
        f"  newest link {verdict.head}",
    ]
    if verdict.first_index > 1:
        lines.append(
            f"  entries before {verdict.first_index} were deleted to save space "
            "and cannot be checked any more"
        )
    if verdict.torn_bytes:
        lines.append(
            f"  {verdict.torn_bytes} bytes after them are half a line: "
            "written at this moment, or torn by a power cut"
        )
    return lines


_SUBJECTS = MappingProxyType(
    {
        "bins": "Counts, {items} intervals",
        "incidents": "Single incidents, {items}",
        "loss": "What was lost or made coarser on the box",
        "site": "Names and positions of the counting lines",
        "health": "How the box is doing",
        "plate": "Background picture of the empty road, redacted, that the coordinator asked for",
        PREVIEW: "Redacted live view on the box itself, {items} pictures",
        REPAIR: "Nothing left: half a line after a power cut was removed, {size_bytes} bytes",
    }
)


def _subject(what: Leaving) -> str:
    text = _SUBJECTS.get(what.kind, "Report of kind {kind}")
    text = text.format(items=what.items, size_bytes=what.size_bytes, kind=what.kind)
    return text.removesuffix("s") if what.items == 1 else text


def _cameras(what: Leaving) -> str:
    if not what.cameras:
        return ""
    return f", camera{'s' if len(what.cameras) > 1 else ''} {', '.join(what.cameras)}"


def _span(what: Leaving) -> str:
    if what.first_at is None or what.last_at is None:
        return ""
    until = what.last_at
    is_same_day = what.first_at.date() == until.date() or until - what.first_at < timedelta(hours=1)
    shown = f"{until:%H:%M}" if is_same_day else _minute(until)
    return f", {_minute(what.first_at)} to {shown} UTC"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M}"
