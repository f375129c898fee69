"""A coordinator's container → boxes that could train, and a model to start from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from common.rounds import ParentModel
from coordinator.container import CoordinatorContainer
from tests.fakes.enrolled_box import Box
from tests.fakes.flower_trainer import NAME, parent_vector


def learning_key() -> str:
    """Public half of a new node key, as an OpenSSH line."""
    public = ec.generate_private_key(ec.SECP384R1()).public_key()
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def enrol_box(container: CoordinatorContainer, *, key: str | None = "new") -> str:
    """Let a box in; gives its id. ``key`` None: it cannot train."""
    secret = container.tokens().create("main", hours=24, replaces=None).token.secret
    told = learning_key() if key == "new" else key
    request = Box.new().request(secret).model_copy(update={"learning_key": told})
    device: str = container.enrolment().enrol(request).device
    return device


def synthetic_parent(folder: Path) -> ParentModel:
    """The parent of the synthetic trainer, as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{NAME}-1.0.0.pt"
    with file.open("wb") as written:
        np.save(written, parent_vector(), allow_pickle=False)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return ParentModel(name=NAME, version="1.0.0", sha256=digest, file=file)
