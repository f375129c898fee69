"""Updates of federated rounds that pull where the others do not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from coordinator.security.threats.findings import Severity
from coordinator.security.threats.update_traces import Update, odd_updates

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)


def update(
    device: str,
    *,
    norm: float | None = 1.0,
    number: int = 1,
    reasons: tuple[str, ...] = (),
    is_refused: bool = False,
) -> Update:
    return Update(
        run="first",
        round=number,
        device=device,
        is_refused=is_refused,
        reasons=reasons,
        norm=norm,
        at=NOW,
    )


def fleet(*norms: float) -> list[Update]:
    return [update(f"main-{n}", norm=norm) for n, norm in enumerate(norms)]


@pytest.mark.parametrize(
    ("updates", "devices"),
    [
        # Median 1.0, median deviation 0.1, so 0.148 is one robust standard deviation.
        pytest.param(fleet(0.9, 1.0, 1.1, 1.0, 1.8), [], id="five deviations"),
        pytest.param(fleet(0.9, 1.0, 1.1, 1.0, 0.9, 1.1, 2.0), ["main-6"], id="seven deviations"),
        pytest.param(fleet(1.0, 1.0, 9.0), [], id="one of three cannot be told"),
        pytest.param(fleet(1.0, 1.0, 1.0, 1.01), [], id="nearly equal ones"),
        pytest.param(fleet(1.0, 1.0, 1.0, 0.0), [], id="a short one pulls nowhere"),
    ],
)
def test_an_update_far_longer_than_the_others_is_told(
    updates: list[Update], devices: list[str]
) -> None:
    found = odd_updates(updates)

    assert [one.subject for one in found] == devices
    assert all(one.severity is Severity.LOW for one in found)


@pytest.mark.parametrize(
    ("rounds", "reason", "severities"),
    [
        (1, "against_the_others", [Severity.MEDIUM]),
        (3, "not_finite", [Severity.HIGH]),
        (3, "stale", []),
        (3, "no_samples", []),
    ],
)
def test_refusals_count_unless_a_box_was_only_late(
    rounds: int, reason: str, severities: list[Severity]
) -> None:
    updates = [
        update("main-1", number=n, is_refused=True, reasons=(reason,), norm=None)
        for n in range(rounds)
    ]

    assert [one.severity for one in odd_updates(updates)] == severities
