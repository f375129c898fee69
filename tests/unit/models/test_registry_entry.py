"""A filed candidate is whole, unchanged, and says where it came from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.errors import ConfigError, ConflictError, TrustError
from common.rounds import ParentModel, PlannedClient, RunPlan
from models.registry_entry import (
    Lineage,
    code_version,
    data_statement,
    file_entry,
    parent_facts,
    read_entry,
    seal_entry,
    trained_on,
)

pytestmark = pytest.mark.unit

PLAN = RunPlan(
    run="run-1",
    created_at=datetime(2026, 3, 1, tzinfo=UTC),
    parent=ParentModel(
        name="its-yolo11n", version="1.0.0", sha256="ab" * 32, file=Path("parent.pt")
    ),
    clients=(
        PlannedClient(device="box-a", samples=120),
        PlannedClient(device="box-b", samples=80),
    ),
)


def lineage(version: str = "1.1.0") -> Lineage:
    return Lineage(
        name="its-yolo11n",
        model_version=version,
        created_at=datetime(2026, 3, 2, tzinfo=UTC),
        run=PLAN.run,
        rounds=2,
        clients=trained_on(PLAN, [("box-a", "box-b"), ("box-a",)]),
        data_statement=data_statement(PLAN),
        code_version=code_version(),
        **parent_facts(PLAN.parent),
    )


def candidate(folder: Path, *, weights: bytes = b"weights", version: str = "1.1.0") -> Path:
    folder.mkdir(parents=True)
    (folder / f"its-yolo11n-{version}.pt").write_bytes(weights)
    (folder / "verdict.json").write_text("{}", encoding="utf-8")
    seal_entry(folder, lineage(version))
    return folder


def test_lineage_says_who_took_part_in_how_many_rounds(tmp_path: Path) -> None:
    found = read_entry(candidate(tmp_path / "candidate"))

    assert [(one.device, one.samples, one.rounds) for one in found.clients] == [
        ("box-a", 120, 2),
        ("box-b", 80, 1),
    ]
    assert found.parent_sha256 == "ab" * 32
    assert found.data_statement.startswith("200 images of 2 devices, which stayed there")
    assert sorted(found.files) == ["its-yolo11n-1.1.0.pt", "verdict.json"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(
            lambda folder: (folder / "its-yolo11n-1.1.0.pt").write_bytes(b"other"),
            "SHA-256",
            id="changed weights",
        ),
        pytest.param(
            lambda folder: (folder / "verdict.json").unlink(), "is missing", id="missing verdict"
        ),
    ],
)
def test_a_candidate_that_was_touched_is_not_filed(
    tmp_path: Path, spoil: object, words: str
) -> None:
    folder = candidate(tmp_path / "candidate")
    spoil(folder)  # type: ignore[operator]

    with pytest.raises(TrustError, match=words):
        file_entry(folder, tmp_path / "registry")

    assert not list((tmp_path / "registry").glob("*/*"))


def test_filing_twice_changes_nothing(tmp_path: Path) -> None:
    folder = candidate(tmp_path / "candidate")

    first = file_entry(folder, tmp_path / "registry")
    again = file_entry(folder, tmp_path / "registry")

    assert first == again == tmp_path / "registry" / "its-yolo11n" / "1.1.0"
    assert read_entry(first) == read_entry(folder)


def test_a_version_is_never_given_to_other_weights(tmp_path: Path) -> None:
    file_entry(candidate(tmp_path / "one"), tmp_path / "registry")
    other = candidate(tmp_path / "two", weights=b"others")

    with pytest.raises(ConflictError, match=r"its-yolo11n 1\.1\.0 is filed already"):
        file_entry(other, tmp_path / "registry")


def test_a_folder_without_weights_is_no_candidate(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected weights"):
        seal_entry(tmp_path, lineage())
