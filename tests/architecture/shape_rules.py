"""Modules → places that grew out of shape, one line each: size, names, docstrings, excepts."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from tests.architecture.source_tree import Module

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60
LONG_FUNCTION_LINES = 40
MAX_LONG_SHARE = 0.05
MAX_PARAMETERS = 5

# One parameter per command line option.
COMMAND_FILES = ("cli.py", "*_commands.py")

# The supervisor restarts what failed, whatever the failure was.
BROAD_EXCEPT_FILES = ("edge/agent.py",)

# Such names say nothing, so everything ends up there.
BANNED_NAMES = (
    "util", "utils", "*_util", "*_utils", "utils_*",
    "helper", "helpers", "*_helper", "*_helpers", "helpers_*",
    "misc", "misc_*", "*_misc", "stuff", "common_*", "*_common", "typing", "internal", "lib",
)  # fmt: skip

Function = ast.FunctionDef | ast.AsyncFunctionDef


def oversized_modules(modules: Mapping[str, Module]) -> list[str]:
    """Modules above the cap."""
    return [
        f"{module.path} has {lines} lines, expected at most {MAX_MODULE_LINES}"
        for module in modules.values()
        if (lines := len(module.text.splitlines())) > MAX_MODULE_LINES
    ]


def oversized_functions(modules: Mapping[str, Module]) -> list[str]:
    """Functions above the cap, docstring not counted."""
    return [
        f"{module.path}:{function.lineno} {function.name} has {lines} lines, "
        f"expected at most {MAX_FUNCTION_LINES}"
        for module, function in _functions(modules)
        if (lines := function_lines(function)) > MAX_FUNCTION_LINES
    ]


def too_many_long_functions(modules: Mapping[str, Module]) -> list[str]:
    """Every function above the target, once they are more than a small share of all."""
    lengths = {
        f"{module.path}:{function.lineno} {function.name}": function_lines(function)
        for module, function in _functions(modules)
    }
    long = {place: lines for place, lines in lengths.items() if lines > LONG_FUNCTION_LINES}
    if len(long) <= MAX_LONG_SHARE * len(lengths):
        return []
    return [
        f"{place} has {lines} lines, the target is {LONG_FUNCTION_LINES}"
        for place, lines in long.items()
    ]


def crowded_signatures(modules: Mapping[str, Module]) -> list[str]:
    """Functions that want a dataclass instead of so many parameters."""
    findings = []
    for module, function in _functions(modules):
        if any(fnmatchcase(module.path.name, name) for name in COMMAND_FILES):
            continue
        if (count := len(_parameters(function))) > MAX_PARAMETERS:
            findings.append(
                f"{module.path}:{function.lineno} {function.name} takes {count} parameters, "
                f"expected at most {MAX_PARAMETERS}"
            )
    return findings


def missing_docstrings(modules: Mapping[str, Module]) -> list[str]:
    """Modules that do not say what they do."""
    return [
        f"{module.path} has no docstring"
        for module in modules.values()
        if not ast.get_docstring(module.tree)
    ]


def banned_names(paths: Iterable[Path]) -> list[str]:
    """Python files and folders of them whose names say nothing."""
    findings = []
    for path in paths:
        names = [*path.parent.parts, path.stem]
        for name in names:
            if any(fnmatchcase(name, banned) for banned in BANNED_NAMES):
                findings.append(f"{path} is named {name}, expected a name that says what it holds")
    return findings


def broad_excepts(modules: Mapping[str, Module]) -> list[str]:
    """Handlers that would swallow a fault nobody thought of."""
    findings = []
    for module in modules.values():
        if module.path.as_posix() in BROAD_EXCEPT_FILES:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type):
                findings.append(f"{module.path}:{node.lineno} catches everything")
            elif (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).endswith("suppress")
                and any(_is_broad(argument) for argument in node.args)
            ):
                findings.append(f"{module.path}:{node.lineno} suppresses everything")
    return findings


def function_lines(function: Function) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def _functions(modules: Mapping[str, Module]) -> Iterator[tuple[Module, Function]]:
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield module, node


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    given += [star for star in (arguments.vararg, arguments.kwarg) if star]
    return [a.arg for a in given if a.arg not in ("self", "cls")]


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(_is_broad(each) for each in caught.elts)
    return caught is None or ast.unparse(caught) in ("Exception", "BaseException")
