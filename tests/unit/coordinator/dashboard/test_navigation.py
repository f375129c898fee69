"""The main navigation by role."""

from __future__ import annotations

import pytest

from common.security import Role
from coordinator.dashboard.navigation import navigation
from tests.fakes.lets_in import somebody

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        pytest.param(Role.VIEWER, ["City", "Data quality", "Boxes", "Models"], id="viewer"),
        pytest.param(
            Role.AUDITOR,
            ["City", "Data quality", "Boxes", "Rounds", "Models", "Alerts", "Audit log"],
            id="auditor",
        ),
    ],
)
def test_only_what_may_be_opened_is_shown(role: Role, labels: list[str]) -> None:
    shown = navigation(somebody(role), "/")

    assert [one.entry.label for group in shown.values() for one in group] == labels


def test_nobody_sees_nothing() -> None:
    assert navigation(None, "/") == {}


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/", "City"),
        ("/sites/elm-and-main", "City"),
        ("/fleet/main-7kq2xa", "Boxes"),
        ("/rollouts/7", "Models"),
    ],
)
def test_a_page_belongs_to_one_entry(path: str, label: str) -> None:
    shown = navigation(somebody(Role.ADMIN), path)

    current = [one.entry.label for group in shown.values() for one in group if one.is_current]
    assert current == [label]
