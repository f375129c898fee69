"""A box that watches a night junction fills its vault, labels it, and shows nobody a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from common.site import Site, load_site
from edge.cli import app
from edge.config import load_config
from edge.container import agent_container, edge_agent, open_store
from edge.simulate.site_camera import scene_camera
from edge.simulate.source_uri import parse_source

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOURCE = (
    "simulate:junction?seed=3&light=night&size=640x352&fps=8&duration=26&vehicles=12&pedestrians=4"
)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    """A box with one night camera that keeps a picture of every five seconds."""
    camera = scene_camera(parse_source(SOURCE), source=SOURCE)
    site = Site(site="night", cameras=(camera,))
    content = site.model_dump(mode="json", by_alias=True, exclude_none=True)
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(content))
    learn = {
        "sampling": {"window_s": 5, "spacing_s": 0},
        "teaching": {"is_on": False},  # by command below, so that before and after are told apart
        "readiness": {"least_samples": 2, "least_memory_mb": 0, "most_load": 1},
    }
    settings = {"site_file": "site.yaml", "data_folder": "data", "learn": learn}
    (tmp_path / "edge.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path / "edge.yaml"


def run_to_the_end(config_file: Path) -> None:
    config = load_config(config_file)
    container = agent_container(config)
    config.data_folder.mkdir(parents=True)
    store = open_store(container, config)
    try:
        cameras = config.cameras_of(load_site(config.site_file))
        assert edge_agent(container, config, cameras, store).run()
    finally:
        container.shared_detector().close()
        store.close()


def asked(config_file: Path, *words: str) -> dict[str, Any]:
    result = CliRunner().invoke(
        app, ["learn", *words, "--config", str(config_file), "--json"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def test_an_agent_fills_its_vault_and_labels_it(config_file: Path) -> None:
    run_to_the_end(config_file)

    kept = asked(config_file, "samples")["samples"]
    before = asked(config_file, "labels")
    after = asked(config_file, "labels", "--now")

    assert 3 <= len(kept) <= 6  # 26 seconds in windows of five
    assert {sample["source"] for sample in kept} <= {"tracks", "none"}
    assert any(sample["boxes"] for sample in kept)
    assert before["waiting"] > 0
    assert after["waiting"] == 0
    assert all(sources == {"teacher": boxes} for sources, boxes in _sums(after["labels"]))
    status = asked(config_file, "status")
    assert (status["samples"], status["is_ready"]) == (len(kept), True)
    folder = config_file.parent / "data" / "learn"
    written = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert json.loads((folder / "readiness.json").read_bytes())["checks"]
    assert not any(b"\xff\xd8\xff" in content or b"JFIF" in content for content in written)
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))


def _sums(labels: dict[str, dict[str, int]]) -> list[tuple[dict[str, int], int]]:
    assert labels
    return [(sources, sum(sources.values())) for sources in labels.values()]
