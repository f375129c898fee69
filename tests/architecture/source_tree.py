"""A folder of Python packages → modules with their syntax trees and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGES = ("common", "edge", "coordinator", "models")


@dataclass(frozen=True)
class Import:
    """One imported name at one place, absolute; ``from a import b`` brings ``a`` and ``a.b``."""

    name: str
    line: int


@dataclass(frozen=True)
class Module:
    """One source file.

    Attributes:
        name: Dotted name; a package's ``__init__`` has the package's name.
        path: Path relative to the root of the tree.
        text: The source.
        is_package: True for an ``__init__``.
    """

    name: str
    path: Path
    text: str
    is_package: bool

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed source."""
        return ast.parse(self.text, filename=str(self.path))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        """Every import, at any depth: inside functions and for type checkers too."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[Import]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield Import(alias.name, node.lineno)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                yield Import(base, node.lineno)
                for alias in node.names:
                    yield Import(f"{base}.{alias.name}", node.lineno)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if node.level == 0:
            return node.module or ""
        parts = self.name.split(".")
        parts = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*parts, *([node.module] if node.module else [])])


def read_modules(root: Path, packages: tuple[str, ...] = PACKAGES) -> Mapping[str, Module]:
    """Every module of ``packages`` under ``root``, by dotted name."""
    modules = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            relative = path.relative_to(root)
            is_package = path.name == "__init__.py"
            parts = relative.parent.parts if is_package else relative.with_suffix("").parts
            name = ".".join(parts)
            modules[name] = Module(name, relative, path.read_text(encoding="utf-8"), is_package)
    return modules


def is_within(name: str, package: str) -> bool:
    """True when ``name`` is ``package`` or lies below it."""
    return name == package or name.startswith(f"{package}.")
