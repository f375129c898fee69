"""The key of a box's federated node ↔ the files that Flower reads.

ECDSA on NIST P-256, private half in OpenSSH's own format, public half as one OpenSSH line
(RFC 5656, section 3.1): the only kind that Flower takes for a node.
"""

from __future__ import annotations

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from common.errors import ConfigError

_HINT = "delete it: the next renewal makes another"


def new_learning_key() -> bytes:
    """A new private key, as its file holds it."""
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


def learning_key_line(private: bytes) -> str:
    """The public half as enrolment tells it: ``ecdsa-sha2-nistp256 AAAA…``, no comment.

    Raises:
        ConfigError: Not a private key of this kind.
    """
    try:
        key = load_ssh_private_key(private, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError("learning key is no OpenSSH private key", hint=_HINT) from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ConfigError("learning key is of another kind, expected NIST P-256", hint=_HINT)
    line = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return line.decode("ascii")
