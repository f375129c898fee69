"""What the agent found about its box ↔ a small file that training asks before it begins.

The agent looks at temperature, power, load, samples and hours; training, another process,
only reads. What is old was written by an agent that does not run any more.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, ValidationError

from common.errors import NotFoundError
from common.private_files import write_private
from common.wire import Code, Message

READINESS_FILE = "readiness.json"
"""Inside the learn folder of a box."""
FRESH_FOR = timedelta(minutes=10)
_SLOW_CLOCK = timedelta(minutes=1)


class ReadinessCheck(Message):
    """One value against its limit.

    Attributes:
        value: As measured, None when it is not known.
        limit: As set.
    """

    name: Code
    value: float | str | bool | None
    limit: float | str | bool
    unit: str = ""
    verdict: Literal["ok", "not_met", "not_known"]


class ReadinessNote(Message):
    """Whether a box may train now.

    Attributes:
        reasons: Checks that keep it from training, such as ``temperature`` or ``window``.
        samples: Labelled pictures in its vault.
        checks: Everything that was looked at.
    """

    checked_at: AwareDatetime
    is_ready: bool
    reasons: Annotated[tuple[Code, ...], Field(max_length=16)] = ()
    samples: Annotated[int, Field(ge=0)] = 0
    checks: Annotated[tuple[ReadinessCheck, ...], Field(max_length=16)] = ()

    def is_fresh(self, now: datetime) -> bool:
        """The agent that wrote it still runs."""
        return -_SLOW_CLOCK <= now - self.checked_at <= FRESH_FOR


def write_readiness(learn_folder: Path, note: ReadinessNote) -> None:
    """Put the note in place.

    Raises:
        UnreachableError: The folder cannot be written.
    """
    write_private(learn_folder / READINESS_FILE, note.model_dump_json(indent=1).encode())


def read_readiness(learn_folder: Path) -> ReadinessNote:
    """The note as it was last written.

    Raises:
        NotFoundError: None there, or not one of ours.
    """
    path = learn_folder / READINESS_FILE
    try:
        return ReadinessNote.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise NotFoundError(
            f"no readiness of this box in {learn_folder}", hint="start the agent of the box"
        ) from error
