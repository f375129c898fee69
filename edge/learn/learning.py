"""Settings of a box → everything that keeps samples, labels them and trains, ready to run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from common.at_rest import AtRestKey
from common.enrolment import from_base64
from common.flower_processes import (
    NodePlace,
    flower_environment,
    supernode_command,
    trusted_entities,
)
from common.free_ports import free_port
from common.messages import LearningState
from common.private_files import make_private_folder, write_private
from common.sample_files import LEARN_KEY_FILE, SAMPLES_FOLDER, SampleVault
from common.site import Camera
from common.timing import Clock
from edge.agent import Service
from edge.config import EdgeConfig
from edge.detect.models import ModelFile
from edge.enrol.identity import Identity
from edge.enrol.identity_files import TRUST_FILE
from edge.learn.idle_teacher import IdleTeacher
from edge.learn.keeping import SampleKeeper
from edge.learn.lookers import open_lookers
from edge.learn.sampler import Chosen, Sampler
from edge.learn.selection import Quotas, Reason
from edge.learn.settings import LearnSettings
from edge.learn.supernode import NodeOrder, SuperNode
from edge.learn.watching import ReadinessWatch
from edge.sensors import Sensors

TRUSTED_FILE = "trusted.json"
"""Whose bundles the node executes, inside the bundles folder."""
BUNDLES_FOLDER = "bundles"
STATE_FOLDER = "state"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learning:
    """What runs beside the cameras, and what each camera shows its frames to."""

    services: tuple[Service, ...] = ()
    onlooker: Callable[[Camera], Sampler | None] = lambda _camera: None
    state: Callable[[], LearningState | None] = lambda: None


def open_vault(config: EdgeConfig, settings: LearnSettings) -> SampleVault:
    """The samples of this box; each thread opens its own.

    Raises:
        ConfigError: The key or the folder is not private, or damaged.
        UnreachableError: The folder cannot be written.
    """
    make_private_folder(config.learn_folder)
    key = AtRestKey.load_or_create(config.learn_folder / LEARN_KEY_FILE)
    folder = config.learn_folder / SAMPLES_FOLDER
    return SampleVault(folder, key, most_bytes=settings.vault_bytes)


def learning(config: EdgeConfig, *, clock: Clock, model: Callable[[], ModelFile]) -> Learning:
    """Put it together; nothing runs yet, and nothing at all without a ``learn`` section.

    Args:
        config: Of the box.
        clock: Of the agent.
        model: The network that counts, for the better pass.

    Raises:
        ConfigError: The key or the folder is not private, or damaged.
        UnreachableError: The learn folder cannot be written.
    """
    settings = config.learn
    if settings is None:
        return Learning()
    keeper = SampleKeeper(
        open_vault(config, settings),
        clock=clock,
        most_side_px=settings.sampling.most_side_px,
        keep_days=settings.keep_days,
    )
    watch = ReadinessWatch(config.learn_folder, open_vault(config, settings), settings, clock=clock)
    services: list[Service] = [keeper, watch]
    if settings.teaching.is_on:
        services.append(
            IdleTeacher(
                open_vault(config, settings),
                open_lookers=lambda: open_lookers(
                    model(), long_side_px=settings.teaching.long_side_px
                ),
                load=Sensors().load,
                busy_share=settings.teaching.busy_share,
                clock=clock,
            )
        )
    if settings.trains and config.coordinator is not None:
        node = supernode(config, watch)
        watch.discount(node.memory_mb)
        services.append(node)
    return Learning(
        services=tuple(services),
        onlooker=lambda camera: sampler(
            camera, settings, vault=open_vault(config, settings), take=keeper.take
        ),
        state=watch.state,
    )


def sampler(
    camera: Camera, settings: LearnSettings, *, vault: SampleVault, take: Callable[[Chosen], None]
) -> Sampler:
    """The choice of one camera, which knows what earlier runs kept."""
    zone = settings.zone
    quotas = Quotas(settings.sampling)
    codes = {reason.value: reason for reason in Reason}
    for facts in vault.facts():
        if facts.camera == camera.id:
            known = frozenset(codes[code] for code in facts.reasons if code in codes)
            quotas.note(facts.taken_at.astimezone(zone), known)
    return Sampler(
        frame_size=camera.frame_size,
        settings=settings.sampling,
        quotas=quotas,
        zone=zone,
        take=take,
    )


def supernode(config: EdgeConfig, watch: ReadinessWatch) -> SuperNode:
    """The node of this box, which trains where its identity says."""

    def may_start() -> bool:
        newest = watch.newest
        return newest is not None and newest.is_ready

    def may_go_on() -> bool:
        newest = watch.newest
        return newest is None or newest.may_go_on

    return SuperNode(order=lambda: node_order(config), may_start=may_start, may_go_on=may_go_on)


def node_order(config: EdgeConfig) -> NodeOrder | None:
    """Command line of the node, None while the coordinator trains nowhere.

    Raises:
        ConfigError: The box is not enrolled, or its identity is damaged.
        UnreachableError: The learn folder cannot be written.
    """
    identity = Identity.load(config.identity_folder)
    address = identity.about.learning
    has_all = identity.learning_key_file.exists() and is_node_installed()
    if address is None or not has_all:
        return None
    folder = config.learn_folder.resolve()
    for part in (BUNDLES_FOLDER, STATE_FOLDER, "flower"):
        make_private_folder(folder / part)
    trusted = folder / BUNDLES_FOLDER / TRUSTED_FILE
    keys = {address.release_key_id: from_base64(address.release_key)}
    write_private(trusted, trusted_entities(keys).encode())
    host = f"[{address.host}]" if ":" in address.host else address.host
    place = NodePlace(
        link=f"{host}:{address.port}",
        authority=(identity.folder / TRUST_FILE).resolve(),
        key=identity.learning_key_file.resolve(),
        trusted=trusted,
        own_port=free_port(),
        device=identity.device,
        learn_folder=folder,
    )
    environment = flower_environment(os.environ, home=folder / "flower")
    return NodeOrder(command=supernode_command(place), environment=environment)


def is_node_installed() -> bool:
    """Whether this box has what it takes to train."""
    return Path(sys.executable).with_name("flower-supernode").exists()
