"""Modules → broken import rules, one line each.

The tables say who may import whom. A new package, stage or library is a new row.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from tests.architecture.source_tree import PACKAGES, Import, Module, is_within

STAGES = ("capture", "detect", "track", "measure", "anonymise", "deliver")

ALLOWED_OURS: dict[str, tuple[str, ...]] = {
    "common": ("common",),
    "edge": ("common", "edge"),
    "coordinator": ("common", "coordinator"),
    "models": ("common", "models"),
    # A stage may look upstream only.
    **{
        f"edge.{stage}": ("common", *(f"edge.{earlier}" for earlier in STAGES[: position + 1]))
        for position, stage in enumerate(STAGES)
    },
    "edge.simulate": ("common", "edge.capture", "edge.simulate"),
    "edge.enrol": ("common", "edge.enrol"),
    # Disclosure control reads the bins as the box keeps them.
    "edge.anonymise": (
        "common",
        *(f"edge.{stage}" for stage in STAGES[:5]),
        "edge.keeping.stored",
    ),
    "edge.deliver": (
        "common",
        *(f"edge.{stage}" for stage in STAGES),
        "edge.keeping",
        "edge.enrol",
    ),
    "coordinator.broker": ("common", "coordinator.broker"),
    # The heart of the product: values of earlier stages, none of their machinery.
    "edge.measure": (
        "common",
        "edge.capture.frames",
        "edge.detect.detections",
        "edge.track.tracks",
        "edge.measure",
    ),
}
"""Package → which of our packages it may import; the longest matching row counts."""

_TABLES = (
    "coordinator.database",
    "coordinator.schema",
    "coordinator.migrations.*",
    "coordinator.*tables",
    "coordinator.*store",
)
"""Where SQL lives."""

ALLOWED_HEAVY: dict[str, tuple[str, ...]] = {
    "torch": ("models.*",),
    "torchvision": ("models.*",),
    "ultralytics": ("models.*",),
    "onnx": ("models.*",),
    "matplotlib": ("models.*",),
    "scipy": ("models.*",),
    "supervision": ("models.*",),
    "trackers": ("models.*",),
    "tensorrt": ("edge.detect.tensorrt_*",),
    "tensorrt_rtx": ("edge.detect.tensorrt_*",),
    "onnxruntime": ("edge.detect.onnx_*", "models.*"),
    "lap": ("edge.track.*", "common.truth"),
    "av": ("edge.capture.*", "edge.counting.annotate"),
    "opendp": ("edge.anonymise.geometric",),
    "cryptography": ("common.*",),
    "tuf": ("common.release.*",),
    "securesystemslib": ("common.release.*",),
    "zstandard": ("common.compression",),
    "aiomqtt": ("edge.deliver.mqtt_*", "coordinator.ingest.broker_link"),
    "httpx": ("edge.enrol.client", "common.release.fetching"),
    "amqtt": ("coordinator.broker.*",),
    "fastapi": ("coordinator.*",),
    "uvicorn": ("coordinator.http_server",),
    "sqlalchemy": _TABLES,
    # A session is handed to the stores by whoever begins its transaction.
    "sqlmodel": (*_TABLES, "coordinator.dependencies", "coordinator.fleet.enrolment"),
    "alembic": ("coordinator.migrations.*", "coordinator.schema"),
    "psycopg": ("coordinator.*store",),
    "pyarrow": ("coordinator.traffic.exports.parquet",),
    "prometheus_client": ("coordinator.metrics",),
    "jinja2": ("coordinator.dashboard.*",),
    "segno": ("coordinator.fleet.*", "coordinator.security.factors"),
    "jwt": ("coordinator.security.access_tokens",),
    "pwdlib": ("coordinator.security.passwords",),
    "pyotp": ("coordinator.security.factors",),
    "cv2": (
        "edge.capture.*",
        "edge.detect.*",
        "edge.simulate.*",
        "edge.anonymise.redaction",
        "edge.anonymise.plate_pictures",
        "edge.counting.drawing",
        "edge.counting.preview",
        "edge.learn.pictures",
        "models.*",
    ),
    "dependency_injector": ("*.container",),
}
"""Heavy library → patterns of the modules that may import it."""

PURE_MODULES: dict[str, tuple[str, ...]] = {
    "common.errors": (),
    "common.ids": (),
    "common.timing": ("time",),  # the one place that asks a clock
    "common.geometry": (),
    "common.road_users": (),
    "common.security": (),
    "common.settings_files": ("pathlib", "yaml"),  # reads the one file it is about
    "common.site": ("pathlib",),
    "common.wire": (),
    "common.messages": (),
    "common.plates": (),
    "common.orders": (),
    "common.release.manifest": (),
    "common.release.reasons": (),
    "common.release_state": (),
    "common.topics": (),
    "edge.measure": (),
    # What is taken for an attack must follow from what was seen alone.
    "coordinator.security.threats.findings": (),
    "coordinator.security.threats.report_traces": (),
    "coordinator.security.threats.sign_in_traces": (),
    "coordinator.security.threats.silence": (),
    "coordinator.security.threats.token_traces": (),
    "coordinator.security.threats.update_traces": (),
    "edge.update.machine": (),
    "edge.update.record": (),
}
"""Pure module or package → what it may import beyond the standard library's calm part."""

