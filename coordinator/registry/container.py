"""Settings and a database → versions of the model and their releases; a part of the container."""

from __future__ import annotations

from dependency_injector import containers, providers

from common.timing import Clock
from coordinator.config import CoordinatorConfig
from coordinator.database import Database
from coordinator.registry.artefacts import ArtefactFolder
from coordinator.registry.registry import ModelRegistry
from coordinator.registry.releases import Releases
from coordinator.rollouts.rollouts import Rollouts


def open_releases(settings: CoordinatorConfig, database: Database, clock: Clock) -> Releases:
    """The signed releases that boxes fetch."""
    return Releases(
        database,
        folder=settings.data_folder / "releases",
        keys_folder=settings.keys_folder / "releases",
        tenant=settings.tenant.id,
        clock=clock,
    )


def open_registry(settings: CoordinatorConfig, database: Database, clock: Clock) -> ModelRegistry:
    """Versions of the model."""
    artefacts = ArtefactFolder(settings.data_folder / "registry")
    return ModelRegistry(database, artefacts, tenant=settings.tenant.id, clock=clock)


class ModelsContainer(containers.DeclarativeContainer):
    """What a coordinator knows of its models."""

    settings = providers.Dependency(instance_of=CoordinatorConfig)
    clock: providers.Dependency[Clock] = providers.Dependency()
    database = providers.Dependency(instance_of=Database)
    releases = providers.ThreadSafeSingleton(open_releases, settings, database, clock)
    registry = providers.ThreadSafeSingleton(open_registry, settings, database, clock)
    rollouts = providers.ThreadSafeSingleton(
        Rollouts, database, tenant=settings.provided.tenant.id, clock=clock
    )
