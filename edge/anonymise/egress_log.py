"""What leaves the box → lines in files that are chained by hashes and survive power cuts.

Each line carries the SHA-256 of the one before (Haber and Stornetta 1991). Whoever alters,
removes or reorders a line must rewrite all that follow; the newest link travels to the
coordinator with each health report, and ``verify`` can be told such a link.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import structlog

from common.errors import ConflictError, TrustError, UnreachableError
from common.timing import Clock
from edge.anonymise.egress_chain import ChainVerdict, files_of, read_entries, verify_chain
from edge.anonymise.egress_entry import GENESIS, REPAIR, EgressEntry, Leaving, read_line

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressLimits:
    """How much is kept: about 500 bytes a report, so a year of one report a minute.

    Attributes:
        file_bytes: A longer file is followed by a new one.
        files: The oldest beyond this many are deleted.
    """

    file_bytes: int = 8 * 1024 * 1024
    files: int = 36


class EgressLog:
    """The one writer of a log; safe to share between threads.

    Append before anything is sent: the log may then name a report that never arrived, but
    no report can arrive that it does not name.
    """

    def __init__(self, folder: Path, *, clock: Clock, limits: EgressLimits | None = None) -> None:
        """Open or begin the log; a last line that a power cut tore is cut off, and said so.

        Raises:
            ConflictError: Another process writes it.
            TrustError: Its last whole line was altered.
            UnreachableError: The folder cannot be written.
        """
        self._folder = folder
        self._clock = clock
        self._limits = limits or EgressLimits()
        self._turn = threading.Lock()
        self._lock: BinaryIO | None = None
        self._file: BinaryIO | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(folder)
            self._index, self._head, torn = self._resume()
        except OSError as error:
            self.close()
            raise self._unusable(error) from error
        except (TrustError, ConflictError):
            self.close()
            raise
        if torn:
            log.warning("egress_line_torn", size_bytes=torn, after_entry=self._index)
            self.append(Leaving(kind=REPAIR, size_bytes=torn))

    @property
    def head(self) -> str:
        """Newest link."""
        return self._head

    def append(self, *leaving: Leaving) -> str:
        """Write down what is about to leave; it is on the disk when this returns.

        Returns:
            The newest link.

        Raises:
            UnreachableError: The disk is full or failing; do not send.
        """
        with self._turn:
            index, head, lines = self._index, self._head, []
            for what in leaving:
                entry = EgressEntry(index=index + 1, at=self._clock.now(), what=what, previous=head)
                index, head = entry.index, entry.link
                lines.append(entry.to_line())
            try:
                self._write(lines)
            except OSError as error:
                raise self._unusable(error) from error
            self._index, self._head = index, head
            return head

    def entries(self) -> Iterator[EgressEntry]:
        """Every entry that is still kept, oldest first.

        Raises:
            TrustError: A line is no entry.
        """
        return read_entries(self._folder)

    def verify(self, *, head: str | None = None) -> ChainVerdict:
        """Check the chain; see ``verify_chain``."""
        return verify_chain(self._folder, head=head)

    def close(self) -> None:
        """Finish; safe to call twice."""
        for file in (self._file, self._lock):
            if file is not None:
                file.close()

    def _resume(self) -> tuple[int, str, int]:
        """Index and link of the last entry, and how many torn bytes were cut off after it."""
        torn = 0
        for path in reversed(files_of(self._folder)):
            content = path.read_bytes()
            # We write no zero byte: from the first on, a power cut left blocks without data.
            written = content.partition(b"\0")[0]
            whole = written.rfind(b"\n") + 1
            if whole < len(content):
                torn += len(content) - whole
                os.truncate(path, whole)
            if whole:
                begin = content.rfind(b"\n", 0, whole - 1) + 1
                entry = self._last(content[begin:whole])
                return entry.index, entry.link, torn
            # A file that a power cut left empty; its name may be needed again.
            path.unlink()
        return 0, GENESIS, torn

    def _last(self, line: bytes) -> EgressEntry:
        try:
            return read_line(line)
        except TrustError as error:
            raise TrustError(
                f"egress log {self._folder} cannot go on, its last line was altered: {error}",
                hint="nothing is sent; keep the folder for whoever answers for the data, and move "
                "it away to begin another log",
            ) from error

    def _write(self, lines: Sequence[bytes]) -> None:
        file = self._current()
        size = file.tell()
        try:
            content = b"".join(lines)
            if file.write(content) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # noqa: TRY301
            os.fsync(file.fileno())
        except OSError:
            # Half a line must not stay in front of the next one.
            self._file = None
            os.truncate(file.fileno(), size)
            file.close()
            raise

    def _current(self) -> BinaryIO:
        if self._file is None:
            kept = files_of(self._folder)
            self._file = self._open(kept[-1]) if kept else self._begin()
        if self._file.tell() >= self._limits.file_bytes:
            self._file.close()
            self._file = self._begin()
            for path in files_of(self._folder)[: -self._limits.files]:
                log.info("egress_file_deleted", file=path.name)
                path.unlink()
        return self._file

    def _begin(self) -> BinaryIO:
        file = self._open(self._folder / f"egress-{self._index + 1:012d}.jsonl")
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return file

    def _open(self, path: Path) -> BinaryIO:
        # Unbuffered, or a failed write would be tried again when the file is closed.
        return open(path, "ab", buffering=0, opener=_private)

    def _unusable(self, error: OSError) -> UnreachableError:
        return UnreachableError(
            f"egress log {self._folder} cannot be used: {error.strerror}, "
            "expected a healthy disk with free space",
            hint="nothing is sent until it can be written; free disk space",
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _locked(folder: Path) -> BinaryIO:
    lock = open(folder / "lock", "ab", opener=_private)  # noqa: SIM115 - kept open
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise ConflictError(
            f"egress log {folder} is written by another process, expected one",
            hint="stop the other agent or preview first",
        ) from error
    return lock
