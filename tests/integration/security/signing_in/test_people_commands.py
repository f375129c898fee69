"""What an operator types about people and programs, as they type it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from common.errors import ConfigError, ConflictError, NotFoundError
from coordinator.security.commands import app

pytestmark = pytest.mark.integration


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "coordinator.yaml"
    path.write_text("data_folder: data\napi: {names: [its.example], behind_proxy: true}\n")
    return path


def typed(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--config", str(config)])


def last_line(result: Result) -> str:
    return str(result.stdout.splitlines()[-1])


def test_the_first_administrator_gets_a_link_and_nobody_a_password(config: Path) -> None:
    result = typed(config, "bootstrap", "--name", "anna")

    assert result.exit_code == 0
    assert re.fullmatch(r"https://its\.example/welcome\?link=[\w-]{43}", last_line(result))
    assert "for anna, once, until" in result.stderr


def test_a_link_can_go_to_a_file_that_nobody_else_reads(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "link"
    result = typed(config, "user", "add", "anna", "--role", "viewer", "--output", str(file))

    assert last_line(result) == f"link for anna in {file}"
    assert file.read_text().startswith("https://its.example/welcome?link=")
    assert file.stat().st_mode & 0o777 == 0o600


def test_people_are_added_listed_changed_and_disabled(config: Path) -> None:
    typed(config, "user", "add", "anna", "--role", "viewer", "--role", "auditor")
    before = json.loads(typed(config, "user", "list", "--json").stdout)
    roles = typed(config, "user", "roles", "anna", "--role", "analyst")
    disabled = typed(config, "user", "disable", "anna")
    link = typed(config, "link", "--user", "anna")
    after = json.loads(typed(config, "user", "list", "--json").stdout)

    assert before == [
        {"name": "anna", "roles": "auditor viewer", "state": "invited", "signed_in_at": None}
    ]
    assert last_line(roles) == "anna is analyst"
    assert last_line(disabled) == "anna is disabled"
    assert isinstance(link.exception, ConflictError)
    assert after[0]["state"] == "disabled"


def test_links_for_strangers_are_refused(config: Path) -> None:
    assert isinstance(typed(config, "link", "--user", "nobody").exception, NotFoundError)


def test_programs_get_tokens_that_end(config: Path) -> None:
    words = ["--role", "ml_engineer", "--scope", "metrics:read", "--days", "7"]
    made = typed(config, "token", "create", "prometheus", *words)
    beyond = typed(config, "token", "create", "x2", "--role", "viewer", "--scope", "users:manage")
    before = json.loads(typed(config, "token", "list", "--json").stdout)
    typed(config, "token", "revoke", "prometheus")
    after = json.loads(typed(config, "token", "list", "--json").stdout)

    assert re.fullmatch(r"its_service_[\w-]{43}", last_line(made))
    assert isinstance(beyond.exception, ConfigError)
    assert [(row["state"], row["scopes"]) for row in before] == [("good", "metrics:read")]
    assert [row["state"] for row in after] == ["revoked"]


def test_everything_is_on_record_and_no_secret_is(config: Path) -> None:
    link = last_line(typed(config, "bootstrap")).partition("=")[2]
    token = last_line(typed(config, "token", "create", "reader", "--role", "viewer"))
    typed(config, "link", "--user", "admin")
    shown = typed(config, "audit", "show").stdout

    for words in (
        "account_added admin", "link_created admin", "purpose 'sign_in'",
        "service_token_created reader",
    ):  # fmt: skip
        assert words in shown
    assert link not in shown
    assert token not in shown
