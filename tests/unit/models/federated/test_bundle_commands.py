"""Commands around the bundle, as an engineer types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import ConfigError, TrustError
from common.keys import SigningKey
from models.federated.bundle import build_bundle, bundle_digest
from models.federated.bundle_signing import BUNDLE_FILE
from models.federated_commands import app

pytestmark = pytest.mark.unit


def said(*words: object) -> dict[str, object]:
    """What a command prints; a fault of it is raised here."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    answer: dict[str, object] = json.loads(result.stdout)
    return answer


def test_a_bundle_is_built_signed_and_verified(tmp_path: Path) -> None:
    made = said("key", "--out", tmp_path / "release.key")
    said("sign", "--key", tmp_path / "release.key", "--out", tmp_path / "bundle")

    told = said("verify", "--folder", tmp_path / "bundle", "--public-key", made["release_key"])

    assert told["key_id"] == made["release_key_id"]
    assert told["sha256"] == bundle_digest(build_bundle())
    assert told["is_of_this_release"] is True


def test_a_key_is_for_its_owner_alone_and_never_written_over(tmp_path: Path) -> None:
    said("key", "--out", tmp_path / "release.key")

    assert (tmp_path / "release.key").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="exists"):
        said("key", "--out", tmp_path / "release.key")


def test_a_bundle_that_somebody_changed_does_not_verify(tmp_path: Path) -> None:
    made = said("key", "--out", tmp_path / "release.key")
    said("sign", "--key", tmp_path / "release.key", "--out", tmp_path / "bundle")
    with (tmp_path / "bundle" / BUNDLE_FILE).open("ab") as file:
        file.write(b"more")

    with pytest.raises(TrustError, match="SHA-256"):
        said("verify", "--folder", tmp_path / "bundle", "--public-key", made["release_key"])


def test_a_bundle_of_another_fleet_does_not_verify(tmp_path: Path) -> None:
    SigningKey.generate().save(tmp_path / "other.key")
    made = said("key", "--out", tmp_path / "release.key")
    said("sign", "--key", tmp_path / "other.key", "--out", tmp_path / "bundle")

    with pytest.raises(TrustError, match="expected one of"):
        said("verify", "--folder", tmp_path / "bundle", "--public-key", made["release_key"])


def test_a_built_bundle_is_the_one_that_is_signed(tmp_path: Path) -> None:
    told = said("build", "--out", tmp_path / "federated.fab")

    assert (tmp_path / "federated.fab").read_bytes() == build_bundle()
    assert told["size_bytes"] == len(build_bundle())
