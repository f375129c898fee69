"""A box that is killed before any of the changes it makes to its disk on the way to a release."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from common.release_state import SlotName, Step
from edge.update.book import Book
from edge.update.record import Record, SlotNote
from edge.update.slots import MANIFEST_FILE, MODEL_FILE
from tests.conftest import REPOSITORY
from tests.fakes.release_repository import NAME, TinyRepository, serving, tiny_repository
from tests.fakes.tiny_onnx import write_tiny_onnx

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KILLED = -signal.SIGKILL


@pytest.fixture
def repository(tmp_path: Path) -> TinyRepository:
    repository = tiny_repository(tmp_path / "repository")
    (tmp_path / "root.json").write_bytes(repository.root)
    (tmp_path / "box" / "factory").mkdir(parents=True)
    (tmp_path / "box" / "before").mkdir()
    write_tiny_onnx(tmp_path / "box" / "factory" / f"{NAME}-1.0.0.onnx")
    for version in ("1.1.0", "1.2.0", "1.3.0"):
        model = write_tiny_onnx(tmp_path / f"{version}.onnx", metadata={"made_for": version})
        repository.publish(model, version=version)
    return repository


def put_into_slot(
    folder: Path, repository: TinyRepository, slot: SlotName, version: str
) -> SlotNote:
    """A slot as an earlier release left it."""
    manifest = (repository.folder / "targets" / "releases" / NAME / f"{version}.json").read_bytes()
    place = folder / slot.value
    place.mkdir()
    (place / MANIFEST_FILE).write_bytes(manifest)
    model = json.loads(manifest)["model"]
    source = repository.folder / "targets" / model["path"]
    (place / MODEL_FILE).write_bytes(source.read_bytes())
    digest = subprocess.run(
        ["sha256sum", place / MANIFEST_FILE], check=True, capture_output=True, text=True
    ).stdout.split()[0]
    return SlotNote(
        name=NAME, version=version, manifest_sha256=digest, model_sha256=model["sha256"]
    )


def lives(tmp_path: Path, repository: TinyRepository, version: str, stride: int) -> list[Any]:
    with serving(repository.folder) as server:
        run = subprocess.run(
            [
                sys.executable, "-m", "tests.fakes.killed_updater", str(tmp_path / "box"),
                server.url, str(tmp_path / "root.json"), version, str(stride),
            ],
            cwd=REPOSITORY,
            env={**os.environ, "ITS_LOG_LEVEL": "error"},
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
    return [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]


def test_the_first_release_survives_a_power_cut_before_any_change(
    tmp_path: Path, repository: TinyRepository
) -> None:
    told = lives(tmp_path, repository, "1.1.0", stride=1)

    *cut, whole = told
    assert len(cut) > 50
    assert {tuple(each["codes"]) for each in cut} == {(KILLED, 0, 0)}
    assert whole["codes"] == [0, 0, 0]
    after = Counter((each["after_cut"]["slot"], each["after_cut"]["version"]) for each in told)
    assert set(after) == {("factory", "1.0.0"), ("a", "1.1.0")}
    steps = {each["after_cut"]["step"] for each in told}
    assert {"idle", "fetching", "verifying", "gating", "watching", "confirmed"} <= steps
    for each in told:
        end = each["end"]
        assert (end["slot"], end["active_version"], end["step"]) == ("a", "1.1.0", "confirmed")
        assert set(each["left"]) == {"a", "active.json", "metadata"}


def test_a_release_over_the_one_before_the_last_survives_it_too(
    tmp_path: Path, repository: TinyRepository
) -> None:
    before = tmp_path / "box" / "before"
    slots = {
        SlotName.A: put_into_slot(before, repository, SlotName.A, "1.1.0"),
        SlotName.B: put_into_slot(before, repository, SlotName.B, "1.2.0"),
    }
    Book(before).change(
        lambda _record: Record(
            active=SlotName.B, former=SlotName.A, slots=slots, step=Step.CONFIRMED
        )
    )

    told = lives(tmp_path, repository, "1.3.0", stride=2)

    *cut, whole = told
    assert len(cut) > 25
    assert {tuple(each["codes"]) for each in cut} == {(KILLED, 0, 0)}
    assert whole["codes"] == [0, 0, 0]
    after = {(each["after_cut"]["slot"], each["after_cut"]["version"]) for each in told}
    assert after == {("b", "1.2.0"), ("a", "1.3.0")}
    for each in told:
        end = each["end"]
        assert (end["slot"], end["active_version"], end["step"]) == ("a", "1.3.0", "confirmed")
        assert set(each["left"]) == {"a", "b", "active.json", "metadata"}
