"""What is known of a round and what arrived → the words in which screening decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from common.rounds import ClientOutcome, ClientVerdict, RunPlan
from models.federated.parameters import F32, Layout

ClassRise = Callable[[F32], float]
"""A delta as it would be summed → rise of the cross entropy of the classes, nats."""


class Reason(StrEnum):
    """Why an update was refused or taken with less; ``UpdateFault`` holds those of its bytes."""

    NOT_INVITED = "not_invited"
    STALE = "stale"
    OTHER_BASE = "other_base"
    ZERO = "zero"
    NO_SAMPLES = "no_samples"
    BAD_SAMPLE_COUNT = "bad_sample_count"
    CLAIMS_TOO_MANY = "claims_too_many"
    TOO_MUCH_WEIGHT = "too_much_weight"
    LONG = "long"
    CLIPPED = "clipped"
    TOO_LONG = "too_long"
    TOO_LONG_FOR_PARENT = "too_long_for_parent"
    ONE_LAYER = "one_layer"
    AGAINST_THE_OTHERS = "against_the_others"
    CONFUSES_CLASSES = "confuses_classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One client's reply, as it came.

    Attributes:
        client: The device that the transport authenticated, not what the reply calls itself.
        vector_of: Unpacks its delta, shape (layout.size,); may raise ``UpdateError``.
        claimed_samples: Images it says it trained on.
        base_digest: SHA-256 of the global vector that it says it started from.
        base_round: Round of that vector.
        data_digest: SHA-256 of the bytes that arrived; feeds the sketch's seed.
    """

    client: str
    vector_of: Callable[[], F32]
    claimed_samples: int
    base_digest: str
    base_round: int
    data_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundFacts:
    """What the server knows of a round without asking anybody.

    Attributes:
        layout: Of the run's network.
        base_round: The round whose result was sent out; 0 is the parent.
        base_digest: SHA-256 of that vector, 64 hex digits.
        base_norm: Its length; an update as long as the model itself is not learning.
        known_samples: Device → images that the coordinator knows of; who is missing here was
            not asked.
        usual_norm: Median length of the updates taken in the rounds before, None in the first.
        clip_norm: Of a private run: every delta is shortened to it, and only rules that look at
            one client alone are applied, because the noise is sized for a sum in which nobody
            decides about another.
    """

    layout: Layout
    base_round: int
    base_digest: str
    base_norm: float
    known_samples: Mapping[str, int]
    usual_norm: float | None = None
    clip_norm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What becomes of one client's update.

    Attributes:
        reasons: Codes, at least one unless it was simply accepted.
        weight: Share of the round, 0 when refused.
        scale: Its delta is multiplied by this before it is summed, 0 to 1.
        norm: Length of its delta as it arrived, None when there was nothing to measure.
        cosine: Against the median direction of the others, None when nobody to compare with.
        class_rise: Of the cross entropy of the classes on the server's pictures, nats; None when
            it was not asked.
        samples: What counts of its claim.
    """

    client: str
    verdict: ClientVerdict
    reasons: tuple[str, ...] = ()
    weight: float = 0.0
    scale: float = 1.0
    norm: float | None = None
    cosine: float | None = None
    class_rise: float | None = None
    samples: int = 0
    claimed_samples: int = 0

    @property
    def is_taken(self) -> bool:
        """It is part of the sum."""
        return self.verdict in (ClientVerdict.ACCEPTED, ClientVerdict.CAPPED)


def known_samples(plan: RunPlan) -> dict[str, int]:
    """Device → the most that its claim in a round may count, as the plan has it."""
    most = plan.local.most_samples
    return {client.device: min(client.samples, most) for client in plan.clients}


def outcome_of(
    one: Judged,
    *,
    sent_bytes: int = 0,
    train_s: float = 0.0,
    scores: Mapping[str, float] | None = None,
) -> ClientOutcome:
    """One client of a round as the ledger keeps it.

    Args:
        one: What screening said.
        sent_bytes: What arrived of it.
        train_s: What it says it took.
        scores: ``loss`` and ``map50`` as it says, where it did.
    """
    told = scores or {}
    return ClientOutcome(
        device=one.client,
        verdict=one.verdict,
        reasons=one.reasons,
        weight=one.weight,
        samples=one.samples,
        claimed_samples=one.claimed_samples,
        norm=one.norm,
        cosine=one.cosine,
        class_rise=one.class_rise,
        sent_bytes=sent_bytes,
        train_s=train_s,
        loss=told.get("loss"),
        map50=told.get("map50"),
    )


def refused(one: Judged, reason: str) -> Judged:
    """The same client, refused."""
    return replace(
        one,
        verdict=ClientVerdict.REFUSED,
        reasons=(*one.reasons, str(reason)),
        weight=0.0,
        scale=0.0,
    )


def less(one: Judged, reason: str) -> Judged:
    """The same client, taken with less than it asked for."""
    return replace(one, verdict=ClientVerdict.CAPPED, reasons=(*one.reasons, str(reason)))
