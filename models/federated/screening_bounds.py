"""Lengths, layers and directions of a round's updates → bounds that a few liars cannot move.

Every bound is a median over clients. A median stays among honest values as long as fewer than
half of them lie; with up to two liars of ten it hardly moves. With few clients it is weak, so:

* the lower median is used (of two the shorter, of four the second shortest): a loud liar cannot
  raise it, a quiet one can only make everybody's step shorter;
* up to four clients, the usual length of earlier rounds votes too;
* of one or two clients nobody is refused by comparison, because nobody can say who lies: both
  are shortened to the bound, and the limits that need no others (finite, not longer than the
  model, known sample counts, at most half the weight) hold as ever;
* comparison never refuses half of a round: at most (n - 1) // 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.rounds import ScreeningSettings
from models.federated.direction_sketch import F64, Sketch, bearings

FEW_CLIENTS = 4
FEWEST_TO_COMPARE = 3
CHANCE_FACTOR = 3.0
"""A cosine within so many standard deviations of chance is no evidence against anybody."""

_MOST_OF_ONE_LAYER = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What is kept of one client's delta while a round is compared.

    Attributes:
        norm: Its length, above zero.
        layer_norms: Length of each array's part, shape (entries,).
        sketch: Its direction, shape (SKETCH_SIZE,).
    """

    norm: float
    layer_norms: F64
    sketch: Sketch


@dataclass(frozen=True, slots=True)
class LengthBounds:
    """Above the first a delta is shortened to it, above the second refused."""

    shorten_above: float
    refuse_above: float


def length_bounds(
    norms: Sequence[float], usual_norm: float | None, settings: ScreeningSettings
) -> LengthBounds:
    """Bounds from the lengths of a round, all of them finite and above zero."""
    votes = list(norms)
    if usual_norm is not None and len(norms) <= FEW_CLIENTS:
        votes.append(usual_norm)
    if not votes or (len(votes) == 1 and usual_norm is None):
        return LengthBounds(np.inf, np.inf)
    middle = _lower_median(votes)
    can_refuse = len(votes) >= FEWEST_TO_COMPARE or usual_norm is not None
    return LengthBounds(
        shorten_above=settings.norm_factor * middle,
        refuse_above=settings.refuse_factor * middle if can_refuse else np.inf,
    )


def lopsided(measured: Mapping[str, Measured], settings: ScreeningSettings) -> tuple[str, ...]:
    """Clients whose delta lies mostly in one array that moves little in everybody else's.

    A total length can be modest and still destroy a single layer. Refused is who has more than
    half of its squared length in one array, and ``refuse_factor`` times the share that the
    median client has there.
    """
    if len(measured) < FEWEST_TO_COMPARE:
        return ()
    shares = np.stack([(one.layer_norms / one.norm) ** 2 for one in measured.values()])
    usual = np.sort(shares, axis=0)[(len(shares) - 1) // 2]
    is_odd = (shares > _MOST_OF_ONE_LAYER) & (shares > settings.refuse_factor * usual)
    odd = [client for client, found in zip(measured, is_odd.any(axis=1), strict=True) if found]
    return tuple(odd) if len(odd) <= _most_refused(len(measured)) else ()


def against_the_others(
    measured: Mapping[str, Measured], settings: ScreeningSettings
) -> dict[str, tuple[float, bool]]:
    """Each client's cosine against the median direction of the others, and whether it is refused.

    Honest cameras that see different roads can have nearly orthogonal deltas: in n dimensions the
    cosine of two unrelated directions has mean 0 and standard deviation 1/sqrt(n), and n here is
    at most the sketch's size, less when few values dominate. So orthogonal is no offence. Refused
    is who is below ``least_cosine`` (-0.05: 4.5 standard deviations of a delta spread over all
    values) *and* below -3 of what chance gives for its own and the others' spread
    (``Bearing.chance``): -0.033 for that even spread, further out when few values dominate.
    Measured on updates of YOLO11n, ten clients on different cameras: honest ones lie at 0.06 to
    0.35 against nine others and above -0.03 against two; sign-flipped ones at -0.06 to -0.25. The
    worst is taken out first and the others compared again, because while it is in, it pulls the
    median towards itself.
    """
    verdicts: dict[str, tuple[float, bool]] = {}
    left = list(measured)
    most = _most_refused(len(measured)) if len(measured) >= FEWEST_TO_COMPARE else 0
    while len(left) >= 2:
        found = bearings(np.stack([measured[client].sketch for client in left]))
        verdicts |= {c: (one.cosine, False) for c, one in zip(left, found, strict=True)}
        worst = min(range(len(left)), key=lambda index: found[index].cosine)
        bound = min(settings.least_cosine, -CHANCE_FACTOR * found[worst].chance)
        if most == 0 or found[worst].cosine >= bound:
            break
        verdicts[left[worst]] = (found[worst].cosine, True)
        del left[worst]
        most -= 1
    return verdicts


def confused(rises: Mapping[str, float], settings: ScreeningSettings) -> tuple[str, ...]:
    """Clients who mix up road users far more than the base and the median client do.

    Everybody forgets a little of pictures that are not its own, so a rise is held against the
    lower median of the round where that is above zero. ln 2 = 0.69 above it halves how likely
    the right class is; whoever learned from true labels, on whatever road, does not do that.

    Args:
        rises: Client → rise of the cross entropy of the classes, nats.
        settings: ``most_confused``.
    """
    if len(rises) < FEWEST_TO_COMPARE:
        return ()
    bound = settings.most_confused + max(0.0, _lower_median(list(rises.values())))
    worst = sorted((client for client in rises if rises[client] > bound), key=rises.__getitem__)
    return tuple(worst[::-1][: _most_refused(len(rises))])


def capped_shares(shares: F64, most: float) -> F64:
    """Shares that sum to one, none above ``most``; the rest goes to the others.

    Args:
        shares: Shape (n,), not negative, sum 1 (or empty).
        most: At least 1/n.
    """
    allowed = shares.copy()
    is_capped = np.zeros(len(shares), dtype=bool)
    while (allowed > most * (1 + 1e-12)).any():
        is_capped |= allowed >= most
        allowed[is_capped] = most
        rest = shares[~is_capped].sum()
        if rest <= 0:
            break
        allowed[~is_capped] = shares[~is_capped] / rest * (1 - most * is_capped.sum())
    return allowed


def _lower_median(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


def _most_refused(clients: int) -> int:
    return (clients - 1) // 2
