"""Stored bins and incidents → what the camera's privacy settings let leave the box."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import structlog

from common.messages import CameraBin, IncidentNote
from common.site import Camera
from common.wire import ClockState, PrivacyMode
from edge.anonymise.budget import BinKey, NoiseBudget
from edge.anonymise.noise import noised
from edge.anonymise.relations import Relation, relations_of
from edge.anonymise.settings import CameraPrivacy
from edge.anonymise.wire_bins import UnsendableBinError, to_wire
from edge.anonymise.withholding import withheld
from edge.keeping.stored import StoredBin
from edge.measure.events import Incident

OnLeftOut = Callable[[StoredBin, str], None]
"""Told of a bin that cannot leave, with a short reason for the loss report."""

NOT_SENDABLE = "not_sendable"

log = structlog.get_logger(__name__)


class PrivacyEngine:
    """Decide what leaves; the same bin always comes out the same.

    Statistics mode tells bins alone: there is no field for a track, a picture, a plate or
    the moment of a single passage. On top a camera may get noise on its counts
    and have small counts withheld, in this order, so that what is withheld is decided by
    the noisy numbers and tells nothing about the true ones.
    """

    def __init__(
        self,
        settings: Mapping[str, CameraPrivacy],
        *,
        budget: NoiseBudget | None = None,
        cameras: Iterable[Camera] = (),
        on_left_out: OnLeftOut | None = None,
    ) -> None:
        """Check that every promise can be kept.

        Args:
            settings: By camera id; a camera without an entry is in statistics mode.
            budget: Needed as soon as one camera has noise.
            cameras: Their flows tell which counts add up to which; a camera that is missing
                here has its whole bin withheld when one count of it is small.
            on_left_out: Told of bins that cannot leave at all.

        Raises:
            ValueError: Noise is wanted and there is no budget.
        """
        wants_noise = sorted(id_ for id_, each in settings.items() if each.noise is not None)
        if wants_noise and budget is None:
            raise ValueError(f"cameras {wants_noise} have noise, expected a budget for it")
        self._settings = dict(settings)
        self._budget = budget
        self._relations: dict[str, tuple[Relation, ...]] = {
            camera.id: relations_of(camera) for camera in cameras
        }
        self._on_left_out = on_left_out

    def bins(
        self, stored: Iterable[StoredBin], *, clock: ClockState = ClockState.TRUSTED
    ) -> list[CameraBin]:
        """What leaves of these bins, in their order.

        A bin that the wire has no form for is left out and told to ``on_left_out``. A late part
        of a camera with noise is left out as well and only logged on the box, since its
        existence tells of a single passage. Nothing else is missing from the answer.

        Args:
            stored: Bins of any cameras.
            clock: Whether the box knew the time when it measured them.

        Raises:
            UnreachableError: The budget's file cannot be written; nothing left.
        """
        leaving = []
        for each in stored:
            try:
                bin_ = to_wire(each, mode=self._of(each.camera_id).mode, clock=clock)
            except UnsendableBinError as error:
                self._leave_out(each, str(error))
                continue
            protected = self._protected(bin_)
            if protected is None:
                # Not even the loss report may name the minute.
                log.warning("late_part_kept", camera_id=each.camera_id, row_id=each.row_id)
            else:
                leaving.append(protected)
        return leaving

    def incidents(self, camera_id: str, incidents: Iterable[Incident]) -> list[IncidentNote]:
        """Single incidents, for cameras in operational mode; others tell none.

        The track's id and where in the picture it was stay here; the moment is cut to the
        second.
        """
        if self._of(camera_id).mode is not PrivacyMode.OPERATIONAL:
            return []
        return [
            IncidentNote(
                camera=camera_id,
                section=incident.section,
                incident=incident.kind.value,
                road_user=incident.road_user.value,
                at=incident.at.replace(microsecond=0),
            )
            for incident in incidents
        ]

    def _of(self, camera_id: str) -> CameraPrivacy:
        return self._settings.get(camera_id, _DEFAULT)

    def _protected(self, bin_: CameraBin) -> CameraBin | None:
        privacy = self._of(bin_.camera)
        if privacy.noise is not None and self._budget is not None:
            if bin_.part and not bin_.frames_seen:
                # Such a part exists because one road user was decided late: that alone tells.
                return None
            key = BinKey(camera=bin_.camera, start=bin_.start, part=bin_.part)
            settings, budget = privacy.noise, self._budget
            bin_ = noised(bin_, settings, lambda ask: budget.draw(key, ask))
        if privacy.withhold_below is not None:
            bin_ = withheld(
                bin_, below=privacy.withhold_below, relations=self._relations.get(bin_.camera)
            )
        return bin_

    def _leave_out(self, stored: StoredBin, why: str) -> None:
        log.error(
            "bin_not_sendable",
            camera_id=stored.camera_id,
            row_id=stored.row_id,
            start=stored.start.isoformat(),
            error=why,
        )
        if self._on_left_out is not None:
            self._on_left_out(stored, NOT_SENDABLE)


_DEFAULT = CameraPrivacy()
