"""What came with the program, and signatures that grow old → known, and signed again in time."""

from __future__ import annotations

from coordinator.registry.packaged import packaged_folder, packaged_models
from coordinator.registry.registry import ModelRegistry
from coordinator.registry.releases import Releases


def keep_releases(registry: ModelRegistry, releases: Releases) -> None:
    """One look, from time to time.

    Raises:
        ItsError: The database is away, or a folder cannot be read or written.
    """
    for model in packaged_models(packaged_folder()):
        registry.add_packaged(model)
    releases.refresh()
