"""Pictures that a box may learn from ↔ a bounded folder of files that only this box opens.

The agent and the technician's import write, training reads; nothing of it ever leaves, and no
type of a message could carry it. Each sample is one file: its facts and its picture, closed one
after the other (``common.at_rest``), so that a listing need not open pictures. Layout: magic
``ITSS``, version (1 byte), key id (16), length of the facts (4, big-endian), facts, picture.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from pydantic import ValidationError

from common.at_rest import AtRestKey
from common.errors import TrustError, UnreachableError
from common.private_files import make_private_folder, write_private
from common.samples import LABELLED, LabelSource, Region, Sample, SampleBox, SampleFacts

__all__ = [
    "LABELLED",
    "LabelSource",
    "Region",
    "Sample",
    "SampleBox",
    "SampleFacts",
    "SampleVault",
]

SAMPLES_FOLDER = "samples"
"""Name of the vault's folder inside the learn folder of a box."""
LEARN_KEY_FILE = "at_rest.key"
"""Name of the key file inside the learn folder of a box."""
MOST_BYTES = 500_000_000

_MAGIC = b"ITSS\x01"
_KEY_ID_BYTES = 16
_START = len(_MAGIC) + _KEY_ID_BYTES + 4
_MOST_FACTS_BYTES = 1_000_000
_SUFFIX = ".sample"
_NAME = re.compile(r"[0-9a-f]{16}\.sample")
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.sample\.[0-9a-f]{16}")
_LOCK = ".lock"

log = structlog.get_logger(__name__)


