"""Packages of the npm registry → the few files of them that pages load, checked and committed.

Run by hand when a version changes: ``python -m coordinator.dashboard.vendoring fetch`` asks the
registry that npm is set up for and refuses an archive whose integrity is not the one written
down; ``check`` compares the files with the list and needs no network. Running the coordinator
needs neither.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ItsError, TrustError, UnreachableError
from coordinator.dashboard.assets import STATIC_FOLDER

VENDOR_FOLDER = STATIC_FOLDER / "vendor"
LIST_NAME = "vendor.json"

_MOST_FILE_BYTES = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One line of the list.

    Attributes:
        name: In the registry; also the folder.
        version: Exactly.
        licence: SPDX name.
        integrity: Of the archive, as npm writes it: ``sha512-…``.
        files: File in our folder → file in the archive.
        sha256: File in our folder → digest of what is there.
    """

    name: str
    version: str
    licence: str
    integrity: str
    files: Mapping[str, str]
    sha256: Mapping[str, str]


def read_list(folder: Path = VENDOR_FOLDER) -> list[Package]:
    """What is vendored, as it is written down."""
    told: Any = json.loads((folder / LIST_NAME).read_text(encoding="utf-8"))
    return [Package(**package) for package in told["packages"]]


def wrong_files(folder: Path = VENDOR_FOLDER) -> list[str]:
    """Files that are missing, changed or on no list, one sentence each."""
    findings = []
    known = {LIST_NAME}
    for package in read_list(folder):
        for name in package.files:
            path = folder / package.name / name
            known.add(f"{package.name}/{name}")
            if not path.is_file():
                findings.append(f"{package.name}/{name} is missing")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != package.sha256.get(name):
                findings.append(f"{package.name}/{name} is not what was fetched")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.relative_to(folder).as_posix() not in known:
            findings.append(f"{path.relative_to(folder).as_posix()} is on no list")
    return findings


def files_of(archive: bytes, package: Package) -> dict[str, bytes]:
    """File in our folder → content, from an archive that is what was written down.

    Raises:
        TrustError: The archive is another one, or lacks a file.
    """
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != package.integrity:
        raise TrustError(
            f"{package.name} {package.version} has integrity {found}, expected {package.integrity}",
            hint="the registry gave another archive; find out why before you write it down",
        )
    contents = {}
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        for name, inside in package.files.items():
            try:
                member = tar.extractfile(f"package/{inside}")
            except KeyError:
                member = None
            if member is None:
                raise TrustError(f"{package.name} {package.version} has no file {inside!r}")
            contents[name] = member.read(_MOST_FILE_BYTES)
    return contents


def fetch(folder: Path = VENDOR_FOLDER) -> None:
    """Fetch every package of the list anew and write its files and their digests.

    Raises:
        UnreachableError: npm is not there or got no answer.
        TrustError: An archive is not the one that was written down.
    """
    packages = read_list(folder)
    told = []
    for package in packages:
        contents = files_of(_archive(package), package)
        for name, content in contents.items():
            path = folder / package.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        digests = {name: hashlib.sha256(found).hexdigest() for name, found in contents.items()}
        told.append(
            {
                "name": package.name,
                "version": package.version,
                "licence": package.licence,
                "integrity": package.integrity,
                "files": dict(package.files),
                "sha256": digests,
            }
        )
    text = json.dumps({"packages": told}, indent=2) + "\n"
    (folder / LIST_NAME).write_text(text, encoding="utf-8")


def _archive(package: Package) -> bytes:
    wanted = f"{package.name}@{package.version}"
    with tempfile.TemporaryDirectory() as scratch:
        try:
            done = subprocess.run(  # noqa: S603 - names of our own list, without a shell
                ["npm", "pack", wanted, "--silent", "--ignore-scripts"],  # noqa: S607 - npm of whoever maintains it
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnreachableError(f"npm did not fetch {wanted}: {error}") from error
        archives = list(Path(scratch).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            raise UnreachableError(f"npm did not fetch {wanted}: {done.stderr.strip()[:300]}")
        return archives[0].read_bytes()


def main(arguments: list[str]) -> int:
    """``fetch`` or ``check``; tells faults on stderr."""
    try:
        if arguments == ["fetch"]:
            fetch()
        elif arguments != ["check"]:
            sys.stderr.write("expected one of: fetch, check\n")
            return 2
    except ItsError as error:
        sys.stderr.write(f"{error}\n{error.hint}\n")
        return error.exit_code
    findings = wrong_files()
    sys.stderr.writelines(f"{finding}\n" for finding in findings)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
