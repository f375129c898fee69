"""What the coordinator wants counted → a new site file on trial, kept or taken back.

The order is checked like a technician's own file. Then the site file is replaced in one step,
the old one kept beside it, and the agent starts anew. Cameras that gave numbers before must
do so after the trial, or the old file comes back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import structlog
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from common.errors import ConfigError, UnreachableError
from common.orders import DesiredConfiguration
from common.private_files import write_private
from common.site import load_site
from common.timing import Clock
from common.wire import PrivacyMode
from edge.deliver.twin_site import ModeOf, WishRefusedError, desired_site

TwinState = Literal["none", "applied", "refused", "rolled_back"]

_MOST_STARTS = 3
"""More starts than this within one trial: the agent does not survive what was wanted."""

log = structlog.get_logger(__name__)


class TwinRecord(BaseModel):
    """What is remembered over restarts.

    Attributes:
        seen: Highest version that was judged; the same or an older one is not judged again.
        version: In effect while the site file has ``digest``.
        state: What became of the last one.
        reason: Why it was refused or rolled back.
        digest: SHA-256 of the site file as it was written for ``version``.
        statistics_only: Cameras that were told to tell less than edge.yaml allows.
        is_on_trial: True until the new file has proved itself.
        starts: Of the agent, within the trial.
        healthy_before: Cameras that gave numbers before.
        before: The record to go back to.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seen: int = 0
    version: int = 0
    state: TwinState = "none"
    reason: str | None = None
    digest: str = ""
    statistics_only: tuple[str, ...] = ()
    is_on_trial: bool = False
    starts: int = 0
    healthy_before: tuple[str, ...] = ()
    before: TwinRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinBox:
    """What a configuration acts on.

    Attributes:
        record_file: Where the record is kept.
        site_file: What is replaced.
        mode_of: Privacy mode that edge.yaml gives a camera.
        healthy: Cameras that give numbers now.
        restart: Starts the agent anew, with the site file as it is then.
        wish_release: Takes note of the release that an order wants.
    """

    record_file: Path
    site_file: Path
    mode_of: ModeOf
    healthy: Callable[[], frozenset[str]]
    restart: Callable[[], None]
    wish_release: Callable[[DesiredConfiguration], None] = lambda _order: None


