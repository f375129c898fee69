"""The proof set is counted once per model, and faults never cancel."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from models.proof_counts import SCENES, ProofScene, count_proof_set, together

pytestmark = pytest.mark.unit

TWO = (
    ProofScene(name="day", source="simulate:road?seed=1"),
    ProofScene(name="night", source="simulate:road?seed=2&light=night"),
)


@dataclass
class RecordingBox:
    """Counts nothing; says of every scene what its seed says."""

    truths: list[str] = field(default_factory=list)
    counts: list[tuple[str, str]] = field(default_factory=list)

    def write_truth(self, source: str, target: Path) -> None:
        self.truths.append(source)
        target.write_text("{}", encoding="utf-8")

    def count(self, source: str, *, truth: Path, model: Path) -> dict[str, Any]:
        assert truth.read_text(encoding="utf-8") == "{}"
        self.counts.append((source, model.name))
        seed = 2 if "seed=2" in source else 1
        totals = {"true": 10 * seed, "missed": seed, "false": 0, "wrong_class": 3}
        return {"truth": {"totals": totals | {"fault_share": 0.1}}}


def model(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def test_every_scene_is_counted_and_summed(tmp_path: Path) -> None:
    box = RecordingBox()

    counts = count_proof_set(
        model(tmp_path, "a.onnx", b"a"), memory=tmp_path / "kept", scenes=TWO, box=box
    )

    whole = together(counts)
    assert [row.scene for row in counts] == ["day", "night"]
    assert (whole.true, whole.missed, whole.false, whole.wrong_class) == (30, 3, 0, 6)
    assert whole.faults == 3


def test_a_model_is_counted_once_whatever_its_name(tmp_path: Path) -> None:
    box, kept = RecordingBox(), tmp_path / "kept"
    first = count_proof_set(model(tmp_path, "a.onnx", b"a"), memory=kept, scenes=TWO, box=box)

    again = count_proof_set(model(tmp_path, "b.onnx", b"a"), memory=kept, scenes=TWO, box=box)
    count_proof_set(model(tmp_path, "a.onnx", b"changed"), memory=kept, scenes=TWO, box=box)

    assert again == first
    assert [name for _, name in box.counts] == ["a.onnx", "a.onnx", "a.onnx", "a.onnx"]
    assert len(box.truths) == 2  # the truth of a scene depends on no model


def test_the_proof_set_shows_day_night_rain_and_density() -> None:
    text = " ".join(scene.source for scene in SCENES)

    assert len({scene.name for scene in SCENES}) == len(SCENES) >= 4
    for word in ("junction", "light=night", "weather=rain", "vehicles=30"):
        assert word in text
    assert all("seed=" in scene.source and "duration=" in scene.source for scene in SCENES)
