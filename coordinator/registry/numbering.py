"""What a candidate calls itself → the version that it gets here, given once and never again."""

from __future__ import annotations

from collections.abc import Sequence

from common.errors import ConfigError, ConflictError
from common.release.manifest import is_model_version, precedence
from coordinator.registry.tables import ModelVersionRow


def free_version(wanted: str, rows: Sequence[ModelVersionRow], *, is_asked: bool) -> str:
    """A version that no row has.

    A round calls its candidate after its parent and itself (``1.0.0+night-3``); build metadata
    orders nothing (semver.org, item 10), so such a one gets the next minor version.

    Args:
        wanted: What an operator asked for, or what the candidate calls itself.
        rows: Versions that are taken.
        is_asked: An operator asked for exactly this.

    Raises:
        ConfigError: The operator asked for no semantic version.
        ConflictError: It is taken.
    """
    taken = {row.version for row in rows}
    if is_model_version(wanted) and wanted not in taken:
        return wanted
    if is_asked:
        if wanted in taken:
            raise ConflictError(
                f"model version {wanted} is taken by other files",
                hint="a version is given once: leave it out for the next free one",
            )
        raise ConfigError(f"version {wanted[:64]!r}, expected one such as 1.2.0 or 1.2.0-rc.1")
    newest = max((v for v in taken if is_model_version(v)), key=precedence, default="0.0.0")
    major, minor, _ = newest.partition("-")[0].split(".")
    return f"{major}.{int(minor) + 1}.0"
