"""Updates that arrived → which of them count, how much, and why: before anything is summed.

What one update says about itself is checked first: is it an update of this network and this
round, from somebody who was asked, finite, and not nothing. Then updates are compared with each
other (``screening_bounds``): length against the median length, single layers against the same
layer of the others, direction against the median direction. What is left is asked about the
server's own pictures (``class_probe``). Weights come from sample counts that the coordinator knew
before; a claim can only lower them.

Memory does not grow with models: of each client a sketch of 8009 values and one length per layer
are kept. Nothing here trusts that lengths, claims or values were made by our own code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from common.rounds import ClientVerdict, ScreeningSettings
from models.federated.codec import UpdateError, UpdateFault
from models.federated.direction_sketch import F64, sketch
from models.federated.parameters import F32, Layout
from models.federated.screening_bounds import (
    Measured,
    against_the_others,
    capped_shares,
    confused,
    length_bounds,
    lopsided,
)
from models.federated.verdicts import Arrived, ClassRise, Judged, Reason, RoundFacts, less, refused

__all__ = ["Arrived", "Judged", "Reason", "RoundFacts", "screen"]

MOST_CLAIMED = 10**12
MOST_TOLD = 1000.0
"""Nats; a rise without end, or of a base that answers nothing, is written down as this."""

_BLOCK_VALUES = 65_536


def screen(
    arrived: Sequence[Arrived],
    *,
    facts: RoundFacts,
    settings: ScreeningSettings,
    class_rise: ClassRise | None = None,
) -> tuple[Judged, ...]:
    """Judge every update of a round.

    With ``settings.is_on`` false only what cannot be summed at all is refused, and claims are
    believed: what a plain weighted mean does, to be compared with.

    Args:
        arrived: What came, at most one of each client.
        facts: What the server knows of the round.
        settings: Bounds.
        class_rise: Asks a delta about the server's pictures, where it has any.

    Returns:
        One for each that arrived, in the order of client names; weights of those taken sum to 1
        (under ``clip_norm`` each has 1/arrived instead).

    Raises:
        ValueError: A client is there twice.
    """
    ordered = sorted(arrived, key=lambda one: one.client)
    if len({one.client for one in ordered}) != len(ordered):
        raise ValueError("a client is there twice, expected one update of each")
    seed = _seed_of(ordered, facts)
    judged: dict[str, Judged] = {}
    measured: dict[str, Measured] = {}
    for one in ordered:
        found = _looked_at(one, facts, settings, seed)
        judged[one.client] = found[0]
        if found[1] is not None:
            measured[one.client] = found[1]
    if settings.is_on and facts.clip_norm is None:
        _compare(judged, measured, facts, settings)
        if class_rise is not None:
            _ask(ordered, judged, settings, class_rise)
    _weigh(judged, facts, settings)
    return tuple(judged[one.client] for one in ordered)


def _seed_of(arrived: Sequence[Arrived], facts: RoundFacts) -> int:
    told = [facts.base_digest, *(f"{one.client}:{one.data_digest}" for one in arrived)]
    return int.from_bytes(hashlib.sha256("\n".join(told).encode()).digest()[:16], "big")


def _looked_at(
    one: Arrived, facts: RoundFacts, settings: ScreeningSettings, seed: int
) -> tuple[Judged, Measured | None]:
    """What an update says about itself, and its measures when it may be compared."""
    claimed = one.claimed_samples
    is_count = type(claimed) is int and 0 <= claimed <= MOST_CLAIMED
    counted = claimed if is_count else 0
    accepted = Judged(
        client=one.client,
        verdict=ClientVerdict.ACCEPTED,
        claimed_samples=counted,
        samples=counted,
    )
    if settings.is_on and (fault := _formal_fault(one, facts, is_count=is_count)):
        return refused(accepted, fault), None
    try:
        vector = one.vector_of()
    except UpdateError as error:
        return refused(accepted, error.reason), None
    if vector.shape != (facts.layout.size,) or vector.dtype != np.float32:
        return refused(accepted, UpdateFault.OTHER_LAYOUT), None
    if not settings.is_on and facts.clip_norm is None:
        return accepted, None
    if settings.is_on and counted > facts.known_samples[one.client]:
        accepted = replace(accepted, samples=facts.known_samples[one.client])
        accepted = less(accepted, Reason.CLAIMS_TOO_MANY)
    return _measured(accepted, vector, facts, seed)


def _measured(
    accepted: Judged, vector: F32, facts: RoundFacts, seed: int
) -> tuple[Judged, Measured | None]:
    lengths = _layer_lengths(vector, facts.layout)
    norm = float(np.linalg.norm(lengths))
    if not np.isfinite(norm):
        return refused(accepted, UpdateFault.NOT_FINITE), None
    accepted = replace(accepted, norm=norm)
    if norm == 0:
        return refused(accepted, Reason.ZERO), None
    if facts.clip_norm is not None:
        return _clipped(accepted, norm, facts.clip_norm), None
    if norm > facts.base_norm:
        return refused(accepted, Reason.TOO_LONG_FOR_PARENT), None
    return accepted, Measured(norm=norm, layer_norms=lengths, sketch=sketch(vector, seed))


def _formal_fault(one: Arrived, facts: RoundFacts, *, is_count: bool) -> Reason | None:
    if one.client not in facts.known_samples:
        return Reason.NOT_INVITED
    if one.base_round != facts.base_round:
        return Reason.STALE
    if one.base_digest != facts.base_digest:
        return Reason.OTHER_BASE
    if not is_count:
        return Reason.BAD_SAMPLE_COUNT
    if min(one.claimed_samples, facts.known_samples[one.client]) == 0:
        return Reason.NO_SAMPLES
    return None


def _layer_lengths(vector: F32, layout: Layout) -> F64:
    """Length of each array's part, shape (entries,); not finite where a value is not."""
    squares = np.empty(len(layout.entries))
    with np.errstate(invalid="ignore", over="ignore"):
        for index, entry in enumerate(layout.entries):
            squares[index] = sum(
                _squared_length(vector[start : min(start + _BLOCK_VALUES, entry.place.stop)])
                for start in range(entry.offset, entry.place.stop, _BLOCK_VALUES)
            )
    return np.sqrt(squares)


