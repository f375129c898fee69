from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ConfigError
from edge.checks.learn_checks import look_at_learning
from edge.config import CoordinatorSettings, EdgeConfig
from edge.learn.settings import LearnSettings

pytestmark = pytest.mark.unit


@pytest.fixture
def config(tmp_path: Path) -> EdgeConfig:
    return EdgeConfig(
        site_file=tmp_path / "site.yaml",
        data_folder=tmp_path / "data",
        coordinator=CoordinatorSettings(),
        learn=LearnSettings(),
    )


def test_a_box_that_is_not_enrolled_yet_is_advised_and_not_failed(config: EdgeConfig) -> None:
    looks = list(look_at_learning(config))

    assert all(look.error is None for look in looks)
    assert looks[-1].message == "not enrolled yet, so this box trains nowhere"
    assert "edge enroll" in looks[-1].advice


def test_an_identity_that_is_damaged_fails(config: EdgeConfig) -> None:
    config.identity_folder.mkdir(parents=True)

    looks = list(look_at_learning(config))

    assert isinstance(looks[-1].error, ConfigError)
