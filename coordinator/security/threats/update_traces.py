"""Updates of federated rounds → boxes that pull the model where the others do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from coordinator.security.threats.findings import (
    DEFAULT_LIMITS,
    Finding,
    Limits,
    Severity,
    ThreatKind,
    named,
)

_LEAST_CLIENTS = 4
"""Among three, the odd one out cannot be told from the two others."""

_DEVIATIONS_PER_MAD = 1.4826
"""Median absolute deviation → standard deviation, of a normal distribution."""

_LEAST_SPREAD = 0.05
"""Of the median: updates of nearly equal length make no outlier of a hair's breadth."""

_HARMLESS = frozenset({"no_answer", "no_samples", "not_invited", "other_base", "stale", "zero"})
"""Refused because a box came late or had nothing, not because of what it sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """One box in one finished round.

    Attributes:
        is_refused: Screening threw it away, for one of ``reasons``.
        norm: Length of its delta as it arrived; None when there was none.
    """

    run: str
    round: int
    device: str
    is_refused: bool
    reasons: Sequence[str]
    norm: float | None
    at: datetime


def odd_updates(updates: Iterable[Update], *, limits: Limits = DEFAULT_LIMITS) -> list[Finding]:
    """Boxes whose updates were refused, or were far longer than those beside them."""
    rounds: dict[tuple[str, int], list[Update]] = defaultdict(list)
    for update in updates:
        rounds[(update.run, update.round)].append(update)
    odd: dict[str, list[tuple[Update, float]]] = defaultdict(list)
    for group in rounds.values():
        for update in group:
            deviations = _deviations(update, group)
            if _is_suspicious(update) or deviations > limits.outlier_deviations:
                odd[update.device].append((update, deviations))
    return [_finding(device, found, limits) for device, found in odd.items()]


def _is_suspicious(update: Update) -> bool:
    return update.is_refused and not _HARMLESS.issuperset(update.reasons)


def _deviations(update: Update, group: Sequence[Update]) -> float:
    """How many robust standard deviations an update is longer than the usual one."""
    norms = [one.norm for one in group if one.norm is not None]
    if update.norm is None or len(norms) < _LEAST_CLIENTS:
        return 0.0
    middle = median(norms)
    spread = median(abs(norm - middle) for norm in norms) * _DEVIATIONS_PER_MAD
    least = max(middle * _LEAST_SPREAD, 1e-12)
    return (update.norm - middle) / max(spread, least)


def _finding(device: str, odd: Sequence[tuple[Update, float]], limits: Limits) -> Finding:
    refused = [update for update, _ in odd if _is_suspicious(update)]
    longest = max(deviations for _, deviations in odd)
    reasons = {reason for update in refused for reason in update.reasons}
    if len(refused) >= limits.refused_rounds:
        severity = Severity.HIGH
    else:
        severity = Severity.MEDIUM if refused else Severity.LOW
    told = (
        f"{len(refused)} updates of {device} were refused ({', '.join(named(reasons))})"
        if refused
        else f"an update of {device} was {longest:.1f} robust standard deviations longer than "
        f"the usual one, expected at most {limits.outlier_deviations:g}"
    )
    return Finding(
        kind=ThreatKind.UPDATE_OUTLIER,
        subject=device,
        severity=severity,
        summary=told,
        first_at=min(update.at for update, _ in odd),
        last_at=max(update.at for update, _ in odd),
        evidence={
            "rounds": named(f"{update.run} round {update.round}" for update, _ in odd),
            "refused": len(refused),
            "reasons": named(reasons),
            "deviations": round(longest, 2),
        },
    )
