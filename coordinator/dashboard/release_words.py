"""The code that a box gives for its release → the reason in words; see ``edge.update.reasons``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from coordinator.dashboard.filters import words

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "unreachable": "the coordinator did not answer; it is tried again",
        "untrusted": "a signature, version, date, length or digest does not hold",
        "no_root": "the box was never told whose signatures to believe; enrol it again",
        "unknown_release": "the signed list of releases does not hold it; it is tried again",
        "disk_full": "too little room on the disk; it is tried again",
        "unusable": "the box cannot read or run the model",
        "gate_crashed": "the model ended the process that looked at it",
        "gate_too_slow": "the gate did not finish in time",
        "mismatch": "the box's engine finds other road users than the model that was judged",
        "low_f1": "too few road users of the calibration pictures are found",
        "f1_loss": "it finds less than the model in use, on the same pictures",
        "too_many_tries": "the agent ended too often while the release was looked at",
        "too_many_starts": "the agent started too often with it",
        "camera_lost": "a camera that gave numbers before gave none",
        "camera_failed": "a camera's chain ended with errors",
        "slow": "a camera gave less than half the frames it gave before",
        "model_failed": "the model could not be loaded",
        "damaged": "the files on the disk are not the ones that were verified",
        "by_hand": "somebody asked for it on the box",
    }
)


def release_reason(code: str) -> str:
    """What a code means; one that is not known yet as it is written."""
    return _REASONS.get(code, words(code).lower())
