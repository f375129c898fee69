"""A finished candidate and where it came from → a folder that a registry can take as it is.

Beside the weights lie ``metrics.json``, ``verdict.json`` and ``lineage.json``; the lineage
names every file with its checksum, so that whoever takes the folder later can see that
nothing in it was changed or left out.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path

from common.errors import ConfigError, ConflictError
from common.release.candidate import LINEAGE_FILE, Lineage, TrainedOn, read_entry
from common.rounds import Anchoring, ParentModel, RunPlan

WEIGHTS = (".pt", ".onnx")
_PACKAGES = ("common", "edge", "models")


def code_version() -> str:
    """Release and source digest of what runs here: ``0.1.0+src.3f2a…``."""
    return f"{installed_version('its-camera-ai')}+src.{source_digest()[:12]}"


@cache
def source_digest(*packages: str) -> str:
    """SHA-256 over our Python files.

    Args:
        packages: Names of packages; all that decide what is learned, scored or counted unless
            given.
    """
    digest = hashlib.sha256()
    for package in packages or _PACKAGES:
        spec = find_spec(package)
        for root in sorted(spec.submodule_search_locations or ()) if spec else ():
            for path in sorted(Path(root).rglob("*.py")):
                digest.update(f"{package}/{path.relative_to(root)}".encode())
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def data_statement(plan: RunPlan) -> str:
    """What a run learns from, as a sentence for the model card."""
    images = sum(client.samples for client in plan.clients)
    anchor = "no anchor" if plan.anchor.kind is Anchoring.NONE else f"anchor {plan.anchor.kind}"
    noise = "no noise" if plan.privacy is None else f"epsilon at most {plan.privacy.most_epsilon:g}"
    return (
        f"{images} images of {len(plan.clients)} devices, which stayed there, at most "
        f"{plan.local.most_samples} of each a round; {plan.strategy}, {anchor}, {noise}"
    )


def parent_facts(parent: ParentModel) -> dict[str, str]:
    """The three fields of a lineage that name its parent."""
    return {
        "parent_name": parent.name,
        "parent_version": parent.version,
        "parent_sha256": parent.sha256,
    }


def seal_entry(folder: Path, lineage: Lineage) -> Lineage:
    """Write ``lineage.json`` over everything that lies in the folder now.

    Returns:
        The lineage with the checksums.

    Raises:
        ConfigError: The folder holds no weights.
    """
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != LINEAGE_FILE and not path.name.startswith(".")
    }
    if not any(name.endswith(WEIGHTS) for name in files):
        raise ConfigError(f"candidate folder {folder} holds {sorted(files)}, expected weights")
    sealed = lineage.model_copy(update={"files": files})
    beside = folder / f".{LINEAGE_FILE}"
    beside.write_text(sealed.model_dump_json(indent=1) + "\n", encoding="utf-8")
    beside.replace(folder / LINEAGE_FILE)
    return sealed


def file_entry(folder: Path, registry: Path) -> Path:
    """Copy a sealed candidate to ``registry/<name>/<version>``, whole or not at all.

    Returns:
        Where it lies now; filing the same candidate again changes nothing.

    Raises:
        ConflictError: Another candidate lies there.
        TrustError: A file of the candidate is not the one that was written.
    """
    lineage = read_entry(folder)
    target = registry / lineage.name / lineage.model_version
    if target.exists():
        if read_entry(target).files != lineage.files:
            raise ConflictError(
                f"{lineage.name} {lineage.model_version} is filed already with other files",
                hint="give the candidate another version",
            )
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    for name in (*lineage.files, LINEAGE_FILE):
        shutil.copyfile(folder / name, beside / name)
    beside.rename(target)
    return target


def trained_on(plan: RunPlan, taken: Sequence[tuple[str, ...]]) -> tuple[TrainedOn, ...]:
    """Each planned device with the number of rounds that took its update.

    Args:
        plan: The run.
        taken: For each finished round the devices whose update was accepted or capped.
    """
    return tuple(
        TrainedOn(
            device=client.device,
            samples=client.samples,
            rounds=sum(client.device in devices for devices in taken),
        )
        for client in plan.clients
    )