class Twin:
    """The box's side of desired and reported configuration."""

    def __init__(self, box: TwinBox, *, clock: Clock, trial_s: float) -> None:
        """Read what is remembered, and count this start if something is on trial.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        self._box = box
        self._clock = clock
        self._trial_s = trial_s
        self._began_s = clock.monotonic_s()
        self._record = _read(box.record_file)
        if self._record.is_on_trial:
            if self._record.digest != self._digest():
                # The power went before the site file was replaced: judge the order again.
                before = self._record.before or TwinRecord()
                self._save(before.model_copy(update={"seen": self._record.seen - 1}))
            else:
                self._save(self._record.model_copy(update={"starts": self._record.starts + 1}))

    @property
    def version(self) -> int:
        """In effect; 0 for none, also after somebody edited the site file by hand."""
        if not self._record.version or self._record.digest != self._digest():
            return 0
        return self._record.version

    @property
    def state(self) -> TwinState:
        """What became of the last order."""
        return self._record.state

    @property
    def seen(self) -> int:
        """The last order that was judged, which ``state`` is about; 0 for none."""
        return self._record.seen

    @property
    def reason(self) -> str | None:
        """Why the last order was refused or rolled back, in one word."""
        return self._record.reason

    @property
    def statistics_only(self) -> frozenset[str]:
        """Cameras that tell less than edge.yaml allows, because the coordinator wants so."""
        return frozenset(self._record.statistics_only)

    def desire(self, wanted: DesiredConfiguration) -> None:
        """Judge an order, and put it on trial when it holds.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        self._box.wish_release(wanted)
        if wanted.version <= self._record.seen:
            return
        if wanted.release is not None and not wanted.cameras:
            # Only a model is wanted: what is counted stays, and nothing starts anew for it.
            update = {"seen": wanted.version, "version": wanted.version, "state": "applied"}
            told = {**update, "reason": None, "digest": self._record.digest or self._digest()}
            self._save(self._record.model_copy(update=told))
            return
        try:
            text = self._candidate(wanted)
        except (ConfigError, OSError) as error:
            log.error("twin_refused", version=wanted.version, error=str(error))  # noqa: TRY400
            reason = _reason(error)
            update = {"seen": wanted.version, "state": "refused", "reason": reason}
            self._save(self._record.model_copy(update=update))
            return
        # Of two trials in a row, the first one's old file is the one that is known to be good.
        is_second = self._record.is_on_trial and self._record.before is not None
        before = self._record.before if is_second else self._record
        if not is_second:
            _replace(self._backup, self._box.site_file.read_bytes())
        healthy = self._record.healthy_before if is_second else sorted(self._box.healthy())
        self._save(
            TwinRecord(
                seen=wanted.version,
                version=wanted.version,
                state="applied",
                digest=hashlib.sha256(text).hexdigest(),
                statistics_only=tuple(
                    camera.camera
                    for camera in wanted.cameras
                    if camera.mode is PrivacyMode.STATISTICS
                ),
                is_on_trial=True,
                healthy_before=tuple(healthy),
                before=before,
            )
        )
        _replace(self._box.site_file, text)
        log.info("twin_applied", version=wanted.version)
        self._box.restart()

    def watch(self) -> None:
        """End a trial whose time is over, one way or the other.

        Raises:
            UnreachableError: The disk is full or failing.
        """
        record = self._record
        if not record.is_on_trial:
            return
        is_over = self._clock.monotonic_s() - self._began_s >= self._trial_s
        lost = sorted(set(record.healthy_before) - self._box.healthy())
        if record.starts > _MOST_STARTS or (is_over and lost):
            self._roll_back(lost)
        elif is_over:
            log.info("twin_confirmed", version=record.version)
            update = {"is_on_trial": False, "before": None, "healthy_before": (), "starts": 0}
            self._save(record.model_copy(update=update))

    def _roll_back(self, lost: list[str]) -> None:
        record = self._record
        log.error("twin_rolled_back", version=record.version, cameras=lost, starts=record.starts)
        before = record.before or TwinRecord()
        try:
            content = self._backup.read_bytes()
        except OSError as error:
            raise UnreachableError(
                f"site file {self._backup} cannot be read: {error.strerror}",
                hint="write the site file anew",
            ) from error
        _replace(self._box.site_file, content)
        reason = "camera_lost" if lost else "too_many_starts"
        update = {"seen": record.seen, "state": "rolled_back", "reason": reason}
        self._save(before.model_copy(update=update))
        self._box.restart()

    def _candidate(self, wanted: DesiredConfiguration) -> bytes:
        """The new site file's text, after the very reader of site files accepted it.

        Raises:
            ConfigError: It did not.
            OSError: The site file's folder cannot be written.
        """
        site_file = self._box.site_file
        content = yaml.safe_load(site_file.read_text(encoding="utf-8"))
        changed = desired_site(content, wanted, mode_of=self._box.mode_of)
        head = f"# Configuration {wanted.version} of the coordinator; before: {self._backup.name}\n"
        text = head + yaml.safe_dump(changed, sort_keys=False, allow_unicode=True)
        trial = site_file.with_name(site_file.name + ".wanted")
        trial.write_text(text, encoding="utf-8")
        try:
            load_site(trial)
        finally:
            trial.unlink()
        return text.encode()

    @property
    def _backup(self) -> Path:
        return self._box.site_file.with_name(self._box.site_file.name + ".before")

    def _digest(self) -> str:
        try:
            return hashlib.sha256(self._box.site_file.read_bytes()).hexdigest()
        except OSError:
            return ""

    def _save(self, record: TwinRecord) -> None:
        write_private(self._box.record_file, record.model_dump_json().encode())
        self._record = record


def _reason(error: ConfigError | OSError) -> str:
    if isinstance(error, WishRefusedError):
        return error.reason
    return "not_valid" if isinstance(error, ConfigError) else "unwritable"


def _read(path: Path) -> TwinRecord:
    try:
        return TwinRecord.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return TwinRecord()
    except (OSError, ValidationError) as error:
        log.error("twin_record_damaged", error_type=type(error).__name__)  # noqa: TRY400
        return TwinRecord()


def _replace(path: Path, content: bytes) -> None:
    """Replace in one step that survives a power cut, with the mode that the file has."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    write_private(path, content)
    path.chmod(mode)
