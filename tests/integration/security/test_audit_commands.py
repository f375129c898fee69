"""What an auditor types about the log, as they type it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.errors import ConflictError, TrustError
from coordinator.fleet.commands import app as fleet_app
from coordinator.security.commands import app
from tests.fakes.audit_log import filled, tampering

pytestmark = pytest.mark.integration

COUNT = 100_000


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "coordinator.yaml"
    path.write_text("data_folder: data\n")
    for site in ("main", "elm", "oak"):
        words = ["token", "create", "--site", site, "--config", str(path)]
        assert CliRunner().invoke(fleet_app, words).exit_code == 0
    return path


def typed(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["audit", *words, "--config", str(config)])


def database_of(config: Path) -> Path:
    return config.parent / "data" / "coordinator.sqlite"


def test_an_intact_log_is_said_to_hold(config: Path) -> None:
    before = typed(config, "verify")
    signed = typed(config, "checkpoint")
    after = typed(config, "verify")

    assert (before.exit_code, after.exit_code) == (0, 0)
    assert "city: 3 entries hold" in before.stdout
    assert "a log that was cut off would not be noticed" in before.stdout
    assert "city: signed up to entry 3" in signed.stdout
    assert "1 checkpoints met" in after.stdout


def test_an_edit_is_named_and_fails(config: Path) -> None:
    with tampering(database_of(config)) as connection:
        connection.execute("UPDATE audit_entry SET subject = 'elk' WHERE number = 2")

    result = typed(config, "verify")
    as_json = json.loads(typed(config, "verify", "--json").stdout)

    assert isinstance(result.exception, TrustError)
    assert result.exception.exit_code == 4
    assert "entry 2 of the audit log of 'city' does not hold" in str(result.exception)
    assert [(fault["tenant"], fault["number"]) for fault in as_json["faults"]] == [("city", 2)]


def test_a_kept_copy_shows_that_the_log_was_cut_off(config: Path, tmp_path: Path) -> None:
    copy = tmp_path / "kept.jsonl"
    typed(config, "checkpoint", "--output", str(copy))
    with tampering(database_of(config)) as connection:
        connection.execute("DELETE FROM audit_entry WHERE number = 3")
        connection.execute(
            "UPDATE audit_head SET number = 2, "
            "digest = (SELECT digest FROM audit_entry WHERE number = 2)"
        )
    (config.parent / "data" / "audit" / "checkpoints.jsonl").unlink()

    alone = typed(config, "verify")
    with_copy = typed(config, "verify", "--checkpoint", str(copy))

    assert alone.exit_code == 0
    assert isinstance(with_copy.exception, TrustError)
    assert "entry 3 of the audit log of 'city' does not hold: it is missing" in str(
        with_copy.exception
    )


def test_nothing_is_signed_over_a_log_that_was_changed(config: Path) -> None:
    typed(config, "checkpoint")
    with tampering(database_of(config)) as connection:
        connection.execute("UPDATE audit_entry SET subject = 'elk' WHERE number = 3")
    CliRunner().invoke(fleet_app, ["token", "create", "--site", "ash", "--config", str(config)])
    with tampering(database_of(config)) as connection:
        connection.execute("UPDATE audit_entry SET subject = 'elk' WHERE number = 4")

    result = typed(config, "checkpoint")

    assert isinstance(result.exception, TrustError)
    assert "entry 4" in str(result.exception)


def test_the_key_is_closed_to_others_and_the_file_tells_no_secret(config: Path) -> None:
    typed(config, "checkpoint")
    data = config.parent / "data"

    assert oct((data / "keys" / "audit.key").stat().st_mode & 0o777) == "0o600"
    assert "PRIVATE" not in (data / "audit" / "checkpoints.jsonl").read_text()


def test_entries_are_shown_with_who_and_what(config: Path) -> None:
    shown = typed(config, "show", "--last", "1")
    rows = json.loads(typed(config, "show", "--json").stdout)

    assert "token_created oak" in shown.stdout
    assert len(shown.stdout.splitlines()) == 1
    assert [row["subject"] for row in rows] == ["main", "elm", "oak"]


def test_looking_at_the_log_makes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "coordinator.yaml"
    config.write_text("data_folder: data\n")
    (tmp_path / "data").mkdir()

    result = typed(config, "verify")

    assert isinstance(result.exception, ConflictError)
    assert not (tmp_path / "data" / "keys").exists()


def test_one_flipped_bit_in_a_file_of_a_hundred_thousand_entries_is_located(
    tmp_path: Path,
) -> None:
    config, file = tmp_path / "coordinator.yaml", tmp_path / "its.db"
    config.write_text(f"data_folder: data\ndatabase: sqlite:///{file}\n")
    filled(file, count=COUNT)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert typed(config, "verify").exit_code == 0
    content = bytearray(file.read_bytes())
    assert content.count(b"main-061803") == 1
    content[content.index(b"main-061803") + 4] ^= 1  # "-" becomes ","
    file.write_bytes(content)

    result = typed(config, "verify")

    assert "city: 61,802 entries hold" in result.stdout
    assert str(result.exception) == (
        "entry 61803 of the audit log of 'city' does not hold: "
        "its digest does not match what it says"
    )
