"""Command line → the training bundle: build it, sign it, check it, hand it out."""

from __future__ import annotations

import base64
import json
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from common.enrolment import from_base64
from common.errors import ConfigError, UnreachableError
from common.keys import SigningKey, VerifyingKey
from models.federated.bundle import build_bundle, bundle_digest
from models.federated.bundle_signing import read_signed, sign_bundle, verify_bundle, write_signed
from models.federated.hub_service import Hub

app = typer.Typer(
    help="The signed bundle that devices train with: two imports of what they have installed.",
    no_args_is_help=True,
)

FolderOption = Annotated[Path, typer.Option(help="Folder of the bundle and its signature.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def build(
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("federated.fab"),
    as_json: JsonOption = False,
) -> None:
    """Write the bundle without a signature, to see what is in it; the same bytes everywhere."""
    bundle = build_bundle()
    try:
        out.write_bytes(bundle)
    except OSError as error:
        raise UnreachableError(f"{out} cannot be written: {error.strerror}") from error
    told = {"file": str(out), "sha256": bundle_digest(bundle), "size_bytes": len(bundle)}
    typer.echo(json.dumps(told) if as_json else f"wrote {out}, SHA-256 {told['sha256']}")


@app.command()
def key(
    out: Annotated[Path, typer.Option(help="New file of mode 0600; keep it off the coordinator.")],
    as_json: JsonOption = False,
) -> None:
    """Make the fleet's release key, and print its public half for the configuration."""
    if out.exists():
        raise ConfigError(f"{out} exists", hint="name a new file: devices believe the old key")
    made = SigningKey.generate()
    made.save(out)
    _print_key(made.public, as_json=as_json)


@app.command()
def sign(
    key_file: Annotated[Path, typer.Option("--key", help="The fleet's release key.")],
    out: FolderOption,
    as_json: JsonOption = False,
) -> None:
    """Build and sign the bundle; print the public key that devices must trust."""
    release_key = SigningKey.load(key_file)
    bundle = build_bundle()
    write_signed(out, bundle, sign_bundle(bundle, release_key, at=datetime.now(UTC)))
    _print_key(release_key.public, as_json=as_json)


@app.command()
def verify(
    folder: FolderOption,
    public_key: Annotated[str, typer.Option(help="Public release key, base64.")],
    as_json: JsonOption = False,
) -> None:
    """Check a bundle against the release key, and that it is the one this release would build."""
    bundle, signed = read_signed(folder)
    word = verify_bundle(bundle, signed, [VerifyingKey.from_bytes(from_base64(public_key))])
    told = {
        "sha256": signed.sha256,
        "key_id": word.public_key_id,
        "signed_at": word.at.isoformat(),
        "is_of_this_release": bundle == build_bundle(),
    }
    typer.echo(
        json.dumps(told)
        if as_json
        else f"bundle {signed.sha256[:12]}… signed by {word.public_key_id} at {told['signed_at']}"
    )


@app.command()
def serve(
    folder: FolderOption,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="At 127.0.0.1; 0: any.")] = 9094,
) -> None:
    """Hand the signed bundle to the SuperLink until told to stop; no key is needed."""
    bundle, signed = read_signed(folder)
    try:
        hub = Hub(bundle, signed, port=port)
    except OSError as error:
        raise UnreachableError(
            f"port {port} of 127.0.0.1 cannot be had: {error.strerror}",
            hint="another hub runs, or choose another port",
        ) from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not from the handler: the interrupted thread may hold the event's own lock.
        signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
    serving = threading.Thread(target=hub.serve_forever, name="hub")
    serving.start()
    typer.echo(f"serving bundle {signed.sha256[:12]}… at {hub.url}")
    stop.wait()
    hub.shutdown()
    hub.server_close()
    serving.join()


def _print_key(public: VerifyingKey, *, as_json: bool) -> None:
    raw = base64.b64encode(public.raw).decode()
    told = {"release_key": raw, "release_key_id": public.key_id}
    typer.echo(json.dumps(told) if as_json else f"release_key: {raw}")
