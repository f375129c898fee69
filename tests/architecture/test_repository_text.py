from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.architecture.text_rules import foreign_words, repository_files
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.unit


def test_the_repository_speaks_of_the_product_alone() -> None:
    files = repository_files(REPOSITORY)

    assert Path("README.md") in files
    assert foreign_words(REPOSITORY, files) == []


@pytest.mark.parametrize(
    "line",
    [
        "see /wo" + "rk/main/common",
        "index-url = https://py" + "pi.org/simple",
        "resolved https://registry.npm" + "js.org/x",
        "done by the help" + "er session",
        "comes with the next iss" + "ue",
        "fixes iss" + "ue #12",
    ],
)
def test_a_foreign_word_is_found(tmp_path: Path, line: str) -> None:
    (tmp_path / "notes.md").write_text(f"first line\n{line}\n")

    (found,) = foreign_words(tmp_path, [Path("notes.md")])

    assert found.startswith("notes.md:2 says ")


def test_words_of_the_product_and_binary_files_pass(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("a session of onnxruntime; roadwork/mainline; an issue\n")
    (tmp_path / "b.bin").write_bytes(b"\0\1 /wo" + b"rk/main")

    assert foreign_words(tmp_path, [Path("a.md"), Path("b.bin")]) == []


def test_files_that_git_ignores_or_lost_are_not_the_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    for name in ("kept.py", "lost.py", "ignored.log"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".gitignore").write_text("*.log\n")
    subprocess.run(["git", "add", "lost.py"], cwd=tmp_path, check=True)
    (tmp_path / "lost.py").unlink()

    assert repository_files(tmp_path) == [Path(".gitignore"), Path("kept.py")]


def test_an_unpacked_archive_is_listed_without_what_tools_generate(tmp_path: Path) -> None:
    for name in ("edge/cli.py", ".ci/run", ".venv/bin/python", "edge/__pycache__/cli.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()

    assert repository_files(tmp_path) == [Path(".ci/run"), Path("edge/cli.py")]
