"""Files of an egress log → whether anybody altered, removed or reordered an entry, and which."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.errors import NotFoundError, TrustError, UnreachableError
from edge.anonymise.egress_entry import GENESIS, MOST_LINE_BYTES, EgressEntry, read_line


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainVerdict:
    """What a check found.

    Attributes:
        entries: Entries that were checked and hold together.
        first_index: The oldest entry that is kept, 0 for an empty log; what came before
            was deleted by rotation and cannot be checked any more.
        head: Link of the last entry that holds.
        fault: Where the chain breaks first and how, empty when it does not.
        torn_bytes: Bytes after the last whole line: a power cut, or a writer at work.
    """

    entries: int = 0
    first_index: int = 0
    head: str = GENESIS
    fault: str = ""
    torn_bytes: int = 0

    @property
    def is_whole(self) -> bool:
        """True when nothing is wrong with what is kept."""
        return not self.fault


@dataclass(frozen=True, slots=True)
class _Line:
    place: str
    content: bytes


def files_of(folder: Path) -> list[Path]:
    """Files of the log, oldest first."""
    return sorted(folder.glob("egress-*.jsonl"))


def read_entries(folder: Path) -> Iterator[EgressEntry]:
    """Every entry that is kept, oldest first; a torn last line is left out.

    Raises:
        NotFoundError: No such folder.
        TrustError: A line is no entry.
        UnreachableError: A file cannot be read.
    """
    for line in _lines(folder):
        if line.content.endswith(b"\n"):
            yield _entry(line)


def verify_chain(folder: Path, *, head: str | None = None) -> ChainVerdict:
    """Follow the chain through all files.

    Args:
        folder: The log.
        head: A link that was told to somebody outside earlier; it must be in the chain, which
            shows that nothing up to there was rewritten or cut off.

    Raises:
        NotFoundError: No such folder.
        UnreachableError: A file cannot be read.
    """
    count, first, torn, wanted = 0, 0, 0, head
    last: EgressEntry | None = None
    fault = ""
    for line in _lines(folder):
        if not line.content.endswith(b"\n") and len(line.content) <= MOST_LINE_BYTES:
            torn = len(line.content)
            continue
        try:
            entry = _entry(line)
        except TrustError as error:
            fault = str(error)
            break
        fault = _does_not_follow(last, entry, line, torn)
        if fault:
            break
        if last is None:
            first = entry.index
            wanted = None if entry.previous == wanted else wanted
        wanted = None if entry.link == wanted else wanted
        last, count = entry, count + 1
    if not fault and wanted not in (None, GENESIS):
        fault = f"link {wanted} is not in the chain: entries were cut off or rewritten"
    return ChainVerdict(
        entries=count,
        first_index=first,
        head=last.link if last else GENESIS,
        fault=fault,
        torn_bytes=torn,
    )


def _does_not_follow(last: EgressEntry | None, entry: EgressEntry, line: _Line, torn: int) -> str:
    if torn:
        return f"{line.place}: a line before it is torn, which only the last one may be"
    if last is None:
        is_begin = entry.index > 1 or (entry.index == 1 and entry.previous == GENESIS)
        return "" if is_begin else f"{line.place}: entry {entry.index} is no beginning"
    if entry.index == last.index + 1:
        if entry.previous == last.link:
            return ""
        return f"{line.place}: entry {entry.index} does not follow the entry {last.index} before it"
    if entry.index > last.index + 1:
        missing = f"{last.index + 1} to {entry.index - 1}"
        return f"{line.place}: entry {entry.index} follows entry {last.index}, missing {missing}"
    return f"{line.place}: entry {entry.index} comes after entry {last.index}, out of order"


def _lines(folder: Path) -> Iterator[_Line]:
    if not folder.is_dir():
        raise NotFoundError(
            f"no egress log at {folder}", hint="name the agent's configuration with --config"
        )
    for path in files_of(folder):
        try:
            with path.open("rb") as file:
                number = 0
                while content := file.readline(MOST_LINE_BYTES + 1):
                    number += 1
                    yield _Line(f"{path.name} line {number}", content)
        except FileNotFoundError:
            continue  # rotated away while we read
        except OSError as error:
            raise UnreachableError(f"{path} cannot be read: {error.strerror}") from error


def _entry(line: _Line) -> EgressEntry:
    try:
        return read_line(line.content)
    except TrustError as error:
        raise TrustError(f"{line.place}: {error}") from error
