"""Counts → counts with two-sided geometric noise, drawn by OpenDP; its only importer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any


class GeometricMechanism:
    """The integer twin of Laplace noise: P(z) is proportional to exp(-|z| / scale).

    Ghosh, Roughgarden and Sundararajan, *Universally utility-maximizing privacy mechanisms*
    (2009); sampled exactly, without floating-point tails, after Canonne, Kamath and Steinke,
    *The discrete Gaussian for differential privacy* (2020).
    """

    def __init__(self, *, epsilon: float, sensitivity: int) -> None:
        """Prepare noise of scale ``sensitivity / epsilon`` for every count.

        Args:
            epsilon: Wanted privacy loss, above zero.
            sensitivity: By how much one road user changes all counts together (L1).

        Raises:
            ValueError: One of them is not above zero.
        """
        if not (epsilon > 0 and sensitivity > 0):
            raise ValueError(f"epsilon {epsilon}, sensitivity {sensitivity}, expected above zero")
        self._measurement = _measurement(sensitivity / epsilon)
        # What the library proves, rounded against us; this is what the budget is charged.
        self.epsilon = float(self._measurement.map(sensitivity))

    def add(self, counts: Sequence[int]) -> tuple[int, ...]:
        """The counts with fresh noise from the system's randomness; some may be below zero."""
        return tuple(self._measurement(list(counts)))


@lru_cache(maxsize=64)
def _measurement(scale: float) -> Any:
    import opendp.prelude as dp  # noqa: PLC0415 - a second to load, and few boxes use noise

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64")
    return dp.m.make_geometric(*space, scale=scale)
