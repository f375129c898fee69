from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

ANSIBLE = REPOSITORY / "ansible"
ROLES = sorted(path.name for path in (ANSIBLE / "roles").iterdir())
PLAYBOOKS = sorted(path.name for path in (ANSIBLE / "playbooks").iterdir())
PROGRAMS = Path(sys.executable).parent


def run(scratch: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """One of Ansible's programs in our folder, with a home of its own."""
    return subprocess.run(
        [PROGRAMS / words[0], *words[1:]],
        cwd=ANSIBLE, capture_output=True, text=True, timeout=240, check=False,
        env={**os.environ, "ANSIBLE_HOME": str(scratch), "NO_COLOR": "1",
             "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.mark.slow
def test_ansible_lint_finds_nothing_in_its_production_profile(tmp_path: Path) -> None:
    done = run(tmp_path, "ansible-lint", "--offline", "--profile", "production")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_is_well_formed(playbook: str, tmp_path: Path) -> None:
    done = run(tmp_path, "ansible-playbook", "--syntax-check", f"playbooks/{playbook}")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_every_setting_of_a_role_is_described_and_named_after_it(role: str) -> None:
    folder = ANSIBLE / "roles" / role
    defaults = yaml.safe_load((folder / "defaults/main.yml").read_text(encoding="utf-8"))
    specs = yaml.safe_load((folder / "meta/argument_specs.yml").read_text(encoding="utf-8"))

    described = specs["argument_specs"]["main"]["options"]

    optional = {name for name, option in described.items() if not option.get("required")}
    assert optional <= set(defaults) <= set(described)
    assert all(name.startswith(f"{role}_") for name in described)
    assert all(option["description"].endswith(".") for option in described.values())


@pytest.mark.parametrize("role", ROLES)
def test_a_task_that_handles_a_secret_is_not_logged(role: str) -> None:
    tasks: list[dict[str, object]] = []
    for path in (ANSIBLE / "roles" / role / "tasks").iterdir():
        tasks += flat(yaml.safe_load(path.read_text(encoding="utf-8")))

    told = [
        task["name"]
        for task in tasks
        if any(
            word in str(task) for word in ("_secrets }}", "edge_identity_token }}", "_made.stdout")
        )
        and not task.get("no_log")
    ]

    assert told == []


def flat(tasks: list[dict[str, object]]) -> list[dict[str, object]]:
    """Tasks with those inside blocks."""
    found = []
    for task in tasks:
        inner = [task[key] for key in ("block", "rescue", "always") if key in task]
        if inner:
            for part in inner:
                assert isinstance(part, list)
                found += flat(part)
        else:
            found.append(task)
    return found
