"""Where a Flower process works → its command line, environment and files, the same on both ends.

Flower 1.41 is started, never imported, here. Its defaults are not ours: it reports usage,
looks for updates, installs what a bundle asks for, and knows a public hub. Everything below
switches that off; a test with the real processes watches their sockets.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FLOWER_VERSION = "1.41.0"
"""Signed bundles lean on a seam of this version that Flower does not document."""
PUBLISHER, APP_NAME, APP_VERSION = "its", "federated", "1.0.0"
APP = f"@{PUBLISHER}/{APP_NAME}"
CONNECTION = "its"
"""The only connection in the private ``config.toml``."""
RUN_KEY = "run"
"""The one value that ``flwr run`` carries: which folder below ``RUNS_VARIABLE`` to work in."""
RUNS_VARIABLE = "ITS_FEDERATION_RUNS"
"""Environment of ``flower-superexec`` beside the SuperLink: the folder above all runs."""
NODES_FILE = "nodes.json"
"""In the folder of a run: {Flower's node id as text: device}, from the keys registered."""
HUB_PREFIX = "/v1"
HUB_PATH = f"{HUB_PREFIX}/hub/fetch-fab"
RESTART_DELAY_S = 15.0
"""Flower refuses the key of a killed node for about 60 s; shorter delays only make noise."""
LEARN_FOLDER_KEY, DEVICE_KEY = "learn-folder", "device"
"""What a SuperNode is told about its box (``--node-config``)."""

# Nobody listens on the discard port of the machine itself (RFC 863).
_NOWHERE = "127.0.0.1:9"
SILENT = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "FLWR_TRACING_ENABLED": "0",
    "FLWR_SUPERGRID_ADDRESS": _NOWHERE,
    "RAY_USAGE_STATS_ENABLED": "0",
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
}
"""No usage reports, no look for updates, nothing installed; read by Flower when it is imported."""
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "ftp_proxy"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPlace:
    """Where a SuperLink listens and works.

    Attributes:
        host: Address to listen on; the certificate names it.
        authority: PEM of who issued ``certificate``, also what clients check it with.
        database: SQLite file; without one a restart forgets every run.
        task_secret: File (0600, raw bytes) shared with ``flower-superexec``: who has it may
            take tasks.
    """

    host: str
    port: int
    certificate: Path
    key: Path
    authority: Path
    database: Path
    task_secret: Path

    @property
    def address(self) -> str:
        """Host and port as Flower writes them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlace:
    """Where a SuperNode works, and for whom.

    Attributes:
        link: ``host:port`` of the SuperLink or of the proxy before it.
        authority: PEM that its certificate is checked with.
        key: The node's own key: OpenSSH private key on a NIST curve, 0600.
        trusted: File made with ``trusted_entities``; empty or absent would trust everybody.
        own_port: Free port on 127.0.0.1 for the node's own processes.
        learn_folder: Samples, state and readiness of this box.
    """

    link: str
    authority: Path
    key: Path
    trusted: Path
    own_port: int
    device: str
    learn_folder: Path


def flower_environment(
    base: Mapping[str, str], *, home: Path, hub_url: str = "", runs: Path | None = None
) -> dict[str, str]:
    """Environment of every Flower process.

    Args:
        base: The environment to start from; proxies and foreign Flower settings are dropped.
        home: Private folder for Flower's own files (``FLWR_HOME``).
        hub_url: ``http://127.0.0.1:PORT/v1`` of our own hub, for the SuperLink alone; empty
            means an address where nobody answers.
        runs: Folder above the run folders, for the SuperExec beside the SuperLink alone.
    """
    kept = {
        name: value
        for name, value in base.items()
        if name.lower() not in _PROXIES and not name.startswith("FLWR_")
    }
    programs = str(Path(sys.executable).parent)
    environment = kept | SILENT
    environment["PATH"] = f"{programs}:{kept.get('PATH', '/usr/bin:/bin')}"
    environment["FLWR_HOME"] = str(home)
    environment["FLWR_SUPERGRID_API_URL"] = hub_url or f"http://{_NOWHERE}{HUB_PREFIX}"
    if runs is not None:
        environment[RUNS_VARIABLE] = str(runs)
    return environment


def superlink_command(place: LinkPlace) -> list[str]:
    """``flower-superlink``: TLS, node keys, state on disk, server apps in other processes."""
    return [
        _program("flower-superlink"),
        *("--host", place.host, "--port", str(place.port)),
        *("--ssl-ca-certfile", str(place.authority)),
        *("--ssl-certfile", str(place.certificate), "--ssl-keyfile", str(place.key)),
        "--enable-supernode-auth",
        *("--database", str(place.database)),
        *("--isolation", "process"),
        *("--superexec-auth-secret-file", str(place.task_secret)),
        "--disable-runtime-dependency-installation",
    ]


def superexec_command(place: LinkPlace) -> list[str]:
    """``flower-superexec`` beside a SuperLink: a run outlives a restart of the SuperLink."""
    return [
        _program("flower-superexec"),
        *("--runtime-api-address", place.address),
        *("--root-certificates", str(place.authority)),
        *("--superexec-auth-secret-file", str(place.task_secret)),
    ]


def supernode_command(place: NodePlace) -> list[str]:
    """``flower-supernode``: own key, signed bundles alone, its processes end with it.

    Raises:
        ValueError: A quote in the name of the device or folder.
    """
    told = {DEVICE_KEY: place.device, LEARN_FOLDER_KEY: str(place.learn_folder)}
    for name, value in told.items():
        if any(mark in value for mark in "\"'\\\n"):
            raise ValueError(f"{name} {value!r} with a quote, Flower cannot carry it")
    return [
        _program("flower-supernode"),
        *("--superlink", place.link),
        *("--root-certificates", str(place.authority)),
        *("--auth-supernode-private-key", str(place.key)),
        *("--host", "127.0.0.1", "--port", str(place.own_port)),
        *("--isolation", "subprocess"),
        *("--trusted-entities", str(place.trusted)),
        *("--node-config", " ".join(f'{name}="{value}"' for name, value in told.items())),
    ]


def run_command(run: str, *, app: str = f"{APP}=={APP_VERSION}") -> list[str]:
    """``flwr run``: prints JSON with ``run-id`` and returns at once.

    Args:
        run: Name of the run folder, a slug.
        app: The bundle as the hub knows it; a folder instead starts an unsigned one, which
            nodes refuse.
    """
    return _flwr("run", app, CONNECTION, "--run-config", f'{RUN_KEY}="{run}"')


def list_runs_command(flower_run: int | None = None) -> list[str]:
    """``flwr list``: JSON, ``runs[0].status`` such as ``running`` or ``finished:failed``."""
    one = () if flower_run is None else ("--run-id", str(flower_run))
    return _flwr("list", CONNECTION, *one)


def stop_run_command(flower_run: int) -> list[str]:
    """``flwr stop``."""
    return _flwr("stop", str(flower_run), CONNECTION)


def register_node_command(public_key: Path, *, name: str) -> list[str]:
    """``flwr supernode register``: prints JSON with ``node-id``.

    Args:
        public_key: File with the OpenSSH line of the node's key.
        name: The device.
    """
    return _flwr("supernode", "register", str(public_key), CONNECTION, "--name", name)


def unregister_node_command(node_id: int) -> list[str]:
    """``flwr supernode unregister``: the key is refused from then on."""
    return _flwr("supernode", "unregister", str(node_id), CONNECTION)


def list_nodes_command() -> list[str]:
    """``flwr supernode list``: JSON, ``nodes[].node-id`` and ``.status``."""
    return _flwr("supernode", "list", CONNECTION)


def connection_file(place: LinkPlace) -> str:
    """Text of ``config.toml`` in ``FLWR_HOME``: where the ``flwr`` commands find the SuperLink."""
    return (
        f"[superlink]\ndefault = {json.dumps(CONNECTION)}\n\n[superlink.{CONNECTION}]\n"
        f"address = {json.dumps(place.address)}\n"
        f"root-certificates = {json.dumps(str(place.authority))}\n"
    )


def trusted_entities(keys: Mapping[str, bytes]) -> str:
    """Text of the file of ``--trusted-entities``: whose bundles a node executes.

    Args:
        keys: Key id → raw Ed25519 public key, 32 bytes.

    Raises:
        ValueError: No key, which Flower takes for "trust everybody", or one of wrong length.
    """
    if not keys:
        raise ValueError("no trusted key, expected at least one")
    # JSON is YAML with its quotes on: an id of digits alone would become a number.
    return json.dumps({name: openssh_key(raw) for name, raw in keys.items()}, indent=1) + "\n"


def openssh_key(raw: bytes) -> str:
    """An Ed25519 public key as OpenSSH writes it (RFC 8709, section 4).

    Raises:
        ValueError: Not 32 bytes.
    """
    if len(raw) != 32:
        raise ValueError(f"key of {len(raw)} bytes, expected 32 of Ed25519")
    kind = b"ssh-ed25519"
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in (kind, raw))
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"


def _flwr(*words: str) -> list[str]:
    return [_program("flwr"), *words, "--format", "json"]


def _program(name: str) -> str:
    # Of our own environment: another Flower in PATH may have other switches.
    return str(Path(sys.executable).parent / name)
