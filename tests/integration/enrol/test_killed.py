"""A process that is killed while it changes an identity, again and again."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from edge.enrol.identity_files import FILES, opened

pytestmark = pytest.mark.integration

# Every generation is a number in all files; a line on stdout tells that the first is there.
CHANGER = """
import sys
from itertools import count
from pathlib import Path
from edge.enrol.identity_files import FILES, replace_files

for number in count(int(sys.argv[2])):
    replace_files(Path(sys.argv[1]), {name: str(number).encode() for name in FILES})
    print(number, flush=True)
"""


def generation(folder: Path) -> int:
    """The number that all files hold."""
    with opened(folder):
        numbers = {int((folder / name).read_text()) for name in FILES}
    assert len(numbers) == 1, f"files of several generations: {numbers}"
    return numbers.pop()


def test_a_killed_change_leaves_all_files_of_one_generation(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311 - repeatable moments
    number = 0
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", CHANGER, str(tmp_path), str(number + 1)],
            stdout=subprocess.PIPE,
            text=True,
        ) as changer:
            assert changer.stdout is not None
            told = int(changer.stdout.readline())
            try:
                changer.wait(chance.uniform(0.0, 0.05))
            except subprocess.TimeoutExpired:
                changer.kill()

        found = generation(tmp_path)

        assert found >= told
        number = found
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".next"} >= set(FILES)
