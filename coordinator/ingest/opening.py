"""Envelopes and the keys that shall have signed them → payloads, or why not.

Signatures and HPKE are half of what a report costs, and the library holds Python's lock while
it works: threads do not help. ``OpeningProcess`` has a second process do that half. It keeps
nothing, so that it may die and be started anew at any time.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from time import thread_time
from typing import Protocol

import structlog

from common.encryption import (
    EncryptionManager,
    Envelope,
    EnvelopeError,
    OpeningKey,
    Reason,
    VerifyingKey,
    parse_envelope,
    verify_envelope,
)
from common.errors import UnreachableError

_ANSWER_S = 60.0
"""A batch takes well below a second; a process that needs so long is stuck."""

_Wanted = tuple[tuple[bytes, ...], list[tuple[bytes, bytes]]]
"""Opening keys as PEM; envelope and raw verifying key of each report."""
_Told = tuple[list[bytes | tuple[str, str]], float]
"""Payload, or reason and detail, of each report; processor seconds."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sealed:
    """An envelope that is to be verified and opened.

    Attributes:
        data: The whole of it.
        envelope: What was read from ``data``.
        key: Whose signature it must bear.
    """

    data: bytes
    envelope: Envelope
    key: VerifyingKey


class Opener(Protocol):
    """Verifies and opens many envelopes; safe to share between threads."""

    def open_all(
        self, sealed: Sequence[Sealed], manager: EncryptionManager
    ) -> tuple[list[bytes | EnvelopeError], float]:
        """Payload or fault of each, in order, and the processor seconds that it took.

        Raises:
            UnreachableError: Not now; the same question may be answered later.
        """
        ...

    def close(self) -> None:
        """Give back whatever is held; it may be used again afterwards."""
        ...


class OpeningHere:
    """In the thread that asks."""

    def open_all(
        self, sealed: Sequence[Sealed], manager: EncryptionManager
    ) -> tuple[list[bytes | EnvelopeError], float]:
        """As ``Opener``."""
        started_s = thread_time()
        opened = [_opened(each.envelope, each.key, manager) for each in sealed]
        return opened, thread_time() - started_s

    def close(self) -> None:
        """Nothing is held."""


class OpeningProcess:
    """In a process of its own, started when first needed and again when it died.

    Keys travel through the pipe with every batch: when they rotate, nothing has to be told.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def open_all(
        self, sealed: Sequence[Sealed], manager: EncryptionManager
    ) -> tuple[list[bytes | EnvelopeError], float]:
        """As ``Opener``."""
        if not sealed:
            return [], 0.0
        wanted: _Wanted = (
            tuple(key.to_pem() for key in manager.opening),
            [(each.data, each.key.raw) for each in sealed],
        )
        told, seconds = self._asked(wanted)
        faults = [
            each if isinstance(each, bytes) else EnvelopeError(Reason(each[0]), each[1])
            for each in told
        ]
        return faults, seconds

    def close(self) -> None:
        """End the process; safe to call twice."""
        with self._lock:
            self._end()

    @property
    def process_id(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process is not None else None

    def _asked(self, wanted: _Wanted) -> _Told:
        with self._lock:
            pipe = self._pipe or self._started()
            try:
                pipe.send(wanted)
                if not pipe.poll(_ANSWER_S):
                    raise TimeoutError(f"no answer in {_ANSWER_S:g} s")
                told: _Told = pipe.recv()
            except (OSError, EOFError) as error:
                self._end()
                log.warning("opening_process_lost", error=repr(error))
                raise UnreachableError(
                    "the process that opens reports ended, expected an answer",
                    hint="it is started again by itself; look for what killed it, such as memory",
                ) from error
        return told

    def _started(self) -> Connection:
        spawning = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawning.Pipe()
        self._process = spawning.Process(
            target=_serve, args=(theirs,), name="report-opener", daemon=True
        )
        self._process.start()
        # Ours alone now: when either side dies, the other one reads the end of the pipe.
        theirs.close()
        return self._pipe

    def _end(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.join(2)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process.close()
        self._process = self._pipe = None


def choose_opener(*, workers: int) -> Opener:
    """A process beside a single worker that has a core to spare; several workers fill them."""
    has_spare_core = len(os.sched_getaffinity(0)) > workers
    return OpeningProcess() if has_spare_core else OpeningHere()


def _opened(
    envelope: Envelope, key: VerifyingKey, manager: EncryptionManager
) -> bytes | EnvelopeError:
    try:
        verify_envelope(envelope, key)
        return manager.open(envelope)
    except EnvelopeError as error:
        return error


def _serve(pipe: Connection) -> None:
    """Answer until the other end is closed; the process of the helper."""
    # Ctrl-C reaches the whole group: our end comes with the pipe, after what is in hand.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            wanted: _Wanted = pipe.recv()
        except EOFError:
            return
        started_s = thread_time()
        keys, reports = wanted
        manager = _manager(keys)
        told = [_told(data, raw, manager) for data, raw in reports]
        answer: _Told = (told, thread_time() - started_s)
        try:
            pipe.send(answer)
        except OSError:
            return


def _told(data: bytes, raw: bytes, manager: EncryptionManager) -> bytes | tuple[str, str]:
    opened = _opened(parse_envelope(data), _verifying(raw), manager)
    if isinstance(opened, EnvelopeError):
        return opened.reason.value, str(opened)
    return opened


@lru_cache(maxsize=4)
def _manager(keys: tuple[bytes, ...]) -> EncryptionManager:
    return EncryptionManager(opening=[OpeningKey.from_pem(key) for key in keys])


@lru_cache(maxsize=16_384)
def _verifying(raw: bytes) -> VerifyingKey:
    return VerifyingKey.from_bytes(raw)