class SampleVault:
    """Samples of one box; several processes may read, and take turns to write."""

    def __init__(self, folder: Path, key: AtRestKey, *, most_bytes: int = MOST_BYTES) -> None:
        """Open the vault; nothing is read yet, and the folder is made by the first sample.

        Args:
            folder: Becomes private (0700).
            key: Opens the files; none of another key is touched.
            most_bytes: Sum of the files' sizes.

        Raises:
            ValueError: No room for anything.
        """
        if most_bytes <= 0:
            raise ValueError(f"vault of {most_bytes} bytes, expected more than 0")
        self._folder = folder
        self._key = key
        self._most_bytes = most_bytes
        self._known: dict[str, tuple[tuple[int, int], SampleFacts]] = {}
        self._told: set[str] = set()

    def add(self, sample: Sample) -> bool:
        """Keep the sample, or replace the one with its id; less valuable ones make room.

        A camera that holds most of the vault makes room first, and what a technician labelled
        goes only when nothing else is left.

        Returns:
            False when the sample itself is what is least worth keeping.

        Raises:
            ConfigError: The folder is somebody else's.
            UnreachableError: It cannot be written.
        """
        content = self._closed(sample)
        with self._locked():
            sizes = self._sizes()
            facts = {name: known for name in sizes if (known := self._facts_of(name))}
            name = sample.id + _SUFFIX
            sizes[name], facts[name] = len(content), sample
            # Files of another key, which only the operator may delete, take no part.
            leaving = _least_valuable(facts, sizes, self._most_bytes)
            if name in leaving:
                # Its older version has no room either.
                (self._folder / name).unlink(missing_ok=True)
                return False
            for other in leaving:
                (self._folder / other).unlink(missing_ok=True)
                self._known.pop(other, None)
            write_private(self._folder / name, content)
        if leaving:
            log.info("samples_evicted", samples=len(leaving))
        return True

    def remove(self, sample_id: str) -> None:
        """Forget a sample; one that is not there is no fault."""
        (self._folder / (sample_id + _SUFFIX)).unlink(missing_ok=True)

    def facts(self) -> tuple[SampleFacts, ...]:
        """What is known of every sample, oldest first; no picture is opened."""
        found = [facts for name in self._sizes() if (facts := self._facts_of(name))]
        return tuple(sorted(found, key=lambda each: each.order))

    def read(self, sources: Collection[LabelSource] = LABELLED) -> Iterator[Sample]:
        """Samples whose labels are of these sources, oldest first, one in memory at a time."""
        for facts in self.facts():
            if facts.source in sources and (sample := self.get(facts.id)):
                yield sample

    def get(self, sample_id: str) -> Sample | None:
        """One sample, or None when it is gone or damaged."""
        name = sample_id + _SUFFIX
        try:
            content = (self._folder / name).read_bytes()
        except OSError:
            return None  # evicted by another process since it was listed
        try:
            return self._opened(name, content)
        except TrustError as error:
            self._drop(name, error)
            return None

    def count(self, sources: Collection[LabelSource] = LABELLED) -> int:
        """How many samples have labels of these sources."""
        return sum(facts.source in sources for facts in self.facts())

    def size_bytes(self) -> int:
        """Sum of the files' sizes."""
        return sum(self._sizes().values())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time; what an interrupted one left behind is swept."""
        make_private_folder(self._folder)
        try:
            descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise UnreachableError(
                f"samples in {self._folder} cannot be locked: {error.strerror}",
                hint="give the folder to the user that the agent runs as",
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            for path in self._folder.iterdir():
                if _UNFINISHED.fullmatch(path.name):
                    path.unlink(missing_ok=True)
            yield
        finally:
            os.close(descriptor)

    def _sizes(self) -> dict[str, int]:
        """Name → size of the files; the newest version's facts are read when asked for."""
        sizes = {}
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        sizes[entry.name] = entry.stat().st_size
        for name in self._known.keys() - sizes.keys():
            del self._known[name]
        return sizes

    def _facts_of(self, name: str) -> SampleFacts | None:
        """Facts of a file, out of memory while the file is the same."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                version = (status.st_ino, status.st_mtime_ns)
                known = self._known.get(name)
                if known and known[0] == version:
                    return known[1]
                start = file.read(_START)
                rest = file.read(min(int.from_bytes(start[-4:]), _MOST_FACTS_BYTES))
        except OSError:
            return None
        try:
            facts = SampleFacts.model_validate_json(self._facts_text(name, start, rest))
        except (TrustError, ValidationError) as error:
            self._drop(name, error)
            return None
        self._known[name] = (version, facts)
        return facts

    def _facts_text(self, name: str, start: bytes, rest: bytes) -> bytes:
        if len(start) < _START or not start.startswith(_MAGIC):
            raise TrustError(f"{name} does not begin as a sample")
        if start[len(_MAGIC) : -4] != self._key.key_id.encode():
            raise _OtherKeyError(f"{name} is closed with another key than {self._key.key_id}")
        return self._key.decrypt(rest, b"its/v1 sample facts\n" + name.encode())

    def _opened(self, name: str, content: bytes) -> Sample:
        start, rest = content[:_START], content[_START:]
        length = int.from_bytes(start[-4:])
        facts = self._facts_text(name, start, rest[:length])
        jpeg = self._key.decrypt(rest[length:], b"its/v1 sample picture\n" + name.encode())
        try:
            known = SampleFacts.model_validate_json(facts)
            return Sample(**known.model_dump(), jpeg=jpeg)
        except ValidationError as error:
            raise TrustError(f"{name} holds no sample of ours") from error

    def _closed(self, sample: Sample) -> bytes:
        name = (sample.id + _SUFFIX).encode()
        text = sample.model_dump_json(exclude={"jpeg"}).encode()
        facts = self._key.encrypt(text, b"its/v1 sample facts\n" + name)
        picture = self._key.encrypt(sample.jpeg, b"its/v1 sample picture\n" + name)
        return b"".join((_MAGIC, self._key.key_id.encode(), len(facts).to_bytes(4), facts, picture))

    def _drop(self, name: str, error: Exception) -> None:
        """A damaged file is no sample any more; one of another key is not ours to delete."""
        is_ours = not isinstance(error, _OtherKeyError)
        if name in self._told:
            return
        self._told.add(name)
        if is_ours:
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)
        log.warning("sample_dropped", file=name, deleted=is_ours, error=str(error).split("\n")[0])


class _OtherKeyError(TrustError):
    """Readable by whoever has that key."""


def _least_valuable(
    facts: dict[str, SampleFacts], sizes: dict[str, int], most_bytes: int
) -> set[str]:
    """Names of those that must go until the others fit."""
    leaving: set[str] = set()
    too_much = sum(sizes[name] for name in facts) - most_bytes
    while too_much > 0 and (left := facts.keys() - leaving):
        spare = {n for n in left if facts[n].source is not LabelSource.TECHNICIAN} or left
        held: dict[str, int] = {}
        for name in spare:
            held[facts[name].camera] = held.get(facts[name].camera, 0) + sizes[name]
        biggest = max(sorted(held), key=lambda camera: held[camera])
        worst = min(
            (name for name in spare if facts[name].camera == biggest),
            key=lambda name: (facts[name].value, *facts[name].order),
        )
        leaving.add(worst)
        too_much -= sizes[worst]
    return leaving
