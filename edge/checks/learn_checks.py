"""The ``learn`` section of a box → what keeps it from collecting, labelling or training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from common.errors import ItsError
from common.timing import SystemClock
from edge.config import EdgeConfig
from edge.enrol.identity import Identity
from edge.health import disk_free_bytes
from edge.learn.learning import is_node_installed, open_vault
from edge.learn.readiness import judge
from edge.learn.settings import LearnSettings
from edge.learn.watching import counts
from edge.sensors import Sensors


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnLook:
    """One thing about learning.

    Attributes:
        advice: What to do, empty where nothing is to do.
        error: What is wrong so that nothing works, else None.
    """

    message: str
    advice: str = ""
    error: ItsError | None = None


def look_at_learning(config: EdgeConfig) -> Iterator[LearnLook]:
    """Vault, room, identity and programs; what the sensors say is told, not judged."""
    settings = config.learn
    if settings is None:
        return
    try:
        yield from _vault(config, settings)
        if settings.trains and config.coordinator is not None:
            yield from _training(config)
    except ItsError as error:
        yield LearnLook(message=str(error), error=error)


def _vault(config: EdgeConfig, settings: LearnSettings) -> Iterator[LearnLook]:
    if not config.learn_folder.exists():
        yield LearnLook(message=f"{config.learn_folder} is made when the agent starts")
        return
    vault = open_vault(config, settings)
    found, used = counts(vault), vault.size_bytes()
    message = f"{found.labelled} labelled pictures, {used / 1e6:.0f} of {settings.vault_mb:g} MB"
    wanted = settings.vault_bytes - used
    is_tight = disk_free_bytes(config.learn_folder) < wanted
    yield LearnLook(
        message=message,
        advice="free disk space, or lower learn.vault_mb" if is_tight else "",
    )
    reading = Sensors().read()
    checks = judge(reading, found, settings, now=SystemClock().now()).checks
    unknown = [check.name for check in checks if check.verdict == "not_known"]
    unknown = [name for name in unknown if name != "load"]  # needs two readings
    if unknown:
        waits = settings.readiness.when_unknown == "wait"
        yield LearnLook(
            message=f"this box cannot measure: {', '.join(unknown)}",
            advice="it will never train: set learn.readiness.when_unknown to go" if waits else "",
        )


def _training(config: EdgeConfig) -> Iterator[LearnLook]:
    if not is_node_installed():
        yield LearnLook(
            message="flower-supernode is not installed, so this box collects and does not train",
            advice="install the train extra, or set learn.trains to false",
        )
    if not config.identity_folder.exists():
        # A configuration is checked before it is placed, which is before the box enrols.
        yield LearnLook(
            message="not enrolled yet, so this box trains nowhere",
            advice="enrol this box with: its-camera-ai edge enroll",
        )
        return
    identity = Identity.load(config.identity_folder)
    if not identity.learning_key_file.exists():
        yield LearnLook(message="no learning key yet, the next renewal makes one")
    address = identity.about.learning
    where = f"{address.host}:{address.port}" if address else "nowhere, nobody runs rounds"
    yield LearnLook(message=f"trains at {where}")
