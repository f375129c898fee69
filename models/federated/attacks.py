"""An honest update → what a broken or bad client sends in its place.

Faults and attacks that were measured against plain federated averaging, in the order in which
they were asked for: a diverged training, a huge step, a reversed one (Blanchard et al. 2017),
a magnified one (Bagdasaryan et al. 2020), training on swapped labels (Fung et al. 2020),
an invented number of samples, and an update of an older round.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.federated.parameters import F32

HUGE = 10.0
"""Standard deviation of the values of a huge update; weights are mostly below one."""
LIE = 1_000_000_000
"""Samples that a liar claims."""


class Attack(StrEnum):
    """What bad clients do; all of them the same in one row of the table."""

    NONE = "none"
    NOT_A_NUMBER = "nan"
    HUGE = "huge"
    SIGN_FLIPPED = "sign_flipped"
    SCALED_10 = "scaled_10"
    SCALED_100 = "scaled_100"
    LABEL_FLIPPED = "label_flipped"
    LYING_COUNT = "lying_count"
    LYING_AND_FLIPPED = "lying_count_label_flipped"
    """The two together: the most that somebody can do who keeps to plausible lengths."""
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What one client has at hand.

    Attributes:
        honest: Its update of this round, shape (n,).
        flipped: Its update after training on swapped classes, None where it never attacks.
        stale: Its update of the round before.
        samples: Images it trained on.
    """

    honest: F32
    flipped: F32 | None
    stale: F32
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What arrives from one client.

    Attributes:
        delta: Shape (n,).
        claimed_samples: Images it says it trained on.
        rounds_late: 0 when it says it started from the newest weights.
    """

    delta: F32
    claimed_samples: int
    rounds_late: int = 0


def reply_of(material: Material, attack: Attack, *, seed: int = 0) -> Reply:
    """What a client sends that does ``attack``.

    Raises:
        ValueError: It has no update of swapped classes to send.
    """
    delta, claimed, late = material.honest, material.samples, 0
    if attack is Attack.NOT_A_NUMBER:
        delta = np.full_like(material.honest, np.nan)
    elif attack is Attack.HUGE:
        noise = np.random.default_rng(seed).standard_normal(delta.size, dtype=np.float32)
        delta = HUGE * noise
    elif attack is Attack.SIGN_FLIPPED:
        delta = -material.honest
    elif attack in (Attack.SCALED_10, Attack.SCALED_100):
        delta = np.float32(10 if attack is Attack.SCALED_10 else 100) * material.honest
    elif attack in (Attack.LABEL_FLIPPED, Attack.LYING_AND_FLIPPED):
        if material.flipped is None:
            raise ValueError("no update of swapped classes, expected one of an attacker")
        delta = material.flipped
    elif attack is Attack.STALE:
        delta, late = material.stale, 1
    if attack in (Attack.LYING_COUNT, Attack.LYING_AND_FLIPPED):
        claimed = LIE
    return Reply(
        delta=np.asarray(delta, dtype=np.float32), claimed_samples=claimed, rounds_late=late
    )
