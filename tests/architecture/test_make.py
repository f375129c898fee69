from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.integration

TARGETS = ["bench", "check", "clean", "demo", "help", "setup", "test"]


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    """A folder with what make reads, and no environment yet."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copyfile(REPOSITORY / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_make_alone_lists_every_target(fresh_clone: Path) -> None:
    listed = make(fresh_clone)

    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == TARGETS


@pytest.mark.parametrize(
    ("target", "extra", "other"),
    [
        pytest.param("demo", "'.[edge,coordinator,train]'", "'.[all]'", id="the demo trains"),
        pytest.param("test", "'.[all]'", "'.[edge,coordinator]'", id="tests need everything, once"),
        pytest.param("check", "'.[all]'", "'.[edge,coordinator]'", id="so do checks"),
        pytest.param("bench", "'.[all]'", "'.[edge,coordinator]'", id="so do benchmarks"),
    ],
)
def test_a_target_sets_up_what_it_needs_and_no_more(
    fresh_clone: Path, target: str, extra: str, other: str
) -> None:
    planned = make(fresh_clone, "--dry-run", target).stdout

    assert planned.count(extra) == 1
    assert other not in planned
    assert "--constraint constraints.txt" in planned


def test_the_lite_demo_needs_no_torch(fresh_clone: Path) -> None:
    planned = make(fresh_clone, "--dry-run", "demo", "LITE=1").stdout

    assert planned.count("'.[edge,coordinator]'") == 1
    assert "train]" not in planned
    assert "demo --lite" in planned


def test_a_second_call_installs_nothing(fresh_clone: Path) -> None:
    (fresh_clone / ".venv" / "bin").mkdir(parents=True)
    for stamp in ("bin/python", ".fleet", ".learn", ".all"):
        (fresh_clone / ".venv" / stamp).touch()

    planned = make(fresh_clone, "--dry-run", "demo", "test").stdout

    assert "install" not in planned


def test_the_limit_for_coverage_holds_for_the_whole_suite_only(fresh_clone: Path) -> None:
    assert "--cov-fail-under=90" in make(fresh_clone, "--dry-run", "test").stdout

    assert (
        "--cov-fail-under" not in make(fresh_clone, "-n", "test", "PYTEST_ARGS=-k crossing").stdout
    )


def test_an_old_python_is_named_before_anything_is_installed(fresh_clone: Path) -> None:
    old = fresh_clone / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1\n')
    old.chmod(0o755)

    refused = make(fresh_clone, "demo", f"PYTHON={old}")

    assert refused.returncode == 2
    assert f"{old} is Python 3.9.2, expected Python 3.11 or newer" in refused.stderr
    assert "hint: name one, for example: make demo PYTHON=python3.11" in refused.stderr
    assert not (fresh_clone / ".venv").exists()
