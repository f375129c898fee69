"""Command line → the offline keys of the fleet's releases, and what is signed with them.

Meant for a machine without a network: two folders travel on a stick. ``--folder`` holds the keys,
each closed with a passphrase; ``--repository`` holds what they signed and goes to the coordinator
with ``registry receive``. Root keys are only needed for init and for ``renew --root``: lock them
away after it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from common.enrolment import from_base64, to_base64
from common.errors import ConfigError, UnreachableError
from common.keys import SigningKey, VerifyingKey
from common.private_files import make_private_folder, read_private
from common.release.locked_keys import lock_key, read_locked, unlock_key
from common.release.manifest import Gate
from common.release.receiving import signature_ends
from common.release.repository import (
    TrustedKeys,
    add_release,
    begin_repository,
    metadata_versions,
    renew,
)
from models.release_making import make_release

app = typer.Typer(
    help="The offline keys of the fleet's releases: made, used, shown.", no_args_is_help=True
)

Role = Literal["root", "targets"]
KeysFolder = Annotated[Path, typer.Option("--folder", help="Folder of the keys, 0700.")]
Repository = Annotated[Path, typer.Option(help="Folder of what was signed; carry it over.")]
Passphrase = Annotated[
    Path | None, typer.Option(help="File of mode 0600 with it; asked for unless given.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

_DEFAULT = Gate()


@app.command()
def init(
    folder: KeysFolder,
    online: Annotated[Path, typer.Option(help="What registry online-keys wrote.")],
    repository: Repository,
    root_keys: Annotated[int, typer.Option(min=1, max=8, help="How many root keys.")] = 2,
    root_threshold: Annotated[
        int, typer.Option(min=1, max=8, help="So many root keys must sign a new root.")
    ] = 1,
    passphrase_file: Passphrase = None,
    as_json: JsonOption = False,
) -> None:
    """Make root and targets keys, the root that boxes will trust, and an empty list."""
    if root_threshold > root_keys:
        raise ConfigError(f"threshold {root_threshold} of {root_keys} root keys")
    snapshot, timestamp = _online(online)
    passphrase = _passphrase(passphrase_file, is_new=True)
    make_private_folder(folder)
    made = {f"root-{number}": SigningKey.generate() for number in range(1, root_keys + 1)}
    made["targets-1"] = SigningKey.generate()
    for name, key in made.items():
        role: Role = "targets" if name == "targets-1" else "root"
        lock_key(folder / f"{name}.json", key, role=role, passphrase=passphrase)
    trusted = TrustedKeys(
        root=tuple(key.public for name, key in made.items() if name.startswith("root")),
        targets=(made["targets-1"].public,),
        snapshot=snapshot,
        timestamp=timestamp,
        root_threshold=root_threshold,
    )
    begin_repository(repository, trusted, list(made.values()), now=datetime.now(UTC))
    told = {name: key.key_id for name, key in made.items()}
    if as_json:
        typer.echo(json.dumps({"keys": told, "repository": str(repository)}))
        return
    typer.echo(f"made {', '.join(told)} in {folder}; {repository} holds root.json")
    typer.echo("next: its-camera-ai registry receive, and lock the root keys away")


@app.command()
def sign(
    candidate: Annotated[Path, typer.Argument(help="Folder that a round or the bench sealed.")],
    folder: KeysFolder,
    repository: Repository,
    version: Annotated[
        str | None, typer.Option(help="As the registry calls it; default: its own.")
    ] = None,
    least_match: Annotated[float, typer.Option(min=0, max=1)] = _DEFAULT.least_match,
    least_f1: Annotated[float, typer.Option(min=0, max=1)] = _DEFAULT.least_f1,
    most_f1_loss: Annotated[float, typer.Option(min=0, max=1)] = _DEFAULT.most_f1_loss,
    frames: Annotated[int, typer.Option(min=1, max=24, help="Of the calibration set.")] = 12,
    passphrase_file: Passphrase = None,
    as_json: JsonOption = False,
) -> None:
    """Make the calibration set and the manifest of a candidate, and sign both."""
    gate = Gate(least_match=least_match, least_f1=least_f1, most_f1_loss=most_f1_loss)
    signing = _keys(folder, "targets", _passphrase(passphrase_file))
    with make_release(candidate, version=version, gate=gate, frames=frames) as release:
        listed = add_release(
            repository, release.manifest, release.files, signing, now=datetime.now(UTC)
        )
    manifest = release.manifest
    told = {
        "release": manifest.path,
        "sha256": manifest.model.sha256,
        "calibration_sha256": manifest.calibration.sha256,
        "targets_version": listed,
    }
    if as_json:
        typer.echo(json.dumps(told))
        return
    typer.echo(f"signed {manifest.name} {manifest.version} in list {listed} of {repository}")


@app.command("renew")
def renew_signatures(
    folder: KeysFolder,
    repository: Repository,
    root: Annotated[bool, typer.Option("--root", help="The root instead of the list.")] = False,
    passphrase_file: Passphrase = None,
) -> None:
    """Sign the list of releases, or the root, again before it expires."""
    role: Role = "root" if root else "targets"
    signing = _keys(folder, role, _passphrase(passphrase_file))
    version = renew(repository, role, signing, now=datetime.now(UTC))
    typer.echo(f"signed {role} {version} of {repository}")


@app.command()
def show(
    folder: KeysFolder, repository: Repository | None = None, as_json: JsonOption = False
) -> None:
    """Tell which keys lie in the folder, without opening them, and what was signed until when."""
    keys = [_told(path) for path in _files(folder)]
    signed = _signed(repository) if repository else []
    if as_json:
        typer.echo(json.dumps({"keys": keys, "signed": signed}, indent=1))
        return
    for key in keys:
        typer.echo(f"{key['file']}: {key['role']} key {key['key_id']}, public {key['public']}")
    for one in signed:
        typer.echo(f"{one['role']} {one['version']} holds until {one['expires']}")


def _signed(repository: Path) -> list[dict[str, Any]]:
    return [
        {
            "role": role,
            "version": metadata_versions(repository, role)[-1],
            "expires": expires.isoformat(),
        }
        for role, expires in signature_ends(repository).items()
    ]


def _told(path: Path) -> dict[str, str]:
    file = read_locked(path)
    return {
        "file": path.name,
        "role": file.role,
        "key_id": file.key.key_id,
        "public": to_base64(file.key.raw),
    }


def _files(folder: Path) -> list[Path]:
    files = sorted([*folder.glob("root-*.json"), *folder.glob("targets-*.json")])
    if not files:
        raise ConfigError(f"{folder} holds no keys", hint="make them with ml keys init")
    return files


def _keys(folder: Path, role: Role, passphrase: str) -> list[SigningKey]:
    """Every key of a role that lies in the folder; a spare that is elsewhere is not missed."""
    files = [path for path in _files(folder) if read_locked(path).role == role]
    if not files:
        raise ConfigError(f"{folder} holds no {role} key", hint="bring it for this command")
    return [unlock_key(path, passphrase) for path in files]


def _online(path: Path) -> tuple[VerifyingKey, VerifyingKey]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        raw = [from_base64(told[role]) for role in ("snapshot", "timestamp")]
    except OSError as error:
        raise UnreachableError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path} is not what registry online-keys writes",
            hint="on the coordinator: its-camera-ai registry online-keys --out FILE",
        ) from error
    return VerifyingKey.from_bytes(raw[0]), VerifyingKey.from_bytes(raw[1])


def _passphrase(file: Path | None, *, is_new: bool = False) -> str:
    """Never on the command line: every process of the machine reads those."""
    if file is not None:
        return read_private(file, what="passphrase file").decode("utf-8").strip("\r\n")
    text: str = typer.prompt(
        "Passphrase of the offline keys", hide_input=True, confirmation_prompt=is_new, err=True
    )
    return text
