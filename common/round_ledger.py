"""Events of a federated run ↔ a file of lines, each of which vouches for all before it.

A line is canonical JSON: its number from 1, the digest of the line before, time, kind, body,
and its own digest: SHA-256 over everything else in it. Whoever alters, drops, inserts or swaps
a line has to rewrite all later ones, and the last digest (the head) is what other people keep.
A file cut at a line's end still reads as a shorter one: compare heads to notice.

One process writes at a time (``flock``), and every line is on the disk before it counts. What
a power cut left of a half-written line was never acknowledged, so the next writer drops it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, BinaryIO, Self

from pydantic import AwareDatetime, Field, ValidationError

from common.errors import ConflictError, NotFoundError, TrustError, UnreachableError
from common.private_files import sync_folder
from common.timing import Clock, SystemClock
from common.wire import Code, Digest, Message

MOST_LINE_BYTES = 16 * 1024 * 1024
"""A finished round of ten thousand clients is about 4 MB."""

FIRST_PREVIOUS = "0" * 64

_DOMAIN = b"its/v1 round ledger line\n"


class LedgerLine(Message):
    """One event.

    Attributes:
        previous: Digest of the line before, zeros for the first.
        body: What happened, by kind.
        digest: Over everything else in the line.
    """

    number: Annotated[int, Field(ge=1)]
    previous: Digest
    at: AwareDatetime
    kind: Code
    body: dict[str, Any]
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerVerdict:
    """Whether a ledger holds.

    Attributes:
        lines: Whole lines that hold, counted from the first.
        head: Digest of the last of them, zeros when there is none.
        broken_line: Number of the first line that does not hold, None when all do.
        reason: What is wrong with it.
        is_torn: A half-written line follows; the next writer drops it.
    """

    lines: int
    head: str
    broken_line: int | None = None
    reason: str = ""
    is_torn: bool = False

    @property
    def is_intact(self) -> bool:
        """Every whole line holds."""
        return self.broken_line is None


class RoundLedger:
    """The one writer of a ledger; a context manager that holds the file's lock."""

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        """Open for writing, check every line, and drop a half-written last one.

        Raises:
            ConflictError: Another process is writing.
            TrustError: A line does not hold.
            UnreachableError: The file cannot be made or opened.
        """
        self._clock = clock or SystemClock()
        with ExitStack() as stack:
            self._file = stack.enter_context(_locked(path))
            verdict, end = _repairable(path, self._file)
            self._file.truncate(end)
            self._file.seek(end)
            os.fsync(self._file.fileno())
            sync_folder(path.parent)
            # Nothing is wrong with it: it stays open, and locked.
            stack.pop_all()
        self._path = path
        self._number = verdict.lines
        self._head = verdict.head
        self.was_torn = verdict.is_torn

    @property
    def head(self) -> str:
        """Digest of the last line; zeros while there is none."""
        return self._head

    @property
    def lines(self) -> int:
        """How many there are."""
        return self._number

    def append(self, kind: str, body: Message | Mapping[str, Any]) -> LedgerLine:
        """Write one event; when this returns it survives a power cut.

        Args:
            kind: Such as ``round_finished``.
            body: A message of ours, or plain values that JSON can carry.

        Raises:
            UnreachableError: The disk did not take it; the file is as it was.
            ValueError: Not JSON, not finite, or longer than a line may be.
        """
        told = body.model_dump(mode="json") if isinstance(body, Message) else dict(body)
        facts = {
            "number": self._number + 1,
            "previous": self._head,
            "at": self._clock.now().isoformat(),
            "kind": kind,
            "body": told,
        }
        line = LedgerLine.model_validate_json(_canonical(facts | {"digest": _digest_of(facts)}))
        text = _canonical(facts | {"digest": line.digest}) + b"\n"
        if len(text) > MOST_LINE_BYTES:
            raise ValueError(f"line of {len(text)} bytes, expected at most {MOST_LINE_BYTES}")
        end = self._file.tell()
        try:
            self._file.write(text)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(end)
            self._file.seek(end)
            raise UnreachableError(
                f"{self._path} cannot be written: {error.strerror}",
                hint="look at the disk's space",
            ) from error
        self._number, self._head = line.number, line.digest
        return line

    def close(self) -> None:
        """Let the next writer in."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def verify_ledger(path: Path) -> LedgerVerdict:
    """Check every line; also while somebody writes.

    Raises:
        NotFoundError: No such file.
    """
    with _opened(path) as file:
        return _checked(file)[0]


def read_ledger(path: Path) -> Iterator[LedgerLine]:
    """The events in order, each after it held; a half-written last line is left out.

    Raises:
        NotFoundError: No such file.
        TrustError: At the first line that does not hold.
    """
    with _opened(path) as file:
        previous, number = FIRST_PREVIOUS, 0
        for text in _lines(file):
            if not text.endswith(b"\n") and len(text) < MOST_LINE_BYTES:
                return
            line = _held(text, number + 1, previous)
            if isinstance(line, str):
                verdict = LedgerVerdict(
                    lines=number, head=previous, broken_line=number + 1, reason=line
                )
                raise _broken(path, verdict)
            yield line
            previous, number = line.digest, line.number


def _locked(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    except OSError as error:
        raise UnreachableError(f"{path} cannot be opened: {error.strerror}") from error
    file = os.fdopen(descriptor, "r+b")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise ConflictError(
            f"{path} is being written by another process",
            hint="wait for it, or stop the run",
        ) from error
    return file


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise NotFoundError(f"no ledger at {path}: {error.strerror}") from error


def _checked(file: BinaryIO) -> tuple[LedgerVerdict, int]:
    """What holds, and where the last whole line ends."""
    head, number, end = FIRST_PREVIOUS, 0, 0
    for text in _lines(file):
        if not text.endswith(b"\n") and len(text) < MOST_LINE_BYTES:
            return LedgerVerdict(lines=number, head=head, is_torn=True), end
        line = _held(text, number + 1, head)
        if isinstance(line, str):
            verdict = LedgerVerdict(lines=number, head=head, broken_line=number + 1, reason=line)
            return verdict, end
        head, number, end = line.digest, line.number, end + len(text)
    return LedgerVerdict(lines=number, head=head), end


def _repairable(path: Path, file: BinaryIO) -> tuple[LedgerVerdict, int]:
    verdict, end = _checked(file)
    if verdict.broken_line is not None:
        raise _broken(path, verdict)
    return verdict, end


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while text := file.readline(MOST_LINE_BYTES):
        yield text


def _held(text: bytes, number: int, previous: str) -> LedgerLine | str:
    """The line, or what is wrong with it."""
    if not text.endswith(b"\n"):
        return f"longer than {MOST_LINE_BYTES} bytes"
    try:
        facts = json.loads(text)
        line = LedgerLine.model_validate_json(text)
        if text != _canonical(facts) + b"\n":
            return "not in canonical form"
    except (ValidationError, ValueError, RecursionError):
        return "not a line of a ledger"
    facts.pop("digest")
    wrong = {
        "its digest does not match what it says": line.digest != _digest_of(facts),
        f"its number is {line.number}, expected {number}": line.number != number,
        "it does not follow from the line before": line.previous != previous,
    }
    return next((reason for reason, is_wrong in wrong.items() if is_wrong), line)


def _canonical(facts: Mapping[str, Any]) -> bytes:
    # RFC 8785 in spirit: one spelling for one content; floats as Python's repr on both ends.
    return json.dumps(
        facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def _digest_of(facts: Mapping[str, Any]) -> str:
    return hashlib.sha256(_DOMAIN + _canonical(facts)).hexdigest()


def _broken(path: Path, verdict: LedgerVerdict) -> TrustError:
    return TrustError(
        f"line {verdict.broken_line} of {path} does not hold: {verdict.reason}",
        hint="somebody changed the file, or its disk is failing; compare with a copy",
    )
