"""A path → the coordinator's data folder, made where it is missing."""

from __future__ import annotations

from pathlib import Path

from common.errors import UnreachableError


def make_data_folder(folder: Path) -> None:
    """Make the folder; others may pass through it to the broker's files, not list it.

    Raises:
        UnreachableError: It cannot be made.
    """
    try:
        folder.mkdir(mode=0o751, parents=True, exist_ok=True)
    except OSError as error:
        raise UnreachableError(
            f"data folder {folder} cannot be made: {error.strerror}",
            hint="give it to the user that the coordinator runs as",
        ) from error
