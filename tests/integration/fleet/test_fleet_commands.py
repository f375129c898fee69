"""What operators type about boxes, as they type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.enrolment import EnrolmentToken
from common.errors import ConfigError, ConflictError, NotFoundError, TrustError
from coordinator.config import load_config
from coordinator.container import coordinator_container
from coordinator.fleet.commands import app
from tests.fakes.enrolled_box import Box

pytestmark = pytest.mark.integration


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "coordinator.yaml"
    path.write_text("data_folder: data\n")
    return path


def typed(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--config", str(config)])


def enrolled(config: Path, token_file: Path) -> str:
    token = EnrolmentToken.from_text(token_file.read_text())
    container = coordinator_container(load_config(config))
    device = container.enrolment().enrol(Box.new().request(token.secret)).device
    container.database().close()
    return device


def test_a_token_goes_into_a_closed_file_and_is_not_shown(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"

    result = typed(config, "token", "create", "--site", "main", "--output", str(file))

    token = EnrolmentToken.from_text(file.read_text())
    assert result.exit_code == 0
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert token.secret not in result.output
    assert "coordinator https://127.0.0.1:8443" in result.output
    assert token.trust_fingerprint in result.output


def test_a_token_can_be_shown_as_a_qr_code(config: Path) -> None:
    result = typed(config, "token", "create", "--site", "main", "--qr")

    assert "▄▄▄▄▄" in result.output
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("its1.")]
    assert EnrolmentToken.from_text(line).secret


def test_a_box_is_listed_shown_and_retired(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    typed(config, "token", "create", "--site", "main", "--output", str(file))
    device = enrolled(config, file)

    listed = json.loads(typed(config, "list", "--json").stdout)
    tokens = json.loads(typed(config, "token", "list", "--json").stdout)
    retired = typed(config, "retire", device, "--reason", "stolen")
    shown = json.loads(typed(config, "show", device).stdout)

    assert [(row["id"], row["state"]) for row in listed] == [(device, "enrolled")]
    assert [(row["state"], row["used_by"]) for row in tokens] == [("used", device)]
    assert retired.stdout.endswith(f"{device} of site main is retired\n")
    assert (shown["state"], shown["ended_why"]) == ("retired", "stolen")
    assert isinstance(typed(config, "retire", device, "--reason", "x").exception, ConflictError)


def test_a_token_that_was_lost_is_revoked_while_nobody_used_it(
    config: Path, tmp_path: Path
) -> None:
    lost, used = tmp_path / "lost", tmp_path / "used"
    typed(config, "token", "create", "--site", "main", "--output", str(used))
    device = enrolled(config, used)
    (token,) = json.loads(typed(config, "token", "list", "--json").stdout)
    late = typed(config, "token", "revoke", token["id"])
    typed(config, "token", "create", "--site", "other", "--output", str(lost))
    (ident,) = (
        row["id"]
        for row in json.loads(typed(config, "token", "list", "--json").stdout)
        if row["state"] == "open"
    )

    told = typed(config, "token", "revoke", ident)
    again = typed(config, "token", "revoke", ident)
    unknown = typed(config, "token", "revoke", "0" * 12)

    assert "for site other lets nobody in any more" in told.stdout
    with pytest.raises(TrustError, match="expired"):
        enrolled(config, lost)
    assert isinstance(late.exception, ConflictError)
    assert f"was used by {device}" in str(late.exception)
    assert "is over" in str(again.exception)
    assert isinstance(unknown.exception, NotFoundError)


def test_a_wish_is_kept_and_shown(config: Path, tmp_path: Path) -> None:
    file, wish = tmp_path / "token", tmp_path / "wish.json"
    wish.write_text('{"cameras": [{"camera": "north"}]}')
    typed(config, "token", "create", "--site", "main", "--output", str(file))
    device = enrolled(config, file)

    told = typed(config, "twin", "set", device, "--file", str(wish))
    shown = json.loads(typed(config, "twin", "get", device).stdout)

    assert f"{device} shall run version 1" in told.stdout
    assert shown["cameras"][0]["camera"] == "north"


def test_keys_rotate(config: Path) -> None:
    before = json.loads(typed(config, "keys", "list", "--json").stdout)

    typed(config, "keys", "rotate", "--use", "opening")
    after = json.loads(typed(config, "keys", "list", "--json").stdout)

    assert len(before) == 4
    assert len(after) == 5
    assert sum(entry["ends_at"] is not None for entry in after) == 1


def test_the_issuing_certificate_is_renewed_with_the_root_key_from_its_safe(
    config: Path, tmp_path: Path
) -> None:
    typed(config, "keys", "list")  # makes the authority
    keys, safe = tmp_path / "data" / "keys", tmp_path / "safe.key"
    (keys / "root.key").rename(safe)
    container = coordinator_container(load_config(config))
    running = container.authority()
    before, ended, trusted = running.chain_pem, running.ends_at, running.trust_pem

    result = typed(config, "keys", "renew-issuing", "--root-key", str(safe))
    stranger = typed(config, "keys", "renew-issuing", "--root-key", str(keys / "issuing.key"))
    container.database().close()

    # The process that ran before has noticed.
    assert running.ends_at >= ended  # told in whole seconds
    assert running.chain_pem != before
    assert running.trust_pem == trusted
    assert f"good until {running.ends_at:%Y-%m-%d}" in result.stdout
    assert safe.exists()
    assert not (keys / "root.key").exists()
    assert "root.pem is not of the key in" in str(stranger.exception)


def test_an_issuing_certificate_that_is_gone_is_said_to_be_gone(
    config: Path, tmp_path: Path
) -> None:
    typed(config, "keys", "list")  # makes the authority
    (tmp_path / "data" / "keys" / "issuing.pem").unlink()

    result = typed(
        config, "keys", "renew-issuing", "--root-key", str(tmp_path / "data" / "keys" / "root.key")
    )

    assert isinstance(result.exception, ConfigError)
    assert "issuing.pem" in str(result.exception)


def test_a_box_that_nobody_knows_is_said_to_be_unknown(config: Path) -> None:
    assert isinstance(typed(config, "show", "main-zzzzzz").exception, NotFoundError)
