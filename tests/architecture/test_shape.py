from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.architecture.shape_rules import (
    banned_names,
    broad_excepts,
    crowded_signatures,
    missing_docstrings,
    oversized_functions,
    oversized_modules,
    too_many_long_functions,
)
from tests.architecture.source_tree import Module, read_modules
from tests.architecture.text_rules import repository_files
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.unit

Rule = Callable[[Mapping[str, Module]], list[str]]
RULES = [
    oversized_modules,
    oversized_functions,
    too_many_long_functions,
    crowded_signatures,
    missing_docstrings,
    broad_excepts,
]


def one_module(root: Path, text: str, *, name: str = "edge/thing.py") -> Mapping[str, Module]:
    """A tree with a single module in it."""
    path = root / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return read_modules(root)


def function_of(lines: int, *, docstring: str = "") -> str:
    """Source of a function with this many lines, ``def`` included, docstring not."""
    head = ["def f():", *([f'    """{docstring}"""'] if docstring else [])]
    return "\n".join([*head, *["    x = 1"] * (lines - 1)]) + "\n"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_product_keeps_its_shape(rule: Rule) -> None:
    modules = read_modules(REPOSITORY)

    assert "common.errors" in modules
    assert rule(modules) == []


def test_no_python_file_has_a_name_that_says_nothing() -> None:
    files = [path for path in repository_files(REPOSITORY) if path.suffix == ".py"]

    assert Path("common/errors.py") in files
    assert banned_names(files) == []


@pytest.mark.parametrize(
    ("lines", "findings"),
    [
        pytest.param(300, [], id="at the cap"),
        pytest.param(301, ["edge/thing.py has 301 lines, expected at most 300"], id="above it"),
    ],
)
def test_a_module_above_the_cap_is_found(tmp_path: Path, lines: int, findings: list[str]) -> None:
    assert oversized_modules(one_module(tmp_path, "X = 1\n" * lines)) == findings


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        pytest.param(function_of(60), [], id="at the cap"),
        pytest.param(
            function_of(60, docstring="One.\n\n    Two.\n    "), [], id="docstring not counted"
        ),
        pytest.param(
            function_of(61),
            ["edge/thing.py:1 f has 61 lines, expected at most 60"],
            id="above it",
        ),
    ],
)
def test_a_function_above_the_cap_is_found(tmp_path: Path, text: str, findings: list[str]) -> None:
    assert oversized_functions(one_module(tmp_path, text)) == findings


@pytest.mark.parametrize(
    ("long", "short", "findings"),
    [
        pytest.param(1, 19, 0, id="one in twenty is a rarity"),
        pytest.param(2, 18, 2, id="two in twenty are a habit"),
    ],
)
def test_long_functions_are_named_once_they_are_a_habit(
    tmp_path: Path, long: int, short: int, findings: int
) -> None:
    modules = one_module(tmp_path, function_of(41) * long + function_of(40) * short)

    assert len(too_many_long_functions(modules)) == findings


@pytest.mark.parametrize(
    ("name", "text", "findings"),
    [
        pytest.param(
            "edge/thing.py",
            "class T:\n    def f(self, a, b, c, *, d, e): ...\n",
            0,
            id="five and self",
        ),
        pytest.param("edge/thing.py", "def f(a, b, c, *, d, e, g): ...\n", 1, id="six"),
        pytest.param("edge/thing.py", "def f(a, b, /, c, *d, e, **g): ...\n", 1, id="every kind"),
        pytest.param(
            "edge/cli.py", "def f(a, b, c, d, e, f, g): ...\n", 0, id="options of a command"
        ),
    ],
)
def test_a_crowded_signature_is_found(tmp_path: Path, name: str, text: str, findings: int) -> None:
    assert len(crowded_signatures(one_module(tmp_path, text, name=name))) == findings


def test_a_module_without_docstring_is_found(tmp_path: Path) -> None:
    assert missing_docstrings(one_module(tmp_path, "X = 1\n")) == ["edge/thing.py has no docstring"]


@pytest.mark.parametrize(
    ("name", "is_banned"),
    [
        ("edge/utils.py", True),
        ("edge/video_utils.py", True),
        ("edge/helpers/video.py", True),
        ("edge/misc.py", True),
        ("edge/common_video.py", True),
        ("tests/unit/helpers.py", True),
        ("common/errors.py", False),
        ("tests/unit/common/test_site.py", False),
        ("edge/track/tracks.py", False),
    ],
)
def test_a_name_that_says_nothing_is_found(name: str, is_banned: bool) -> None:
    assert bool(banned_names([Path(name)])) is is_banned


@pytest.mark.parametrize(
    ("name", "handler", "findings"),
    [
        ("edge/thing.py", "try: ...\nexcept Exception: ...\n", 1),
        ("edge/thing.py", "try: ...\nexcept (OSError, BaseException): ...\n", 1),
        ("edge/thing.py", "try: ...\nexcept: ...\n", 1),
        ("edge/thing.py", "import contextlib\nwith contextlib.suppress(Exception): ...\n", 1),
        ("edge/thing.py", "try: ...\nexcept (OSError, ValueError): ...\n", 0),
        ("edge/agent.py", "try: ...\nexcept Exception: ...\n", 0),
    ],
)
def test_a_broad_except_is_found(tmp_path: Path, name: str, handler: str, findings: int) -> None:
    assert len(broad_excepts(one_module(tmp_path, handler, name=name))) == findings
