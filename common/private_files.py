"""Secret bytes ↔ files that only their owner reads, written whole or not at all."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from common.errors import ConfigError, UnreachableError

MOST_PRIVATE_BYTES = 65_536
"""No key, token or certificate chain of ours comes near it."""

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path, *, what: str = "key file") -> bytes:
    """The content of a file that nobody else can read.

    Args:
        path: The file; a symbolic link is refused, its target's owner may be another.
        what: What people call the file.

    Raises:
        ConfigError: Missing, no plain file, too big, or open to group or others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise ConfigError(f"{what} {path} cannot be read: {error.strerror}") from error
    # Judged after it was opened: the name may point elsewhere by the time of the reading.
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(f"{what} {path} is no plain file")
        if status.st_mode & _OTHERS:
            raise ConfigError(
                f"{what} {path} has mode {stat.S_IMODE(status.st_mode):04o}, expected 0600",
                hint=f"others may have read it; if not, run: chmod 600 {path}",
            )
        if status.st_size > MOST_PRIVATE_BYTES:
            raise ConfigError(
                f"{what} {path} has {status.st_size} bytes, expected at most {MOST_PRIVATE_BYTES}"
            )
        return file.read()


def write_private(path: Path, content: bytes | memoryview) -> None:
    """Put the content in place with mode 0600; after a power cut the file is old or new.

    Raises:
        UnreachableError: The folder cannot be written.
    """
    with _written_beside(path, content) as beside:
        beside.replace(path)


def create_private(path: Path, content: bytes) -> bool:
    """The same, unless the file exists: of several processes, one wins.

    Returns:
        True when this call made the file.

    Raises:
        UnreachableError: The folder cannot be written.
    """
    with _written_beside(path, content) as beside:
        try:
            path.hardlink_to(beside)
        except FileExistsError:
            return False
        return True


def make_private_folder(path: Path) -> None:
    """Create the folder, closed to everybody else, or close it.

    Raises:
        ConfigError: It cannot be made, or belongs to somebody else.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"folder {path} cannot be made private: {error.strerror}",
            hint="give it to the user that this runs as",
        ) from error


def sync_folder(path: Path) -> None:
    """Make renames in the folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _written_beside(path: Path, content: bytes | memoryview) -> Iterator[Path]:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                # The mask of the process may have taken bits away, never added any.
                os.fchmod(descriptor, 0o600)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            yield beside
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise UnreachableError(
            f"{path} cannot be written: {error.strerror}",
            hint="give the folder to the user that this runs as, and look at the disk's space",
        ) from error


def keep_private(path: Path) -> None:
    """Make an empty file with mode 0600 where there is none, for a library that opens it next.

    SQLite gives its journal the mode of the database, so this holds for all of them. Where the
    file cannot be made, the library fails next and says so in its own words.
    """
    # Never open one that is there: closing it would drop every lock that this process holds on
    # it (POSIX), and another process would delete the journal of a database in use.
    flags = os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_RDWR
    with suppress(OSError):
        os.close(os.open(path, flags, stat.S_IRUSR | stat.S_IWUSR))
