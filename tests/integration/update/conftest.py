"""A coordinator that enrols, a repository of releases on loopback, and a box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.release.manifest import Gate
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator, enrolment_coordinator
from tests.fakes.release_repository import ReleaseServer, TinyRepository, serving, tiny_repository
from tests.fakes.releasing_box import NAME, ReleasingBox
from tests.fakes.white_cell_onnx import CAR, white_cell_calibration, write_white_cell_onnx

GATE = Gate(least_match=0.9, least_f1=0.6, most_f1_loss=0.02)


@dataclass
class Town:
    """Both ends of a release."""

    folder: Path
    repository: TinyRepository
    server: ReleaseServer
    enrolment: EnrolmentCoordinator
    box: ReleasingBox

    def publish(self, version: str, *, sees: int = CAR) -> None:
        """A release whose reference is what the model itself finds."""
        path = self.folder / f"{NAME}-{version}.onnx"
        write_white_cell_onnx(path, sees=sees, name=NAME, version=version)
        calibration = white_cell_calibration(reference_sees=sees)
        self.repository.publish(
            path, version=version, calibration=calibration, gate=GATE, name=NAME
        )


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    repository = tiny_repository(tmp_path / "repository")
    (tmp_path / "box").mkdir()
    with serving(repository.folder) as server, enrolment_coordinator() as enrolment:
        enrolment.changes = {"release_root": repository.root.decode()}
        box = ReleasingBox.enrolled(tmp_path / "box", enrolment, url=server.url)
        try:
            yield Town(tmp_path, repository, server, enrolment, box)
        finally:
            box.end()