PURE_LIBRARIES = ("numpy", "pydantic")

RESTLESS = frozenset({
    "asyncio", "http", "io", "logging", "multiprocessing", "os", "pathlib", "random", "select",
    "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile", "threading", "time",
    "urllib",
})  # fmt: skip
"""Standard modules that reach files, sockets, clocks, chance or other processes."""


def broken_arrows(modules: Mapping[str, Module]) -> list[str]:
    """Imports of our own packages that point the wrong way."""
    findings = []
    for module in modules.values():
        row = _longest_match(module.name, ALLOWED_OURS)
        for item in _ours(module, modules):
            if row and not any(is_within(item.name, ok) for ok in ALLOWED_OURS[row]):
                findings.append(
                    f"{module.path}:{item.line} imports {item.name}, {row} may import "
                    f"{', '.join(ALLOWED_OURS[row])}"
                )
    return findings


def misplaced_libraries(modules: Mapping[str, Module]) -> list[str]:
    """Heavy libraries outside their named places."""
    findings = []
    for module in modules.values():
        for item in _once(module.imports):
            places = ALLOWED_HEAVY.get(item.name)
            if places is not None and not any(fnmatchcase(module.name, place) for place in places):
                findings.append(
                    f"{module.path}:{item.line} imports {item.name}, "
                    f"which belongs to {', '.join(places)}"
                )
    return findings


def impurities(modules: Mapping[str, Module]) -> list[str]:
    """Pure modules that import or call something that is not."""
    findings = []
    for module in modules.values():
        row = _longest_match(module.name, PURE_MODULES)
        if row is None:
            continue
        extras = PURE_MODULES[row]
        for item in _once(module.imports):
            if not (item.name in extras or _is_calm(item.name)):
                findings.append(f"{module.path}:{item.line} is pure but imports {item.name}")
        for item in _ours(module, modules):
            if item.name.startswith("common.") and item.name not in PURE_MODULES:
                findings.append(f"{module.path}:{item.line} is pure but imports {item.name}")
        if "time" not in extras:
            findings += [
                f"{module.path}:{line} is pure but calls {call}" for call, line in _calls(module)
            ]
    return findings


def cycles(modules: Mapping[str, Module]) -> list[str]:
    """Groups of modules that import each other in a ring, however late the import."""
    graph = {
        name: sorted({item.name for item in _ours(module, modules)} - {name})
        for name, module in modules.items()
    }
    return [" → ".join([*ring, ring[0]]) for ring in _rings(graph)]


def _ours(module: Module, modules: Mapping[str, Module]) -> Iterator[Import]:
    """Imports of our modules; ``from a import b`` counts as ``a.b`` when that is a module."""
    by_line: dict[int, list[Import]] = {}
    for item in module.imports:
        if item.name in modules or (
            item.name in PACKAGES or any(is_within(item.name, p) for p in PACKAGES)
        ):
            by_line.setdefault(item.line, []).append(item)
    for items in by_line.values():
        known = [item for item in items if item.name in modules]
        deepest = [
            item
            for item in known
            if not any(is_within(other.name, item.name) for other in known if other != item)
        ]
        yield from deepest or items[:1]


def _once(imports: Iterable[Import]) -> Iterator[Import]:
    """One import of each library a line, by its top-level name."""
    yield from dict.fromkeys(Import(item.name.partition(".")[0], item.line) for item in imports)


def _is_calm(library: str) -> bool:
    return (
        library in PURE_LIBRARIES
        or library in PACKAGES
        or (library in sys.stdlib_module_names and library not in RESTLESS)
    )


def _calls(module: Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("open", "print", "input") or called.endswith(
                (
                    "datetime.now",
                    "datetime.utcnow",
                    "datetime.today",
                    "date.today",
                    "random.default_rng",
                )
            ):
                yield called, node.lineno


def _longest_match(name: str, table: Iterable[str]) -> str | None:
    return max((row for row in table if is_within(name, row)), key=len, default=None)


def _rings(graph: Mapping[str, list[str]]) -> list[list[str]]:
    """Strongly connected groups of two or more (Tarjan 1972), each sorted."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    rings: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for target in graph.get(name, ()):
            if target not in order:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], order[target])
        if low[name] == order[name]:
            ring = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(ring) > 1:
                rings.append(sorted(ring))

    for name in graph:
        if name not in order:
            visit(name)
    return rings
