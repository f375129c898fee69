"""A secret of the run → Gaussian noise that only its holder can make again.

The stream is SHAKE-256 over secret, run, round and a digest of what arrived, so a repeated round
gets the same noise only over the same updates. Two 32-bit words become two normal values (Box
and Muller 1958). The values are floats: the attacks on floating-point noise of Mironov (2012)
need the exact noisy sum, which is rounded to float32 here; that narrows them, it is no proof.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.errors import ConfigError
from common.private_files import create_private, read_private
from models.federated.parameters import F32

SECRET_BYTES = 32
KEY_FILE = "noise.key"

_DOMAIN = b"its/v1 update noise\n"
_BLOCK_VALUES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseKey:
    """What decides the noise of one round.

    Attributes:
        secret: ``SECRET_BYTES`` of chance that never leave the run's folder.
        run: Name of the run.
        number: Round, from 1.
        arrived_digest: Over everything that arrived, so that other updates get other noise.
    """

    secret: bytes = field(repr=False)
    run: str
    number: int
    arrived_digest: str

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"secret of {len(self.secret)} bytes, expected {SECRET_BYTES}")


def noise_secret(folder: Path) -> bytes:
    """The secret in a run's folder, made at first use, mode 0600.

    Raises:
        ConfigError: The file is open to others or not ours.
        UnreachableError: The folder cannot be written.
    """
    path = folder / KEY_FILE
    if not path.exists():
        create_private(path, secrets.token_bytes(SECRET_BYTES))
    secret = read_private(path, what="noise key")
    if len(secret) != SECRET_BYTES:
        raise ConfigError(f"noise key {path} has {len(secret)} bytes, expected {SECRET_BYTES}")
    return secret


def add_noise(update: F32, *, deviation: float, key: NoiseKey) -> None:
    """Add independent normal values to every coordinate, in place.

    Args:
        update: Shape (n,).
        deviation: Standard deviation of each.
        key: Of this round.
    """
    told = f"{key.run}\n{key.number}\n{key.arrived_digest}\n".encode()
    for start in range(0, update.size, _BLOCK_VALUES):
        place = update[start : start + _BLOCK_VALUES]
        place += deviation * _normal(_DOMAIN + key.secret + told + b"%d" % start, place.size)


def _normal(seed: bytes, count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    pairs = (count + 1) // 2
    words = np.frombuffer(hashlib.shake_256(seed).digest(16 * pairs), dtype="<u8")
    # 53 bits of each, moved off zero: a logarithm follows.
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius = np.sqrt(-2 * np.log(uniform[:pairs]))
    angle = 2 * np.pi * uniform[pairs:]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])[:count]
