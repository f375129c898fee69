"""Why a release waits, was refused or was taken back → one short word each, for people and wire."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

UNREACHABLE: Final = "unreachable"
UNTRUSTED: Final = "untrusted"
NO_ROOT: Final = "no_root"
UNKNOWN: Final = "unknown_release"
DISK_FULL: Final = "disk_full"
UNUSABLE: Final = "unusable"
GATE_CRASHED: Final = "gate_crashed"
GATE_TOO_SLOW: Final = "gate_too_slow"
MISMATCH: Final = "mismatch"
LOW_F1: Final = "low_f1"
F1_LOSS: Final = "f1_loss"
TOO_MANY_TRIES: Final = "too_many_tries"
TOO_MANY_STARTS: Final = "too_many_starts"
CAMERA_LOST: Final = "camera_lost"
CAMERA_FAILED: Final = "camera_failed"
SLOW: Final = "slow"
MODEL_FAILED: Final = "model_failed"
DAMAGED: Final = "damaged"
BY_HAND: Final = "by_hand"

IN_WORDS: Mapping[str, str] = MappingProxyType(
    {
        UNREACHABLE: "the coordinator does not answer; tried again",
        UNTRUSTED: "a signature, version, date, length or digest does not hold",
        NO_ROOT: "the box was never told whose signatures to believe; enrol it again",
        UNKNOWN: "the signed list of releases does not hold it (yet); tried again",
        DISK_FULL: "too little room on the disk; tried again",
        UNUSABLE: "this box cannot read or run the model",
        GATE_CRASHED: "the model ended the process that looked at it",
        GATE_TOO_SLOW: "the gate did not finish in time",
        MISMATCH: "this box's engine finds other boxes than the model that was judged",
        LOW_F1: "too few road users of the calibration set are found",
        F1_LOSS: "finds less than the model in use, on the same pictures",
        TOO_MANY_TRIES: "the agent ended too often while the release was looked at",
        TOO_MANY_STARTS: "the agent began too often with it",
        CAMERA_LOST: "a camera that gave numbers before gives none",
        CAMERA_FAILED: "a camera's chain ended with errors",
        SLOW: "a camera gives less than half the frames it gave before",
        MODEL_FAILED: "the model could not be loaded",
        DAMAGED: "the files on the disk are not the ones that were verified",
        BY_HAND: "somebody asked for it on the box",
    }
)