def _squared_length(piece: F32) -> float:
    wide = piece.astype(np.float64)
    return float(wide @ wide)


def _compare(
    judged: dict[str, Judged],
    measured: dict[str, Measured],
    facts: RoundFacts,
    settings: ScreeningSettings,
) -> None:
    """Length, layers and direction of each against the others; refused ones leave the next step."""
    bounds = length_bounds([one.norm for one in measured.values()], facts.usual_norm, settings)
    for client, one in list(measured.items()):
        if one.norm > bounds.refuse_above:
            judged[client] = refused(judged[client], Reason.TOO_LONG)
            del measured[client]
        elif one.norm > bounds.shorten_above:
            shorter = replace(judged[client], scale=bounds.shorten_above / one.norm)
            judged[client] = less(shorter, Reason.LONG)
    for client in lopsided(measured, settings):
        judged[client] = refused(judged[client], Reason.ONE_LAYER)
        del measured[client]
    for client, (cosine, is_against) in against_the_others(measured, settings).items():
        judged[client] = replace(judged[client], cosine=cosine)
        if is_against:
            judged[client] = refused(judged[client], Reason.AGAINST_THE_OTHERS)


def _ask(
    arrived: Sequence[Arrived],
    judged: dict[str, Judged],
    settings: ScreeningSettings,
    class_rise: ClassRise,
) -> None:
    """What is left is asked for classes; last, because it costs a pass through the network."""
    rises: dict[str, float] = {}
    for one in arrived:
        if judged[one.client].is_taken:
            delta = one.vector_of() * np.float32(judged[one.client].scale)
            rise = float(np.nan_to_num(class_rise(delta), nan=MOST_TOLD, posinf=MOST_TOLD))
            rise = min(max(rise, -MOST_TOLD), MOST_TOLD)
            rises[one.client] = rise
            judged[one.client] = replace(judged[one.client], class_rise=rise)
    for client in confused(rises, settings):
        judged[client] = refused(judged[client], Reason.CONFUSES_CLASSES)


def _weigh(judged: dict[str, Judged], facts: RoundFacts, settings: ScreeningSettings) -> None:
    taken = [client for client, one in judged.items() if one.is_taken]
    if facts.clip_norm is not None:
        for client in taken:
            judged[client] = replace(judged[client], weight=1 / len(judged))
        return
    samples = np.array([judged[client].samples for client in taken], dtype=np.float64)
    if not samples.any():
        samples[:] = 1
    shares = samples / samples.sum() if taken else samples
    most = max(settings.most_share, 1 / max(1, len(taken))) if settings.is_on else 1.0
    allowed = capped_shares(shares, most)
    for client, share, wanted in zip(taken, allowed, shares, strict=True):
        judged[client] = replace(judged[client], weight=min(1.0, float(share)))
        if share < wanted:
            judged[client] = less(judged[client], Reason.TOO_MUCH_WEIGHT)


def _clipped(one: Judged, norm: float, clip_norm: float) -> Judged:
    if norm <= clip_norm:
        return one
    # Scaled in float32 later: a hair below, so that rounding never leaves the bound.
    return less(replace(one, scale=clip_norm / norm * (1 - 1e-6)), Reason.CLIPPED)
