"""A site → the id of a new box there, which nobody chooses and nobody guesses."""

from __future__ import annotations

import secrets

_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_RANDOM = 6
MOST_SITE_CHARACTERS = 64 - 1 - _RANDOM
"""So that the id of a box is still a slug."""


def new_device_id(site: str) -> str:
    """The site and six characters of base32 (RFC 4648), such as ``main-7kq2xa``."""
    return f"{site}-{''.join(secrets.choice(_LETTERS) for _ in range(_RANDOM))}"
