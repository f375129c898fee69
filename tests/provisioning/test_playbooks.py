from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPOSITORY

pytestmark = [pytest.mark.integration]

ANSIBLE = REPOSITORY / "ansible"
PROGRAMS = Path(sys.executable).parent
PLAYBOOKS = sorted(path.stem for path in (ANSIBLE / "playbooks").glob("*.yml"))
ROLES = sorted(path for path in (ANSIBLE / "roles").iterdir() if path.is_dir())
LOOK = ANSIBLE / "roles/program/files/what_is_missing.py"


def in_ansible(*words: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAMS / words[0], *words[1:]],
        cwd=ANSIBLE, capture_output=True, text=True, timeout=280, check=False,
        env={**os.environ, "ANSIBLE_HOME": str(home), "ANSIBLE_NOCOLOR": "1", "NO_COLOR": "1",
             "PATH": f"{PROGRAMS}:{os.environ['PATH']}"},
    )  # fmt: skip


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_reads_with_the_example_inventory(playbook: str, tmp_path: Path) -> None:
    told = in_ansible(
        "ansible-playbook", f"playbooks/{playbook}.yml", "--syntax-check", home=tmp_path
    )

    assert told.returncode == 0, told.stderr


@pytest.mark.slow
def test_the_roles_hold_the_production_profile(tmp_path: Path) -> None:
    told = in_ansible("ansible-lint", home=tmp_path)

    assert told.returncode == 0, told.stdout + told.stderr
    assert "Profile 'production' was required, and it passed" in told.stdout + told.stderr


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_every_setting_of_a_role_is_described_and_named_after_it(role: Path) -> None:
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text(encoding="utf-8"))
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))

    described = specs["argument_specs"]["main"]["options"]

    optional = {name for name, option in described.items() if not option.get("required")}
    assert optional <= set(defaults) <= set(described)
    assert all(name.startswith(f"{role.name}_") for name in described)
    assert all(option["description"].endswith(".") for option in described.values())


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_task_that_handles_a_secret_is_not_logged(role: Path) -> None:
    tasks: list[dict[str, object]] = []
    for path in (role / "tasks").iterdir():
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


@pytest.mark.parametrize(
    ("pin", "extras", "alone", "missing"),
    [
        pytest.param("numpy=={numpy}", "edge", "", "", id="everything is there"),
        pytest.param("", "edge", "yamllint", "", id="and a package of its own"),
        pytest.param("numpy==0.0.1", "edge", "", "numpy==0.0.1", id="another version is pinned"),
        pytest.param("django==0.0.1", "edge", "", "", id="a pin of what nobody asks for"),
        pytest.param("", "edge", "no-such-thing", "no-such-thing", id="a package is absent"),
    ],
)
def test_what_is_missing_is_told(
    pin: str, extras: str, alone: str, missing: str, tmp_path: Path
) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text(f"# pins\n{pin.format(numpy=version('numpy'))}\n", encoding="utf-8")

    told = subprocess.run(
        [sys.executable, "-c", LOOK.read_text(encoding="utf-8"), version("its-camera-ai"), pins,
         extras, alone],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert told.returncode == (1 if missing else 0), told.stderr
    assert told.stderr.strip() == (f"missing: {missing}" if missing else "")


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
