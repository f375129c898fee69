"""A version, a file of pins, extras and further packages → exit code 0 where all is installed.

Run by the virtual environment's own Python. Ansible's pip module cannot tell in check mode
whether extras are there, and asks the package index at each run.
"""

import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

PRODUCT = "its-camera-ai"


def main() -> None:
    """Say on stderr what is missing, with exit code 1."""
    release, pins_file, extras, alone = sys.argv[1:]
    wanted = [
        Requirement(f"{PRODUCT}=={release}"),
        *map(Requirement, filter(None, alone.split(","))),
    ]
    wanted += needed_for(extras.split(","))
    wanted += pins_of(Path(pins_file), {canonicalize_name(each.name) for each in wanted})
    missing = [str(each) for each in wanted if not is_there(each)]
    sys.exit(f"missing: {', '.join(missing)}" if missing else 0)


def needed_for(extras: list[str]) -> Iterator[Requirement]:
    """What the release asks for with these extras."""
    for each in map(Requirement, requires(PRODUCT) or ()):
        is_wanted = each.marker is None or any(each.marker.evaluate({"extra": x}) for x in extras)
        if is_wanted and canonicalize_name(each.name) != PRODUCT:
            yield each


def pins_of(file: Path, names: set[str]) -> Iterator[Requirement]:
    """The pins of these packages."""
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            pin = Requirement(line.partition(" #")[0])
            if canonicalize_name(pin.name) in names and (
                pin.marker is None or pin.marker.evaluate()
            ):
                yield pin


def is_there(wanted: Requirement) -> bool:
    """Whether a package is installed in a version that will do."""
    try:
        return wanted.specifier.contains(version(wanted.name), prereleases=True)
    except PackageNotFoundError:
        return False


main()
