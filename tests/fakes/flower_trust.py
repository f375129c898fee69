"""Folders → the certificates and keys that Flower's processes start with."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from common.certificates import create_issuing, create_root, issue_server
from common.flower_processes import LinkPlace
from common.private_files import write_private


def new_node_key(folder: Path, device: str) -> Path:
    """A new key of a node; the public half lies beside it as ``.pub``."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP384R1())
    path = folder / device
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    path.with_suffix(".pub").write_bytes(public)
    return path


def new_link_place(folder: Path, *, port: int) -> LinkPlace:
    """Where a SuperLink works that a root of its own vouches for."""
    now = datetime.now(UTC)
    root = create_root("root of the test", now=now, days=2)
    issuing = create_issuing(root, now=now, days=2)
    chain, key = issue_server(
        issuing, names=["localhost"], ips=[ip_address("127.0.0.1")], now=now, days=1
    )
    files = {"trust.pem": root.certificate_pem, "server.pem": chain, "server.key": key}
    files["task.secret"] = secrets.token_bytes(32)
    for name, content in files.items():
        write_private(folder / name, content)
    return LinkPlace(
        host="127.0.0.1",
        port=port,
        certificate=folder / "server.pem",
        key=folder / "server.key",
        authority=folder / "trust.pem",
        database=folder / "superlink.db",
        task_secret=folder / "task.secret",
    )
