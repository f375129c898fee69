from __future__ import annotations

import re
import tomllib
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.unit

PIN = re.compile(r"^[a-z0-9][a-z0-9.-]*==[0-9][0-9a-z.]*( ; [a-z_<>=!'0-9. ()]+)?$", re.IGNORECASE)


def pins() -> dict[str, str]:
    """Name → exact version, as constraints.txt has them."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.partition(" ;")[0].split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pinned}


def direct_requirements() -> list[Requirement]:
    """What pyproject.toml asks for in any extra, without references to our own extras."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    return [r for r in map(Requirement, texts) if r.name != project["name"]]


@pytest.mark.parametrize("requirement", direct_requirements(), ids=lambda r: r.name)
def test_every_requirement_is_pinned_within_its_range(requirement: Requirement) -> None:
    version = pins()[canonicalize_name(requirement.name)]

    assert requirement.specifier.contains(version)


def test_constraints_are_exact_versions_without_addresses_or_hashes() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()

    odd = [line for line in lines if not (line.startswith("# ") or PIN.match(line))]

    assert len(lines) > 50
    assert odd == []


@pytest.mark.parametrize(
    "line",
    [
        "numpy>=2",
        "numpy==2.4.6 --hash=sha256:00",
        "numpy @ https://example.org/numpy.whl",
        "torch==2.13.0+cpu",
        "-e .",
    ],
)
def test_anything_but_an_exact_version_would_be_noticed(line: str) -> None:
    assert not PIN.match(line)
